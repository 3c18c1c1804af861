"""The numbers a turn may cite passages by: one for each passage, the same for all of the turn."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from agents_app.models import Citation
from agents_app.services.knowledge import Passage
from one_project.common.tenancy import in_tenant


def offer_passages(
    organisation_id: UUID, turn_id: UUID, passages: Sequence[Passage]
) -> list[int | None]:
    """The numbers of these passages in the turn, in their order; new ones where they have none.
    None for what has been deleted since it was found.

    One call at a time allots numbers of a turn: two searches that run at once get different ones.
    """
    if not passages:
        return []
    with in_tenant(organisation_id):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"citations:{turn_id}"]
            )
        rows = Citation.objects.filter(organisation=organisation_id, turn_id=turn_id)
        known = dict(rows.values_list("chunk_id", "number"))
        last = max(rows.values_list("number", flat=True), default=0)
        # In the order in which they are deleted.
        documents = _held("agents_app_document", [one.document_id for one in passages])
        versions = _held("agents_app_documentversion", [one.version_id for one in passages])
        # A newer version takes the passages of the one before; what was found can still be cited.
        chunks = _held("agents_app_chunk", [one.chunk_id for one in passages])
        new = [
            one
            for one in passages
            if one.document_id in documents
            and one.version_id in versions
            and one.chunk_id not in known
        ]
        for number, passage in enumerate(new, last + 1):
            known[passage.chunk_id] = number
        Citation.objects.bulk_create(
            _citation(organisation_id, turn_id, known[one.chunk_id], one, chunks) for one in new
        )
    return [known.get(one.chunk_id) for one in passages]


def _held(table: str, ids: Sequence[UUID]) -> set[UUID]:
    """Those of the rows that are there; they stay until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {table} WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE",  # noqa: S608
            [list(ids)],
        )
        return {row[0] for row in cursor.fetchall()}


def offered_passages(organisation_id: UUID, turn_id: UUID) -> dict[int, Citation]:
    """All that the turn may cite, by number, with the versions."""
    with in_tenant(organisation_id):
        rows = Citation.objects.filter(organisation=organisation_id, turn_id=turn_id)
        return {row.number: row for row in rows.select_related("version").order_by("number")}


def forget_offers(organisation_id: UUID, turn_ids: Sequence[UUID]) -> None:
    """Delete what these turns were offered, for threads that are deleted for good."""
    with in_tenant(organisation_id):
        Citation.objects.filter(organisation=organisation_id, turn_id__in=turn_ids).delete()


def _citation(
    organisation_id: UUID, turn_id: UUID, number: int, passage: Passage, chunks: set[UUID]
) -> Citation:
    return Citation(
        organisation_id=organisation_id,
        turn_id=turn_id,
        number=number,
        chunk_id=passage.chunk_id if passage.chunk_id in chunks else None,
        document_id=passage.document_id,
        version_id=passage.version_id,
        title=passage.title,
        heading=passage.heading,
        page=passage.page,
        page_label=passage.page_label,
        char_start=passage.char_start,
        char_end=passage.char_end,
        quote=passage.text,
        relevance=passage.relevance,
    )
