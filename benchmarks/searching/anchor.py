"""What pgvector does by default: one HNSW index over all tenants, filtered after it was walked.

The same vectors in a table of its own without row-level security, a sample of every tenant of the
size that was asked for. The planner is left alone, and so are ``ef_search`` (40) and the
iterative scan (off).
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks import options
from benchmarks.searching.knowledge import LIMIT, Seen, count_answer, exact
from benchmarks.searching.library import Tenant
from benchmarks.searching.made_up import DIMENSIONS
from benchmarks.searching.timing import timed

if TYPE_CHECKING:
    from agents_app.models import EmbeddingSpace

TABLE = "bench_anchor"
_DEFAULT = """
SELECT item_id FROM bench_anchor WHERE organisation_id = %s
ORDER BY v <=> %s::halfvec LIMIT %s
"""


def bench_anchor(space: "EmbeddingSpace", tenants: Sequence[Tenant], rows: int) -> dict[str, Any]:
    """Recall and times by stratum, of ``rows`` vectors in all."""
    from django.db import connection, connections

    from agents_app.search.legs import vector_text

    options.say(f"Building the anchor's index over {rows:,} vectors of all tenants ...")
    share = min(rows / sum(tenant.chunks for tenant in tenants), 1.0)
    written = _write(space, tenants, share)
    with connections["owner"].cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        begun = time.perf_counter()
        cursor.execute(f"CREATE INDEX ON {TABLE} USING hnsw (v halfvec_cosine_ops)")
        took = time.perf_counter() - begun
        cursor.execute(f"CREATE INDEX ON {TABLE} (organisation_id)")
        cursor.execute(f"ANALYZE {TABLE}")

    def search(tenant: Tenant, vector: tuple[float, ...]) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(_DEFAULT, [tenant.id, vector_text(vector), LIMIT])
            return [row[0] for row in cursor.fetchall()]

    found: dict[str, Seen] = {}
    for tenant in tenants:
        seen = found.setdefault(tenant.stratum, Seen(tenant.stratum, "pgvector's default"))
        seen.tenants += 1
        asked = [(tenant, tuple(map(float, row))) for row in tenant.asked[1]]
        answers, times = timed(search, asked)
        for (_, vector), answer in zip(asked, answers, strict=True):
            count_answer(seen, answer, *exact(TABLE, tenant.id, vector))
        seen.leg.sql.extend(times.sql)
        seen.leg.whole.extend(times.whole)
    names = (
        "stratum",
        "tenants",
        "queries",
        "recall10",
        "short",
        "leg_sql_p50_ms",
        "leg_sql_p99_ms",
    )
    strata = [{name: seen.figures()[name] for name in names} for seen in found.values()]
    return {"rows": written, "build_s": took, "strata": strata}


def _write(space: "EmbeddingSpace", tenants: Sequence[Tenant], share: float) -> int:
    """Every tenant's rows, read by itself, into a table of the owner's that nothing secures."""
    from django.db import connection, connections

    from one_project.common.tenancy import in_tenant

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {TABLE} (organisation_id uuid, item_id uuid, v halfvec({DIMENSIONS}))"
        )
    written = 0
    for tenant in tenants:
        with in_tenant(tenant.id), connection.cursor() as cursor:
            cursor.execute(
                f"""
                INSERT INTO {TABLE} SELECT organisation_id, item_id, v
                FROM agents_app_chunkembedding_{space.pk} WHERE organisation_id = %s LIMIT %s
                """,
                [tenant.id, max(round(tenant.chunks * share), 1)],
            )
            written += cursor.rowcount
    return written
