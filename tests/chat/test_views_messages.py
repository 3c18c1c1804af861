"""Saying, asking again, changing and stopping, over HTTP; and the message partial itself."""

import re
from uuid import uuid4

import pytest
from django.test import Client

from agents_app.providers.parts import TextPart
from chat_app.live.announce import render_message
from chat_app.models import Message, Thread, Turn
from chat_app.services.conversation import continue_thread
from chat_app.services.turns import Outcome, finish_turn
from tests.chat.answering import begin
from tests.people import World

HTMX = {"HX-Request": "true"}


@pytest.fixture
def alice(world: World, client: Client) -> Client:
    client.force_login(world.alice)
    return client


def ask(world: World, thread: Thread, text: str = "Why?") -> Turn:
    return continue_thread(thread, user=world.alice, message=text)


def answer(turn: Turn, text: str = "Because.", **outcome: str) -> Message:
    begun, work = begin(turn)
    assert finish_turn(begun, Outcome(parts=[TextPart(text)], **outcome), work)
    return Message.objects.select_related("turn", "agent", "author").get(pk=turn.message_id)


def articles(html: str) -> list[tuple[str, str]]:
    """Kind and state of each article, in order; of one to remove its id and ``removed``."""
    found = []
    for tag in re.findall(r"<article[^>]*>", html):
        attributes = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if "data-removed" in tag:
            found.append((attributes["id"], "removed"))
        else:
            found.append((attributes["data-kind"], attributes["data-status"]))
    return found


def test_a_message_is_answered_with_its_articles(world: World, alice: Client) -> None:
    thread, key = world.thread(), str(uuid4())
    form = {"text": "Hi\n<b>there</b>", "client_key": key}
    first = alice.post(f"/chat/{thread.pk}/messages/", form, headers=HTMX).content.decode()
    again = alice.post(f"/chat/{thread.pk}/messages/", form, headers=HTMX).content.decode()
    assert articles(first) == [("user", "success"), ("agent", "pending")]
    assert f'data-client-key="{key}"' in first
    assert "Hi\n&lt;b&gt;there&lt;/b&gt;</div>" in first
    assert again == first
    assert Turn.objects.count() == 1


def test_without_javascript_the_thread_is_shown_again(world: World, alice: Client) -> None:
    thread = world.thread()
    response = alice.post(f"/chat/{thread.pk}/messages/", {"text": "Hi"})
    assert (response.status_code, response["Location"]) == (303, f"/chat/{thread.pk}/")


def test_another_agent_can_be_asked_but_not_a_foreign_one(world: World, alice: Client) -> None:
    thread = world.thread()
    other = type(world.agent).objects.create(organisation=world.organisation, name="Other")
    foreign = type(world.agent).objects.create(organisation=world.elsewhere, name="Foreign")
    path = f"/chat/{thread.pk}/messages/"
    assert alice.post(path, {"text": "Hi", "agent": foreign.pk}).status_code == 404
    alice.post(path, {"text": "Hi", "agent": other.pk})
    assert Turn.objects.get().agent == other


def test_regenerate_replaces_the_answer_once(world: World, alice: Client) -> None:
    thread = world.thread()
    old = answer(ask(world, thread))
    path = f"/chat/{thread.pk}/messages/{old.pk}/"
    html = alice.post(f"{path}regenerate/", headers=HTMX).content.decode()
    assert articles(html) == [(f"message-{old.pk}", "removed"), ("agent", "pending")]
    assert "Earlier version" in html
    assert alice.post(f"{path}regenerate/", headers=HTMX).content.decode() == html
    assert Turn.objects.count() == 2
    new = Turn.objects.order_by("created_at").last()
    assert new is not None
    earlier = alice.get(f"/chat/{thread.pk}/messages/{new.message_id}/earlier/", headers=HTMX)
    assert "Because." in earlier.content.decode()


def test_a_failed_answer_says_why_and_offers_retry(world: World, alice: Client) -> None:
    thread = world.thread()
    turn = ask(world, thread)
    failed = answer(turn, "Half", status="failed", error="The model is overloaded at the moment.")
    html = render_message(failed)
    assert articles(html) == [("agent", "failed")]
    for text in ("Failed to generate a response. Please try again.", "overloaded", "Half", "Retry"):
        assert text in html
    assert 'aria-label="Regenerate"' not in html


