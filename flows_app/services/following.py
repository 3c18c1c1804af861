"""Who else of this app wants to know, in the transaction of the change: notices, agents' steps.

Filled in by the modules that follow, when the app is ready; called by ``assigning`` and
``progress``. A follower that raises takes the change back.
"""

from collections.abc import Callable, Sequence

from flows_app.models import FlowProgress, FlowStep, Lesson, LessonTarget
from flows_app.runtime.actors import Actor

Assigned = Callable[[Lesson, Sequence[LessonTarget], Actor], None]
Moved = Callable[[LessonTarget, FlowStep, FlowProgress, Actor], None]

_assigned: dict[str, Assigned] = {}
_moved: dict[str, Moved] = {}


def on_assigned(follower: Assigned) -> Assigned:
    """``follower(lesson, new targets, by)``: for all of them at once, in a few queries."""
    _assigned[f"{follower.__module__}.{follower.__qualname__}"] = follower
    return follower


def on_moved(follower: Moved) -> Moved:
    """``follower(target, step, entry, by)`` after a status has changed."""
    _moved[f"{follower.__module__}.{follower.__qualname__}"] = follower
    return follower


def tell_assigned(lesson: Lesson, targets: Sequence[LessonTarget], by: Actor) -> None:
    for follower in _assigned.values():
        follower(lesson, targets, by)


def tell_moved(target: LessonTarget, step: FlowStep, entry: FlowProgress, by: Actor) -> None:
    for follower in _moved.values():
        follower(target, step, entry, by)
