"""The form of a course as it is typed: its flows are hidden fields in their order."""

from dataclasses import dataclass, field
from uuid import UUID

from django.http import QueryDict

from flows_app.conf import MAX_COURSE_FLOWS
from one_project.common.ids import parse_id
from one_project.common.text import clean_text


@dataclass(slots=True)
class TypedCourse:
    name: str = ""
    description: str = ""
    in_order: bool = True
    flows: list[UUID] = field(default_factory=list)


def sent_course(form: QueryDict) -> TypedCourse:
    """The form as it was sent; what is no flow's id is left out."""
    keys = [parse_id(one) for one in form.getlist("flow")[: 2 * MAX_COURSE_FLOWS]]
    return TypedCourse(
        name=clean_text(form.get("name", "")),
        description=clean_text(form.get("description", "")),
        in_order="in_order" in form,
        flows=list(dict.fromkeys(key for key in keys if key)),
    )


def edit_course(typed: TypedCourse, do: str) -> None:
    """``add:<flow>``, ``up:<flow>``, ``down:<flow>`` or ``remove:<flow>``."""
    verb, _, about = do.partition(":")
    key = parse_id(about)
    if key is None:
        return
    if verb == "add" and key not in typed.flows:
        typed.flows.append(key)
    elif verb == "remove":
        typed.flows = [one for one in typed.flows if one != key]
    elif verb in {"up", "down"} and key in typed.flows:
        at = typed.flows.index(key)
        other = at - 1 if verb == "up" else at + 1
        if 0 <= other < len(typed.flows):
            typed.flows[at], typed.flows[other] = typed.flows[other], typed.flows[at]