def test_the_reason_is_shown_only_when_it_is_a_sentence(world: World) -> None:
    message = answer(ask(world, world.thread()), status="failed", error="Restarting")
    assert "Restarting" not in render_message(message)


def test_editing_asks_the_changed_question(world: World, alice: Client) -> None:
    thread = world.thread()
    old = answer(ask(world, thread))
    question = Message.objects.get(kind="user")
    path = f"/chat/{thread.pk}/messages/{question.pk}/edit/"
    assert ">Why?</textarea>" in alice.get(path, headers=HTMX).content.decode()
    html = alice.post(path, {"text": "How?"}, headers=HTMX).content.decode()
    assert articles(html) == [
        (f"message-{question.pk}", "removed"),
        (f"message-{old.pk}", "removed"),
        ("user", "success"),
        ("agent", "pending"),
    ]
    assert alice.get(f"/chat/{thread.pk}/").content.decode().count('<article id="message-') == 2


def test_only_the_author_can_edit(world: World, client: Client) -> None:
    thread = world.thread(world.bob)
    ask(world, thread)
    question = Message.objects.get(kind="user")
    client.force_login(world.bob)
    path = f"/chat/{thread.pk}/messages/{question.pk}/edit/"
    assert client.get(path).status_code == 409
    assert client.post(path, {"text": "Mine"}).status_code == 409


def test_stop_ends_an_answer_and_is_harmless_after_it(world: World, alice: Client) -> None:
    thread = world.thread()
    turn = ask(world, thread)
    path = f"/chat/{thread.pk}/turns/{turn.pk}/stop/"
    html = alice.post(path, headers=HTMX).content.decode()
    assert articles(html) == [("agent", "success")]
    assert "Stopped" in html
    assert alice.post(path, headers=HTMX).content.decode() == html
    assert alice.post(f"/chat/{thread.pk}/turns/{uuid4()}/stop/").status_code == 409


def test_the_partial_tells_the_page_all_it_needs(world: World) -> None:
    thread = world.thread()
    turn = ask(world, thread)
    begin(turn)
    Turn.objects.filter(pk=turn.pk).update(partial="*Half* an", partial_seq=4)
    message = Message.objects.select_related("turn", "agent", "author").get(pk=turn.message_id)
    html = render_message(message)
    for attribute in (
        f'id="message-{message.pk}"',
        'aria-label="Guide: ',
        f'data-message-id="{message.pk}"',
        'data-status="streaming"',
        'data-kind="agent"',
        f'data-position="{message.position}"',
        f'data-seq="{message.seq}"',
        'data-attempt="1"',
        'data-n="4"',
        f'data-requested-by="{world.alice.pk}"',
        f'data-stop-url="/chat/{thread.pk}/turns/{turn.pk}/stop/"',
        '<div class="closed"></div><div class="open">',
    ):
        assert attribute in html
    assert "restarted" not in html
    Turn.objects.filter(pk=turn.pk).update(attempt=2, restarts=1, partial="", partial_seq=0)
    message = Message.objects.select_related("turn", "agent", "author").get(pk=turn.message_id)
    html = render_message(message)
    assert 'data-status="pending"' in html
    assert "the answer was restarted" in html


def test_the_partial_is_one_element_and_the_same_on_the_page(world: World, alice: Client) -> None:
    thread = world.thread()
    message = answer(ask(world, thread), "A **bold** claim\n\n- and a list")
    html = render_message(message).strip()
    assert html.startswith("<article ")
    assert html.endswith("</article>")
    assert html.count("<article") == 1
    assert html in alice.get(f"/chat/{thread.pk}/").content.decode()


def test_a_message_to_a_person_asks_no_agent(world: World, alice: Client) -> None:
    thread = world.thread(world.bob)
    form = {"text": "@Bob what do you think?", "agent": world.agent.pk}
    response = alice.post(f"/chat/{thread.pk}/messages/", form, headers=HTMX)
    assert response.status_code == 200
    assert "what do you think?" in response.content.decode()
    assert not Turn.objects.exists()
