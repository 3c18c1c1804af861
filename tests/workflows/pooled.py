"""What the tests of the work pool and of leases share."""

from typing import Any

from one_project.workflows.models import WorkItem
from tests.workflows import samples
from tests.workflows.by_hand import pass_time, take


def fresh(item: WorkItem) -> WorkItem:
    return WorkItem.objects.get(pk=item.pk)


def told() -> list[tuple[Any, ...]]:
    """What ``samples.ended`` was called with."""
    return [each for each in samples.CALLS if isinstance(each, tuple)]


def lose(*, times: int = 1) -> None:
    """A worker takes what is ready and is never heard of again."""
    for _ in range(times):
        assert take()
        pass_time(60)
