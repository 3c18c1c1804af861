"""Who may say what to work that was handed in, and that each decision happens once."""

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from agents_app.models import Agent, AgentKind
from agents_app.services.agents import create_agent
from flows_app.errors import (
    FourEyes,
    NotByHand,
    ReasonMissing,
    StaleSubmission,
    SubmissionNotFound,
)
from flows_app.models import (
    LessonTarget,
    LogKind,
    Notice,
    NoticeKind,
    Status,
    StepState,
    Submission,
    SubmissionStatus,
)
from flows_app.runtime.actors import Actor
from flows_app.services.agent_steps import begin_task, keep_draft, request_agent_task
from flows_app.services.ending import withdraw_lesson
from flows_app.services.progress import reopen
from flows_app.services.reviews import (
    approve,
    approve_edited,
    ask_again,
    reject,
    remind_reviewers,
)
from one_project.accounts.models import User
from one_project.common.errors import AppError, InvalidInput
from tests.flows.samples import assign, make_flow, move, step
from tests.people import World

pytestmark = pytest.mark.django_db


def drafted(
    world: World,
    *,
    user: User | None = None,
    agent: Agent | None = None,
    text: str = "Dear all",
    asks: User | None = None,
    flow: str = "Onboarding",
    **fields: object,
) -> Submission:
    """A draft of an agent for a step of Bob's, asked for by Stella, waiting for a review."""
    settings = {"task": "Write a mail."}
    agent = agent or world.agent
    mail = step("Mail", "agent_task", agent_id=agent.pk, settings=settings, **fields)
    target = assign(world, make_flow(world, mail, name=flow), user=user)
    return draft_again(target, text, asks or world.stella)


def draft_again(target: LessonTarget, text: str, asks: User) -> Submission:
    made = request_agent_task(target, "Mail", by=Actor(user=asks))
    return written(made, text)


def written(made: Submission, text: str) -> Submission:
    assert begin_task(made.pk)
    assert keep_draft(made.pk, text)
    return Submission.objects.select_related("target").get(pk=made.pk)


def essay(world: World, user: User, *, flow: str = "Onboarding") -> Submission:
    """A person's own work, waiting for a review."""
    target = assign(world, make_flow(world, step("Mail", needs_review=True), name=flow), user=user)
    state = move(target, "Mail", Status.IN_PROGRESS, user)
    return Submission.objects.create(
        organisation=world.organisation, target=target, step_key=state.step_key, number=1,
        status=SubmissionStatus.AWAITING_REVIEW, user=user, requested_by=user, draft="Mine",
        state_version=state.version, submitted_at=timezone.now(),
    )  # fmt: skip


def status(made: Submission) -> str:
    return StepState.objects.get(target=made.target, step_key=made.step_key).status


def events(made: Submission) -> int:
    return made.target.log.filter(kind=LogKind.REVIEW).count()


def test_an_approval_completes_the_step_and_both_are_named(world: World) -> None:
    made = drafted(world)
    approve(made, by=world.adam, notes="Fine")
    made.refresh_from_db()
    assert (made.status, made.final, made.reviewed_by) == ("approved", "Dear all", world.adam)
    entry = made.target.log.get(status=Status.COMPLETED)
    # Who did it stays the agent; the reviewer stands beside it.
    assert (entry.actor_type, entry.actor_agent, entry.actor) == (
        "agent", world.agent, world.adam,
    )  # fmt: skip
    review = made.target.log.get(kind=LogKind.REVIEW)
    assert (review.actor, review.reason, review.notes) == (world.adam, "approved", "Fine")
    assert Notice.objects.filter(user=world.bob, kind=NoticeKind.APPROVED).exists()


def test_what_was_edited_is_kept_beside_the_draft(world: World) -> None:
    made = drafted(world)
    with pytest.raises(InvalidInput):
        approve_edited(made, by=world.adam, final="  ")
    approve_edited(made, by=world.adam, final="Dear everybody")
    made.refresh_from_db()
    assert (made.status, made.draft, made.final) == ("edited", "Dear all", "Dear everybody")
    assert status(made) == Status.COMPLETED


def test_sending_back_needs_a_reason_and_keeps_the_step_open(world: World) -> None:
    made = drafted(world)
    with pytest.raises(ReasonMissing):
        reject(made, by=world.adam, reason=" ")
    reject(made, by=world.adam, reason="Too short")
    made.refresh_from_db()
    assert (made.status, made.feedback, status(made)) == ("rejected", "Too short", "In Progress")
    second = draft_again(made.target, "Dear all of you", world.bob)
    assert (second.number, "> Too short" in second.task, "> Dear all" in second.task) == (
        2, True, True,
    )  # fmt: skip


def test_a_double_click_is_one_event(world: World) -> None:
    made = drafted(world)
    for _ in range(2):
        assert approve(made, by=world.adam).status == SubmissionStatus.APPROVED
    assert events(made) == 1
    with pytest.raises(StaleSubmission, match="Adam has approved this already"):
        approve(made, by=world.alice)
    with pytest.raises(StaleSubmission):
        reject(made, by=world.adam, reason="No")


