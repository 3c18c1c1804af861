"""What a model writes about a thread: its title and the summary of what was long ago."""

import asyncio

import pytest
from django.test import override_settings

from agents_app.models import AICall, AICallStatus, Purpose
from agents_app.providers.errors import ModelError
from agents_app.providers.parts import TextPart
from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime.tokens import count_request
from chat_app.models import Message, MessageStatus, Thread, TitleBy
from chat_app.runtime.context import build_request
from chat_app.services.conversation import continue_thread
from chat_app.services.messages import save_messages
from chat_app.services.summaries import forget_summary, request_summary, summarise_thread
from chat_app.services.threads import delete_thread, rename_thread
from chat_app.services.titles import clean_title, name_thread, request_title
from chat_app.types import MessageDraft
from one_project.common.database import in_thread
from one_project.workflows.models import WorkItem
from tests.chat.answering import begin
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)


def talk(thread: Thread, count: int, words: str = "") -> None:
    """``count`` prompts, each with its answer."""
    for number in range(count):
        save_messages(
            thread,
            [
                MessageDraft(
                    kind="user", author=thread.created_by, parts=[TextPart(f"q{number} {words}")]
                ),
                MessageDraft(
                    kind="agent", agent=thread.agent, parts=[TextPart(f"a{number} {words}")]
                ),
            ],
        )


def named_by_message(world: World) -> Thread:
    thread = world.thread(title="How do I brew")
    Thread.objects.filter(pk=thread.pk).update(title_by=TitleBy.MESSAGE)
    talk(thread, 1)
    thread.refresh_from_db()
    return thread


def fresh(thread: Thread) -> Thread:
    return Thread.objects.get(pk=thread.pk)


# Titles


def test_the_model_names_a_thread_and_the_call_is_in_the_ledger(committed_world: World) -> None:
    thread = named_by_message(committed_world)
    with use_model(ScriptedModel(['"Brewing Green Tea."'])) as model:
        asyncio.run(name_thread(thread.pk))
    named = fresh(thread)
    assert (named.title, named.title_by) == ("Brewing Green Tea", "agent")
    assert named.title_seq == named.seq > thread.seq
    call = AICall.objects.get()
    assert (call.purpose, call.status) == (Purpose.TITLE, AICallStatus.SUCCESS)
    assert (call.thread_id, call.user, call.agent) == (
        thread.pk, committed_world.alice, committed_world.agent,
    )  # fmt: skip
    asked = model.last_request.messages[-1].plain_text  # type: ignore[attr-defined]
    assert "q0" in asked
    assert "a0" in asked


def test_a_person_who_renames_meanwhile_wins(committed_world: World) -> None:
    thread = named_by_message(committed_world)

    async def rename() -> None:
        await in_thread(rename_thread, thread, user=committed_world.alice, title="My own title")

    with use_model(ScriptedModel([["A model's", rename, " title"]])):
        asyncio.run(name_thread(thread.pk))
    named = fresh(thread)
    assert (named.title, named.title_by) == ("My own title", "person")
    assert AICall.objects.count() == 1
    assert named.seq == thread.seq + 1


def test_a_model_that_fails_or_says_nothing_leaves_the_title(committed_world: World) -> None:
    thread = named_by_message(committed_world)
    with use_model(ScriptedModel([ModelError("auth"), "  \n "])):
        asyncio.run(name_thread(thread.pk))
        asyncio.run(name_thread(thread.pk))
    assert (fresh(thread).title, fresh(thread).title_by) == ("How do I brew", "message")
    assert fresh(thread).seq == thread.seq
    assert [call.status for call in AICall.objects.order_by("created_at")] == ["failed", "success"]


def test_a_thread_somebody_has_named_is_not_asked_about(committed_world: World) -> None:
    thread = committed_world.thread(title="Mine")
    talk(thread, 1)
    with use_model(ScriptedModel()) as model:
        asyncio.run(name_thread(thread.pk))
    assert model.requests == []  # type: ignore[attr-defined]


def test_a_thread_that_was_deleted_is_left_alone(committed_world: World) -> None:
    thread = named_by_message(committed_world)
    delete_thread(thread, user=committed_world.alice)
    with use_model(ScriptedModel()) as model:
        asyncio.run(name_thread(thread.pk))
        asyncio.run(summarise_thread(thread.pk))
    assert model.requests == []  # type: ignore[attr-defined]


def test_a_title_is_asked_for_once(committed_world: World) -> None:
    thread = named_by_message(committed_world)
    with override_settings(ONE_THREAD_TITLES=False):
        request_title(thread)
    assert not WorkItem.objects.filter(function=name_thread.name).exists()
    with override_settings(ONE_THREAD_TITLES=True):
        request_title(thread)
        request_title(thread)
        request_title(committed_world.thread(title="Mine"))
    assert WorkItem.objects.filter(function=name_thread.name).count() == 1


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Brewing tea", "Brewing tea"),
        ("**“Brewing tea”**.\nBecause…", "Brewing tea"),
        ("\n\n# Brewing tea", "Brewing tea"),
        ("C++ and C#: what?", "C++ and C#: what?"),
        ("x" * 300, "x" * 80),
        ("***", ""),
        ("", ""),
    ],
)
def test_a_title_is_one_clean_line(said: str, title: str) -> None:
    assert clean_title(said) == title


# Summaries


def short_window(thread: Thread, recent: int = 10) -> Thread:
    thread.meta["options"] = {"context": {"recent_messages": recent}}
    thread.save(update_fields=["meta"])
    return thread


def summaries_wanted() -> int:
    return WorkItem.objects.filter(function=summarise_thread.name).count()


