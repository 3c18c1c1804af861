"""Looking at an MCP server: a worker asks it for its tools, and the page shows what came of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from integrations_app.models import McpServer
from integrations_app.providers import mcp_client
from integrations_app.providers.mcp_client import Described
from integrations_app.providers.schemas import SchemaRefused, tool_schema
from integrations_app.services.mcp_reach import reach
from integrations_app.services.outside import wake
from integrations_app.services.remote_tools import Seen, take_snapshot
from one_project.accounts.models import User
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.common.text import clean_line
from one_project.workflows.definitions import step
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

DEADLINE: Final = 30.0
# A look that has told nothing by then was lost with its worker.
GIVEN_UP_AFTER: Final = timedelta(seconds=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The last look at a server: ``state`` is running, ok, failed or lost; ``text`` for people."""

    state: str
    text: str
    at: datetime

    @property
    def is_running(self) -> bool:
        return self.state == "running"


def look_of(server: McpServer) -> Look | None:
    held = server.meta.get("look")
    if not isinstance(held, dict):
        return None
    at, state, text = datetime.fromisoformat(held["at"]), held["state"], held["text"]
    if state == "running" and timezone.now() - at > GIVEN_UP_AFTER:
        state, text = "lost", "It did not come to an end. Please try again."
    return Look(state=state, text=text, at=at)


@transaction.atomic
def look_at(server: McpServer, *, by: User, again: bool = False) -> None:
    """Have a worker ask it for its tools; one that is looked at already is not asked twice, but
    ``again``, for it has changed."""
    kept = McpServer.objects.select_for_update(of=("self",)).get(pk=server.pk)
    running = look_of(kept)
    if running is not None and running.is_running and not again:
        return
    enqueue(look_at_server, kept.pk, by.pk, organisation_id=kept.organisation_id)
    _note_look(kept, "running", "")
    server.meta = kept.meta
    wake(by.pk)


# It changes nothing over there, so it may be begun again.
@step(name="integrations.look_at_server", retry=Retry(attempts=2, initial=1.0), timeout=90)
async def look_at_server(server_id: UUID, by_id: UUID) -> str:
    """Ask for the tools and keep what is said."""
    opened = await in_thread(_opened, server_id, by_id)
    if opened is None:
        return "gone"
    server, user = opened
    found: list[Described] = []
    error: AppError | None = None
    try:
        found = await mcp_client.list_tools(await reach(server, user), deadline=DEADLINE)
    except AppError as raised:
        error = raised
    seen = [_seen(one) for one in found]
    return await in_thread(_settle, server, by_id, seen, error)


def _opened(server_id: UUID, by_id: UUID) -> tuple[McpServer, User] | None:
    rows = McpServer.objects.select_related("organisation", "integration", "connection")
    server = rows.filter(pk=server_id).first()
    user = User.objects.filter(pk=by_id).first()
    return (server, user) if server and user else None


@transaction.atomic
def _settle(server: McpServer, by_id: UUID, seen: list[Seen], error: AppError | None) -> str:
    rows = McpServer.objects.select_for_update(of=("self",)).select_related("organisation")
    kept = rows.filter(pk=server.pk).first()
    if kept is None or (kept.url, kept.command) != (server.url, server.command):
        return "changed meanwhile"
    if error is None:
        counts = take_snapshot(kept, seen)
        kept.last_ok_at, kept.last_error, kept.failures = timezone.now(), "", 0
        _note_look(kept, "ok", f"It offers {counts}.")
    else:
        kept.last_error = clean_line(error.user_message, 300)
        kept.failures += 1
        _note_look(kept, "failed", kept.last_error)
    kept.save()
    wake(by_id)
    return "failed" if error else "ok"


def _seen(one: Described) -> Seen:
    parameters: dict[str, Any] = {}
    problem = ""
    try:
        parameters = tool_schema(one.schema)
    except SchemaRefused as refusal:
        problem = str(refusal)
    return Seen(
        name=one.name,
        title=one.title,
        description=one.description,
        parameters=parameters,
        hints=one.hints,
        problem=problem,
    )


def _note_look(server: McpServer, state: str, text: str) -> None:
    held = {"state": state, "text": text, "at": timezone.now().isoformat()}
    server.meta = {**server.meta, "look": held}
    server.save(update_fields=["meta", "updated_at"])
