"""Where messages stand: rows MS-1 to MS-12 and cases T-O1 to T-O15."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from agents_app.providers.parts import Part, TextPart, ToolCallPart, ToolResultPart
from chat_app.conf import MAX_ORDER
from chat_app.errors import InvalidOrder
from chat_app.models import Message, MessageStatus, Thread
from chat_app.services.messages import fail_pending_steps, save_messages, update_message
from chat_app.types import MessageDraft
from tests.people import World


def user(text: str = "question") -> MessageDraft:
    return MessageDraft(kind="user", parts=[TextPart(text)])


def agent(text: str = "answer", status: str = "success") -> MessageDraft:
    return MessageDraft(kind="agent", parts=[TextPart(text)], status=status)


def tool_call() -> MessageDraft:
    return MessageDraft(kind="agent", parts=[ToolCallPart(id="1", name="look", arguments={})])


def tool_result() -> MessageDraft:
    part: Part = ToolResultPart(call_id="1", name="look", output="found")
    return MessageDraft(kind="tool", parts=[part])


def places(messages: list[Message]) -> list[tuple[int, int]]:
    return [(message.order, message.step_order) for message in messages]


def all_places(thread: Thread) -> list[tuple[int, int]]:
    return places(list(thread.messages.in_order()))


@pytest.fixture
def thread(world: World) -> Thread:
    return world.thread()


def test_each_user_message_opens_an_order(thread: Thread) -> None:
    assert places([*save_messages(thread, [user()]), *save_messages(thread, [user()])]) == [
        (0, 0),
        (1, 0),
    ]


def test_an_answer_follows_its_question(thread: Thread) -> None:
    save_messages(thread, [user()])
    assert places(save_messages(thread, [agent()])) == [(0, 1)]


def test_an_agent_may_speak_first_in_an_empty_thread(thread: Thread) -> None:
    assert places(save_messages(thread, [agent()])) == [(0, 0)]


def test_messages_of_a_prompt_join_its_order_even_when_later_orders_exist(thread: Thread) -> None:
    [first] = save_messages(thread, [user()])
    assert places(save_messages(thread, [user(), agent()])) == [(1, 0), (1, 1)]
    saved = save_messages(thread, [tool_call(), tool_result(), user()], prompt=first)
    assert places(saved) == [(0, 1), (0, 2), (2, 0)]
    assert all_places(thread) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]


def test_an_explicit_order_is_appended_to(thread: Thread) -> None:
    save_messages(thread, [user()])
    saved = [*save_messages(thread, [user()], order=1), *save_messages(thread, [user()], order=1)]
    assert places(saved) == [(1, 0), (1, 1)]


def test_an_order_in_the_past_takes_the_answer_and_the_question_goes_to_the_end(
    thread: Thread,
) -> None:
    save_messages(thread, [user(), agent(), user()])
    assert places(save_messages(thread, [agent(), user()], order=0)) == [(0, 2), (2, 0)]


def test_an_order_far_ahead_is_kept(thread: Thread) -> None:
    save_messages(thread, [user()])
    assert places(save_messages(thread, [agent(), user()], order=5)) == [(5, 0), (6, 0)]


@pytest.mark.parametrize("order", [1, "next"])
@pytest.mark.django_db(transaction=True)
def test_concurrent_saves_get_places_of_their_own(order: int | str, committed_world: World) -> None:
    thread = committed_world.thread()
    save_messages(thread, [user()])

    def save(_: int) -> tuple[int, int]:
        try:
            return places(save_messages(thread, [agent()], order=order))[0]  # type: ignore[arg-type]
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        taken = sorted(pool.map(save, range(12)))
    expected = [(1, step) for step in range(12)] if order == 1 else [(n, 0) for n in range(1, 13)]
    assert taken == expected


def test_an_order_cannot_be_combined_with_a_prompt_or_a_pending_message(thread: Thread) -> None:
    [prompt] = save_messages(thread, [user()])
    [pending] = save_messages(thread, [agent(status="pending")])
    for arguments in ({"prompt": prompt}, {"pending": pending}):
        with pytest.raises(InvalidOrder):
            save_messages(thread, [agent()], order=1, **arguments)
        with pytest.raises(InvalidOrder):
            save_messages(thread, [agent()], order="next", **arguments)


@pytest.mark.parametrize("order", [-1, 1.5, MAX_ORDER + 1, True, "later"])
def test_an_order_that_is_none_is_refused(thread: Thread, order: object) -> None:
    with pytest.raises(InvalidOrder):
        save_messages(thread, [user()], order=order)  # type: ignore[arg-type]
    assert thread.messages.count() == 0


def test_counting_past_the_last_order_is_refused(thread: Thread) -> None:
    save_messages(thread, [agent()], order=MAX_ORDER)
    for arguments in ({}, {"order": "next"}):
        with pytest.raises(InvalidOrder):
            save_messages(thread, [user()], **arguments)  # type: ignore[arg-type]


def test_a_question_to_a_prompt_opens_the_next_order(thread: Thread) -> None:
    [first, _] = save_messages(thread, [user(), user()])
    assert places(save_messages(thread, [user()], prompt=first)) == [(2, 0)]


def test_the_pending_message_is_replaced_where_it_stands(thread: Thread) -> None:
    [prompt, pending] = save_messages(thread, [user(), agent("", status="pending")])
    [done, more] = save_messages(
        thread, [agent("done"), agent("more")], prompt=prompt, pending=pending
    )
    assert (done.pk, done.position, done.text, done.status) == (
        pending.pk,
        "0-1",
        "done",
        "success",
    )
    assert more.position == "0-2"


def test_failing_what_is_pending_touches_only_the_order_of_the_prompt(thread: Thread) -> None:
    [first, one] = save_messages(thread, [user(), agent("", status="pending")])
    [_, two] = save_messages(thread, [user(), agent("", status="pending")])
    save_messages(thread, [agent()], prompt=first, fail_pending=True)
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.status, one.error) == ("failed", "Restarting")
    assert two.status == "pending"
    fail_pending_steps(thread)
    two.refresh_from_db()
    assert two.status == "failed"


def test_what_answers_a_failed_prompt_has_failed_with_it(thread: Thread) -> None:
    [prompt] = save_messages(thread, [user()])
    prompt = update_message(thread, prompt.pk, status=MessageStatus.FAILED, error="broken")
    [answer] = save_messages(thread, [agent()], prompt=prompt)
    assert (answer.status, answer.error) == ("failed", "broken")


def test_a_result_for_a_pending_message_that_failed_stays_failed(thread: Thread) -> None:
    [_, pending] = save_messages(thread, [user(), agent("", status="pending")])
    update_message(thread, pending.pk, status=MessageStatus.FAILED, error="stopped")
    [late] = save_messages(thread, [agent("too late")], pending=pending)
    assert (late.status, late.error, late.text) == ("failed", "stopped", "too late")


def test_text_and_the_tool_flag_follow_the_parts(thread: Thread) -> None:
    draft = MessageDraft(kind="agent", parts=[TextPart("a"), TextPart("b")])
    [message, call, result] = save_messages(thread, [draft, tool_call(), tool_result()])
    assert (message.text, message.is_tool, call.is_tool, result.is_tool) == (
        "a b",
        False,
        True,
        True,
    )
    changed = update_message(thread, message.pk, parts=[TextPart("c"), tool_call().parts[0]])
    assert (changed.text, changed.is_tool) == ("c", True)
    assert Message.objects.get(pk=message.pk).parts == changed.parts
