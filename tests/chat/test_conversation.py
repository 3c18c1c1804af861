"""Saying something, asking again, changing a question, stopping: the verbs people use."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection
from django.test import override_settings

from agents_app.models import AgentKind
from agents_app.providers.parts import TextPart
from agents_app.services.agents import create_agent
from chat_app.errors import MessageNotFound, MessageTooLong, TurnOver
from chat_app.models import Message, MessageStatus, Thread, Turn, TurnStatus
from chat_app.runtime.context import build_request
from chat_app.services.conversation import continue_thread, send_agent_message, start_thread
from chat_app.services.revising import edit_message, regenerate
from chat_app.services.stopping import stop_turn
from chat_app.services.threads import add_participants, delete_thread, remove_participant
from chat_app.services.turns import Outcome, finish_turn
from one_project.accounts.models import Event
from one_project.common.errors import AccessDenied, Conflict, InvalidInput, NotFound
from tests.chat.answering import begin, claim_turns
from tests.people import World


def answered(turn: Turn, text: str = "answer", status: str = TurnStatus.SUCCESS) -> Message:
    """Let a worker answer ``turn`` with ``text``."""
    begun, work = begin(turn)
    parts = [TextPart(text)] if text else []
    assert finish_turn(begun, Outcome(status=status, parts=parts), work)
    turn.refresh_from_db()
    return Message.objects.get(pk=turn.message_id)


def test_sending_makes_the_message_the_pending_answer_and_the_turn(world: World) -> None:
    thread = world.thread()
    message, turn = send_agent_message(thread, content="Hello", author=world.alice)
    assert turn is not None
    assert (message.position, message.text, message.author_name) == ("0-0", "Hello", "Alice")
    assert (turn.message.position, turn.message.status) == ("0-1", MessageStatus.PENDING)
    assert (turn.status, turn.prompt, turn.agent) == (TurnStatus.QUEUED, message, world.agent)
    thread.refresh_from_db()
    assert (thread.title, thread.last_message) == ("Hello", "Hello")


def test_the_wake_up_call_leaves_only_after_commit(
    world: World, django_capture_on_commit_callbacks: object
) -> None:
    thread = world.thread()
    with django_capture_on_commit_callbacks() as callbacks:  # type: ignore[operator]
        send_agent_message(thread, content="Hello", author=world.alice)
    assert callbacks


def test_a_repeated_request_makes_one_turn(world: World) -> None:
    thread, key = world.thread(), uuid4()
    first = send_agent_message(thread, content="Hi", author=world.alice, client_key=key)
    again = send_agent_message(thread, content="Hi", author=world.alice, client_key=key)
    assert first == again
    assert (thread.messages.count(), Turn.objects.count()) == (2, 1)


def test_a_repeated_first_message_begins_one_thread(world: World) -> None:
    arguments = {"user": world.alice, "agent": world.agent, "message": "Hi", "client_key": uuid4()}
    first = start_thread(world.organisation, **arguments)  # type: ignore[arg-type]
    assert start_thread(world.organisation, **arguments) == first  # type: ignore[arg-type]
    assert Thread.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_double_click_at_the_same_moment_makes_one_turn(committed_world: World) -> None:
    world, key = committed_world, uuid4()
    thread = world.thread()

    def send(_: int) -> object:
        try:
            return send_agent_message(thread, content="Hi", author=world.alice, client_key=key)[
                0
            ].pk
        finally:
            connection.close()

    def start(_: int) -> object:
        try:
            return start_thread(
                world.organisation,
                user=world.alice,
                agent=world.agent,
                message="Hi",
                client_key=uuid4() if _ < 0 else start_key,
            )[0].pk
        finally:
            connection.close()

    start_key = uuid4()
    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(send, range(6)))) == 1
        assert len(set(pool.map(start, range(6)))) == 1
    assert (thread.turns.count(), Thread.objects.count()) == (1, 2)


@pytest.mark.parametrize("text", ["", "  \n ", "\x00", "\u200b\x00 "[1:]])
def test_an_empty_message_is_told_so(world: World, text: str) -> None:
    with pytest.raises(InvalidInput):
        send_agent_message(world.thread(), content=text, author=world.alice)


@override_settings(ONE_MESSAGE_MAX_BYTES=10)
def test_the_limit_counts_bytes_and_is_named(world: World) -> None:
    thread = world.thread()
    send_agent_message(thread, content="é" * 5, author=world.alice)
    with pytest.raises(MessageTooLong, match="11 bytes"):
        send_agent_message(thread, content="é" * 5 + "x", author=world.alice)


def test_odd_text_is_stored_without_harm(world: World) -> None:
    text = "a\x00b \ud800 \u202eevil\x1e\r\n" + "x\n" * 10_000
    message, _ = send_agent_message(world.thread(), content=text, author=world.alice)
    message.refresh_from_db()
    assert message.text.startswith("ab \ufffd \u202eevil\nx\n")


def test_kinds_agent_and_system_ask_for_no_answer(world: World) -> None:
    thread = world.thread()
    for kind in ("agent", "system"):
        message, turn = send_agent_message(thread, kind=kind, content="note")
        assert (message.kind, turn) == (kind, None)
    with pytest.raises(InvalidInput):
        send_agent_message(thread, kind="robot", content="note")


def test_a_tool_call_and_its_result_stay_together(world: World) -> None:
    message, _ = send_agent_message(
        world.thread(),
        kind="agent",
        content="Looked it up",
        tool_call={"id": "c1", "name": "look", "arguments": {"q": 1}},
        result={"found": True},
    )
    assert message.is_tool
    assert [type(part).__name__ for part in message.parts] == [
        "TextPart",
        "ToolCallPart",
        "ToolResultPart",
    ]


def test_a_thread_without_an_agent_says_that_nobody_can_answer(world: World) -> None:
    thread = world.thread()
    thread.agent = None
    thread.save()
    with pytest.raises(Conflict):
        continue_thread(thread, user=world.alice, message="Anyone?")


def test_several_turns_run_at_once_without_touching_each_other(world: World) -> None:
    other = create_agent(world.organisation, name="Other", kind=AgentKind.SYSTEM_AGENT)
    thread = world.thread(world.bob)
    one = continue_thread(thread, user=world.alice, message="one")
    two = continue_thread(thread, user=world.bob, message="two", agent=other)
    assert answered(two, "second").position == "1-1"
    one.message.refresh_from_db()
    assert one.message.status == MessageStatus.PENDING
    assert answered(one, "first").position == "0-1"


def test_regenerating_answers_again_on_the_same_order(world: World) -> None:
    turn = continue_thread(world.thread(), user=world.alice, message="question")
    old = answered(turn, "first")
    again = regenerate(turn.thread, old, user=world.alice)
    assert (again.message.order, again.message.step_order) == (0, 2)
    assert answered(again, "second").has_earlier
    old.refresh_from_db()
    assert old.superseded_by_id == again.message_id
    request = build_request(continue_thread(turn.thread, user=world.alice, message="next"))
    assert [message.plain_text for message in request.messages] == [
        "You are Guide.", "question", "second", "next",
    ]  # fmt: skip
    with pytest.raises(Conflict):
        regenerate(turn.thread, old, user=world.alice)


def test_a_question_and_a_pending_answer_cannot_be_regenerated(world: World) -> None:
    turn = continue_thread(world.thread(), user=world.alice, message="question")
    with pytest.raises(MessageNotFound):
        regenerate(turn.thread, turn.prompt, user=world.alice)
    with pytest.raises(Conflict):
        regenerate(turn.thread, turn.message, user=world.alice)


def test_a_failed_answer_can_be_tried_again(world: World) -> None:
    turn = continue_thread(world.thread(), user=world.alice, message="question")
    failed = answered(turn, "", status=TurnStatus.FAILED)
    assert (failed.status, failed.error) == (
        "failed",
        "Failed to generate a response. Please try again.",
    )
    assert Event.objects.filter(kind="agent_error", organisation=world.organisation).count() == 1
    assert answered(regenerate(turn.thread, failed, user=world.alice), "ok").status == "success"


def test_editing_the_last_question_begins_a_new_order(world: World) -> None:
    turn = continue_thread(world.thread(), user=world.alice, message="2+2?")
    answered(turn, "4")
    new = edit_message(turn.thread, turn.prompt, user=world.alice, text="2+3?")
    assert new is not None
    assert (new.prompt.position, new.message.position) == ("1-0", "1-1")
    request = build_request(new)
    assert [message.plain_text for message in request.messages] == ["You are Guide.", "2+3?"]
    assert {message.text for message in new.prompt.supersedes.all()} == {"2+2?", "4"}


def test_only_the_last_question_and_only_by_its_author_can_be_edited(world: World) -> None:
    thread = world.thread(world.bob)
    first = continue_thread(thread, user=world.alice, message="one")
    with pytest.raises(Conflict):  # still being answered
        edit_message(thread, first.prompt, user=world.alice, text="x")
    answered(first)
    with pytest.raises(Conflict):
        edit_message(thread, first.prompt, user=world.bob, text="x")
    answered(continue_thread(thread, user=world.bob, message="two"))
    with pytest.raises(Conflict):
        edit_message(thread, first.prompt, user=world.alice, text="x")


def test_stopping_before_a_worker_came_ends_the_turn(world: World) -> None:
    turn = continue_thread(world.thread(), user=world.alice, message="Hi")
    stop_turn(turn.thread, turn.pk)
    turn.refresh_from_db()
    message = Message.objects.get(pk=turn.message_id)
    assert (turn.status, message.status, message.is_stopped) == ("stopped", "success", True)
    assert claim_turns() == []
    with pytest.raises(TurnOver):
        stop_turn(turn.thread, turn.pk)


def test_stopping_asks_a_running_worker_once(world: World) -> None:
    turn = continue_thread(world.thread(), user=world.alice, message="Hi")
    begin(turn)
    assert stop_turn(turn.thread, turn.pk).status == "running"
    assert stop_turn(turn.thread, turn.pk).stop_requested_at is not None


def test_names_are_told_to_the_model_when_several_people_speak(world: World) -> None:
    thread = world.thread(world.bob)
    answered(continue_thread(thread, user=world.alice, message="I am here"), "Welcome")
    request = build_request(continue_thread(thread, user=world.bob, message="Me too"))
    assert [(message.role, message.plain_text) for message in request.messages] == [
        ("system", "You are Guide."),
        ("user", "Alice: I am here"),
        ("assistant", "Welcome"),
        ("user", "Bob: Me too"),
    ]


def test_failed_pending_and_tool_messages_stay_out_of_the_context(world: World) -> None:
    thread = world.thread()
    answered(continue_thread(thread, user=world.alice, message="one"), "", TurnStatus.FAILED)
    continue_thread(thread, user=world.alice, message="two")
    send_agent_message(
        thread, kind="agent", content="used", tool_call={"id": "1", "name": "t"}, result={}
    )
    request = build_request(continue_thread(thread, user=world.alice, message="three"))
    assert [message.plain_text for message in request.messages][1:] == ["one", "two", "three"]


def test_outsiders_cannot_be_added_and_guests_cannot_remove_others(world: World) -> None:
    thread = world.thread(world.bob)
    with pytest.raises(NotFound):
        add_participants(thread, user=world.alice, people=[world.charlie])
    with pytest.raises(AccessDenied):
        remove_participant(thread, user=world.bob, person=world.alice)
    remove_participant(thread, user=world.bob, person=world.bob)
    with pytest.raises(AccessDenied):
        delete_thread(thread, user=world.stella)
