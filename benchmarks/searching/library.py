"""Tenants with documents: one of each measured size among many whose sizes follow Zipf."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from benchmarks import options
from benchmarks.searching.made_up import MadeUp
from benchmarks.searching.writing import write_vectors

if TYPE_CHECKING:
    from agents_app.models import Collection, EmbeddingSpace
    from one_project.accounts.models import Organisation, User

WORDS = 60  # of a passage
DOCUMENT = 500  # passages of one
# Strata of the others, by their rank: the last number of each.
RANKS = {"others 1-3": 3, "others 4-30": 30, "others 31-300": 300, "the rest": 1_000_000}


@dataclass(frozen=True, slots=True)
class Tenant:
    """topics: of its passages, those of everybody; asked: made up questions about some of them."""

    stratum: str
    chunks: int
    organisation: "Organisation"
    user: "User"
    asked: tuple[list[str], Any]

    @property
    def id(self) -> UUID:
        return self.organisation.pk


def sizes(measured: list[int], tenants: int, others: int) -> list[tuple[str, int]]:
    """The stratum and the passages of each tenant, the largest last.

    others: passages of all that are not measured by themselves, each of which has one at least.
    """
    count = max(tenants - len(measured), 0)
    whole = sum(1 / rank for rank in range(1, count + 1)) or 1.0
    found = []
    for rank in range(1, count + 1):
        stratum = next(name for name, last in RANKS.items() if rank <= last)
        found.append((stratum, max(round(others / whole / rank), 1)))
    return [*reversed(found), *((f"{size:,} chunks", size) for size in sorted(measured))]


def write_tenants(
    space: "EmbeddingSpace", wanted: list[tuple[str, int]], queries: dict[str, int]
) -> list[Tenant]:
    """All of them; ``queries``: how many questions a tenant of each stratum is asked."""
    tenants = []
    written, total = 0, sum(size for _, size in wanted)
    for number, (stratum, size) in enumerate(wanted, 1):
        made = MadeUp(number)
        tenants.append(_write_tenant(space, stratum, size, made, queries[stratum]))
        before, written = written, written + size
        if written * 10 // total > before * 10 // total:
            options.say(f"  {written:,} of {total:,} passages, {number:,} tenants")
    return tenants


def _write_tenant(
    space: "EmbeddingSpace", stratum: str, size: int, made: MadeUp, queries: int
) -> Tenant:
    from agents_app.models import Collection
    from agents_app.services.collections import create_collection
    from one_project.accounts.models import User
    from one_project.accounts.services.organisations import create_organisation
    from one_project.common.ids import new_id
    from one_project.common.tenancy import in_tenant

    user = User.objects.create_user(f"{new_id()}@bench.test", None, name="Reader")
    organisation = create_organisation(name=f"Tenant of {size}", owner=user)
    collection = create_collection(organisation, user=user, name="All")
    topics = made.topics(size, of=min(size, 1_000))
    for begin in range(0, size, DOCUMENT):
        _write_document(space, collection, made, topics[begin : begin + DOCUMENT])
    with in_tenant(organisation.pk):
        Collection.objects.filter(pk=collection.pk).update(chunk_count=size)
    # About what is there, as people ask.
    about = topics[made.numbers.integers(0, size, queries)]
    return Tenant(stratum, size, organisation, user, made.queries(about))


def _write_document(
    space: "EmbeddingSpace", collection: "Collection", made: MadeUp, topics: Any
) -> None:
    from agents_app.knowledge.chunking import TextChunk
    from agents_app.models import Document, DocumentSource, DocumentVersion, VersionStatus
    from agents_app.search.chunk_texts import chunk_ids, write_chunks
    from one_project.common.ids import new_id
    from one_project.common.tenancy import in_tenant

    place = {"organisation_id": collection.organisation_id}
    texts = made.texts(topics, WORDS)
    with in_tenant(collection.organisation_id):
        document = Document.objects.create(
            **place,
            collection=collection,
            title=f"About {texts[0].split()[0]}",
            source=DocumentSource.TEXT,
            key=str(new_id()),
        )
        version = DocumentVersion.objects.create(
            **place, document=document, number=1, status=VersionStatus.READY
        )
        write_chunks(
            version,
            title=document.title,
            language=collection.language,
            chunks=[TextChunk(seq, 1, 0, len(text), "", text) for seq, text in enumerate(texts)],
            numbers={1: 1},
        )
        document.current = version
        document.save(update_fields=["current"])
        given = (chunk_ids(version), made.vectors(topics))
        write_vectors("agents_app_chunkembedding", space.pk, collection.organisation_id, given)
