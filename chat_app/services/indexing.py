"""The index follows the messages in the transaction that changes them; vectors come after it."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from agents_app.search.texts import content_hash, folded
from agents_app.services.embedding import request_embedding
from chat_app.models import EntryKind, SearchEntry, Thread, ThreadEdit
from chat_app.search.entries import ENTRIES, Indexed, edit_text, indexed_messages
from one_project.common.ids import new_id
from one_project.common.tenancy import in_tenant


def index_messages(thread: Thread, ids: Sequence[UUID]) -> None:
    """Bring the entries of these messages of ``thread`` up to date: what has been replaced or has
    failed is found no more."""
    if not ids:
        return
    found = indexed_messages(ids)
    lost = set(ids) - {one.message_id for one in found}
    with in_tenant(thread.organisation_id):
        if lost:
            SearchEntry.objects.filter(
                organisation=thread.organisation_id, message__in=lost
            ).delete()
        changed = _upsert(found)
    request_embedding(ENTRIES, thread.organisation_id, changed)


def index_edit(edit: ThreadEdit) -> None:
    """Make an edit of the canvas searchable, at the place of the newest prompt."""
    text = edit_text(edit.before, edit.after)
    newest = edit.thread.messages.aggregate(order=Max("order"))["order"]
    with in_tenant(edit.organisation_id):
        entry = SearchEntry(
            organisation_id=edit.organisation_id,
            thread_id=edit.thread_id,
            kind=EntryKind.EDIT,
            edit=edit,
            order=newest or 0,
            said_at=edit.created_at,
            content_hash=content_hash(text),
        )
        _insert_edit(entry, text)
    request_embedding(ENTRIES, edit.organisation_id, [entry.pk])


_WORDS = (
    "setweight(to_tsvector(g.language::regconfig, g.own), 'A') || "
    "setweight(to_tsvector(g.language::regconfig, g.previous), 'C')"
)
_UPSERT = f"""
INSERT INTO chat_app_searchentry AS entry
    (id, created_at, meta, kind, organisation_id, thread_id, message_id, "order", step_order,
     said_at, hidden, content_hash, tsv)
SELECT g.id, %(now)s, '{{}}', 'message', g.organisation_id, g.thread_id, g.message_id, g."order",
    g.step_order, g.said_at, g.hidden, g.content_hash, {_WORDS}
FROM (SELECT *, %(language)s AS language FROM unnest(
    %(ids)s::uuid[], %(organisations)s::uuid[], %(threads)s::uuid[], %(messages)s::uuid[],
    %(orders)s::bigint[], %(steps)s::bigint[], %(times)s::timestamptz[], %(hidden)s::bool[],
    %(hashes)s::text[], %(own)s::text[], %(previous)s::text[]
) AS rows (id, organisation_id, thread_id, message_id, "order", step_order, said_at, hidden,
    content_hash, own, previous)) g
ON CONFLICT (message_id) DO UPDATE SET "order" = EXCLUDED."order",
    step_order = EXCLUDED.step_order, hidden = EXCLUDED.hidden,
    content_hash = EXCLUDED.content_hash, tsv = EXCLUDED.tsv
WHERE entry.content_hash <> EXCLUDED.content_hash OR entry.hidden <> EXCLUDED.hidden
    OR entry."order" <> EXCLUDED."order"
RETURNING entry.id
"""  # noqa: S608 - constants


def _upsert(found: Iterable[Indexed]) -> list[UUID]:
    """Ids of the entries that are new or have changed."""
    rows = list(found)
    if not rows:
        return []
    values = {
        "now": timezone.now(),
        "language": settings.ONE_SEARCH_LANGUAGE,
        "ids": [new_id() for _ in rows],
        "organisations": [row.organisation_id for row in rows],
        "threads": [row.thread_id for row in rows],
        "messages": [row.message_id for row in rows],
        "orders": [row.order for row in rows],
        "steps": [row.step_order for row in rows],
        "times": [row.said_at for row in rows],
        "hidden": [row.hidden for row in rows],
        "hashes": [row.content_hash for row in rows],
        "own": [folded(row.text) for row in rows],
        "previous": [folded(row.previous) for row in rows],
    }
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, values)
        return [row[0] for row in cursor.fetchall()]


def _insert_edit(entry: SearchEntry, text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO chat_app_searchentry
                (id, created_at, meta, kind, organisation_id, thread_id, edit_id, "order",
                 step_order, said_at, hidden, content_hash, tsv)
            VALUES (%s, %s, '{}', 'edit', %s, %s, %s, %s, 0, %s, false, %s,
                setweight(to_tsvector(%s::regconfig, %s), 'A'))
            """,
            [
                entry.pk,
                timezone.now(),
                entry.organisation_id,
                entry.thread_id,
                entry.edit_id,
                entry.order,
                entry.said_at,
                entry.content_hash,
                settings.ONE_SEARCH_LANGUAGE,
                folded(text),
            ],
        )
