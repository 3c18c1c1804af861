"""What a model is given of a thread (CX-1 to CX-19, T-S5 to T-S9, T-S13)."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from agents_app.models import AgentKind, Prompt
from agents_app.providers.parts import (
    ChatMessage,
    FilePart,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from agents_app.runtime.agent import Agent, ContextParts, agent_of, register_agent
from agents_app.runtime.tokens import context_window, count_request
from agents_app.services.agents import create_agent
from agents_app.tools.definitions import NoArguments, define
from agents_app.types import AgentOptions, ContextOptions, read_options
from chat_app.models import Message, MessageKind, MessageStatus, Thread, Turn
from chat_app.runtime.context import CONTEXT_QUERIES, build_context, build_request, fetch_context
from chat_app.runtime.options import tool_choice, turn_options, turn_tools
from chat_app.services.conversation import continue_thread
from chat_app.services.messages import save_messages
from chat_app.services.turns import Outcome, finish_turn
from chat_app.types import MessageDraft
from one_project.accounts.models import User
from tests.chat.answering import begin
from tests.people import World

pytestmark = pytest.mark.django_db


def texts(messages: Sequence[ChatMessage]) -> list[str]:
    return [message.plain_text for message in messages]


def say(thread: Thread, *words: str, by: User | None = None) -> list[Message]:
    """Questions and answers by turns, as many as there are words."""
    drafts = [
        MessageDraft(kind="agent", agent=thread.agent, parts=[TextPart(word)])
        if index % 2
        else MessageDraft(kind="user", author=by or thread.created_by, parts=[TextPart(word)])
        for index, word in enumerate(words)
    ]
    return save_messages(thread, drafts)


def ask(world: World, thread: Thread, text: str = "now?") -> Turn:
    """A turn as a worker begins it."""
    return begin(continue_thread(thread, user=world.alice, message=text))[0]


def used(thread: Thread, prompt: Message, *, turn: Turn | None = None, words: str = "") -> None:
    """An agent's use of a tool: the message that calls and the one with the result."""
    call: list[Part] = [ToolCallPart("c1", "look", {"word": "tea"})]
    said: list[Part] = [TextPart(words), *call] if words else call
    result: list[Part] = [ToolResultPart("c1", "look", "found")]
    made = save_messages(
        thread,
        [
            MessageDraft(kind="agent", agent=thread.agent, parts=said),
            MessageDraft(kind="tool", parts=result),
        ],
        prompt=prompt,
    )
    if turn is not None:
        Message.objects.filter(pk__in=[one.pk for one in made]).update(turn=turn)


def with_options(thread: Thread, **options: Any) -> Thread:
    thread.meta["options"] = options
    thread.save(update_fields=["meta"])
    return thread


# T-S5, T-S6: how many


def test_newest_messages_come_in_ascending_order(world: World) -> None:
    thread = with_options(world.thread(), context={"recent_messages": 3})
    say(thread, "q1", "a1", "q2", "a2", "q3", "a3")
    assert texts(build_request(ask(world, thread)).messages)[1:] == ["a2", "q3", "a3", "now?"]


def test_no_recent_messages_leave_only_the_prompt(world: World) -> None:
    thread = with_options(world.thread(), context={"recent_messages": 0})
    say(thread, "q1", "a1")
    Thread.objects.filter(pk=thread.pk).update(summary="Of before.", summary_order=0)
    assert texts(build_request(ask(world, thread)).messages) == ["You are Guide.", "now?"]


def test_a_hundred_messages_are_the_default(world: World) -> None:
    thread = world.thread()
    say(thread, *[f"m{number}" for number in range(130)])
    said = texts(build_request(ask(world, thread)).messages)
    assert said[1:] == [*[f"m{number}" for number in range(30, 130)], "now?"]


# T-S7: the prompt


def test_prompt_is_spliced_between_what_was_said_and_what_answers_it(world: World) -> None:
    thread = world.thread()
    say(thread, "q1", "a1")
    [prompt] = save_messages(
        thread, [MessageDraft(kind="user", author=world.alice, parts=[TextPart("stored")])]
    )
    used(thread, prompt)
    save_messages(
        thread,
        [MessageDraft(kind="agent", agent=world.agent, parts=[TextPart("half an answer")])],
        prompt=prompt,
    )
    agent = agent_of(world.agent)
    before = [ChatMessage.text("user", "by the way")]

    def fetched(**given: Any) -> list[str]:
        return texts(fetch_context(thread, agent=agent, **given))[1:]

    assert fetched(prompt=prompt) == ["q1", "a1", "stored", "half an answer"]
    replaced = fetched(prompt=prompt, prompt_text="other")
    assert replaced == ["q1", "a1", "other", "half an answer"]
    spliced = fetched(prompt=prompt, prompt_text="other", messages=before)
    assert spliced == ["q1", "a1", "by the way", "other", "half an answer"]
    assert fetched(prompt="new", messages=before)[-3:] == ["half an answer", "by the way", "new"]
    assert fetched() == ["q1", "a1", "stored", "half an answer"]


