"""Steps that wait for one another in a circle are refused, and nothing else is."""

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows_app.errors import FlowCycle
from flows_app.runtime.graph import check_graph

KEYS = [UUID(int=number) for number in range(1, 9)]
NAMES = {key: f"S{key.int}" for key in KEYS}
GRAPHS = st.dictionaries(
    st.sampled_from(KEYS), st.lists(st.sampled_from(KEYS), max_size=4, unique=True), max_size=8
)


@settings(max_examples=200, deadline=None)
@given(GRAPHS)
def test_a_graph_is_refused_exactly_when_it_has_a_circle(graph: dict[UUID, list[UUID]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
        has_circle = False
    except CycleError:
        has_circle = True
    if not has_circle:
        check_graph(graph, NAMES)
        return
    with pytest.raises(FlowCycle) as raised:
        check_graph(graph, NAMES)
    # What it names is a circle: each waits for the one before it, and the first for the last.
    keys = {name: key for key, name in NAMES.items()}
    circle = [keys[name] for name in raised.value.steps]
    for before, after in zip([circle[-1], *circle], circle, strict=False):
        assert before in graph[after]


def test_a_long_chain_is_no_circle() -> None:
    keys = [UUID(int=number) for number in range(1, 5_001)]
    chain = {key: [before] for before, key in pairwise(keys)}
    check_graph(chain, {key: str(key) for key in keys})
