"""A turn that uses tools: its steps, their order, their limits (rows AG-3 to AG-15, TO, T-G)."""

from collections.abc import Iterator

import pytest

from agents_app.models import AICall, CallStatus, ToolCall
from agents_app.providers.errors import ModelError
from agents_app.providers.parts import ToolCallPart, ToolResultPart
from agents_app.providers.scripted import ScriptedModel
from chat_app.models import Message, Turn, TurnStatus
from chat_app.services.conversation import continue_thread
from chat_app.services.revising import regenerate
from chat_app.services.stopping import stop_turn
from tests.chat.test_engine import Gate, ask, ended, running_engine, wait_until
from tests.chat.tools import call, calls_of, effects, give_tools, registered_tools, said_in
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with registered_tools():
        yield


def answered(world: World, model: ScriptedModel, text: str = "question") -> Turn:
    with running_engine(model):
        turn = ask(world, text)
        wait_until(ended(turn))
    turn.refresh_from_db()
    return turn


def test_a_tool_is_called_and_its_result_answered(committed_world: World) -> None:
    give_tools(committed_world, "look_up")
    model = ScriptedModel([["I look.", call("look_up")], "It is TEA."])

    turn = answered(committed_world, model)

    assert turn.status == TurnStatus.SUCCESS
    assert said_in(turn) == [
        (0, "user", "success", "question"),
        (1, "agent", "success", "I look."),
        (2, "tool", "success", ""),
        (3, "agent", "success", "It is TEA."),
    ]
    [row] = calls_of(turn)
    assert (row.status, row.output) == (CallStatus.SUCCEEDED, {"found": "TEA"})
    assert effects("looked_up") == 1
    told = list(model.requests[1].messages[-1].parts)
    assert told == [ToolResultPart("c1", "look_up", '{"found":"TEA"}')]
    assert [spec.name for spec in model.requests[0].tools] == ["look_up"]


def test_every_model_call_is_a_row(committed_world: World) -> None:
    give_tools(committed_world, "look_up")
    model = ScriptedModel([[call("look_up")], ModelError("server_error"), "Done."])

    turn = answered(committed_world, model)

    rows = list(AICall.objects.filter(turn_id=turn.pk).order_by("created_at", "pk"))
    assert [row.status for row in rows] == ["success", "failed", "success"]
    assert rows[1].error_code == "server_error"
    assert all(row.thread_id == turn.thread_id and row.agent_name == "Guide" for row in rows)
    assert rows[0].input_tokens > 0
    assert rows[0].request is not None


def test_calls_of_one_step_are_answered_in_their_order(committed_world: World) -> None:
    give_tools(committed_world, "look_up", "write_down", "fail")
    calls = [call("look_up", "a", key="1"), call("write_down", "b", key="2"), call("fail", key="3")]
    model = ScriptedModel([calls, "Done."])

    turn = answered(committed_world, model)

    told = [part for message in model.requests[1].messages for part in message.parts]
    results = [part for part in told if isinstance(part, ToolResultPart)]
    assert [(part.call_id, part.is_error) for part in results] == [
        ("1", False),
        ("2", False),
        ("3", True),
    ]
    assert results[2].output == "Error: no luck with tea"
    assert [row.status for row in calls_of(turn)] == ["succeeded", "succeeded", "failed"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (ToolCallPart("1", "look_up", {"wrong": 1}), "invalid_arguments"),
        (ToolCallPart("1", "look_up", "{not json"), "invalid_arguments"),
        (ToolCallPart("1", "nobody", {}), "unknown_tool"),
    ],
)
def test_what_cannot_be_called_is_told_and_the_answer_goes_on(
    committed_world: World, asked: ToolCallPart, code: str
) -> None:
    give_tools(committed_world, "look_up")
    turn = answered(committed_world, ScriptedModel([[asked], "Sorry."]))
    assert turn.status == TurnStatus.SUCCESS
    [row] = calls_of(turn)
    assert (row.status, row.error_code) == (CallStatus.FAILED, code)
    assert said_in(turn)[-1] == (3, "agent", "success", "Sorry.")


def test_a_broken_tool_tells_the_model_nothing_of_its_inside(committed_world: World) -> None:
    give_tools(committed_world, "break_down")
    model = ScriptedModel([[call("break_down")], "Sorry."])
    answered(committed_world, model)
    assert "secret" not in str(model.requests[1].to_json())


def test_one_step_is_no_loop(committed_world: World) -> None:
    give_tools(committed_world, "look_up", max_steps=1)
    turn = answered(committed_world, ScriptedModel([["Looking.", call("look_up")]]))
    assert turn.status == TurnStatus.SUCCESS
    assert (calls_of(turn), effects("looked_up")) == ([], 0)


