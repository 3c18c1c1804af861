"""Other agents and people in a conversation: delegation, questions, escalation, names (HU, TO)."""

from collections.abc import Iterator

import pytest

from agents_app.errors import ApprovalGone
from agents_app.models import Agent, AgentKind, CallStatus, ToolAllowance, ToolCall
from agents_app.providers.parts import ToolCallPart
from agents_app.providers.scripted import ScriptedModel
from agents_app.services.agents import create_agent
from agents_app.services.approvals import answer_question
from chat_app.access import access_escalation, access_thread, access_tool_call
from chat_app.errors import EscalationNotFound, ThreadNotFound
from chat_app.models import (
    Escalation,
    EscalationStatus,
    Message,
    MessageKind,
    Task,
    Thread,
    Turn,
    TurnStatus,
)
from chat_app.services.conversation import continue_thread, send_agent_message
from chat_app.services.delegation import MAX_DELEGATIONS, MAX_DEPTH
from chat_app.services.escalations import hand_back, take_over
from chat_app.services.stopping import stop_turn
from chat_app.services.tasks import tick_off
from chat_app.services.threads import purge_thread
from one_project.accounts.models import User
from one_project.common.errors import Conflict, InvalidInput
from tests.chat.proposing import (
    answer,
    do_chores,
    execute,
    proposed,
    run,
    starts,
    state,
    step,
    told,
)
from tests.chat.test_engine import ask, ended, running_engine, wait_until
from tests.chat.tools import call, effects, give_tools, registered_tools
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with registered_tools():
        yield


def another_agent(world: World, name: str = "Helper", **options: object) -> Agent:
    return create_agent(
        world.organisation, name=name, kind=AgentKind.SYSTEM_AGENT, prompt="Help.", **options
    )


@pytest.fixture
def helper(world: World) -> Agent:
    """An agent that Guide may delegate to."""
    made = another_agent(world)
    world.agent.delegates_to.add(made)
    return made


def hand_over(key: str = "1", task: str = "look", to: str = "Helper") -> ToolCallPart:
    return ToolCallPart(key, "delegate_to_agent", {"agent": to, "task": task})


def use(name: str, key: str = "1", **arguments: str) -> ToolCallPart:
    return ToolCallPart(key, name, dict(arguments))


def child_of(made: ToolCall) -> Thread:
    made.refresh_from_db()
    return Thread.objects.get(pk=made.child_thread_id)


def is_silent(world: World, thread: Thread, text: str, by: User) -> bool:
    """Whether nobody is asked to answer ``text``."""
    _, turn = send_agent_message(thread, content=text, author=by)
    return turn is None


def status(turn: Turn) -> str:
    turn.refresh_from_db()
    return turn.status


# --- Delegation ---


def test_the_other_agents_answer_is_the_result(world: World, helper: Agent) -> None:
    turn, [made] = proposed(world, hand_over())
    execute(made)
    child = child_of(made)
    assert (state(made), child.agent, child.depth) == (CallStatus.WAITING, helper, 1)
    assert child.parent_id == turn.thread_id
    asked = Turn.objects.get(thread=child)
    assert (asked.prompt.text, asked.prompt.author_name) == ("look", "Guide")
    answer(asked, "I found tea.")
    assert told(turn) == [("1", "I found tea.", False)]
    assert (status(turn), turn.step) == (TurnStatus.QUEUED, 2)


def test_a_nested_thread_is_seen_by_the_same_people_only(world: World, helper: Agent) -> None:
    _, [made] = proposed(world, hand_over(), thread=world.thread(world.bob))
    execute(made)
    child = child_of(made)
    for person in (world.alice, world.bob):
        assert access_thread(person, child.pk) == child
    for person in (world.adam, world.stella, world.charlie):
        with pytest.raises(ThreadNotFound):
            access_thread(person, child.pk)


