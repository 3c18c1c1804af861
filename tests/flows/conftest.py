import pytest

from one_project.workflows.services import cache
from tests.workflows import by_hand


@pytest.fixture(autouse=True)
def a_worker_that_only_does_what_it_is_told() -> None:
    """Other tests have the engine claim the next step at once; here each one is taken by hand."""
    by_hand.HOST[:] = []
    cache.forget()