def test_the_last_step_answers_in_words(committed_world: World) -> None:
    give_tools(committed_world, "look_up", max_steps=2)
    model = ScriptedModel([[call("look_up")], ["Enough.", call("look_up", "more")]])
    turn = answered(committed_world, model)
    assert model.requests[1].tool_choice == "none"
    assert effects("looked_up") == 1
    assert said_in(turn)[-1] == (3, "agent", "success", "Enough.")


def test_a_tool_that_ends_the_answer_ends_it_only_by_success(committed_world: World) -> None:
    give_tools(committed_world, "fail", "look_up", stop_when=["fail", "look_up"])
    model = ScriptedModel([[call("fail")], [call("look_up")]])
    turn = answered(committed_world, model)
    assert turn.status == TurnStatus.SUCCESS
    assert len(model.requests) == 2


def test_the_same_call_three_times_is_not_made_again(committed_world: World) -> None:
    give_tools(committed_world, "look_up", max_steps=10)
    model = ScriptedModel([[call("look_up")], [call("look_up")], [call("look_up")], "I give up."])
    turn = answered(committed_world, model)
    assert effects("looked_up") == 2
    assert [row.error_code for row in calls_of(turn)] == ["", "", "repeated_call"]
    assert model.requests[3].tool_choice == "none"
    assert said_in(turn)[-1][3] == "I give up."


def test_a_model_that_fails_in_the_second_step_keeps_the_first(committed_world: World) -> None:
    give_tools(committed_world, "look_up")
    model = ScriptedModel([["Let me see.", call("look_up")], ModelError("bad_request")])
    turn = answered(committed_world, model)
    assert turn.status == TurnStatus.FAILED
    assert [row[2] for row in said_in(turn)] == ["success", "success", "success", "failed"]


def test_answering_again_replaces_every_step(committed_world: World) -> None:
    give_tools(committed_world, "look_up")
    model = ScriptedModel([["First.", call("look_up")], "Old.", "New."])
    with running_engine(model):
        turn = ask(committed_world)
        wait_until(ended(turn))
        turn.refresh_from_db()
        again = regenerate(turn.thread, turn.message, user=committed_world.alice)
        wait_until(ended(again))
    current = Message.objects.filter(thread=turn.thread, superseded_by=None).in_order()
    assert [row.text for row in current] == ["question", "New."]


def test_earlier_turns_tell_their_words_without_their_tools(committed_world: World) -> None:
    give_tools(committed_world, "look_up")
    model = ScriptedModel([["Looking.", call("look_up")], "It is TEA.", "Again."])
    with running_engine(model):
        turn = ask(committed_world)
        wait_until(ended(turn))
        second = continue_thread(turn.thread, user=committed_world.alice, message="and now?")
        wait_until(ended(second))
    said = [(m.role, m.plain_text) for m in model.requests[2].messages]
    assert said[1:] == [
        ("user", "question"),
        ("assistant", "Looking."),
        ("assistant", "It is TEA."),
        ("user", "and now?"),
    ]


def test_stopping_in_the_second_step_keeps_what_was_said(committed_world: World) -> None:
    give_tools(committed_world, "look_up")
    gate = Gate()
    model = ScriptedModel([["One.", call("look_up")], ["Two ", gate, "three"]])
    with running_engine(model):
        turn = ask(committed_world)
        wait_until(lambda: gate.reached)
        stop_turn(turn.thread, turn.pk)
        wait_until(ended(turn))
    turn.refresh_from_db()
    assert turn.status == TurnStatus.STOPPED
    assert said_in(turn)[-1] == (3, "agent", "success", "Two ")
    assert AICall.objects.filter(turn_id=turn.pk, status="stopped").count() == 1


def test_a_tool_forbidden_while_it_waited_is_not_run(committed_world: World) -> None:
    from agents_app.models import Tool

    give_tools(committed_world, "send_out", approvals={"send_out": "always"})
    with running_engine(ScriptedModel([[call("send_out")], "Not sent."])):
        turn = ask(committed_world)
        wait_until(lambda: ToolCall.objects.awaiting_approval().exists())
        Tool.objects.create(
            organisation=committed_world.organisation, name="send_out", approval="deny"
        )
        from agents_app.services.approvals import approve_call

        approve_call(ToolCall.objects.get(turn_id=turn.pk), by=committed_world.alice)
        wait_until(ended(turn))
    assert effects("sent_out") == 0