def test_agents_delegate_only_to_whom_they_may(world: World, helper: Agent) -> None:
    another_agent(world, "Stranger")
    turn, [made] = proposed(world, hand_over(to="Stranger"))
    execute(made)
    assert (state(made), Thread.objects.count()) == (CallStatus.FAILED, 1)
    assert told(turn)[0][1] == (
        "Error: You cannot delegate to Stranger. You can delegate to: Helper."
    )


def test_delegation_ends_at_its_greatest_depth(world: World, helper: Agent) -> None:
    helper.delegates_to.add(helper)
    turn, [made] = proposed(world, hand_over())
    for depth in range(1, MAX_DEPTH + 1):
        execute(made)
        assert child_of(made).depth == depth
        turn = Turn.objects.get(thread=child_of(made))
        [made] = step(turn, hand_over(f"d{depth}", f"deeper {depth}"))
    execute(made)
    assert (state(made), Thread.objects.count()) == (CallStatus.FAILED, MAX_DEPTH + 1)
    assert "too often already" in told(turn)[0][1]


def test_one_question_delegates_so_often_only(world: World, helper: Agent) -> None:
    parts = [hand_over(str(number), f"task {number}") for number in range(MAX_DELEGATIONS + 1)]
    _, calls = proposed(world, *parts)
    for made in calls:
        execute(made)
    assert [state(made) for made in calls] == ["waiting"] * MAX_DELEGATIONS + ["failed"]
    assert Thread.objects.count() == MAX_DELEGATIONS + 1


def test_an_agent_that_fails_is_told_as_an_error(world: World, helper: Agent) -> None:
    turn, [made] = proposed(world, hand_over())
    execute(made)
    answer(Turn.objects.get(thread=child_of(made)), "", TurnStatus.FAILED)
    assert told(turn) == [("1", "Error: Helper could not do it.", True)]
    assert status(turn) == TurnStatus.QUEUED


def test_stopping_the_parent_stops_the_child(world: World, helper: Agent) -> None:
    give_tools(world, "send_out")
    helper.tools = ["send_out"]
    helper.save()
    turn, [made] = proposed(world, hand_over())
    execute(made)
    nested = Turn.objects.get(thread=child_of(made))
    [asked] = step(nested, call("send_out", key="n1"))
    stop_turn(turn.thread, turn.pk)
    assert (status(turn), state(made)) == (TurnStatus.STOPPED, CallStatus.CANCELED)
    do_chores()
    assert (status(nested), state(asked)) == (TurnStatus.STOPPED, CallStatus.CANCELED)


def test_a_nested_thread_waits_for_its_own_approvals(world: World, helper: Agent) -> None:
    helper.tools = ["send_out"]
    helper.save()
    turn, [made] = proposed(world, hand_over(), thread=world.thread(world.stella))
    execute(made)
    [asked] = step(Turn.objects.get(thread=child_of(made)), call("send_out", key="n1"))
    assert asked.status == CallStatus.AWAITING_APPROVAL
    assert access_tool_call(world.alice, asked.pk) == asked
    continue_thread(turn.thread, user=world.alice, message="meanwhile")
    assert state(asked) == CallStatus.AWAITING_APPROVAL, "that was said in another thread"


def test_a_nested_thread_that_is_removed_keeps_nobody_waiting(world: World, helper: Agent) -> None:
    turn, [made] = proposed(world, hand_over())
    execute(made)
    purge_thread(child_of(made).pk)
    do_chores()
    assert told(turn) == [("1", "Error: The thread was deleted.", True)]
    assert status(turn) == TurnStatus.QUEUED


