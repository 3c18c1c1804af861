"""What is asked of the playground, read without ever failing; services say what is wrong."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest

from chat_app.models import Check
from chat_app.services.playground_inputs import MAX_INPUTS, NewInput
from one_project.common.ids import parse_id
from one_project.common.text import clean_line, clean_text


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedTrial:
    """The composer as it was sent. ``system`` None: the agent's own."""

    action: str
    thread: str
    turn: str
    agent: str
    models: str
    prompt: str
    system: str | None
    context: str
    options: str
    save: bool
    client_key: UUID | None


def posted_trial(request: HttpRequest) -> PostedTrial:
    sent = request.POST
    return PostedTrial(
        action="preview" if sent.get("action") == "preview" else "run",
        thread=clean_line(sent.get("thread"), 64),
        turn=clean_line(sent.get("turn"), 64),
        agent=clean_line(sent.get("agent"), 200),
        models=clean_text(sent.get("models"))[:2000],
        prompt=clean_text(sent.get("prompt")),
        system=clean_text(sent["system"]) if "system" in sent else None,
        context=clean_text(sent.get("context")),
        options=clean_text(sent.get("options")),
        save=sent.get("save") == "1",
        client_key=parse_id(sent.get("client_key")),
    )


def posted_inputs(request: HttpRequest) -> list[NewInput]:
    """The rows of the list's form, in their order, also empty ones."""
    texts, expected, checks = (
        request.POST.getlist(name)[: MAX_INPUTS + 50] for name in ("input", "expected", "check")
    )
    rows = []
    for n, text in enumerate(texts):
        what = str(expected[n]) if n < len(expected) else ""
        how = str(checks[n]) if n < len(checks) else Check.NONE
        rows.append(NewInput(clean_text(text), clean_text(what), clean_line(how, 8)))
    return rows


@dataclass(frozen=True, slots=True)
class ThreadFilter:
    """Whose threads are listed, and which."""

    person: str
    query: str
    cursor: str | None


def asked_threads(request: HttpRequest) -> ThreadFilter:
    return ThreadFilter(
        person=clean_line(request.GET.get("person"), 64),
        query=clean_line(request.GET.get("q"), 200),
        cursor=request.GET.get("cursor", "")[:300] or None,
    )
