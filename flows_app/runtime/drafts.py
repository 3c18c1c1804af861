"""Whether steps can be: names, kinds, order; what each kind needs is in ``step_settings``."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from flows_app.conf import MAX_CONTENT, MAX_DUE_DAYS, MAX_PREREQUISITES, MAX_STEPS, NAME_LIMIT
from flows_app.errors import InvalidSteps
from flows_app.models import StepKind
from flows_app.runtime.graph import check_graph
from flows_app.runtime.step_settings import clean_settings
from flows_app.types import StepDraft
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line, clean_text

T = TypeVar("T")
Check = Callable[[StepDraft], None]


def check_steps(steps: Sequence[StepDraft], *, complete: bool = False) -> list[StepDraft]:
    """The steps, cleaned. ``complete``: also what a draft may still lack, for publishing.

    Raises InvalidSteps with what to change in each step, InvalidInput for all of them together,
    FlowCycle.
    """
    if len(steps) > MAX_STEPS:
        raise InvalidInput(f"A flow has at most {MAX_STEPS} steps.")
    if complete and not steps:
        raise InvalidInput("Please add a step before you publish.")
    if len({step.key for step in steps}) != len(steps):
        raise InvalidInput("A step is there twice.")
    problems: dict[UUID, str] = {}
    numbers = {step.key: at for at, step in enumerate(steps, 1)}
    checked = _each(steps, lambda step: _cleaned(step, numbers[step.key]), problems)
    checks = [_check_name(checked), _check_prerequisites(set(numbers))]
    for check in [*checks, _check_complete] if complete else checks:
        _each(checked, check, problems)
    if problems:
        raise InvalidSteps(problems)
    names = {step.key: step.name for step in checked}
    check_graph({step.key: step.prerequisites for step in checked}, names)
    return checked


def _each(
    steps: Sequence[StepDraft], do: Callable[[StepDraft], T], problems: dict[UUID, str]
) -> list[T]:
    """What came of each step that could be; the first thing wrong with each of the others."""
    made = []
    for step in steps:
        try:
            made.append(do(step))
        except InvalidInput as error:
            problems.setdefault(step.key, error.user_message)
    return made


def _cleaned(step: StepDraft, at: int) -> StepDraft:
    name = clean_line(step.name, NAME_LIMIT)
    if not name:
        raise InvalidInput(f"Please give step {at} a name.")
    if step.kind not in StepKind.values:
        raise InvalidInput(f"“{name}”: there is no kind of step called “{step.kind[:40]}”.")
    if len(step.content) > MAX_CONTENT:
        raise InvalidInput(f"“{name}”: the text has more than {MAX_CONTENT:,} characters.")
    if step.due_days is not None and not 0 <= step.due_days <= MAX_DUE_DAYS:
        raise InvalidInput(f"“{name}”: it is due 0 to {MAX_DUE_DAYS:,} days after the assignment.")
    if step.review_hours is not None and not 1 <= step.review_hours <= 24 * MAX_DUE_DAYS:
        raise InvalidInput(f"“{name}”: a review is due after 1 to {24 * MAX_DUE_DAYS:,} hours.")
    prerequisites = tuple(dict.fromkeys(step.prerequisites))
    if len(prerequisites) > MAX_PREREQUISITES:
        raise InvalidInput(f"“{name}” waits for more than {MAX_PREREQUISITES} steps.")
    return replace(
        step,
        name=name,
        content=clean_text(step.content),
        prerequisites=prerequisites,
        settings=clean_settings(step.kind, step.settings, name),
    )


def _check_name(steps: Sequence[StepDraft]) -> Check:
    first: dict[str, UUID] = {}
    for step in steps:
        first.setdefault(step.name.lower(), step.key)

    def check(step: StepDraft) -> None:
        if first[step.name.lower()] != step.key:
            raise InvalidInput(f"Two steps are called “{step.name}”. Please rename one of them.")

    return check


def _check_prerequisites(keys: set[UUID]) -> Check:
    def check(step: StepDraft) -> None:
        if step.key in step.prerequisites:
            raise InvalidInput(f"“{step.name}” cannot wait for itself.")
        if not set(step.prerequisites) <= keys:
            raise InvalidInput(f"“{step.name}” waits for a step that is not in this flow.")

    return check


def _check_complete(step: StepDraft) -> None:
    needs: dict[str, tuple[Any, str]] = {
        StepKind.CHECKLIST: (step.settings.get("items"), "add an item to the checklist"),
        StepKind.FORM: (step.settings.get("fields"), "add a field to the form"),
        StepKind.CHAT: (step.agent_id, "choose the agent to talk with"),
        StepKind.AGENT_TASK: (step.settings.get("task"), "say what the agent is to do"),
        StepKind.WORKFLOW: (step.settings.get("workflow"), "choose the workflow"),
    }
    there, wanted = needs.get(step.kind, (True, ""))
    if not there:
        raise InvalidInput(f"“{step.name}”: please {wanted}.")