def test_what_nested_threads_did_goes_with_the_thread(world: World, helper: Agent) -> None:
    helper.tools = ["send_out"]
    helper.save()
    turn, [made] = proposed(world, hand_over())
    execute(made)
    child = child_of(made)
    step(Turn.objects.get(thread=child), call("send_out", key="n1"))
    ToolAllowance.objects.create(
        organisation=world.organisation, user=world.alice, thread_id=child.pk, tool_name="send_out"
    )
    purge_thread(turn.thread_id)
    assert not Thread.objects.exists()
    assert not ToolCall.objects.exists()
    assert not ToolAllowance.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_delegation_from_question_to_answer(committed_world: World) -> None:
    world = committed_world
    other = another_agent(world)
    other.tools = ["look_up"]
    other.save()
    world.agent.delegates_to.add(other)
    model = ScriptedModel([[hand_over()], [call("look_up")], "Tea is TEA.", "Helper says TEA."])
    with running_engine(model):
        turn = ask(world)
        wait_until(ended(turn))
    turn.refresh_from_db()
    assert (turn.status, turn.message.text) == (TurnStatus.SUCCESS, "Helper says TEA.")
    assert effects("looked_up") == 1
    assert told(turn) == [("1", "Tea is TEA.", False)]


# --- Questions to people ---


def test_a_persons_answer_is_the_result_of_the_question(world: World) -> None:
    give_tools(world, "ask_human")
    turn, [asked] = proposed(world, use("ask_human", question="Which tea?"))
    execute(asked)
    assert (state(asked), status(turn)) == (CallStatus.WAITING, TurnStatus.WAITING)
    with pytest.raises(InvalidInput):
        answer_question(asked, by=world.alice, text="  ")
    answer_question(access_tool_call(world.alice, asked.pk), by=world.alice, text="Green.")
    assert told(turn) == [("1", "Green.", False)]
    assert status(turn) == TurnStatus.QUEUED
    with pytest.raises(ApprovalGone):
        answer_question(ToolCall.objects.get(pk=asked.pk), by=world.alice, text="Black.")


def test_a_new_message_withdraws_the_question(world: World) -> None:
    give_tools(world, "ask_human")
    turn, [asked] = proposed(world, use("ask_human", question="Which tea?"))
    execute(asked)
    continue_thread(turn.thread, user=world.alice, message="never mind")
    assert (state(asked), status(turn)) == (CallStatus.DENIED, TurnStatus.STOPPED)
    with pytest.raises(ApprovalGone):
        answer_question(asked, by=world.alice, text="Green.")


def test_a_delegation_is_no_question(world: World, helper: Agent) -> None:
    _, [made] = proposed(world, hand_over())
    execute(made)
    with pytest.raises(ApprovalGone):
        answer_question(access_tool_call(world.alice, made.pk), by=world.alice, text="Me.")
    assert state(made) == CallStatus.WAITING


def test_a_task_is_for_whom_the_agent_works(world: World) -> None:
    give_tools(world, "create_task")
    turn, [made] = proposed(world, use("create_task", title="Buy tea", priority="high"))
    execute(made)
    task = Task.objects.get()
    assert (task.user, task.title, task.priority) == (world.alice, "Buy tea", "high")
    assert task.thread_id == turn.thread_id
    done = tick_off(task)
    first = done.done_at
    assert first is not None
    assert tick_off(task).done_at == first, "a second tick changes nothing"
    assert tick_off(task, done=False).done_at is None


# --- Escalation ---


def escalated(world: World) -> tuple[Turn, Escalation]:
    give_tools(world, "call_human")
    turn, [made] = proposed(world, use("call_human", reason="Refund."), thread=world.thread())
    execute(made)
    return turn, Escalation.objects.get()


def test_a_person_is_called_once(world: World) -> None:
    turn, escalation = escalated(world)
    assert escalation.status == EscalationStatus.WAITING_FOR_HUMAN
    assert str(escalation.pk) in told(turn)[0][1]
    [again] = step(turn, use("call_human", "2", reason="Still."))
    execute(again)
    assert Escalation.objects.count() == 1
    assert str(escalation.pk) in told(turn)[1][1]


def test_only_staff_of_the_organisation_can_take_over(world: World) -> None:
    _, escalation = escalated(world)
    for person in (world.alice, world.adam, world.stella):
        assert access_escalation(person, world.organisation, escalation.pk) == escalation
    for person in (world.bob, world.charlie):
        with pytest.raises(EscalationNotFound):
            access_escalation(person, world.organisation, escalation.pk)


