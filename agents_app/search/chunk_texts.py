"""Passages of documents as they are indexed: their words in Postgres, their texts for vectors.

Call it ``in_tenant``. Titles and headings are part of what is found, below the passage's own words:
these have the weight that conditions of a query ("quoted", ``-word``) look at.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.db import connection

from agents_app.knowledge.chunking import TextChunk, embedding_text
from agents_app.models import Chunk, Document, DocumentVersion, VersionStatus
from agents_app.search.kinds import EmbeddedKind, EmbeddedText, register_kind
from agents_app.search.texts import content_hash, folded
from one_project.common.ids import new_id

OWN_WEIGHT: Final = "A"
TITLE_WEIGHT: Final = "B"
# Rows of one statement: some megabytes.
BATCH: Final = 1_000
COUNT_EVERY: Final = 0.5  # seconds
# In the meta of a version that is found by its words only, for now.
OWED: Final = "owes_vectors"
NOT_BY_MEANING: Final = "This document is found by its words, not yet by its meaning."

_TSV: Final = f"""
    setweight(to_tsvector(%(language)s::regconfig, g.named), '{TITLE_WEIGHT}')
    || setweight(to_tsvector(%(language)s::regconfig, g.own), '{OWN_WEIGHT}')
    || array_to_tsvector(ARRAY['o:' || %(organisation)s::text])
"""

# Passages of version ``v`` with a vector of their present text.
_EMBEDDED: Final = """
    SELECT count(*) FROM agents_app_chunk c
    WHERE c.organisation_id = v.organisation_id AND c.version_id = v.id AND EXISTS (
        SELECT FROM agents_app_chunkembedding e
        WHERE e.item_id = c.id AND e.content_hash = c.content_hash)
"""


def write_chunks(
    version: DocumentVersion,
    *,
    title: str,
    language: str,
    chunks: Sequence[TextChunk],
    numbers: dict[int | None, int],
) -> None:
    """Store all passages of a version, its own before replaced. ``numbers``: by a page's label."""
    Chunk.objects.filter(version=version)._raw_delete("default")
    sql = f"""
        INSERT INTO agents_app_chunk (id, created_at, meta, organisation_id, document_id,
            version_id, seq, page, char_start, char_end, heading, text, content_hash, tsv)
        SELECT g.id, now(), '{{}}', %(organisation)s, %(document)s, %(version)s, g.seq, g.page,
            g.char_start, g.char_end, g.heading, g.text, g.content_hash, {_TSV}
        FROM unnest(%(ids)s::uuid[], %(seqs)s::int[], %(pages)s::int[], %(starts)s::int[],
            %(ends)s::int[], %(headings)s::text[], %(texts)s::text[], %(hashes)s::text[],
            %(named)s::text[], %(own)s::text[])
            AS g (id, seq, page, char_start, char_end, heading, text, content_hash, named, own)
    """  # noqa: S608 - fixed weights
    place: dict[str, Any] = {
        "organisation": version.organisation_id,
        "document": version.document_id,
        "version": version.pk,
        "language": language,
    }
    rest = iter(chunks)
    with connection.cursor() as cursor:
        while batch := list(islice(rest, BATCH)):
            values: dict[str, Any] = {
                "ids": [new_id() for _ in batch],
                "seqs": [one.seq for one in batch],
                "pages": [numbers[one.page] for one in batch],
                "starts": [one.char_start for one in batch],
                "ends": [one.char_end for one in batch],
                "headings": [one.heading[:500] for one in batch],
                "texts": [one.text for one in batch],
                "hashes": [_hash(title, one.heading, one.text) for one in batch],
                "named": [_named(title, one.heading) for one in batch],
                "own": [folded(one.text) for one in batch],
            }
            cursor.execute(sql, place | values)


