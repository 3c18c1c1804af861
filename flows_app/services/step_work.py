"""A step that somebody works on: whose it is, whether it is open, and keeping what was entered.

What is entered bumps the step's ``version`` without an entry in the log, which tells of statuses.
``StepState.meta["saves"]`` remembers the last saves that came in a row: ``{"by": who, "page":
which page of theirs, "first": version before those of the page, "since": before those of the
person, "last": after them}``. By it a form knows its own saves, which never make it stale.
"""

from dataclasses import dataclass
from typing import Any

from chat_app.access import is_staff_of
from flows_app.errors import LessonNotFound, StaleProgress
from flows_app.live.announce import announce_flows
from flows_app.models import FlowStep, LessonTarget, Status, StepState, Submission
from flows_app.runtime.actors import Actor
from flows_app.runtime.transitions import DONE
from flows_app.services.log import lock_target, state_of
from flows_app.services.progress import find_step, stale, update_flow_progress
from flows_app.services.reading import steps_of
from one_project.accounts.models import User
from one_project.common.errors import AccessDenied, Conflict

WAITING = "This waits for a review. Take it back first to change it."


@dataclass(slots=True)
class Desk:
    """One step of a locked target, as it is now. ``found_at``: its version when it was locked."""

    target: LessonTarget
    step: FlowStep
    state: StepState
    found_at: int


def seen_step(
    target: LessonTarget,
    step: FlowStep | str,
    *,
    by: Actor,
    version: int | None = None,
    page: str | None = None,
) -> Desk:
    """Lock the target and look at its step.

    ``version``: what the form showed; raises StaleProgress where somebody else has changed the
    step since. ``page``: with it also saves of another page of the same person count as somebody
    else's. Raises LessonNotFound for who has nothing to do with it, Conflict where it has ended.
    """
    locked = lock_target(target.pk)
    found = find_step(steps_of(locked), step)
    if not is_own(locked, by) and not (by.user and is_staff_of(by.user, locked.organisation_id)):
        raise LessonNotFound
    state = state_of(locked, found)
    is_older = version is not None and version != state.version
    if is_older and not _is_own_save(state, version or 0, by, page):
        raise _stale(state, by)
    return Desk(locked, found, state, state.version)


def open_desk(
    target: LessonTarget,
    step: FlowStep | str,
    *,
    by: Actor,
    version: int | None = None,
    page: str | None = None,
) -> Desk:
    """As ``seen_step``, for its assignee to enter something: the step is begun by it.

    Raises AccessDenied for others, StaleProgress where it is done or blocked, StepLocked, Conflict
    where it waits for a review.
    """
    desk = seen_step(target, step, by=by, version=version, page=page)
    if not is_own(desk.target, by):
        raise AccessDenied("Only who has to do this step enters something in it.")
    if desk.state.status in {*DONE, Status.BLOCKED}:
        raise stale(desk.state)
    if waiting_of(desk.target, desk.step) is not None:
        raise Conflict(WAITING)
    begin(desk, by)
    return desk


def begin(desk: Desk, by: Actor) -> None:
    """In Progress, where it has not begun. Raises StepLocked."""
    if desk.state.status == Status.NOT_STARTED:
        desk.state = update_flow_progress(desk.target, desk.step, Status.IN_PROGRESS, by=by)
        # It has written an entry to the log, of which this row does not know.
        desk.target.refresh_from_db(fields=["seq"])


def save_work(desk: Desk, by: Actor, *, page: str = "", **work: Any) -> StepState:
    """Keep what was entered, as the step's next version; pages are told after the commit."""
    state, who = desk.state, _who(by)
    saves = _saves(state)
    same_person = saves["by"] == who and saves["last"] == desk.found_at
    same_page = same_person and saves["page"] == page
    state.meta["saves"] = {
        "by": who,
        "page": page,
        "first": saves["first"] if same_page else desk.found_at,
        "since": saves["since"] if same_person else desk.found_at,
        "last": state.version + 1,
    }
    state.work = {**state.work, **work}
    state.version += 1
    state.save()
    announce_flows(desk.target.organisation_id, [desk.target.user_id])
    return state


def waiting_of(target: LessonTarget, step: FlowStep) -> Submission | None:
    """What of this step waits for a review, or for its agent."""
    return Submission.objects.open().filter(target=target, step_key=step.key).first()


def is_own(target: LessonTarget, by: Actor) -> bool:
    """Whether it is the work of the actor, or of the person behind it."""
    if by.user is not None and by.user.pk == target.user_id:
        return True
    return by.agent is not None and by.agent.pk == target.agent_id


def _saves(state: StepState) -> dict[str, Any]:
    found = state.meta.get("saves")
    nobody = {"by": "", "page": "", "first": 0, "since": 0, "last": -1}
    return nobody | found if isinstance(found, dict) else nobody


def _is_own_save(state: StepState, version: int, by: Actor, page: str | None) -> bool:
    saves = _saves(state)
    if saves["by"] != _who(by) or saves["last"] != state.version:
        return False
    if page is None:
        return bool(saves["since"] <= version <= state.version)
    return saves["page"] == page and bool(saves["first"] <= version <= state.version)


def _stale(state: StepState, by: Actor) -> StaleProgress:
    saves = _saves(state)
    if saves["last"] != state.version:
        return stale(state)
    if saves["by"] == _who(by):
        who = "You have, in another window,"
    else:
        person = User.objects.filter(pk=saves["by"]).first() if saves["by"] else None
        who = f"{person.display_name} has" if person else "Somebody has"
    return StaleProgress(
        f"{who} worked on this step in the meantime. Please look at it again.", state
    )


def _who(by: Actor) -> str:
    one = by.agent or by.user
    return str(one.pk) if one is not None else ""