# T-S8: the handler


def test_an_agents_handler_sees_all_parts_of_the_turn_and_decides(world: World) -> None:
    seen: list[ContextParts] = []

    def handler(parts: ContextParts) -> Sequence[ChatMessage]:
        seen.append(parts)
        return [ChatMessage.text("user", "Remember: tea."), *parts.input_prompt]

    register_agent("test.rememberer", Agent(name="x", instructions="Hm.", context_handler=handler))
    world.agent.code_name = "test.rememberer"
    world.agent.save()
    thread = world.thread()
    say(thread, "q1", "a1")
    turn = ask(world, thread)
    assert texts(build_request(turn).messages) == ["Hm.", "Remember: tea.", "now?"]
    assert texts(seen[0].recent) == ["q1", "a1"]
    assert (seen[0].user_id, seen[0].thread_id) == (world.alice.pk, thread.pk)


# T-S9, T-S13, CX-3: tools


def test_earlier_uses_of_tools_stay_out_but_words_beside_them_stay(world: World) -> None:
    thread = world.thread()
    [question] = say(thread, "q1")
    used(thread, question, words="Let me look.")
    used(thread, question)
    messages = build_request(ask(world, thread)).messages
    assert texts(messages)[1:] == ["q1", "Let me look.", "now?"]
    assert not any(isinstance(part, ToolCallPart) for one in messages for part in one.parts)


def test_the_turns_own_calls_and_results_are_always_there(world: World) -> None:
    thread = world.thread()
    turn = ask(world, thread)
    used(thread, turn.prompt, turn=turn, words="Let me look.")
    *_, prompt, call, result = build_request(turn).messages
    assert [prompt.role, call.role, result.role] == ["user", "assistant", "tool"]
    assert call.parts == (TextPart("Let me look."), ToolCallPart("c1", "look", {"word": "tea"}))
    assert result.parts == (ToolResultPart("c1", "look", "found"),)


def test_earlier_uses_are_told_whole_where_the_options_say_so(world: World) -> None:
    thread = with_options(world.thread(), context={"exclude_tool_messages": False})
    used(thread, say(thread, "q1")[0])
    roles = [one.role for one in build_request(ask(world, thread)).messages]
    assert roles == ["system", "user", "assistant", "tool", "user"]


def test_a_window_that_cuts_a_use_of_a_tool_does_not_begin_with_its_result(world: World) -> None:
    options = {"recent_messages": 1, "exclude_tool_messages": False}
    thread = with_options(world.thread(), context=options)
    used(thread, say(thread, "q1")[0])
    assert texts(build_request(ask(world, thread)).messages) == ["You are Guide.", "now?"]


def test_a_call_whose_result_is_missing_is_left_out(world: World) -> None:
    thread = world.thread()
    turn = ask(world, thread)
    used(thread, turn.prompt, turn=turn)
    thread.messages.filter(kind=MessageKind.TOOL).update(status=MessageStatus.FAILED)
    assert texts(build_request(turn).messages) == ["You are Guide.", "now?"]


# What never comes in


def test_another_threads_messages_never_come_in(world: World) -> None:
    other = world.thread()
    say(other, "secret", "also secret")
    thread = world.thread()
    say(thread, "q1", "a1")
    assert texts(build_request(ask(world, thread)).messages)[1:] == ["q1", "a1", "now?"]


def test_hidden_failed_and_replaced_messages_stay_out(world: World) -> None:
    thread = world.thread()
    hidden, failed, replaced, kept = say(thread, "hidden", "failed", "replaced", "kept")
    Message.objects.filter(pk=hidden.pk).update(meta={"skip_context": True})
    Message.objects.filter(pk=failed.pk).update(status=MessageStatus.FAILED)
    Message.objects.filter(pk=replaced.pk).update(superseded_by=kept)
    assert texts(build_request(ask(world, thread)).messages)[1:] == ["kept", "now?"]


