"""Answers that say where they have it from: numbers held against what the turn was offered."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from agents_app.models import Citation
from agents_app.providers.parts import Part, TextPart
from agents_app.services.citations import forget_offers, offered_passages
from agents_app.tools.audience import register_audience
from chat_app.models import Message, Thread, ThreadParticipant, Turn
from chat_app.runtime.markers import checked_markers, has_markers, without_markers
from one_project.accounts.models import Membership, User

QUOTE_LIMIT: Final = 400
MAX_DEPTH: Final = 10


def cited_parts(
    organisation_id: UUID, turn_id: UUID, parts: Sequence[Part]
) -> tuple[list[Part], list[dict[str, Any]]]:
    """The parts of an answer without markers that the turn was not offered, and its sources.

    A turn that was offered nothing has no citations: what looks like one is its own business.
    """
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    if not any(map(has_markers, texts)):
        return list(parts), []
    offered = offered_passages(organisation_id, turn_id)
    if not offered:
        return list(parts), []
    checked: list[Part] = []
    used: dict[int, None] = {}
    for part in parts:
        if isinstance(part, TextPart):
            text, numbers = checked_markers(part.text, offered)
            used.update(dict.fromkeys(numbers))
            checked.append(part if text == part.text else TextPart(text, part.provider_metadata))
        else:
            checked.append(part)
    return checked, [_source(offered[number]) for number in sorted(used)]


def told_elsewhere(message: Message) -> str:
    """The text of an answer for whoever has not its sources: without their numbers, which mean
    something else there."""
    return without_markers(message.text) if message.sources else message.text


def forget_citations(turns: Sequence[Turn]) -> None:
    """Forget what these turns of one organisation were offered."""
    if turns:
        forget_offers(turns[0].organisation_id, [turn.pk for turn in turns])


def forget_citations_with(message_ids: Sequence[UUID]) -> None:
    """The same for messages that go: a turn goes with the last one it wrote."""
    forget_citations(list(Turn.objects.filter(message__in=message_ids)))


def _source(citation: Citation) -> dict[str, Any]:
    """As it is kept on the message: the passage as it was, whatever becomes of the document."""
    return {
        "n": citation.number,
        "document_id": str(citation.document_id),
        "version_id": str(citation.version_id),
        "version": citation.version.number,
        "title": citation.title,
        "heading": citation.heading,
        "page": citation.page_label,
        "page_number": citation.page,
        "char_start": citation.char_start,
        "char_end": citation.char_end,
        "quote": _short(citation.quote),
    }


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= QUOTE_LIMIT else f"{line[: QUOTE_LIMIT - 1].rstrip()}…"


def people_of_thread(thread_id: UUID) -> list[User]:
    """Everybody who reads what is said in the thread, and in those it was delegated from: an answer
    of a delegate is told there."""
    ids: list[UUID] = []
    wanted: UUID | None = thread_id
    while wanted is not None and wanted not in ids and len(ids) <= MAX_DEPTH:
        ids.append(wanted)
        wanted = Thread.objects.filter(pk=wanted).values_list("parent_id", flat=True).first()
    members = Membership.objects.active().filter(organisation__threads=thread_id)
    people = ThreadParticipant.objects.filter(thread__in=ids, user__isnull=False)
    return list(
        User.objects.filter(pk__in=people.values("user")).filter(pk__in=members.values("user"))
    )


register_audience(people_of_thread)
