"""The search page, the search at the side, and the way into a long thread."""

import pytest
from django.test import Client

from agents_app.providers.parts import TextPart
from chat_app.models import Message, Thread
from chat_app.services.messages import save_messages
from chat_app.types import MessageDraft
from one_project.accounts.models import User
from tests.people import World

pytestmark = pytest.mark.django_db


def say(thread: Thread, *texts: str) -> list[Message]:
    return save_messages(
        thread, [MessageDraft(kind="user", parts=[TextPart(text)]) for text in texts]
    )


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_side_finds_messages_as_one_types(world: World) -> None:
    thread = world.thread(title="Plans")
    [said] = say(thread, "The harbour opens at nine & ten")
    page = client_of(world.alice).get("/chat/sidebar/?q=harb").content.decode()
    assert f"/chat/{thread.pk}/?at={said.pk}#message-{said.pk}" in page
    assert "The <mark>harbour</mark> opens at nine &amp; ten" in page
    assert str(said.pk) not in client_of(world.bob).get("/chat/sidebar/?q=harb").content.decode()


def test_the_page_says_when_it_searches_by_words_only(world: World) -> None:
    say(world.thread(), "The harbour opens")
    page = client_of(world.alice).get("/chat/search/?q=harbours").content.decode()
    assert "<mark>harbour</mark>" in page
    waited = client_of(world.alice).get("/chat/search/?q=harbours&meaning=1").content.decode()
    assert "Found by words only: there is no embedding model" in waited
    nothing = client_of(world.alice).get("/chat/search/?q=zebra&meaning=1").content.decode()
    assert "Nothing was found" in nothing
    assert client_of(world.alice).get("/chat/search/?q=%00%22-").status_code == 200


def test_a_hit_opens_with_what_stands_before_and_after_it(world: World) -> None:
    thread = world.thread()
    messages = say(thread, *[f"number {index}" for index in range(60)])
    client = client_of(world.alice)
    page = client.get(f"/chat/{thread.pk}/?at={messages[30].pk}").content.decode()
    shown = [index for index in range(60) if f"message-{messages[index].pk}" in page]
    assert shown == list(range(21, 41))
    assert "?before=" in page
    assert "?after=" in page
    cursor = page.partition("?after=")[2].partition('"')[0]
    later = client.get(
        f"/chat/{thread.pk}/messages/?after={cursor}", headers={"HX-Request": "true"}
    )
    assert [
        index for index in range(60) if f"message-{messages[index].pk}" in later.content.decode()
    ] == list(range(41, 60))


def test_a_hit_that_is_gone_leads_to_the_newest_messages(world: World) -> None:
    thread = world.thread()
    say(thread, *[f"number {index}" for index in range(30)])
    page = client_of(world.alice).get(f"/chat/{thread.pk}/?at={thread.pk}").content.decode()
    assert "number 29" in page