@pytest.mark.django_db(transaction=True)
def test_two_reviewers_at_once_are_one_decision(committed_world: World) -> None:
    world = committed_world
    made = drafted(world)
    done: list[str] = []
    start = threading.Barrier(2)

    def decide(by: User) -> None:
        start.wait()
        try:
            done.append(approve(made, by=by).status)
        except AppError as error:
            done.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=decide, args=[by]) for by in (world.adam, world.alice)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["approved", "stale_submission"]
    assert events(made) == 1


def test_a_draft_that_something_has_overtaken_is_not_approved(world: World) -> None:
    made = drafted(world)
    step_of = made.target.revision.steps.get()
    # Somebody has changed the step.
    move(made.target, "Mail", Status.BLOCKED, world.stella, reason="Wait")
    with pytest.raises(StaleSubmission, match="Stella has changed this step"):
        approve(made, by=world.adam)
    # It can be sent back all the same, and what comes then is newer.
    reject(made, by=world.adam, reason="Start over")
    move(made.target, "Mail", Status.IN_PROGRESS, world.stella)
    second = draft_again(made.target, "Two", world.stella)
    # Completed by hand and opened again: the draft belongs to what was before.
    move(made.target, step_of, Status.COMPLETED, world.stella)
    reopen(made.target, "Mail", by=Actor(user=world.stella), reason="Not good")
    with pytest.raises(StaleSubmission, match="overtaken"):
        approve(second, by=world.adam)
    third = draft_again(made.target, "Three", world.stella)
    with pytest.raises(StaleSubmission):
        approve(third, by=world.adam, version=0)
    withdraw_lesson(made.target.lesson, by=Actor(user=world.stella))
    with pytest.raises(StaleSubmission, match="ended"):
        approve(third, by=world.adam)


def test_nobody_reviews_their_own_work(world: World) -> None:
    made = essay(world, world.stella)
    for decide in (approve, lambda one, by: reject(one, by=by, reason="No")):
        with pytest.raises(FourEyes):
            decide(made, by=world.stella)
    approve(made, by=world.adam)
    entry = made.target.log.get(status=Status.COMPLETED)
    assert (entry.actor_type, entry.actor) == ("user", world.adam)


@pytest.mark.parametrize("who", ["owner of the agent", "who asked", "whose step it is"])
def test_four_eyes_are_of_somebody_else(world: World, who: str) -> None:
    agent = create_agent(
        world.organisation, name="Scribe", kind=AgentKind.SYSTEM_AGENT, created_by=world.alice
    )
    person = {"owner of the agent": world.alice, "who asked": world.stella}.get(who, world.adam)
    made = drafted(world, user=world.adam, agent=agent, four_eyes=True)
    with pytest.raises(FourEyes):
        approve(made, by=person)
    assert status(made) == Status.IN_PROGRESS
    # What is refused to approve may still be sent back.
    reject(made, by=person, reason="No")


def test_without_four_eyes_whoever_asked_may_approve(world: World) -> None:
    made = drafted(world)
    approve(made, by=world.stella)
    assert status(made) == Status.COMPLETED


def test_members_and_outsiders_review_nothing(world: World) -> None:
    made = drafted(world)
    for person in (world.bob, world.charlie):
        with pytest.raises(SubmissionNotFound):
            approve(made, by=person)
        with pytest.raises(SubmissionNotFound):
            reject(made, by=person, reason="No")


def test_an_agent_approves_nothing(world: World) -> None:
    made = drafted(world)
    for person in (world.stella, world.bob):
        with pytest.raises(NotByHand):
            move(made.target, "Mail", Status.COMPLETED, Actor(user=person, agent=world.agent))
    assert events(made) == 0


def test_only_an_agent_is_asked_again(world: World) -> None:
    with pytest.raises(InvalidInput):
        ask_again(essay(world, world.bob), by=world.stella, what="More")


def test_asking_again_twice_is_one_new_try(world: World) -> None:
    made = drafted(world)
    first = ask_again(made, by=world.adam, what="More")
    assert ask_again(made, by=world.adam, what="More") == first
    assert (first.number, first.status) == (2, "queued")


def test_staff_are_reminded_once_and_nothing_is_approved(world: World) -> None:
    made = drafted(world, review_hours=2)
    assert remind_reviewers() == 0
    earlier = timezone.now() - timedelta(hours=3)
    Submission.objects.filter(pk=made.pk).update(submitted_at=earlier)
    assert [remind_reviewers(), remind_reviewers()] == [1, 0]
    told = Notice.objects.filter(kind=NoticeKind.REVIEW, text__contains="still waits")
    assert {one.user for one in told} == {world.alice, world.adam, world.stella}
    made.refresh_from_db()
    assert made.status == SubmissionStatus.AWAITING_REVIEW
