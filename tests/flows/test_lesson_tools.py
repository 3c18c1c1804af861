"""Tools on lessons: the rights of the person, names as a model gives them, words for what fails."""

from typing import Any

import pytest

from agents_app.models import CallStatus
from agents_app.providers.parts import ToolCallPart
from agents_app.tools.definitions import ToolContext, ToolError, builtin_tools
from flows_app.models import FlowProgress, Lesson, LessonTarget, Status, StepState
from one_project.accounts.models import User
from one_project.common.ids import new_id
from tests.chat.proposing import execute, proposed, state
from tests.flows.samples import assign, make_flow, step
from tests.people import World

pytestmark = pytest.mark.django_db


def use(name: str, world: World, user: User | None, **arguments: Any) -> Any:
    made = builtin_tools()[name]
    made.check(arguments)
    context = ToolContext(
        organisation=world.organisation, user=user, agent=world.agent, key=new_id()
    )
    return made.run(context, arguments)


def test_staff_assign_by_names(world: World) -> None:
    make_flow(world, "Read", name="Safety")
    made = use("assign_lesson", world, world.stella, flow="safety", to="BOB", due="2030-01-31")
    lesson = Lesson.objects.get(pk=made["lesson_id"])
    assert (made["assigned"], made["to"], lesson.user) == (1, "Bob", world.bob)
    assert lesson.due_at is not None
    assert lesson.due_at.isoformat() == "2030-01-31T23:59:00+00:00"
    entry = FlowProgress.objects.get(kind="assigned")
    assert (entry.actor, entry.actor_agent) == (world.stella, world.agent)
    assert use("assign_lesson", world, world.stella, flow="Safety", role="Admin")["assigned"] == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"flow": "Nothing"}, "There is no flow called “Nothing” here"),
        ({"flow": "Safety", "to": "Nobody"}, "nobody called “Nobody”"),
        ({"flow": "Safety", "to": "charlie@example.test"}, "nobody called"),
        ({"flow": "Safety", "step": "Fly"}, "no step called “Fly”"),
        ({"flow": "Safety", "due": "tomorrow"}, "YYYY-MM-DD"),
        ({"flow": "Safety", "role": "king"}, "A role is one of"),
        ({}, "choose a flow or a course"),
    ],
)
def test_what_cannot_be_assigned_is_said(world: World, arguments: dict[str, str], why: str) -> None:
    make_flow(world, "Read", name="Safety")
    with pytest.raises(ToolError, match=why):
        use("assign_lesson", world, world.stella, **arguments)
    assert not Lesson.objects.exists()


def test_members_assign_nothing(world: World) -> None:
    make_flow(world, "Read", name="Safety")
    with pytest.raises(ToolError, match="Only staff"):
        use("assign_lesson", world, world.bob, flow="Safety")


def test_without_a_person_there_are_no_rights(world: World) -> None:
    for name, arguments in {
        "assign_lesson": {"flow": "Safety"},
        "update_flow_progress": {"lesson": "x", "step": "y", "status": "Completed"},
        "list_my_lessons": {},
    }.items():
        with pytest.raises(ToolError) as raised:
            use(name, world, None, **arguments)
        assert raised.value.code == "no_user"


def test_assigning_to_others_is_asked_first(world: World) -> None:
    make_flow(world, "Read", name="Safety")
    world.agent.tools = ["assign_lesson"]
    world.agent.save()

    def part(**arguments: str) -> ToolCallPart:
        return ToolCallPart("c1", "assign_lesson", {"flow": "Safety", **arguments})

    for arguments in ({"to": "Bob"}, {"role": "member"}, {"to": "me", "team": "Desk"}):
        _, [call] = proposed(world, part(**arguments), by=world.alice)
        assert call.status == CallStatus.AWAITING_APPROVAL
    for to in ("me", "Alice@Example.test"):
        _, [call] = proposed(world, part(to=to), by=world.alice)
        assert call.status == CallStatus.APPROVED
    execute(call)
    assert state(call) == CallStatus.SUCCEEDED
    assert LessonTarget.objects.get().user == world.alice


def test_an_agent_moves_a_step_of_the_person(world: World) -> None:
    target = assign(world, make_flow(world, "Read", "Sign"))
    told = use(
        "update_flow_progress", world, world.bob,
        lesson="onboarding", step="read", status="Completed", notes="Read aloud",
    )  # fmt: skip
    assert told == {"lesson_id": str(target.pk), "status": "Completed", "percent": 50}
    entry = target.log.get(status=Status.COMPLETED)
    assert (entry.actor, entry.actor_agent, entry.notes) == (
        world.bob, world.agent, "Read aloud",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"lesson": "Nothing"}, "no lesson called “Nothing”"),
        ({"step": "Nothing"}, "no such step"),
        ({"step": "Essay", "status": "Completed"}, "somebody else has reviewed it"),
        ({"step": "Read", "status": "Blocked"}, "say why"),
        ({"step": "Read", "status": "Skipped", "reason": "No"}, "ask staff to skip"),
        ({"person": "Stella", "lesson": "Tour"}, "not found|does not exist|was not found"),
    ],
)
def test_what_an_agent_cannot_move_is_said(
    world: World, arguments: dict[str, str], why: str
) -> None:
    assign(world, make_flow(world, "Read", step("Essay", needs_review=True)))
    assign(world, make_flow(world, "Tour", name="Tour"), user=world.stella)
    given = {"lesson": "Onboarding", "step": "Read", "status": "Completed", **arguments}
    with pytest.raises(ToolError, match=why):
        use("update_flow_progress", world, world.bob, **given)
    assert not StepState.objects.exists()


def test_the_person_s_own_lessons_are_listed(world: World) -> None:
    first = step("Read")
    target = assign(world, make_flow(world, first, step("Sign", prerequisites=(first.key,))))
    assign(world, make_flow(world, "Tour", name="Tour"), user=world.stella)
    [lesson] = use("list_my_lessons", world, world.bob)["lessons"]
    assert (lesson["id"], lesson["flow"], lesson["percent"]) == (str(target.pk), "Onboarding", 0)
    assert [one["name"] for one in lesson["steps"]] == ["Read", "Sign"]
    assert lesson["steps"][1]["locked"] == "Opens when “Read” is done."