def test_hits_that_are_recent_anyway_are_told_once(world: World) -> None:
    thread = with_options(world.thread(), context={"recent_messages": 1})
    old, recent = say(thread, "old", "recent")
    parts = build_context(ask(world, thread), hits=[old, recent])
    assert (texts(parts.search), texts(parts.recent)) == (["old"], ["recent"])


# People and agents


def test_people_are_named_where_there_are_several_and_other_agents_always(world: World) -> None:
    other = create_agent(world.organisation, name="Scout", kind=AgentKind.SYSTEM_AGENT)
    thread = world.thread(world.bob)
    say(thread, "hello", by=world.bob)
    save_messages(thread, [MessageDraft(kind="agent", agent=other, parts=[TextPart("I am here.")])])
    messages = build_request(ask(world, thread)).messages
    assert [(one.role, one.plain_text) for one in messages[1:]] == [
        ("user", "Bob: hello"),
        ("user", "Scout (another agent): I am here."),
        ("user", "Alice: now?"),
    ]


def test_files_of_people_are_sent(world: World) -> None:
    thread = world.thread()
    picture = FilePart("image/png", data=b"\x89PNG")
    save_messages(thread, [MessageDraft(kind="user", author=world.alice, parts=[picture])])
    assert build_request(ask(world, thread)).messages[1].parts == (picture,)


# The system prompt


def test_variables_are_filled_and_unknown_ones_stay(world: World) -> None:
    world.agent.prompt = (
        "{{ user.name }} of {{ organisation.name }} in {{ thread.title }} asks {{ agent.name }} "
        "about {{ product }}, {{ count }} and {{ nothing }} on {{ date }}."
    )
    world.agent.save()
    thread = world.thread(title="Tea {{ secret }}")
    own = {"product": "{{ date }}", "count": 3, "user.name": "Mallory", "secret": "no", "list": []}
    thread.meta["variables"] = own
    thread.save(update_fields=["meta"])
    told = build_request(ask(world, thread)).messages[0].plain_text
    start = (
        "Alice of Acme in Tea {{ secret }} asks Guide about {{ date }}, 3 and {{ nothing }} on 20"
    )
    assert told.startswith(start)


def test_attached_prompts_follow_the_agents_own(world: World) -> None:
    for name, text in (("b", "Second."), ("a", "First.")):
        prompt = Prompt.objects.create(organisation=world.organisation, name=name, text=text)
        world.agent.attached_prompts.add(prompt)
    told = build_request(ask(world, world.thread())).messages[0].plain_text
    assert told == "You are Guide.\n\nFirst.\n\nSecond."


def test_the_summary_is_told_before_the_recent_messages(world: World) -> None:
    thread = world.thread()
    say(thread, "q1", "a1")
    Thread.objects.filter(pk=thread.pk).update(summary="Tea was ordered.", summary_order=0)
    said = texts(build_request(ask(world, thread)).messages)
    assert said == [
        "You are Guide.\n\nSummary of the earlier conversation: Tea was ordered.",
        "q1", "a1", "now?",
    ]  # fmt: skip


# Options


def test_the_call_wins_over_the_thread_and_the_thread_over_the_agent(world: World) -> None:
    world.agent.options = {"temperature": 0.1, "top_p": 0.2, "max_tokens": 10}
    world.agent.model = "one-demo"
    world.agent.save()
    thread = with_options(world.thread(), temperature=0.3, top_p=0.4)
    turn = ask(world, thread)
    turn.options = {"temperature": 0.5, "instructions": "Only now."}
    request = build_request(turn)
    assert (request.temperature, request.top_p, request.max_tokens) == (0.5, 0.4, 10)
    assert request.messages[0].plain_text == "Only now."
    options = turn_options(turn)
    assert (options.model, options.max_steps) == ("one-demo", 5)


def test_stored_options_that_are_wrong_do_not_end_the_conversation(world: World) -> None:
    thread = with_options(world.thread(), temperature="hot", top_p=0.4, unheard_of=1)
    request = build_request(ask(world, thread))
    assert (request.temperature, request.top_p) == (None, 0.4)


async def look(arguments: NoArguments) -> str:
    """Look around."""
    return "nothing"


