"""``make bench-search``: how fast search is, and how much it finds, with how much behind it.

- MESSAGES (several numbers): the search over all that one person has said.
- CHUNKS (several numbers): the search of a tenant with so many passages, among TENANTS whose other
  passages (OTHERS) follow Zipf and are about the same topics; against the exact answer, with and
  without the tenant's own index; beside pgvector's default over ANCHOR vectors (0: without).
- PAGES: of a PDF on its way through a worker (0: without), and that worker's memory.

QUERIES: of each measured kind. Everything is asked as ``one_app``, under row-level security.
PRIORITY=1 has this process and Postgres share one core, before the machine's other programs (as
root): where others are busy, other times say nothing.
"""

import sys
from typing import TYPE_CHECKING, Any

from benchmarks import options
from benchmarks.processes import MachineLoad
from benchmarks.searching.place import Place, running_place

if TYPE_CHECKING:
    from agents_app.models import EmbeddingSpace


def bench(place: Place, asked: dict[str, Any]) -> dict[str, Any]:
    """All figures by part."""
    from agents_app.models import SpaceState
    from agents_app.providers.local_embeddings import LOCAL_DIMENSIONS, LOCAL_MODEL
    from agents_app.services.spaces import open_space
    from benchmarks.people import make_organisation
    from benchmarks.searching.ingestion import bench_ingestion
    from benchmarks.searching.messages import bench_messages

    # The model's own space, so that the worker's vectors join those made up.
    space = open_space("local", LOCAL_MODEL, LOCAL_DIMENSIONS, state=SpaceState.ACTIVE)
    organisation = make_organisation("searching")
    found: dict[str, Any] = {}
    load = MachineLoad()
    if asked["pages"]:
        found["ingestion"] = bench_ingestion(place, organisation, asked["pages"])
    if asked["messages"]:
        found["messages"] = bench_messages(organisation, space, asked["messages"], asked["queries"])
    if asked["chunks"]:
        found["knowledge"] = bench_knowledge(space, asked)
    return {**found, "busy_cores": load.cores()}


def bench_knowledge(space: "EmbeddingSpace", asked: dict[str, Any]) -> dict[str, Any]:
    """Searches by stratum and path, the indexes, and the anchor."""
    from agents_app.search.large import EXACT
    from benchmarks.searching.anchor import bench_anchor
    from benchmarks.searching.knowledge import build_indexes, compare
    from benchmarks.searching.library import RANKS, sizes, write_tenants
    from benchmarks.searching.writing import analyse

    queries = asked["queries"]
    wanted = sizes(asked["chunks"], asked["tenants"], asked["others"])
    counts = dict.fromkeys((stratum for stratum, _ in wanted), queries)
    # The smaller they are, the more of them are asked, and each less.
    counts |= dict(zip(RANKS, (max(queries // 3, 1), max(queries // 25, 1), 1, 1), strict=True))
    total = sum(size for _, size in wanted)
    options.say(f"Writing {total:,} passages of {len(wanted):,} tenants ...")
    tenants = write_tenants(space, wanted, counts)
    analyse()
    large = [tenant for tenant in tenants if tenant.chunks > EXACT]
    seen = compare(space, tenants, "exact")
    indexes = build_indexes(space, large)
    seen += compare(space, large, "index")
    chunks = {f"{size:,} chunks": size for size in asked["chunks"]}
    indexed = {tenant.stratum for tenant in large}
    found: dict[str, Any] = {
        "tenants": len(tenants),
        "chunks": total,
        "searches": [
            {
                **one.figures(),
                "chunks": chunks.get(one.stratum),
                "has_index": one.stratum in indexed,
            }
            for one in seen
        ],
        "indexes": indexes,
    }
    if asked["anchor"]:
        found["anchor"] = bench_anchor(space, tenants, asked["anchor"])
    return found


def main() -> None:
    from benchmarks.searching.report import show

    try:
        import numpy  # noqa: F401
    except ImportError:
        sys.exit("numpy makes the vectors here; it comes with the model for search (make run).")
    asked = {
        "messages": options.numbers("MESSAGES", "600 6000 100000", least=0),
        "chunks": options.numbers("CHUNKS", "3000 20000 130000", least=0),
        "tenants": options.number("TENANTS", 1000, most=100_000),
        "others": options.number("OTHERS", 150_000),
        "anchor": options.number("ANCHOR", 100_000, least=0),
        "pages": options.number("PAGES", 200, least=0, most=5_000),
        "queries": options.number("QUERIES", 60, most=10_000),
    }
    for name in ("messages", "chunks"):
        asked[name] = [size for size in asked[name] if size]
    options.say("Starting Postgres and Redis ...")
    with running_place() as place:
        found = bench(place, asked)
    show(found)


if __name__ == "__main__":
    main()
