from collections.abc import Iterator

import pytest

from one_project.workflows.services import cache
from one_project.workflows.types import Host
from tests.workflows import by_hand, samples


@pytest.fixture(autouse=True, params=["at once", "kept in memory", "replayed"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs three times: replaying, going on from memory, and claiming one's own steps
    at once are only ways to save time."""
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