def test_agents_are_silent_while_a_person_has_taken_over(world: World) -> None:
    turn, escalation = escalated(world)
    answer(turn, "Somebody will come.")
    thread = take_over(escalation, by=world.stella)
    assert access_thread(world.stella, thread.pk) == thread
    assert is_silent(world, thread, "Hello?", world.alice)
    assert is_silent(world, thread, "I am here.", world.stella)
    _, named = send_agent_message(thread, content="@Guide, help us", author=world.stella)
    assert named is not None
    assert named.agent == world.agent
    with pytest.raises(Conflict):
        take_over(escalation, by=world.adam)
    take_over(escalation, by=world.stella)
    notes = Message.objects.filter(thread=thread, kind=MessageKind.SYSTEM)
    texts = [note.text for note in notes.in_order()]
    assert texts == ["A person has been asked for.", "Stella has taken over."], "said once"


def test_handing_back_lets_agents_answer_again(world: World) -> None:
    turn, escalation = escalated(world)
    answer(turn, "Somebody will come.")
    thread = take_over(escalation, by=world.stella)
    hand_back(thread, by=world.stella)
    escalation.refresh_from_db()
    assert escalation.status == EscalationStatus.CLOSED
    assert not is_silent(world, thread, "And now?", world.alice)
    with pytest.raises(Conflict):
        hand_back(thread, by=world.stella)
    with pytest.raises(Conflict):
        take_over(escalation, by=world.stella)


def test_after_the_hand_back_a_person_can_be_called_again(world: World) -> None:
    turn, escalation = escalated(world)
    thread = take_over(escalation, by=world.stella)
    hand_back(thread, by=world.stella)
    [again] = step(turn, use("call_human", "2", reason="Once more."))
    execute(again)
    assert Escalation.objects.open().count() == 1


# --- Several people and agents ---


def test_a_name_picks_who_answers_and_a_persons_name_asks_nobody(world: World) -> None:
    second = another_agent(world, "Guide Two")
    thread = world.thread(world.bob)

    def answerer(text: str, by: User) -> Agent | None:
        _, turn = send_agent_message(thread, content=text, author=by)
        return turn.agent if turn else None

    assert answerer("hello", world.alice) == world.agent
    assert answerer("@Guide Two what do you think?", world.bob) == second
    assert answerer("and @guide?", world.bob) == world.agent
    assert answerer("@Bob are you there?", world.alice) is None
    assert answerer("@Alice yes", world.bob) is None
    assert answerer("write to me@guide.test", world.bob) == world.agent
    assert set(thread.participants.filter(agent=second).values_list("agent", flat=True)) == {
        second.pk
    }


def test_each_person_is_who_their_own_turn_works_for(world: World) -> None:
    second = another_agent(world, "Scribe")
    second.tools = ["write_down"]
    second.save()
    give_tools(world, "send_out")
    thread = world.thread(world.bob)
    _, hers = send_agent_message(thread, content="@Guide send it", author=world.alice)
    _, his = send_agent_message(thread, content="@Scribe note it", author=world.bob)
    assert hers is not None
    assert his is not None
    [written] = step(his, call("write_down", key="w"))
    assert (written.requested_by, written.agent) == (world.bob, second)
    run(written)
    assert status(his) == TurnStatus.QUEUED
    assert status(hers) == TurnStatus.QUEUED


def test_saying_something_without_asking(world: World) -> None:
    thread = world.thread()
    message, turn = send_agent_message(
        thread, content="only a note", author=world.alice, answer=False
    )
    assert (turn, message.kind) == (None, MessageKind.USER)
    assert not Turn.objects.exists()


def test_a_tool_of_a_turn_that_waits_starts_nothing_twice(world: World) -> None:
    give_tools(world, "look_up")
    _, [read] = proposed(world, call("look_up", key="1"))
    assert starts(read)
    run(read)
    assert not starts(read)