def test_tools_of_the_call_replace_those_of_the_agent(world: World) -> None:
    definitions = tuple(define(look, name=name) for name in ("look_here", "look_there"))
    register_agent("test.looker", Agent(name="x", tools=definitions))
    world.agent.code_name = "test.looker"
    world.agent.save()
    turn = ask(world, world.thread())
    assert list(turn_tools(turn, turn_options(turn))) == ["look_here", "look_there"]
    turn.options = {"tools": ["look_there", "unheard_of"]}
    request = build_request(turn)
    assert [tool.name for tool in request.tools] == ["look_there"]
    assert build_request(turn, offered={}).tools == ()
    turn.options = {"tools": []}
    assert build_request(turn).tools == ()


@pytest.mark.parametrize(
    ("max_steps", "step", "choice"),
    [(1, 1, "auto"), (5, 4, "auto"), (5, 5, "none"), (2, 3, "none")],
)
def test_at_the_last_step_the_model_has_to_answer_in_words(
    max_steps: int, step: int, choice: str
) -> None:
    options = AgentOptions(max_steps=max_steps, tool_choice="auto")  # type: ignore[call-arg]
    assert tool_choice(options, step) == choice


# Size


def test_three_thousand_long_messages_never_exceed_the_window(world: World) -> None:
    thread = world.thread()
    words = "All work and no play makes a long thread. 仕事ばかり。" * 20
    Message.objects.bulk_create(
        Message(
            organisation=world.organisation,
            thread=thread,
            order=number // 2,
            step_order=number % 2,
            kind="agent" if number % 2 else "user",
            agent=world.agent if number % 2 else None,
            author=None if number % 2 else world.alice,
            text=f"{number}: {words}",
            content=[TextPart(f"{number}: {words}").to_json()],
        )
        for number in range(3_000)
    )
    with_options(thread, context={"recent_messages": 1_000})
    turn = ask(world, thread)
    used(thread, turn.prompt, turn=turn)
    for window in (1_000, 8_000, 32_000):
        with override_settings(ONE_CONTEXT_TOKENS=window):
            request = build_request(turn)
            assert count_request(request) <= window == context_window("")
            assert [one.role for one in request.messages[-3:]] == ["user", "assistant", "tool"]
            assert request.messages[1].role == "user"
    numbers = [int(one.plain_text.split(":")[0]) for one in request.messages[1:-3]]
    assert numbers == list(range(numbers[0], 3_000))
    assert numbers[0] % 2 == 0


@override_settings(ONE_CONTEXT_TOKENS=2_000)
def test_a_prompt_and_a_result_beyond_the_window_are_cut_in_the_middle(world: World) -> None:
    thread = world.thread()
    turn = ask(world, thread, "word " * 6_000)
    save_messages(
        thread,
        [
            MessageDraft(kind="agent", agent=world.agent, parts=[ToolCallPart("1", "look", {})]),
            MessageDraft(kind="tool", parts=[ToolResultPart("1", "look", "found " * 20_000)]),
        ],
        prompt=turn.prompt,
    )
    thread.messages.filter(is_tool=True).update(turn=turn)
    request = build_request(turn)
    assert count_request(request) <= 2_000
    assert [one.role for one in request.messages] == ["system", "user", "assistant", "tool"]
    assert "characters left out" in request.messages[1].plain_text


# Cost


def test_a_context_takes_few_queries(world: World) -> None:
    thread = world.thread()
    say(thread, *["word"] * 60)
    turn = ask(world, thread)
    used(thread, turn.prompt, turn=turn)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        build_request(turn)
    assert len(queries) <= CONTEXT_QUERIES, [query["sql"] for query in queries]


# MS-20


def test_a_thread_without_an_agent_still_has_a_context(world: World) -> None:
    thread = world.thread()
    turn = ask(world, thread)
    turn.agent = None
    assert texts(build_request(turn).messages) == ["now?"]


def test_options_of_a_call_shape_the_fetched_context(world: World) -> None:
    thread = world.thread()
    say(thread, "q1", "a1", "q2", "a2")
    options = read_options({"context": ContextOptions(recent_messages=1).model_dump()})
    got = fetch_context(thread, agent=agent_of(world.agent), prompt="new", options=options)
    assert texts(got) == ["You are Guide.", "a2", "new"]


def test_an_answer_is_part_of_the_next_context(world: World) -> None:
    thread = world.thread()
    begun, work = begin(continue_thread(thread, user=world.alice, message="one"))
    assert finish_turn(begun, Outcome(parts=[TextPart("first")]), work)
    assert texts(build_request(ask(world, thread)).messages)[1:] == ["one", "first", "now?"]
