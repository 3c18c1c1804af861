"""How much is done, and what is locked: computed from steps and states whenever somebody asks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from flows_app.models import FlowStep, Status
from flows_app.runtime.transitions import DONE


@dataclass(frozen=True, slots=True)
class Share:
    """``done`` of ``total`` required steps; where none is required, nothing is left to do."""

    done: int
    total: int

    @property
    def percent(self) -> int:
        """0 to 100; 100 exactly when all that counts is Completed or Skipped."""
        return 100 * self.done // self.total if self.total else 100

    @property
    def is_complete(self) -> bool:
        return self.done == self.total


def share_of(
    steps: Iterable[FlowStep], statuses: Mapping[UUID, str], only: UUID | None = None
) -> Share:
    """Of the steps of one target; ``statuses`` by step key, a missing one is Not Started.

    ``only``: the step that alone was assigned; it counts, also where the flow can do without it.
    """
    required = [step for step in steps if step.is_required or step.key == only]
    done = sum(1 for step in required if statuses.get(step.key) in DONE)
    return Share(done, len(required))


def waits_for(
    step: FlowStep, steps: Sequence[FlowStep], statuses: Mapping[UUID, str]
) -> list[FlowStep]:
    """The steps that lock this one, in their order; none: it is open.

    A prerequisite that is not part of the assignment (of a single step) locks nothing.
    """
    wanted = set(step.prerequisites)
    return [one for one in steps if one.key in wanted and statuses.get(one.key) not in DONE]


def why_locked(missing: Sequence[FlowStep]) -> str:
    """In words: ``Opens when “Tour” and “Safety” are done.``"""
    names = [f"“{step.name}”" for step in missing]
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
    return f"Opens when {listed} {'are' if len(names) > 1 else 'is'} done." if names else ""


def replay(entries: Iterable[tuple[UUID | None, str, str]]) -> dict[UUID, str]:
    """``(step_key, from, to)`` in order of their numbers as the status of each step.

    Raises ValueError where an entry does not go on from what was there.
    """
    states: dict[UUID, str] = {}
    for key, before, after in entries:
        if key is None or not after:
            continue
        if states.get(key, Status.NOT_STARTED) != before:
            raise ValueError(f"{key} was {states.get(key)}, not {before}")
        states[key] = after
    return states
