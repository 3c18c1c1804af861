"""Messages and edits as they are indexed and embedded. Reads; ``services.indexing`` writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from agents_app.search.kinds import EmbeddedKind, EmbeddedText, register_kind
from agents_app.search.texts import content_hash, embedded, with_previous
from chat_app.models import SearchEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What there is to know of a message for its entry. previous: what was said before it."""

    message_id: UUID
    organisation_id: UUID
    thread_id: UUID
    order: int
    step_order: int
    said_at: datetime
    hidden: bool
    text: str
    previous: str

    @property
    def content_hash(self) -> str:
        return content_hash(with_previous(self.previous, self.text))


_FINDABLE = "m.status = 'success' AND m.superseded_by_id IS NULL AND m.kind IN ('user', 'agent')"
_INDEXED: Final = f"""
SELECT m.id, m.organisation_id, m.thread_id, m."order", m.step_order, m.created_at,
    m.meta ?| ARRAY['skip_context', 'hidden'], m.text, coalesce(p.text, '')
FROM chat_app_message m
LEFT JOIN LATERAL (
    SELECT left(p.text, 4000) AS text FROM chat_app_message p
    WHERE p.thread_id = m.thread_id AND (p."order", p.step_order) < (m."order", m.step_order)
        AND p.status = 'success' AND p.superseded_by_id IS NULL
        AND p.kind IN ('user', 'agent') AND p.text <> ''
    ORDER BY p."order" DESC, p.step_order DESC LIMIT 1
) p ON true
WHERE m.id = ANY(%s) AND m.text <> '' AND {_FINDABLE}
"""  # noqa: S608 - constants


def indexed_messages(ids: Sequence[UUID]) -> list[Indexed]:
    """Those of the messages that can be found: said to the end, in words, not replaced."""
    with connection.cursor() as cursor:
        cursor.execute(_INDEXED, [list(ids)])
        return [
            Indexed(
                message_id=row[0],
                organisation_id=row[1],
                thread_id=row[2],
                order=row[3],
                step_order=row[4],
                said_at=row[5],
                hidden=row[6],
                text=row[7],
                previous=row[8],
            )
            for row in cursor.fetchall()
        ]


def edit_text(before: str, after: str) -> str:
    """An edit of the canvas as it is found: what stands there now first."""
    return embedded(f"{after}\n{before}")


def read_texts(organisation_id: UUID, ids: Sequence[UUID]) -> list[EmbeddedText]:
    """The texts of entries as they are embedded, within ``in_tenant``."""
    entries = list(
        SearchEntry.objects.filter(organisation=organisation_id, pk__in=list(ids)).select_related(
            "edit"
        )
    )
    said = {
        one.message_id: with_previous(one.previous, one.text)
        for one in indexed_messages([entry.message_id for entry in entries if entry.message_id])
    }
    found = []
    for entry in entries:
        if entry.edit is not None:
            text = edit_text(entry.edit.before, entry.edit.after)
        elif entry.message_id in said:
            text = said[entry.message_id]
        else:
            continue
        found.append(EmbeddedText(entry.pk, text, content_hash(text)))
    return found


ENTRIES = register_kind(
    EmbeddedKind("entry", "chat_app_entryembedding", "chat_app_searchentry", read_texts)
)
