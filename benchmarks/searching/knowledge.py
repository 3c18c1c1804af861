"""The search over passages: how much of the exact answer it finds, how fast, with which index."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from benchmarks import options
from benchmarks.searching.library import Tenant
from benchmarks.searching.timing import Times, timed

if TYPE_CHECKING:
    from agents_app.models import EmbeddingSpace

LIMIT = 10
# The distance as no index has it: every vector of the tenant is looked at.
_EXACT = """
SELECT item_id FROM {table} WHERE organisation_id = %s
ORDER BY (v <=> %s::halfvec), item_id DESC LIMIT %s
"""
_FEWER = "SELECT count(*) FROM (SELECT FROM {table} WHERE organisation_id = %s LIMIT %s) AS few"


@dataclass(slots=True)
class Seen:
    """Of all questions to the tenants of a stratum, by one path."""

    stratum: str
    path: str
    tenants: int = 0
    recalls: list[float] = field(default_factory=list)
    short: int = 0
    leg: Times = field(default_factory=Times)
    whole: Times = field(default_factory=Times)

    def figures(self) -> dict[str, Any]:
        leg, whole = self.leg.figures(), self.whole.figures()
        return {
            "stratum": self.stratum,
            "path": self.path,
            "tenants": self.tenants,
            "queries": len(self.recalls),
            "recall10": sum(self.recalls) / len(self.recalls) if self.recalls else None,
            "worst_recall10": min(self.recalls, default=None),
            "short": self.short,
            **{f"leg_{name}": leg[name] for name in ("sql_p50_ms", "sql_p99_ms")},
            **{f"search_{name}": whole[name] for name in ("sql_p50_ms", "sql_p99_ms")},
            **{f"search_{name}": whole[name] for name in ("p50_ms", "p99_ms")},
        }


def compare(space: "EmbeddingSpace", tenants: Sequence[Tenant], path: str) -> list[Seen]:
    """What the search's vectors find of the exact answer, and the times of both searches."""
    found: dict[str, Seen] = {}
    for tenant in tenants:
        seen = found.setdefault(tenant.stratum, Seen(tenant.stratum, path))
        seen.tenants += 1
        _compare(space, tenant, seen)
    for seen in found.values():
        options.say(f"  {seen.stratum}, {path}: recall@10 {seen.figures()['recall10']:.3f}")
    return list(found.values())


def _compare(space: "EmbeddingSpace", tenant: Tenant, seen: Seen) -> None:
    from agents_app.search.chunks import Where, find_chunks
    from agents_app.search.query_vectors import QueryVector
    from agents_app.services.knowledge import Passage, search_knowledge
    from one_project.common.tenancy import in_tenant

    where = Where(organisation=tenant.organisation, user=tenant.user)

    def by_vector(_: str, vector: tuple[float, ...]) -> list[UUID]:
        with in_tenant(tenant.id):
            given = QueryVector(space.pk, vector)
            hits = find_chunks(where, "", limit=LIMIT, vector=given, text_search=False)
        return [hit.item_id for hit in hits]

    def by_both(text: str, vector: tuple[float, ...]) -> list[Passage]:
        return search_knowledge(
            tenant.organisation,
            user=tenant.user,
            query=text,
            vector=QueryVector(space.pk, vector),
            limit=LIMIT,
        )

    table = f"agents_app_chunkembedding_{space.pk}"
    asked = [(text, tuple(map(float, row))) for text, row in zip(*tenant.asked, strict=True)]
    answers, leg = timed(by_vector, asked)
    for (_, vector), answer in zip(asked, answers, strict=True):
        with in_tenant(tenant.id):
            count_answer(seen, answer, *exact(table, tenant.id, vector))
    whole, times = timed(by_both, asked)
    seen.short += sum(len(one) < min(LIMIT, tenant.chunks) for one in whole)
    for name, more in (("leg", leg), ("whole", times)):
        getattr(seen, name).whole.extend(more.whole)
        getattr(seen, name).sql.extend(more.sql)


def exact(table: str, organisation_id: UUID, vector: Sequence[float]) -> tuple[list[UUID], int]:
    """The nearest ten, every vector compared, and how many there have to be."""
    from django.db import connection

    from agents_app.search.legs import vector_text

    with connection.cursor() as cursor:
        values = [organisation_id, vector_text(vector), LIMIT]
        cursor.execute(_EXACT.format(table=table), values)
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(_FEWER.format(table=table), [organisation_id, LIMIT])
        return ids, cursor.fetchone()[0]


def count_answer(seen: Seen, answer: Sequence[UUID], right: Sequence[UUID], due: int) -> None:
    if not right:
        return  # a tenant of whom the anchor holds nothing
    seen.recalls.append(len(set(answer) & set(right)) / len(right))
    seen.short += len(answer) < due


def build_indexes(space: "EmbeddingSpace", tenants: Sequence[Tenant]) -> list[dict[str, Any]]:
    """The partial indexes of those who are large, built one after the other, as by a worker."""
    from django.db import connection

    from agents_app.search.large import index_name
    from agents_app.services.tenant_indexes import build_tenant_index

    built = []
    for tenant in tenants:
        options.say(f"Building the index over {tenant.chunks:,} vectors ...")
        begun = time.perf_counter()
        build_tenant_index(space, tenant.id)
        took = time.perf_counter() - begun
        with connection.cursor() as cursor:
            name = index_name(space.pk, tenant.id)
            cursor.execute("SELECT pg_relation_size(%s::regclass)", [name])
            size = cursor.fetchone()[0]
        built.append({"vectors": tenant.chunks, "build_s": took, "mib": size / 2**20})
    return built
