"""Approvals: bound, answered once, by whom they concern (T-A1 to T-A11, HU-1 to HU-8)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from agents_app.errors import ApprovalGone, InvalidArguments, ToolCallNotFound
from agents_app.models import CallStatus, Tool, ToolAllowance, ToolCall
from agents_app.providers.parts import ToolCallPart
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime.tool_use import ToolOutcome
from agents_app.services.approvals import (
    approve_call,
    approve_calls,
    deny_call,
    edit_and_approve,
    expire_calls,
    forbid_again,
    resolve_unknown,
)
from agents_app.services.tool_calls import settle_call
from agents_app.tools import definitions
from agents_app.tools.definitions import Arguments, define
from chat_app.access import access_tool_call
from chat_app.models import Message, MessageKind, Turn, TurnStatus
from chat_app.services import turns
from chat_app.services.conversation import continue_thread, send_agent_message
from chat_app.services.threads import (
    delete_thread,
    purge_thread,
    remove_participant,
    restore_thread,
)
from chat_app.worker import turn as worker
from one_project.accounts.services.organisations import add_member
from one_project.common.errors import AccessDenied
from one_project.workflows.models import WorkItem
from tests.chat.proposing import proposed, run, starts, state, step, told
from tests.chat.test_engine import Gate, ask, ended, running_engine, wait_until
from tests.chat.tools import call, effects, give_tools, registered_tools
from tests.people import World, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with registered_tools():
        yield


def send(key: str, text: str = "tea") -> ToolCallPart:
    """A call of a tool that asks first."""
    return call("send_out", text, key=key)


def status(turn: Turn) -> str:
    turn.refresh_from_db()
    return turn.status


# --- Approving and denying ----------------------------------------------------------------------


def test_what_acts_outside_waits_for_a_person(world: World) -> None:
    give_tools(world, "send_out", "look_up")
    turn, [asked, read] = proposed(world, send("1"), call("look_up", key="2"))
    assert (asked.status, starts(asked)) == (CallStatus.AWAITING_APPROVAL, False)
    assert starts(read), "what needs no approval does not wait for what does"
    assert status(turn) == TurnStatus.WAITING
    assert turn.work_id is None, "no worker holds a turn that waits"


def test_an_approved_call_runs_and_the_turn_goes_on_by_itself(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked] = proposed(world, send("1"))
    approve_call(access_tool_call(world.alice, asked.pk), by=world.alice, args=asked.args_hash)
    assert starts(asked)
    assert status(turn) == TurnStatus.WAITING
    run(asked, "sent")
    assert told(turn) == [("1", "sent", False)]
    assert (status(turn), turn.step) == (TurnStatus.QUEUED, 2)
    assert turn.work is not None


def test_the_model_is_told_why_it_was_denied(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked] = proposed(world, send("1"))
    deny_call(asked, by=world.alice, reason="Not today.")
    assert told(turn) == [("1", "Denied by a person. Reason: Not today.", True)]
    assert status(turn) == TurnStatus.QUEUED
    row = ToolCall.objects.get(pk=asked.pk)
    assert (row.status, row.decided_by, row.reason) == ("denied", world.alice, "Not today.")


def test_several_approvals_of_a_step_make_one_message_in_the_models_order(world: World) -> None:
    give_tools(world, "send_out")
    turn, [one, two, three] = proposed(world, send("1", "a"), send("2", "b"), send("3", "c"))
    approve_call(three, by=world.alice)
    run(three, "third")
    deny_call(one, by=world.alice)
    assert status(turn) == TurnStatus.WAITING
    assert told(turn) == []
    approve_call(two, by=world.alice)
    run(two, "second")
    assert [found[:2] for found in told(turn)] == [
        ("1", "Denied by a person."),
        ("2", "second"),
        ("3", "third"),
    ]
    assert Message.objects.filter(turn=turn, kind=MessageKind.TOOL).count() == 1
    assert status(turn) == TurnStatus.QUEUED


def test_approving_all_leaves_out_what_is_decided_already(world: World) -> None:
    give_tools(world, "send_out")
    _, calls = proposed(world, send("1", "a"), send("2", "b"), send("3", "c"))
    deny_call(calls[1], by=world.alice)
    approved = approve_calls(calls, by=world.alice)
    assert [one.call_id for one in approved] == ["1", "3"]
    assert [starts(one) for one in calls] == [True, False, True]


@pytest.mark.parametrize("first", [approve_call, deny_call])
@pytest.mark.parametrize("second", [approve_call, deny_call])
def test_a_second_decision_is_refused(world: World, first: object, second: object) -> None:
    give_tools(world, "send_out")
    _, [asked] = proposed(world, send("1"))
    first(asked, by=world.alice)  # type: ignore[operator]
    before = state(asked)
    with pytest.raises(ApprovalGone):
        second(ToolCall.objects.get(pk=asked.pk), by=world.alice)  # type: ignore[operator]
    assert state(asked) == before


@pytest.mark.parametrize("key", [uuid4(), "no id", "0"])
def test_an_unknown_call_is_not_found(world: World, key: object) -> None:
    with pytest.raises(ToolCallNotFound) as raised:
        access_tool_call(world.alice, key)  # type: ignore[arg-type]
    assert raised.value.status == 404


# --- Something else happens meanwhile -------------------------------------------------------------


def test_a_new_message_denies_what_is_open_and_only_it_is_answered(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked] = proposed(world, send("1"))
    second = continue_thread(turn.thread, user=world.alice, message="something else")
    assert state(asked) == CallStatus.DENIED
    assert told(turn) == [
        ("1", "Denied by a person. Reason: A new message was sent instead.", True)
    ]
    assert status(turn) == TurnStatus.STOPPED
    assert list(Turn.objects.open()) == [second]
    with pytest.raises(ApprovalGone):
        approve_call(asked, by=world.alice)


def test_of_a_group_only_what_is_open_is_denied_and_what_runs_may_end(world: World) -> None:
    give_tools(world, "send_out")
    turn, [approved, denied, unanswered] = proposed(
        world, send("1", "a"), send("2", "b"), send("3", "c")
    )
    approve_call(approved, by=world.alice)
    deny_call(denied, by=world.alice, reason="No.")
    continue_thread(turn.thread, user=world.alice, message="something else")
    assert (state(approved), state(unanswered)) == (CallStatus.APPROVED, CallStatus.DENIED)
    assert status(turn) == TurnStatus.WAITING
    run(approved, "sent")
    assert [text for _, text, _ in told(turn)] == [
        "sent",
        "Denied by a person. Reason: No.",
        "Denied by a person. Reason: A new message was sent instead.",
    ]
    assert status(turn) == TurnStatus.STOPPED, "nobody asks the model again"


def test_a_new_message_changes_nothing_where_nothing_is_open(world: World) -> None:
    give_tools(world, "look_up")
    turn, [read] = proposed(world, call("look_up", key="1"))
    continue_thread(turn.thread, user=world.alice, message="and this")
    assert state(read) == CallStatus.APPROVED
    run(read)
    assert status(turn) == TurnStatus.QUEUED


def test_a_note_of_an_agent_denies_nothing(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked] = proposed(world, send("1"))
    send_agent_message(turn.thread, kind=MessageKind.AGENT, content="A note.")
    assert state(asked) == CallStatus.AWAITING_APPROVAL


def test_an_old_approval_can_still_be_answered(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked] = proposed(world, send("1"))
    for number in range(120):
        send_agent_message(turn.thread, kind=MessageKind.AGENT, content=f"note {number}")
    approve_call(access_tool_call(world.alice, asked.pk), by=world.alice)
    run(asked, "sent")
    answer = Message.objects.get(turn=turn, kind=MessageKind.TOOL)
    assert answer.order == turn.prompt.order, "the result belongs to its own question"
    assert status(turn) == TurnStatus.QUEUED


def test_fifty_six_approvals_in_one_step(world: World) -> None:
    give_tools(world, "send_out")
    turn, calls = proposed(world, *(send(str(number), f"t{number}") for number in range(56)))
    assert len(approve_calls(calls, by=world.alice)) == 56
    for one in calls:
        run(one, one.arguments["text"])
    assert [text for _, text, _ in told(turn)] == [f"t{number}" for number in range(56)]
    assert status(turn) == TurnStatus.QUEUED


def test_a_thread_deleted_while_it_waits_goes_on_when_it_is_back(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked] = proposed(world, send("1"))
    approve_call(asked, by=world.alice)
    delete_thread(turn.thread, user=world.alice)
    with pytest.raises(ToolCallNotFound):
        access_tool_call(world.alice, asked.pk)
    run(asked, "sent")
    assert status(turn) == TurnStatus.QUEUED
    restore_thread(world.organisation, turn.thread_id, user=world.alice)
    assert told(turn) == [("1", "sent", False)]
    assert step(turn, send("2", "other"))[0].status == CallStatus.AWAITING_APPROVAL


def test_calls_and_allowances_go_with_their_thread(world: World) -> None:
    give_tools(world, "send_out")
    turn, [one, _] = proposed(world, send("1"), send("2", "b"))
    other, _ = proposed(world, send("3"))
    approve_call(one, by=world.alice, always=True)
    purge_thread(turn.thread_id)
    assert not ToolAllowance.objects.exists()
    assert list(ToolCall.objects.values_list("turn_id", flat=True)) == [other.pk]


# --- Who, and what exactly ------------------------------------------------------------------------


def test_only_whom_the_agent_works_for_and_staff_who_take_part_may_decide(world: World) -> None:
    give_tools(world, "send_out")
    guest = make_person("Gina")
    add_member(world.organisation, user=guest)
    thread = world.thread(world.bob, world.stella, guest)
    _, [asked] = proposed(world, send("1"), thread=thread, by=world.bob)
    for allowed in (world.bob, world.stella, world.alice):
        assert access_tool_call(allowed, asked.pk).pk == asked.pk
    for refused in (guest, world.adam, world.charlie):
        with pytest.raises(ToolCallNotFound):
            access_tool_call(refused, asked.pk)
    remove_participant(thread, user=world.alice, person=world.bob)
    with pytest.raises(ToolCallNotFound):
        access_tool_call(world.bob, asked.pk)


def test_who_may_not_use_a_tool_cannot_approve_it(world: World) -> None:
    row = Tool.objects.create(
        organisation=world.organisation, name="send_out", created_by=world.alice
    )
    give_tools(world, "send_out")
    _, [asked] = proposed(world, send("1"), thread=world.thread(world.stella))
    assert asked.tool_id == row.pk
    with pytest.raises(AccessDenied):
        approve_call(access_tool_call(world.stella, asked.pk), by=world.stella)
    assert state(asked) == CallStatus.AWAITING_APPROVAL
    approve_call(asked, by=world.alice)


def test_changed_arguments_are_a_new_call_with_its_own_hash(world: World) -> None:
    give_tools(world, "send_out")
    turn, [first, second] = proposed(world, send("1", "a"), send("2", "b"))
    new = edit_and_approve(first, by=world.alice, arguments={"text": "better"})
    assert (state(first), new.status, new.replaces_id) == ("denied", "approved", first.pk)
    assert new.args_hash != first.args_hash
    assert (starts(first), starts(new)) == (False, True)
    with pytest.raises(ApprovalGone):
        approve_call(first, by=world.alice)
    deny_call(second, by=world.alice)
    run(new, "sent better")
    assert [found[:2] for found in told(turn)] == [
        ("1", "sent better"),
        ("2", "Denied by a person."),
    ]


def test_changed_arguments_must_fit(world: World) -> None:
    give_tools(world, "send_out")
    _, [asked] = proposed(world, send("1"))
    with pytest.raises(InvalidArguments):
        edit_and_approve(asked, by=world.alice, arguments={"wrong": 1})
    assert state(asked) == CallStatus.AWAITING_APPROVAL


def test_an_approval_counts_for_the_arguments_that_were_seen(world: World) -> None:
    give_tools(world, "send_out")
    _, [asked] = proposed(world, send("1"))
    with pytest.raises(ApprovalGone):
        approve_call(asked, by=world.alice, args="0" * 64)
    with pytest.raises(ApprovalGone):
        edit_and_approve(asked, by=world.alice, arguments={"text": "x"}, args="0" * 64)
    assert state(asked) == CallStatus.AWAITING_APPROVAL


def test_what_expired_runs_nothing_and_the_turn_goes_on(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked, other] = proposed(world, send("1"), send("2", "b"))
    ToolCall.objects.filter(pk=asked.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ApprovalGone):
        approve_call(asked, by=world.alice)
    assert expire_calls() == 1
    assert expire_calls() == 0
    assert (state(asked), state(other)) == (CallStatus.EXPIRED, CallStatus.AWAITING_APPROVAL)
    deny_call(other, by=world.alice)
    assert told(turn)[0] == ("1", "Error: Nobody decided in time.", True)
    assert status(turn) == TurnStatus.QUEUED


def test_a_person_says_what_became_of_an_unknown_outcome(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked] = proposed(world, send("1"))
    approve_call(asked, by=world.alice)
    ToolCall.objects.filter(pk=asked.pk).update(status=CallStatus.RUNNING)
    settle_call(asked, ToolOutcome.unknown())
    resolve_unknown(asked, by=world.alice, happened=True)
    with pytest.raises(ApprovalGone):
        resolve_unknown(asked, by=world.alice, happened=False)
    assert (state(asked), starts(asked)) == (CallStatus.SUCCEEDED, False)
    assert told(turn)[0][2], "the model was told that nobody knew"


def test_what_a_person_found_out_is_told_to_a_turn_that_still_waits(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked, other] = proposed(world, send("1"), send("2", "milk"))
    approve_call(asked, by=world.alice)
    ToolCall.objects.filter(pk=asked.pk).update(status=CallStatus.RUNNING)
    settle_call(asked, ToolOutcome.unknown())
    resolve_unknown(asked, by=world.alice, happened=True)
    deny_call(other, by=world.alice)
    assert told(turn)[0] == ("1", "A person has looked: it took effect.", False)


# --- Asking by rule -------------------------------------------------------------------------------


class Transfer(Arguments):
    amount: int


def transfer(arguments: Transfer) -> str:
    """Transfer money."""
    return f"transferred {arguments.amount}"


@pytest.mark.parametrize(("amount", "asks"), [(100, False), (101, True)])
def test_a_predicate_decides_by_the_arguments(world: World, amount: int, asks: bool) -> None:
    definition = define(
        transfer, name="transfer", effect="external", approval=lambda _, it: it.amount > 100
    )
    definitions.register_tool(definition)
    try:
        give_tools(world, "transfer")
        _, [made] = proposed(world, ToolCallPart("1", "transfer", {"amount": amount}))
        assert (made.status == CallStatus.AWAITING_APPROVAL, starts(made)) == (asks, not asks)
    finally:
        definitions._registry.pop("transfer")


def test_always_allowed_is_not_asked_again_here_until_it_is_taken_back(world: World) -> None:
    give_tools(world, "send_out")
    turn, [first] = proposed(world, send("1"))
    approve_call(first, by=world.alice, always=True)
    run(first)
    [second] = step(turn, send("2", "more"))
    assert starts(second)
    _, [elsewhere] = proposed(world, send("3"))
    assert elsewhere.status == CallStatus.AWAITING_APPROVAL, "another thread"
    run(second)
    forbid_again(turn.thread_id, by=world.alice, tool_name="send_out")
    [third] = step(turn, send("4", "again"))
    assert third.status == CallStatus.AWAITING_APPROVAL


def test_always_allowed_counts_for_one_person_only(world: World) -> None:
    give_tools(world, "send_out")
    thread = world.thread(world.bob)
    _, [mine] = proposed(world, send("1"), thread=thread)
    approve_call(mine, by=world.alice, always=True)
    _, [his] = proposed(world, send("2"), thread=thread, by=world.bob)
    assert his.status == CallStatus.AWAITING_APPROVAL
    with pytest.raises(AccessDenied):
        approve_call(his, by=world.alice, always=True)
    assert state(his) == CallStatus.AWAITING_APPROVAL


def test_what_destroys_always_asks(world: World) -> None:
    give_tools(world, "destroy", approvals={"destroy": "never"})
    turn, [asked] = proposed(world, call("destroy", key="1"))
    assert asked.status == CallStatus.AWAITING_APPROVAL
    with pytest.raises(AccessDenied):
        approve_call(asked, by=world.alice, always=True)
    assert (state(asked), starts(asked)) == (CallStatus.AWAITING_APPROVAL, False)
    ToolAllowance.objects.create(
        organisation=world.organisation,
        user=world.alice,
        thread_id=turn.thread_id,
        tool_name="destroy",
    )
    deny_call(asked, by=world.alice)
    [again] = step(turn, call("destroy", "other", key="2"))
    assert again.status == CallStatus.AWAITING_APPROVAL


# --- With a worker ------------------------------------------------------------------------------


def _approve_once(pk: object, world: World) -> int:
    try:
        approve_call(ToolCall.objects.get(pk=pk), by=world.alice)
    except ApprovalGone:
        return 0
    finally:
        connection.close()
    return 1


@pytest.mark.django_db(transaction=True)
def test_eight_approvals_at_the_same_moment_run_it_once(committed_world: World) -> None:
    give_tools(committed_world, "send_out")
    with running_engine(ScriptedModel([[send("1")], "Sent."])):
        turn = ask(committed_world)
        wait_until(lambda: ToolCall.objects.awaiting_approval().exists())
        assert effects("sent_out") == 0, "nothing before the approval"
        pk = ToolCall.objects.get().pk
        with ThreadPoolExecutor(max_workers=8) as browsers:
            done = list(browsers.map(lambda _: _approve_once(pk, committed_world), range(8)))
        wait_until(ended(turn))
    assert sum(done) == 1
    assert effects("sent_out") == 1
    assert (status(turn), state(ToolCall.objects.get())) == (TurnStatus.SUCCESS, "succeeded")


@pytest.mark.django_db(transaction=True)
def test_a_denied_call_is_not_run_and_the_model_answers_to_the_reason(
    committed_world: World,
) -> None:
    give_tools(committed_world, "send_out")
    model = ScriptedModel([[send("1")], "Then not."])
    with running_engine(model):
        turn = ask(committed_world)
        wait_until(lambda: ToolCall.objects.awaiting_approval().exists())
        deny_call(ToolCall.objects.get(), by=committed_world.alice, reason="Too late.")
        wait_until(ended(turn))
    assert effects("sent_out") == 0
    assert "Reason: Too late." in str(model.requests[1].to_json())
    assert (status(turn), turn.message.text) == (TurnStatus.SUCCESS, "Then not.")


@pytest.mark.django_db(transaction=True)
def test_arguments_that_changed_after_the_approval_are_not_run(committed_world: World) -> None:
    give_tools(committed_world, "send_out")
    with running_engine(ScriptedModel([[send("1")], "Not sent."])):
        turn = ask(committed_world)
        wait_until(lambda: ToolCall.objects.awaiting_approval().exists())
        asked = ToolCall.objects.get()
        ToolCall.objects.filter(pk=asked.pk).update(arguments={"text": "other"})
        approve_call(asked, by=committed_world.alice, args=asked.args_hash)
        wait_until(ended(turn))
    assert effects("sent_out") == 0
    assert ToolCall.objects.get().error_code == "not_allowed"


@pytest.mark.django_db(transaction=True)
def test_a_thread_deleted_while_the_model_speaks_is_answered_when_it_is_back(
    committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (turns, worker):
        monkeypatch.setattr(place, "LOOK_AGAIN", 0.1)
    give_tools(committed_world, "look_up")
    gate = Gate()
    with running_engine(ScriptedModel([["One.", gate, call("look_up")], "Again."])):
        turn = ask(committed_world)
        wait_until(lambda: gate.reached)
        delete_thread(turn.thread, user=committed_world.alice)
        gate.open()
        wait_until(lambda: not WorkItem.objects.filter(turn=turn, status="running").exists())
        restore_thread(committed_world.organisation, turn.thread_id, user=committed_world.alice)
        wait_until(ended(turn))
    assert status(turn) == TurnStatus.SUCCESS
