"""Ways around a review, a role or an organisation that must not be there."""

import io

import pytest

from agents_app.models import AgentKind
from agents_app.services.agents import create_agent
from flows_app.access import access_step, visible_targets
from flows_app.errors import FourEyes, LessonNotFound, NotByHand, StepNotFound
from flows_app.models import Flow, Status, StepState, SubmissionStatus
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import assign_lesson
from flows_app.services.courses import archive_course, create_course
from flows_app.services.crediting import credit_prior
from flows_app.services.ending import withdraw_lesson
from flows_app.services.flows import archive_flow, publish_flow, save_draft
from flows_app.services.handing_in import files_of, hand_in_files, take_back, take_file_out
from flows_app.services.lesson_tools import assign_by_name, find_person, progress_by_name
from flows_app.services.live_roles import catch_up_lessons
from flows_app.services.reassigning import reassign
from flows_app.services.step_threads import open_step_thread, propose_completion
from flows_app.services.working import mark_done
from one_project.accounts.models import Membership, Role, Team, TeamMember, User
from one_project.accounts.services.organisations import add_member
from one_project.common.errors import AccessDenied, AppError, Conflict, InvalidInput
from one_project.common.ids import new_id
from tests.flows.samples import assign, complete, make_flow, move, step, steps
from tests.people import World, make_person


def test_a_review_is_not_skipped_by_whose_work_it_is_nor_by_an_agent(world: World) -> None:
    flow = make_flow(world, step("Essay", needs_review=True), "Read")
    own = assign(world, flow, user=world.stella)
    with pytest.raises(NotByHand):
        move(own, "Essay", Status.SKIPPED, world.stella, reason="I know it")
    other = assign(world, flow)
    guide = Actor(user=world.stella, agent=world.agent)
    with pytest.raises(NotByHand):
        move(other, "Essay", Status.SKIPPED, guide, reason="The agent says so")
    # What nobody reviews an agent may skip for staff; and staff skip for others.
    move(other, "Read", Status.SKIPPED, guide, reason="Known")
    move(other, "Essay", Status.SKIPPED, world.stella, reason="Known")


def test_a_single_optional_step_is_not_skipped_by_its_learner(world: World) -> None:
    flow = make_flow(world, "Read", step("Extra", is_required=False))
    target = assign(world, flow, step_name="Extra")
    with pytest.raises(AccessDenied):
        move(target, "Extra", Status.SKIPPED, world.bob, reason="No time")


def test_four_eyes_hold_also_for_completing_by_hand(world: World) -> None:
    mine = create_agent(
        world.organisation,
        name="Writer",
        kind=AgentKind.USER_AGENT,
        prompt="You write.",
        created_by=world.stella,
    )
    draft = step("Draft", "agent_task", agent_id=mine.pk, four_eyes=True, settings={"task": "Do"})
    target = assign(world, make_flow(world, draft))
    move(target, "Draft", Status.IN_PROGRESS, world.bob)
    for status in (Status.COMPLETED, Status.SKIPPED):
        with pytest.raises(FourEyes):
            move(target, "Draft", status, world.stella, reason="It is good")
    move(target, "Draft", Status.COMPLETED, world.adam)


def test_who_has_left_moves_nothing(world: World) -> None:
    target = assign(world, make_flow(world))
    Membership.objects.filter(user=world.bob).update(is_active=False)
    with pytest.raises(LessonNotFound):
        move(target, "Read", Status.COMPLETED, world.bob)


def test_what_another_has_done_is_credited_to_nobody(world: World) -> None:
    flow = make_flow(world, "Read", "Sign")
    old = assign(world, flow)
    complete(old, "Read", by=world.bob)
    by = Actor(user=world.stella)
    new = reassign(old, to_user=world.adam, by=by)
    complete(new, "Sign", by=world.adam)
    again = assign_lesson(
        world.organisation, by=by, flow=flow, user=world.adam, restart=True
    ).lesson
    assert [one.step.name for one in credit_prior(again, 30, by=by, preview=True)] == ["Sign"]


def test_files_stay_with_who_handed_the_work_over(world: World) -> None:
    target = assign(world, make_flow(world, step("Proof", "file", settings={"max_files": 2})))
    proof = steps(target)["Proof"]
    hand_in_files(target, proof, [("a.txt", io.BytesIO(b"mine"))], by=Actor(user=world.bob))
    new = reassign(target, to_user=world.adam, by=Actor(user=world.stella))
    [file] = files_of(new, StepState.objects.get(target=new).work)
    take_file_out(new, proof, file.pk, by=Actor(user=world.adam))
    [kept] = files_of(target, StepState.objects.get(target=target).work)
    assert kept.refcount == 1


