"""What the buttons of the editor do: steps and fields added, moved, copied, taken out, put back.

Nothing is stored: each takes the form as it was sent and leaves it as it is to be shown.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar
from uuid import UUID

from flows_app.conf import MAX_STEPS
from flows_app.forms.authoring import Editor
from flows_app.forms.typed_steps import Question, Removed, TypedStep
from flows_app.models import StepKind
from one_project.common.errors import InvalidInput
from one_project.common.ids import new_id, parse_id

T = TypeVar("T")


def edit(editor: Editor, do: str) -> None:
    """``do``: a verb, or a verb and what it is about: ``up:<key>``, ``field-remove:<id>``.

    What is not there any more is left alone.
    """
    verb, _, about = do.partition(":")
    if verb in _OF_STEPS:
        key = parse_id(about)
        at = next((at for at, one in enumerate(editor.steps) if one.key == key), None)
        if at is not None:
            _OF_STEPS[verb](editor, at)
    elif verb in _OF_FIELDS and editor.open_step is not None:
        _OF_FIELDS[verb](editor.open_step, about)
    elif verb == "add":
        _add(editor, about)
    elif verb == "close":
        editor.opened = None
    elif verb == "undo":
        _undo(editor)


def _add(editor: Editor, kind: str) -> None:
    if len(editor.steps) >= MAX_STEPS:
        raise InvalidInput(f"A flow has at most {MAX_STEPS} steps.")
    step = TypedStep(kind=kind if kind in StepKind.values else StepKind.READING.value)
    if step.kind == StepKind.FORM:
        step.questions = [Question()]
    editor.steps.append(step)
    editor.opened = step.key


def _open(editor: Editor, at: int) -> None:
    editor.opened = editor.steps[at].key


def _copy(editor: Editor, at: int) -> None:
    if len(editor.steps) >= MAX_STEPS:
        raise InvalidInput(f"A flow has at most {MAX_STEPS} steps.")
    copy = editor.steps[at].model_copy(deep=True)
    copy.key, copy.name = new_id(), _free(f"{copy.name} (copy)", editor.steps)
    editor.steps.insert(at + 1, copy)
    editor.opened = copy.key


def _free(name: str, steps: Sequence[TypedStep]) -> str:
    taken = {step.name.lower() for step in steps}
    number, found = 1, name
    while found.lower() in taken:
        number += 1
        found = f"{name} {number}"
    return found


def _remove(editor: Editor, at: int) -> None:
    """Steps that waited for it wait no more; putting it back restores that, too."""
    step = editor.steps.pop(at)
    waiting = [one.key for one in editor.steps if step.key in one.after]
    for one in editor.steps:
        one.after = [key for key in one.after if key != step.key]
    editor.removed = Removed(step=step, at=at, waiting=waiting)
    if editor.opened == step.key:
        editor.opened = None


def _undo(editor: Editor) -> None:
    removed = editor.removed
    if removed is None or removed.step.key in {one.key for one in editor.steps}:
        return
    editor.steps.insert(removed.at, removed.step)
    for one in editor.steps:
        if one.key in removed.waiting:
            one.after.append(removed.step.key)
    editor.removed = None


def _up(editor: Editor, at: int) -> None:
    _swap(editor.steps, at, at - 1)


def _down(editor: Editor, at: int) -> None:
    _swap(editor.steps, at, at + 1)


def _swap(rows: list[T], one: int, other: int) -> None:
    if 0 <= other < len(rows):
        rows[one], rows[other] = rows[other], rows[one]


def _add_field(step: TypedStep, about: str) -> None:
    step.questions.append(Question())


def _remove_field(step: TypedStep, about: str) -> None:
    step.questions = [one for one in step.questions if one.id != about]


def _field_up(step: TypedStep, about: str) -> None:
    _move_field(step, about, -1)


def _field_down(step: TypedStep, about: str) -> None:
    _move_field(step, about, 1)


def _move_field(step: TypedStep, about: str, by: int) -> None:
    at = next((at for at, one in enumerate(step.questions) if one.id == about), None)
    if at is not None:
        _swap(step.questions, at, at + by)


_OF_STEPS: Final[dict[str, Callable[[Editor, int], None]]] = {
    "open": _open,
    "copy": _copy,
    "remove": _remove,
    "up": _up,
    "down": _down,
}
_OF_FIELDS: Final[dict[str, Callable[[TypedStep, str], None]]] = {
    "field-add": _add_field,
    "field-remove": _remove_field,
    "field-up": _field_up,
    "field-down": _field_down,
}


def opened_first(editor: Editor, problems: dict[UUID, str]) -> None:
    """Show what is wrong next to each step, and open the first of them."""
    editor.problems = problems
    if editor.opened not in problems:
        editor.opened = next((one.key for one in editor.steps if one.key in problems), None)
