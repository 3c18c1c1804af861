"""Drafts, publishing and moving: nothing that was done is taken back, whatever is changed."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents_app.services.agents import set_agent_active
from flows_app.errors import FlowCycle, FlowNotFound, InvalidSteps
from flows_app.models import Flow, FlowStep, LessonTarget, LogKind, Status, SubmissionStatus
from flows_app.models.submissions import Submission
from flows_app.runtime.actors import Actor
from flows_app.runtime.progress import replay
from flows_app.runtime.transitions import DONE
from flows_app.services.copying import discard_draft, draft_from, duplicate_flow
from flows_app.services.flow_list import figures_of, list_flows
from flows_app.services.flows import archive_flow, create_flow, publish_flow, save_draft
from flows_app.services.publishing import (
    ALL,
    NONE,
    NOT_STARTED,
    impact_of,
    move_targets,
    publish_and_move,
    revision_differences,
)
from flows_app.services.reading import lines_of, share_of_lines
from flows_app.services.writing_steps import drafts_of
from flows_app.types import StepDraft
from one_project.accounts.models import Role, User
from one_project.accounts.services.organisations import add_member
from one_project.common.errors import Conflict, InvalidInput
from tests.flows.samples import assign, complete, in_order, make_flow, move, step
from tests.people import World, make_person


def changed(flow: Flow, by: User, *steps: StepDraft) -> Flow:
    """The flow with a draft of these steps."""
    save_draft(flow, by=by, steps=steps)
    return Flow.objects.select_related("published", "draft", "organisation").get(pk=flow.pk)


def member(world: World, name: str) -> User:
    person = make_person(name)
    add_member(world.organisation, user=person, role=Role.MEMBER)
    return person


def percent(target: LessonTarget) -> int:
    fresh = LessonTarget.objects.select_related("lesson").get(pk=target.pk)
    return share_of_lines(lines_of(fresh)).percent


def test_every_problem_is_told_with_its_step(world: World) -> None:
    wrong = [step(""), step("Form", due_days=-1), step("Read"), step("read")]
    with pytest.raises(InvalidSteps) as raised:
        create_flow(world.organisation, by=world.stella, name="New", steps=wrong)
    told = raised.value.problems
    assert told[wrong[0].key] == "Please give step 1 a name."
    assert "0 to 3,660 days" in told[wrong[1].key]
    assert "Two steps are called “read”" in told[wrong[3].key]
    assert wrong[2].key not in told


def test_a_circle_is_refused_with_its_steps(world: World) -> None:
    one, two = step("One"), step("Two")
    steps = [
        StepDraft(kind="reading", name="One", key=one.key, prerequisites=(two.key,)),
        StepDraft(kind="reading", name="Two", key=two.key, prerequisites=(one.key,)),
    ]
    with pytest.raises(FlowCycle, match="could never begin"):
        create_flow(world.organisation, by=world.stella, name="New", steps=steps)


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        ("file", {"max_files": True}, "between 1 and 20"),
        ("file", {"accept": ["a b"]}, "no file ending"),
        ("form", {"fields": [1]}, "is an object"),
        ("form", {"fields": [{"label": "A", "type": "choice", "choices": 5}]}, "to choose from"),
        ("checklist", {"items": "abc"}, "at most 100 items"),
        ("workflow", {"input": []}, "JSON object"),
        ("workflow", {"input": {"a": 2**70}}, "64 bits"),
        ("dance", {}, "no kind of step"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(
    world: World, kind: str, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        create_flow(
            world.organisation, by=world.stella, name="N", steps=[step("A", kind, settings=given)]
        )


@pytest.mark.parametrize(
    ("draft", "told"),
    [
        (step("List", "checklist"), "add an item"),
        (step("Talk", "chat"), "choose the agent"),
        (step("Run", "workflow", settings={"workflow": "no.such"}), "no workflow called"),
    ],
)
def test_what_a_draft_lacks_is_told_when_it_is_published(
    world: World, draft: StepDraft, told: str
) -> None:
    flow = create_flow(world.organisation, by=world.stella, name="New", steps=[draft])
    with pytest.raises(InvalidSteps, match=told):
        publish_flow(flow, by=world.stella)


def test_a_step_whose_agent_is_off_is_not_published(world: World) -> None:
    steps = [step("Talk", "chat", agent_id=world.agent.pk)]
    flow = create_flow(world.organisation, by=world.stella, name="New", steps=steps)
    set_agent_active(world.agent, by=world.alice, is_active=False)
    with pytest.raises(InvalidSteps, match="switched off"):
        publish_flow(flow, by=world.stella)


def test_a_stale_draft_says_who_was_faster(world: World) -> None:
    flow = make_flow(world, "Read")
    save_draft(flow, by=world.adam, steps=[step("Other")], version=0)
    with pytest.raises(Conflict, match="Adam has changed this draft"):
        save_draft(flow, by=world.stella, steps=[step("Mine")], version=0)
    publish_flow(flow, by=world.adam)
    with pytest.raises(Conflict, match="Adam has published this flow"):
        save_draft(flow, by=world.stella, steps=[step("Mine")], version=1)


def test_publishing_shows_what_changes_and_for_whom(world: World) -> None:
    first, second, third = step("One"), step("Two"), step("Three")
    flow = make_flow(world, first, second, third)
    begun, new, done = (assign(world, flow, one) for one in (world.bob, world.adam, world.alice))
    complete(begun, "One", by=world.bob)
    complete(done, "One", "Two", "Three", by=world.alice)
    renamed = StepDraft(kind="reading", name="Zwei", key=second.key, is_required=False)
    flow = changed(flow, world.stella, third, first, renamed, step("Four"), step("Five"))
    impact = impact_of(flow)
    told = impact.differences
    assert [one.name for one in told.added] == ["Four", "Five"]
    assert [(one.step.name, one.what) for one in told.changed] == [
        ("Zwei", ["was called “Two”", "no longer required"])
    ]
    assert told.moved in (["Three"], ["One", "Zwei"])
    assert [(one.number, one.people, one.not_started) for one in impact.revisions] == [(1, 2, 1)]
    # 1 of 3 becomes 1 of 4.
    assert (impact.running, impact.higher, impact.lower) == (2, 0, 1)
    assert (impact.not_started, impact.finished, impact.finishing) == (1, 1, 0)
    revision, moved = publish_and_move(flow, by=world.stella, which=NOT_STARTED)
    new.refresh_from_db()
    assert (moved, new.revision, percent(done), percent(begun)) == (1, revision, 100, 33)


def test_moving_takes_nothing_back_and_is_written_down(world: World) -> None:
    read, essay = step("Read"), step("Essay", needs_review=True)
    flow = make_flow(world, read, essay)
    target, done = assign(world, flow), assign(world, flow, world.adam)
    complete(target, "Read", by=world.bob)
    complete(done, "Read", by=world.adam)
    move(done, "Essay", Status.SKIPPED, world.stella, reason="Knows it")
    waiting = Submission.objects.create(
        organisation=world.organisation,
        target=target,
        step_key=essay.key,
        number=1,
        status=SubmissionStatus.AWAITING_REVIEW,
        user=world.bob,
    )
    flow = changed(flow, world.stella, read, step("New"))
    revision, moved = publish_and_move(flow, by=world.stella, which=ALL, reason="New law")
    target.refresh_from_db()
    waiting.refresh_from_db()
    done.refresh_from_db()
    assert (moved, target.revision_id) == (1, revision.pk)
    assert (percent(target), waiting.status) == (50, SubmissionStatus.EXPIRED)
    # Who has finished stays finished, and where they were.
    assert (done.revision_id != revision.pk, percent(done)) == (True, 100)
    entries = list(target.log.order_by("seq"))
    assert [one.seq for one in entries] == list(range(1, target.seq + 1))
    assert (entries[-1].kind, entries[-1].reason, entries[-1].actor) == (
        LogKind.REVISION,
        "New law",
        world.stella,
    )
    assert entries[-1].notes == "From revision 1 to revision 2"


def test_moving_is_for_staff_and_within_the_flow(world: World) -> None:
    flow, other = make_flow(world, "Read"), make_flow(world, "Read", name="Other")
    assert flow.published
    assert other.published
    for person in (world.bob, world.charlie):
        with pytest.raises(FlowNotFound):
            move_targets(flow, flow.published, which=ALL, by=Actor(user=person))
    with pytest.raises(FlowNotFound):
        move_targets(flow, other.published, which=ALL, by=Actor(user=world.stella))
    with pytest.raises(InvalidInput):
        move_targets(flow, flow.published, which="x", by=Actor(user=world.stella))


def test_a_single_step_that_is_gone_keeps_its_revision(world: World) -> None:
    read, sign = step("Read"), step("Sign")
    flow = make_flow(world, read, sign)
    target = assign(world, flow, step_name="Sign")
    flow = changed(flow, world.stella, read)
    assert (impact_of(flow).staying, impact_of(flow).running) == (1, 0)
    _, moved = publish_and_move(flow, by=world.stella, which=ALL)
    assert (moved, percent(target)) == (0, 0)


def test_impact_moving_and_figures_take_as_many_queries_for_more_people(world: World) -> None:
    flow = make_flow(world, "One", "Two")
    counts = []
    for number in (1, 6):
        for at in range(number):
            complete(assign(world, flow, member(world, f"P{number}{at}")), "One", by=world.stella)
        flow = changed(
            flow, world.stella, *drafts_of(flow.published or flow.draft), step(f"N{number}")
        )  # type: ignore[arg-type]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            impact_of(flow)
            publish_and_move(flow, by=world.stella, which=ALL)
            figures_of([flow])
        counts.append(len(queries))
        flow = Flow.objects.select_related("published", "draft", "organisation").get(pk=flow.pk)
    assert counts[0] == counts[1]


def test_the_list_tells_people_and_average(world: World) -> None:
    flow = make_flow(world, "One", "Two", step("Extra", is_required=False))
    for person in (world.bob, world.adam):
        complete(assign(world, flow, person), "One", "Extra", by=person)
    assign(world, flow, world.alice, step_name="Two")
    draft = create_flow(world.organisation, by=world.stella, name="A draft")
    found = {one.name: one for one in list_flows(world.organisation)}
    assert list(found) == ["A draft", "Onboarding"]
    figures = figures_of(list(found.values()))
    assert (figures[flow.pk].people, figures[flow.pk].percent) == (3, 33)
    assert draft.pk not in figures
    assert [one.name for one in list_flows(world.organisation, show="published")] == ["Onboarding"]
    archive_flow(draft, by=world.stella)
    assert [one.name for one in list_flows(world.organisation, show="archived")] == ["A draft"]


def test_a_draft_begins_from_an_earlier_revision_or_is_thrown_away(world: World) -> None:
    flow = make_flow(world, "Read")
    first = flow.published
    assert first is not None
    flow = changed(flow, world.stella, step("Other"))
    with pytest.raises(Conflict, match="draft already"):
        draft_from(flow, first, by=world.stella)
    publish_flow(flow, by=world.stella)
    draft = draft_from(flow, first, by=world.stella)
    assert [one.name for one in drafts_of(draft)] == ["Read"]
    assert not revision_differences(first, draft)
    flow = discard_draft(flow, by=world.stella)
    assert (flow.draft, flow.published is not None) == (None, True)
    with pytest.raises(InvalidInput):
        discard_draft(flow, by=world.stella)


def test_a_copy_has_the_same_steps_and_waits_within_itself(world: World) -> None:
    flow = make_flow(world, *in_order("One", "Two"))
    copies = [duplicate_flow(flow, by=world.stella) for _ in range(2)]
    assert [one.name for one in copies] == ["Copy of Onboarding", "Copy of Onboarding (2)"]
    one, two = drafts_of(copies[0].draft)  # type: ignore[arg-type]
    assert (one.name, two.name, two.prerequisites) == ("One", "Two", (one.key,))
    assert not FlowStep.objects.filter(revision=flow.published, key=one.key).exists()


NAMES = ("A", "B", "C", "D", "E")
CHANGES = st.lists(
    st.tuples(st.sampled_from(["draft", "publish", "move", "do", "skip", "reopen"]), st.randoms()),
    min_size=4,
    max_size=14,
)


@settings(
    max_examples=7,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=CHANGES)
def test_percentages_hold_whatever_is_changed_in_any_order(world: World, changes: Any) -> None:
    """Steps come, go and change places; people work meanwhile and are moved or not."""
    pool = {name: step(name) for name in NAMES}
    flow = make_flow(world, pool["A"], pool["B"], name=f"F{Flow.objects.count()}")
    target = assign(world, flow)
    for what, random in changes:
        flow = Flow.objects.select_related("published", "draft", "organisation").get(pk=flow.pk)
        before = percent(target)
        _change(world, flow, target, pool, what, random)
        target = LessonTarget.objects.select_related(
            "organisation", "lesson", "flow", "revision"
        ).get(pk=target.pk)
        lines = lines_of(target)
        share = share_of_lines(lines)
        assert 0 <= share.percent <= 100
        required = [line for line in lines if line.step.is_required]
        assert (share.percent == 100) == all(line.status in DONE for line in required)
        if what in ("draft", "publish"):
            assert share.percent == before
        entries = target.log.order_by("seq")
        states = replay((one.step_key, one.from_status, one.status) for one in entries)
        assert states == {one.step_key: one.status for one in target.states.all()}
        assert [one.seq for one in entries] == list(range(1, target.seq + 1))
        assert all(0 <= (one.percent or 0) <= 100 for one in figures_of([flow]).values())


def _change(
    world: World,
    flow: Flow,
    target: LessonTarget,
    pool: dict[str, StepDraft],
    what: str,
    random: Any,
) -> None:
    staff = Actor(user=world.stella)
    if what == "draft":
        chosen = random.sample(NAMES, random.randint(1, len(NAMES)))
        steps = [
            StepDraft(
                kind="reading",
                name=name,
                key=pool[name].key,
                is_required=random.random() < 0.7,
                prerequisites=tuple(pool[one].key for one in chosen[:at] if random.random() < 0.2),
            )
            for at, name in enumerate(chosen)
        ]
        save_draft(flow, by=world.stella, steps=steps)
    elif what == "publish" and flow.draft_id:
        publish_and_move(flow, by=world.stella, which=NONE)
    elif what == "move":
        assert flow.published
        move_targets(flow, flow.published, which=random.choice([ALL, NOT_STARTED]), by=staff)
    elif what in ("do", "skip", "reopen"):
        lines = [one for one in lines_of(target) if one.is_done == (what == "reopen")]
        lines = [one for one in lines if what != "do" or not one.locked]
        if lines:
            line = random.choice(lines)
            status = {"do": "Completed", "skip": "Skipped", "reopen": "In Progress"}[what]
            move(target, line.step.name, status, world.stella, reason="Because")