def test_a_thread_that_fits_is_not_summarised(committed_world: World) -> None:
    thread = short_window(committed_world.thread())
    talk(thread, 5)
    request_summary(thread)
    assert summaries_wanted() == 0
    with use_model(ScriptedModel()) as model:
        asyncio.run(summarise_thread(thread.pk))
    assert model.requests == []  # type: ignore[attr-defined]


def test_what_the_window_leaves_out_is_summarised_and_told(committed_world: World) -> None:
    thread = short_window(committed_world.thread())
    talk(thread, 6)
    request_summary(thread)
    request_summary(thread)
    assert summaries_wanted() == 1
    with use_model(ScriptedModel(["They spoke of tea."])) as model:
        asyncio.run(summarise_thread(thread.pk))
    thread = fresh(thread)
    # The newest five messages, half the window, are not in it, nor what is of their oldest order.
    assert (thread.summary, thread.summary_order) == ("They spoke of tea.", 2)
    asked = model.last_request.messages[-1].plain_text  # type: ignore[attr-defined]
    assert "Alice: q0" in asked
    assert "Guide: a2" in asked
    assert "q3" not in asked
    call = AICall.objects.get()
    assert (call.purpose, call.thread_id) == (Purpose.SUMMARY, thread.pk)
    turn, _ = begin(continue_thread(thread, user=committed_world.alice, message="now?"))
    assert "They spoke of tea." in build_request(turn).messages[0].plain_text


def test_the_summary_rolls_on_from_the_one_before(committed_world: World) -> None:
    thread = short_window(committed_world.thread())
    talk(thread, 6)
    with use_model(ScriptedModel(["First summary.", "Second summary."])) as model:
        asyncio.run(summarise_thread(thread.pk))
        talk(thread, 4)
        asyncio.run(summarise_thread(thread.pk))
    asked = model.last_request.messages[-1].plain_text  # type: ignore[attr-defined]
    assert "First summary." in asked
    assert asked.count("Alice:") == 4
    assert (fresh(thread).summary, fresh(thread).summary_order) == ("Second summary.", 6)


def test_nothing_is_lost_between_the_summary_and_the_window(committed_world: World) -> None:
    thread = short_window(committed_world.thread(), recent=6)
    with use_model(ScriptedModel(["S"], repeat=True)):
        for _ in range(12):
            talk(thread, 1)
            asyncio.run(summarise_thread(thread.pk))
            covered = fresh(thread).summary_order
            told = list(
                thread.messages.order_by("-order", "-step_order").values_list("order", flat=True)[
                    :6
                ]
            )
            assert min(told) <= covered + 1


def test_a_long_history_is_summarised_in_pieces_that_fit(committed_world: World) -> None:
    thread = short_window(committed_world.thread())
    talk(thread, 30, words="All work and no play. " * 60)
    with use_model(ScriptedModel(["Told so far."], repeat=True)) as model:
        asyncio.run(summarise_thread(thread.pk))
    requests = model.requests  # type: ignore[attr-defined]
    assert 1 < len(requests) <= 10
    assert all(count_request(request) < 8_000 for request in requests)
    asked = [line for one in requests for line in one.messages[-1].plain_text.splitlines()]
    heard = [line.split()[1] for line in asked if line.startswith("Alice: ")]
    assert heard == [f"q{number}" for number in range(fresh(thread).summary_order + 1)]


def test_messages_too_long_for_the_model_are_summarised_before_they_are_many(
    committed_world: World,
) -> None:
    thread = committed_world.thread()
    talk(thread, 5, words="All work and no play. " * 60)
    with override_settings(ONE_CONTEXT_TOKENS=4_000):
        request_summary(thread)
        assert summaries_wanted() == 1
        with use_model(ScriptedModel(["Told so far."], repeat=True)):
            asyncio.run(summarise_thread(thread.pk))
    assert fresh(thread).summary_order >= 2


def test_a_failed_summary_changes_nothing_and_is_in_the_ledger(committed_world: World) -> None:
    thread = short_window(committed_world.thread())
    talk(thread, 6)
    with use_model(ScriptedModel([ModelError("auth")])):
        asyncio.run(summarise_thread(thread.pk))
    assert (fresh(thread).summary, fresh(thread).summary_order) == ("", -1)
    assert AICall.objects.get().status == AICallStatus.FAILED


def test_who_comes_second_with_a_summary_changes_nothing(committed_world: World) -> None:
    thread = short_window(committed_world.thread())
    talk(thread, 6)

    async def overtaken() -> None:
        await in_thread(
            Thread.objects.filter(pk=thread.pk).update, summary="Theirs.", summary_order=3
        )

    with use_model(ScriptedModel([["Mine", overtaken, "."]])):
        asyncio.run(summarise_thread(thread.pk))
    assert fresh(thread).summary == "Theirs."


def test_hidden_and_failed_messages_are_not_summarised(committed_world: World) -> None:
    thread = short_window(committed_world.thread())
    talk(thread, 8)
    Message.objects.filter(thread=thread, order=0).update(status=MessageStatus.FAILED)
    Message.objects.filter(thread=thread, order=1).update(meta={"skip_context": True})
    with use_model(ScriptedModel(["S"])) as model:
        asyncio.run(summarise_thread(thread.pk))
    asked = model.last_request.messages[-1].plain_text  # type: ignore[attr-defined]
    assert "q0" not in asked
    assert "q1" not in asked
    assert "q2" in asked


def test_a_summary_can_be_forgotten(committed_world: World) -> None:
    thread = committed_world.thread()
    Thread.objects.filter(pk=thread.pk).update(summary="S", summary_order=3)
    forget_summary(thread)
    assert (fresh(thread).summary, fresh(thread).summary_order) == ("", -1)
