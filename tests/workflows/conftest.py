from collections.abc import Iterator

import pytest

from one_project.workflows.services import cache
from one_project.workflows.types import Host
from tests.workflows import by_hand, samples

WAYS = ["at once", "kept in memory", "replayed"]
IN_ALL_WAYS = {
    "test_runs",
    "test_control",
    "test_crashes",
    "test_determinism",
    "test_properties",
    "test_restart",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What runs do is tested in all ways: replaying, going on from memory, and claiming one's own
    steps at once only differ in the time they take."""
    name = metafunc.module.__name__.rpartition(".")[2]
    ways = WAYS if name in IN_ALL_WAYS else WAYS[:1]
    metafunc.parametrize("way", ways, indirect=True)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    samples.CALLS.clear()
    samples.FAIL.clear()
    cache.forget()
    by_hand.HOST[:] = [Host("w1", lambda: 100)] if request.param == "at once" else []
    if request.param == "replayed":
        monkeypatch.setattr(cache, "KEPT", 0)


@pytest.fixture(autouse=True)
def nothing_neglected(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "db" in request.fixturenames or "world" in request.fixturenames:
        assert by_hand.neglected() == []
