"""``manage.py embeddings``: look at embedding spaces, and move from one to another."""

from argparse import ArgumentParser
from typing import Any

from asgiref.sync import async_to_sync
from django.core.management.base import BaseCommand, CommandError

from agents_app.models import EmbeddingSpace
from agents_app.providers.errors import ModelError
from agents_app.providers.registry import require_embedding_model
from agents_app.services.embedding import length_of
from agents_app.services.space_building import (
    begin_space,
    drop_space,
    pause_space,
    resume_space,
    switch_over,
)
from agents_app.services.space_tending import request_missing
from one_project.common.errors import AppError

VERBS = ("list", "build", "pause", "resume", "switch", "drop", "missing")


class Command(BaseCommand):
    help = (
        "list: spaces and how far they are. build: fill one for the configured model. pause, "
        "resume, switch, drop SPACE. missing: embed what the active space lacks."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=VERBS)
        parser.add_argument("space", nargs="?", type=int, help="the number that list shows")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = options["verb"]
        try:
            if verb == "build":
                self._build()
            elif verb == "missing":
                self.stdout.write(f"{request_missing()} items will be embedded by the workers")
            elif verb != "list":
                self._change(verb, self._space(options["space"]))
        except (AppError, ModelError) as error:
            raise CommandError(getattr(error, "user_message", str(error))) from error
        self._list()

    def _build(self) -> None:
        model = require_embedding_model()
        begin_space(model, async_to_sync(length_of)(model))

    def _change(self, verb: str, space: EmbeddingSpace) -> None:
        if verb == "switch":
            switch_over(space.pk)
        else:
            {"pause": pause_space, "resume": resume_space, "drop": drop_space}[verb](space)

    def _space(self, key: int | None) -> EmbeddingSpace:
        space = EmbeddingSpace.objects.filter(pk=key).first() if key is not None else None
        if space is None:
            raise CommandError("Name a space by the number that list shows.")
        return space

    def _list(self) -> None:
        for space in EmbeddingSpace.objects.order_by("pk"):
            done = min(space.items_done, space.items_total)
            far = f"{done:,} of {space.items_total:,}" if space.items_total else ""
            self.stdout.write(f"{space.pk:3}  {space.state:8}  {space}  {far}  {space.error}")
