"""What a page of a run shows, as a short text: two of them tell what to bring up to date."""

import re
from dataclasses import dataclass

from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.reading import event_counts
from one_project.workflows.types import Status

LETTERS = {
    Status.WAITING: "w",
    Status.READY: "q",
    Status.RUNNING: "r",
    Status.SUCCESS: "s",
    Status.ERROR: "e",
    Status.CANCELED: "c",
    Status.UNKNOWN: "u",
}
LIMIT = 4000
_ROW = re.compile(r"([0-9]{1,10})([a-z][0-9]{1,10})")


@dataclass(frozen=True, slots=True)
class Version:
    """``head`` of the run itself, ``events`` of what was sent, ``rows`` of the steps by number."""

    head: str
    events: str
    rows: dict[int, str]

    def __str__(self) -> str:
        rows = "-".join(f"{n}{state}" for n, state in self.rows.items())
        return f"{self.head}.{self.events}.{rows}"


def version_of(run: WorkflowRun, states: list[tuple[int, str, int]]) -> Version:
    sent, consumed = event_counts(run)
    rows = {n: f"{LETTERS[Status(status)]}{attempt}" for n, status, attempt in states}
    return Version(f"{run.generation}{run.status}", f"{sent}x{consumed}", rows)


def read_version(value: str) -> Version | None:
    """What a browser says it shows; None when it cannot be read."""
    head, _, rest = value.partition(".")
    events, _, rows = rest.partition(".")
    if not head or not events or len(value) > LIMIT:
        return None
    known: dict[int, str] = {}
    for part in rows.split("-") if rows else []:
        found = _ROW.fullmatch(part)
        if found is None:
            return None
        known[int(found[1])] = found[2]
    return Version(head, events, known)
