"""Embedding spaces: how far they are, and moving from one to another. For superusers.

Making and removing one needs the role that owns the tables, so a worker does it.
"""

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from agents_app.errors import SpaceNotReady
from agents_app.models import EmbeddingSpace
from agents_app.services.space_building import (
    pause_space,
    request_drop,
    request_space,
    resume_space,
    switch_over,
)
from one_project.accounts.tenant_admin import InstallationAdmin
from one_project.common.read_only import ReadOnlyAdmin


@admin.register(EmbeddingSpace)
class EmbeddingSpaceAdmin(ReadOnlyAdmin[EmbeddingSpace], InstallationAdmin[EmbeddingSpace]):
    list_display = ["model", "provider", "dimensions", "state", "progress", "error", "activated_at"]
    list_filter = ["state"]
    # Numbers, not ids of ours; and there are few of them.
    id_fields = ()
    fields = [
        "provider", "model", "dimensions", "text_form", "state", "progress", "error",
        "created_at", "activated_at",
    ]  # fmt: skip
    actions = ["pause", "resume", "switch", "remove", "build"]

    @admin.display(description="progress")
    def progress(self, space: EmbeddingSpace) -> str:
        """Items of the meantime are embedded, but were not counted at the beginning."""
        total = space.items_total
        if not total:
            return "–"
        done = min(space.items_done, total)
        return f"{done:,} of {total:,} ({100 * done // total} %)"

    @admin.action(description="Pause the building", permissions=["view"])
    def pause(self, request: HttpRequest, spaces: QuerySet[EmbeddingSpace]) -> None:
        self._each(request, spaces, pause_space, "is paused")

    @admin.action(description="Go on with the building", permissions=["view"])
    def resume(self, request: HttpRequest, spaces: QuerySet[EmbeddingSpace]) -> None:
        self._each(request, spaces, resume_space, "goes on")

    @admin.action(description="Have searches use it (one)", permissions=["view"])
    def switch(self, request: HttpRequest, spaces: QuerySet[EmbeddingSpace]) -> None:
        chosen = list(spaces[:2])
        if len(chosen) > 1:
            self.message_user(request, "Please choose one: only one is used.", messages.ERROR)
            return
        self._each(request, chosen, lambda space: switch_over(space.pk), "is used by searches")

    @admin.action(description="Remove it with its vectors", permissions=["view"])
    def remove(self, request: HttpRequest, spaces: QuerySet[EmbeddingSpace]) -> None:
        self._each(request, spaces, request_drop, "will be removed by a worker")

    @admin.action(description="Build one for the configured model", permissions=["view"])
    def build(self, request: HttpRequest, spaces: QuerySet[EmbeddingSpace]) -> None:
        """Whatever is chosen: the model is that of the settings."""
        try:
            request_space()
        except SpaceNotReady as error:
            self.message_user(request, error.user_message, messages.ERROR)
        else:
            self.message_user(request, "A worker begins it.", messages.SUCCESS)

    def _each(
        self,
        request: HttpRequest,
        spaces: "QuerySet[EmbeddingSpace] | list[EmbeddingSpace]",
        verb: Callable[[EmbeddingSpace], object],
        done: str,
    ) -> None:
        for space in spaces:
            try:
                verb(space)
            except SpaceNotReady as error:
                self.message_user(request, f"{space}: {error.user_message}", messages.ERROR)
            else:
                self.message_user(request, f"{space} {done}.", messages.SUCCESS)
