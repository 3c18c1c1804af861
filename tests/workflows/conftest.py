from collections.abc import Iterator

import pytest

from one_project.workflows.services import cache
from tests.workflows import by_hand, samples


@pytest.fixture(autouse=True, params=["kept in memory", "replayed"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs twice: a run that is kept in memory and one that is replayed are the same."""
    samples.CALLS.clear()
    samples.FAIL.clear()
    cache.forget()
    if request.param == "replayed":
        monkeypatch.setattr(cache, "KEPT", 0)


@pytest.fixture(autouse=True)
def nothing_neglected(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "db" in request.fixturenames or "world" in request.fixturenames:
        assert by_hand.neglected() == []