def test_a_run_is_not_handed_over(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    move(target, "Read", Status.IN_PROGRESS, world.bob)
    StepState.objects.filter(target=target).update(work={"run": "x", "thread": "y", "answers": {}})
    new = reassign(target, to_user=world.adam, by=Actor(user=world.stella))
    assert StepState.objects.get(target=new).work == {"answers": {}}


def test_an_archived_course_is_given_to_nobody_who_joins(world: World) -> None:
    by = Actor(user=world.stella)
    course = create_course(
        world.organisation, by=world.stella, name="All", flows=[make_flow(world)]
    )
    assign_lesson(world.organisation, by=by, course=course, role=Role.MEMBER, resolution="live")
    archive_course(course, by=world.stella)
    add_member(world.organisation, user=make_person("Late"), role=Role.MEMBER)
    assert catch_up_lessons(world.organisation.pk) == 0
    archive_course(course, by=world.stella, archived=False)
    assert catch_up_lessons(world.organisation.pk) == 1


def test_archiving_writes_over_nothing_that_was_published_meanwhile(world: World) -> None:
    flow = make_flow(world)
    seen = Flow.objects.get(pk=flow.pk)
    save_draft(flow, by=world.stella, steps=[step("New")])
    newest = publish_flow(flow, by=world.stella)
    archive_flow(seen, by=world.stella)
    flow.refresh_from_db()
    assert flow.published_id == newest.pk
    assert flow.archived_at is not None


@pytest.mark.parametrize("due", ["9999-12-31", "0001-01-01", "1999-12-31"])
def test_a_date_of_another_age_is_refused(world: World, due: str) -> None:
    make_flow(world)
    world.stella.timezone = "America/Los_Angeles"
    with pytest.raises(InvalidInput):
        assign_by_name(
            world.organisation, user=world.stella, agent=None, flow="Onboarding", due=due
        )


@pytest.mark.parametrize("named", ["\x00", "Re\x00ad\ud800", "", " "])
def test_names_that_cannot_be_are_refused_and_nobody_is_meant_by_none(
    world: World, named: str
) -> None:
    flow = make_flow(world)
    User.objects.filter(pk=world.bob.pk).update(name="")
    with pytest.raises(InvalidInput):
        find_person(world.organisation, world.stella, named)
    if named.strip():
        with pytest.raises(AppError):
            assign(world, flow, step_name=named)


def test_a_member_learns_nothing_of_others_by_an_address(world: World) -> None:
    make_flow(world)
    said = set()
    for person in (world.adam.email, world.charlie.email, "nobody@example.test"):
        with pytest.raises(LessonNotFound) as raised:
            progress_by_name(
                world.organisation,
                user=world.bob,
                agent=None,
                lesson="Onboarding",
                step="Read",
                status="Completed",
                person=person,
            )
        said.add(raised.value.user_message)
    assert len(said) == 1


def test_agents_and_teams_of_others_get_nothing(world: World) -> None:
    flow = make_flow(world)
    agent = create_agent(world.elsewhere, name="Stranger", kind=AgentKind.SYSTEM_AGENT)
    team = Team.objects.create(organisation=world.elsewhere, name="Strangers")
    TeamMember.objects.create(team=team, user=world.bob)
    for who in ({"agent": agent}, {"team": team}):
        with pytest.raises(InvalidInput, match="of this organisation"):
            assign_lesson(world.organisation, by=Actor(user=world.stella), flow=flow, **who)
    with pytest.raises(InvalidInput, match="of this organisation"):
        reassign(assign(world, flow), to_agent=agent, by=Actor(user=world.stella))


def test_what_has_been_handed_in_is_taken_back_by_nobody_else(world: World) -> None:
    target = assign(world, make_flow(world, step("Essay", needs_review=True)))
    essay = steps(target)["Essay"]
    mark_done(target, essay, by=Actor(user=world.bob))
    with pytest.raises(Conflict):
        take_back(target, essay, by=Actor(user=world.stella))
    assert target.submissions.get().status == SubmissionStatus.AWAITING_REVIEW
    withdraw_lesson(target.lesson, by=Actor(user=world.stella))
    assert target.submissions.get().status == SubmissionStatus.EXPIRED


def test_an_agent_proposes_nothing_for_another_who_is_in_the_talk(world: World) -> None:
    chat = step("Talk", "chat", agent_id=world.agent.pk)
    target = assign(world, make_flow(world, chat))
    thread = open_step_thread(target, chat.key, by=world.bob)
    with pytest.raises(InvalidInput, match="Only the person"):
        propose_completion(
            world.organisation, thread.pk, user=world.stella, agent=world.agent, notes="Done"
        )
    with pytest.raises(InvalidInput, match="not about a step"):
        propose_completion(
            world.elsewhere, thread.pk, user=world.bob, agent=world.agent, notes="Done"
        )


def test_of_a_single_step_the_others_do_not_exist_and_who_left_sees_nothing(world: World) -> None:
    flow = make_flow(world, "Read", "Sign")
    target = assign(world, flow, step_name="Read")
    sign = flow.published.steps.get(name="Sign")
    for key in (sign.key, new_id(), "\x00"):
        with pytest.raises(StepNotFound):
            access_step(target, key)
    assert list(visible_targets(world.bob, world.organisation)) == [target]
    Membership.objects.filter(user=world.bob).update(is_active=False)
    assert not visible_targets(world.bob, world.organisation)
