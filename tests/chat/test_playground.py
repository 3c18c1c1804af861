"""The playground: who gets in, and what is shown of threads."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents_app.models import AICall, CallStatus, Purpose, ToolCall
from agents_app.providers.parts import ReasoningPart, SourcePart, TextPart
from chat_app.models import Message, Thread
from chat_app.services.messages import save_messages
from chat_app.types import MessageDraft
from one_project.accounts.models import Event
from tests.chat.playing import asked, client_of, ledger
from tests.people import World

HTMX = {"HX-Request": "true"}


@pytest.fixture
def stella(world: World) -> Client:
    return client_of(world.stella)


def test_a_member_does_not_know_that_it_exists(world: World) -> None:
    bob = client_of(world.bob)
    assert bob.get("/playground/").status_code == 404
    assert "Playground" not in bob.get("/chat/").content.decode()
    assert "Playground" in client_of(world.stella).get("/chat/").content.decode()


def test_threads_of_another_organisation_are_not_there(world: World) -> None:
    thread = world.thread()
    response = client_of(world.charlie).get(f"/playground/threads/{thread.pk}/")
    assert response.status_code == 404
    assert not Event.objects.filter(kind="playground_opened").exists()


def test_reading_somebody_elses_thread_leaves_one_event(world: World, stella: Client) -> None:
    turn = asked(world.thread(world.bob))
    for _ in range(2):
        assert stella.get(f"/playground/threads/{turn.thread_id}/").status_code == 200
    stella.get(f"/playground/threads/{turn.thread_id}/messages/{turn.message_id}/")
    [event] = Event.objects.filter(kind="playground_opened")
    assert (event.actor, event.target) == (world.stella, f"thread:{turn.thread_id}")


def test_reading_ones_own_thread_leaves_no_event(world: World) -> None:
    thread = world.thread()
    client_of(world.alice).get(f"/playground/threads/{thread.pk}/")
    assert not Event.objects.filter(kind="playground_opened").exists()


def test_a_thread_shows_steps_tools_tokens_cost_and_time(world: World, stella: Client) -> None:
    turn = asked(world.thread(world.bob), cost=Decimal("0.001234"))
    draft = MessageDraft(
        kind="tool",
        parts=[],
        status="success",
    )
    [message] = save_messages(turn.thread, [draft], prompt=turn.prompt)
    ToolCall.objects.create(
        organisation=world.organisation,
        thread_id=turn.thread_id,
        turn_id=turn.pk,
        message_id=message.pk,
        call_id="c1",
        name="refund",
        arguments={"euros": 5},
        args_hash="x",
        status=CallStatus.DENIED,
        decided_by=world.adam,
        reason="too much",
        told="Error: denied",
    )
    thinking = [
        ReasoningPart("I wonder."),
        SourcePart("url", "s1", title="A page"),
        TextPart("So."),
    ]
    save_messages(turn.thread, [MessageDraft(kind="agent", parts=thinking, status="success")])
    broken = MessageDraft(kind="agent", parts=[], status="failed")
    [failed] = save_messages(turn.thread, [broken])
    Message.objects.filter(pk=failed.pk).update(error="The model is away.", error_code="server")

    html = stella.get(f"/playground/threads/{turn.thread_id}/").content.decode()

    for text in (
        "Because.", "23 tokens", "$0.001234", "first token 400 ms", "1.5 s", "1 model call",
        "refund", "Denied", "Adam", "too much", "&quot;euros&quot;: 5", "I wonder.", "A page",
        "The model is away.", "is-failed",
    ):  # fmt: skip
        assert text in html, text


def test_a_message_shows_what_the_model_was_sent_until_it_is_forgotten(
    world: World, stella: Client
) -> None:
    turn = asked(world.thread(world.bob))
    address = f"/playground/threads/{turn.thread_id}/messages/{turn.message_id}/"
    html = stella.get(address, headers=HTMX).content.decode()
    assert "as it was sent" in html
    assert "<html" not in html
    AICall.objects.update(request=None, response=None)
    html = stella.get(address).content.decode()
    assert "not kept any more" in html
    assert "<html" in html


def test_a_thread_costs_the_same_queries_however_long_it_is(world: World, stella: Client) -> None:
    thread = world.thread(world.bob)
    counts = []
    for more in (1, 8):
        for _ in range(more):
            asked(thread)
        for _ in range(more):
            world.thread(world.bob)
        stella.get(f"/playground/threads/{thread.pk}/")
        with CaptureQueriesContext(connection) as queries:
            assert stella.get(f"/playground/threads/{thread.pk}/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_threads_are_found_by_person_and_words_and_loaded_on(world: World, stella: Client) -> None:
    for n in range(12):
        world.thread(title=f"number {n}")
    hers = world.thread(world.bob, title="with Bob")
    nobodys = Thread.objects.create(organisation=world.organisation, title="of a program")

    def listed(**query: str) -> str:
        return stella.get("/playground/threads/", query).content.decode()

    assert "Load more" in listed()
    assert "with Bob" in listed(person=str(world.bob.pk))
    assert "number 1" not in listed(person=str(world.bob.pk))
    assert str(nobodys.pk) in listed(person="none")
    assert str(hers.pk) not in listed(person="none")
    assert "number 11" in listed(q="ER 11")
    cursor = listed().split("cursor=")[1].split('"')[0]
    assert "number 0" in stella.get(f"/playground/threads/?cursor={cursor}").content.decode()


def test_the_thread_says_what_it_has_taken_without_what_was_tried(
    world: World, stella: Client
) -> None:
    turn = asked(world.thread(world.bob))
    ledger(turn, purpose=Purpose.TITLE, turn_id=None, message_id=None)
    ledger(turn, purpose=Purpose.PLAYGROUND, input_tokens=9999)
    html = " ".join(stella.get(f"/playground/threads/{turn.thread_id}/").content.decode().split())
    assert "answer: 1 call, 23 tokens, no price" in html
    assert "title: 1 call, 23 tokens, no price" in html
    assert "playground:" not in html