def rewrite_chunks(version: DocumentVersion, *, title: str, language: str) -> list[UUID]:
    """Index the passages again, under another title or in another language.

    Returns the ids of those whose vector is of another text now.
    """
    sql = f"""
        UPDATE agents_app_chunk c SET content_hash = g.content_hash, tsv = {_TSV}
        FROM unnest(%(ids)s::uuid[], %(hashes)s::text[], %(named)s::text[], %(own)s::text[])
            AS g (id, content_hash, named, own)
        WHERE c.id = g.id AND c.organisation_id = %(organisation)s
    """  # noqa: S608 - fixed weights
    changed: list[UUID] = []
    for batch in _batches(version):
        hashes = [_hash(title, heading, text) for _, heading, text, _ in batch]
        changed += [row[0] for row, name in zip(batch, hashes, strict=True) if row[3] != name]
        values: dict[str, Any] = {
            "organisation": version.organisation_id,
            "language": language,
            "ids": [row[0] for row in batch],
            "hashes": hashes,
            "named": [_named(title, heading) for _, heading, _, _ in batch],
            "own": [folded(text) for _, _, text, _ in batch],
        }
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
    return changed


def _batches(version: DocumentVersion) -> Iterator[list[tuple[UUID, str, str, str]]]:
    rows = Chunk.objects.filter(organisation_id=version.organisation_id, version=version)
    after = -1
    while batch := list(
        rows.filter(seq__gt=after)
        .order_by("seq")
        .values_list("pk", "heading", "text", "content_hash", "seq")[:BATCH]
    ):
        after = batch[-1][4]
        yield [row[:4] for row in batch]


def _named(title: str, heading: str) -> str:
    return folded(f"{title}\n{heading}")


def _hash(title: str, heading: str, text: str) -> str:
    return content_hash(embedding_text(title, heading, text))


def read_texts(organisation_id: UUID, ids: Sequence[UUID]) -> list[EmbeddedText]:
    """What is embedded of these passages, in their order in the document."""
    rows = Chunk.objects.filter(organisation_id=organisation_id, pk__in=ids).order_by(
        "version_id", "seq"
    )
    found = []
    for pk, title, heading, text in rows.values_list("pk", "document__title", "heading", "text"):
        whole = embedding_text(title, heading, text)
        found.append(EmbeddedText(pk, whole, content_hash(whole)))
    return found


def vectors_stored(organisation_id: UUID, ids: Sequence[UUID]) -> None:
    """Count how far the versions of these passages have got, twice a second at most.

    Not while somebody holds one: who ends it waits for these passages, and must not be waited for.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE agents_app_documentversion v
            SET chunks_done = ({_EMBEDDED}), updated_at = clock_timestamp()
            WHERE v.organisation_id = %(organisation)s AND v.status = %(embedding)s
                AND v.updated_at < clock_timestamp() - make_interval(secs => %(pause)s)
                AND v.id IN (SELECT id FROM agents_app_documentversion
                    WHERE organisation_id = %(organisation)s AND id IN (
                        SELECT c.version_id FROM agents_app_chunk c
                        WHERE c.organisation_id = %(organisation)s AND c.id = ANY(%(ids)s))
                    FOR NO KEY UPDATE SKIP LOCKED)
            """,  # noqa: S608 - our own statement
            {
                "organisation": organisation_id,
                "embedding": VersionStatus.EMBEDDING.value,
                "pause": COUNT_EVERY,
                "ids": list(ids),
            },
        )


def count_embedded(organisation_id: UUID, version_id: UUID) -> int:
    """How many passages of a version have a vector of their present text, in any space."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT ({_EMBEDDED}) FROM agents_app_documentversion v
            WHERE v.organisation_id = %s AND v.id = %s
            """,  # noqa: S608 - our own statement
            [organisation_id, version_id],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def chunk_ids(version: DocumentVersion) -> list[UUID]:
    """Ids of its passages in order."""
    rows = Chunk.objects.filter(organisation_id=version.organisation_id, version=version)
    return list(rows.order_by("seq").values_list("pk", flat=True))


def remove_chunks(document: Document, *, but: DocumentVersion | None = None) -> int:
    """Delete passages and, by the database, their vectors; returns how many."""
    rows = Chunk.objects.filter(organisation_id=document.organisation_id, document=document)
    return int(rows.exclude(version=but)._raw_delete("default") or 0)


CHUNKS = register_kind(
    EmbeddedKind(
        name="chunk",
        vectors="agents_app_chunkembedding",
        items="agents_app_chunk",
        read=read_texts,
        after=vectors_stored,
    )
)
