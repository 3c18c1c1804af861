"""The pages of the chat: what they show, to whom, and that no address breaks them."""

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from agents_app.providers.parts import TextPart
from chat_app.models import Message, Thread, ThreadParticipant, Turn
from chat_app.services.conversation import send_agent_message
from chat_app.services.messages import save_messages
from chat_app.types import MessageDraft
from tests.people import World

HTMX = {"HX-Request": "true"}
HOSTILE = ["%00", "'", '"><script>', "\\", "😀", "a" * 5000, "-", "'':*", "%", "W1tb" * 40, "null"]


@pytest.fixture
def alice(world: World, client: Client) -> Client:
    client.force_login(world.alice)
    return client


def filled(thread: Thread, count: int) -> None:
    drafts = [MessageDraft(kind="user", parts=[TextPart(f"number {n}")]) for n in range(count)]
    save_messages(thread, drafts)


def ids_of(html: str) -> list[str]:
    return re.findall(r'<article id="message-([0-9a-f-]{36})"', html)


def test_the_root_leads_to_the_chat(client: Client) -> None:
    assert client.get("/")["Location"] == "/chat/"


def test_the_home_page_offers_agents_and_starters(world: World, alice: Client) -> None:
    world.agent.starters = ["What is <new>?"]
    world.agent.save()
    html = alice.get("/chat/").content.decode()
    assert "What is &lt;new&gt;?" in html
    for name in ('aria-label="Message"', 'aria-label="Send"', 'aria-label="Stop"', "New thread"):
        assert name in html


def test_an_agent_of_the_address_is_preselected(world: World, alice: Client) -> None:
    other = type(world.agent).objects.create(organisation=world.organisation, name="Other")
    html = alice.get(f"/chat/?agent={other.pk}").content.decode()
    assert re.search(rf'value="{other.pk}"\s+form="composer" checked', html)


def test_a_first_message_begins_a_thread(world: World, alice: Client) -> None:
    form = {"text": "Hello there", "agent": world.agent.pk, "client_key": "not a key"}
    response = alice.post("/chat/", form)
    thread = Thread.objects.get()
    assert response.status_code == 303
    assert response["Location"] == f"/chat/{thread.pk}/"
    assert Turn.objects.get().requested_by == world.alice
    assert alice.post("/chat/", form, headers=HTMX)["HX-Redirect"].startswith("/chat/")


def test_a_starter_button_beside_an_empty_box_counts(world: World, alice: Client) -> None:
    alice.post("/chat/", {"text": ["", "Tell me more"], "agent": world.agent.pk})
    assert Message.objects.get(kind="user").text == "Tell me more"


@pytest.mark.parametrize(("text", "status"), [("", 422), ("x" * 40_000, 413)])
def test_a_message_that_cannot_be_sent_stays_in_the_box(
    world: World, alice: Client, text: str, status: int
) -> None:
    thread = world.thread()
    for address in ("/chat/", f"/chat/{thread.pk}/messages/"):
        response = alice.post(address, {"text": text, "agent": world.agent.pk})
        assert response.status_code == status
        assert f">{text}</textarea>" in response.content.decode()
        fragment = alice.post(address, {"text": text, "agent": world.agent.pk}, headers=HTMX)
        assert fragment.status_code == status
        assert fragment["HX-Retarget"] == "#notices"
    assert not Message.objects.exists()


def test_a_thread_shows_its_newest_messages_in_order(world: World, alice: Client) -> None:
    thread = world.thread(title="Long")
    filled(thread, 70)
    expected = [str(pk) for pk in thread.messages.in_order().values_list("pk", flat=True)]
    html = alice.get(f"/chat/{thread.pk}/").content.decode()
    shown = ids_of(html)
    assert shown == expected[40:]
    while cursor := re.search(r'hx-get="[^"]*\?before=([^"]+)"', html):
        html = alice.get(f"/chat/{thread.pk}/?before={cursor[1]}", headers=HTMX).content.decode()
        assert "<html" not in html
        shown = ids_of(html) + shown
    assert shown == expected


def test_a_page_is_as_many_queries_for_many_messages_as_for_few(
    world: World, alice: Client, django_assert_num_queries: Callable[..., object]
) -> None:
    threads = [world.thread(), world.thread()]
    for thread, count in zip(threads, (2, 25), strict=True):
        filled(thread, count)
        send_agent_message(thread, content="And?", author=world.alice)
        alice.get(f"/chat/{thread.pk}/")
    for thread in threads:
        with django_assert_num_queries(15):
            alice.get(f"/chat/{thread.pk}/")
        with django_assert_num_queries(6):
            alice.get("/chat/sidebar/")


def test_opening_a_thread_marks_it_read(world: World, alice: Client) -> None:
    thread = world.thread(world.bob, title="Plans")
    send_agent_message(thread, content="Hi", author=world.bob, answer=False)
    assert "data-unread>" in alice.get("/chat/sidebar/").content.decode()
    alice.get(f"/chat/{thread.pk}/")
    part = ThreadParticipant.objects.get(thread=thread, user=world.alice)
    thread.refresh_from_db()
    assert part.read_seq == thread.message_seq
    assert "data-unread>" not in alice.get("/chat/sidebar/").content.decode()


def test_threads_are_grouped_by_day_and_loaded_page_by_page(world: World, alice: Client) -> None:
    for number in range(45):
        thread = world.thread(title=f"Thread {number}")
        at = timezone.now() - timedelta(days=number)
        Thread.objects.filter(pk=thread.pk).update(last_activity_at=at)
    html = alice.get("/chat/sidebar/").content.decode()
    groups = re.findall(r'class="group"[^>]*>([^<]+)<', html)
    assert groups == ["Today", "Yesterday", "Previous 7 days", "Older"]
    assert html.count('class="thread-link"') == 30
    following = re.search(r'hx-get="(/chat/sidebar/\?cursor=[^"]+)"', html)
    assert following is not None
    rest = alice.get(following[1].replace("&amp;", "&")).content.decode()
    assert rest.count('class="thread-link"') == 15
    assert 'class="group"' not in rest
    assert alice.get("/chat/sidebar/?shown=30&shown=15").content.decode().count("thread-name") == 45


def test_search_finds_words_of_titles_by_their_beginning(world: World, alice: Client) -> None:
    world.thread(title="Quarterly report")
    world.thread(title="Holiday photos")
    html = alice.get("/chat/sidebar/?q=REPORT+quar").content.decode()
    assert "Quarterly report" in html
    assert "Holiday" not in html
    nothing = alice.get("/chat/sidebar/?q=zebra").content.decode()
    assert "No title or message has these words" in nothing


def test_archived_threads_have_a_list_of_their_own(world: World, alice: Client) -> None:
    thread = world.thread(title="Old plans")
    alice.post(f"/chat/{thread.pk}/archive/", {"archived": "1"})
    assert "Old plans" not in alice.get("/chat/sidebar/").content.decode()
    assert "Old plans" in alice.get("/chat/sidebar/?archived=1").content.decode()


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "address",
    [
        "/chat/?q={}&agent={}",
        "/chat/sidebar/?q={}&current={}&archived={}&after={}",
        "/chat/sidebar/?cursor={}",
        "/chat/sidebar/?shown={}",
        "/chat/THREAD/?before={}",
        "/chat/THREAD/messages/?before={}",
        "/chat/THREAD/people/?q={}",
        "/chat/{}/",
    ],
)
def test_no_address_breaks_a_page(world: World, alice: Client, address: str, value: str) -> None:
    thread = world.thread()
    path = address.replace("THREAD", str(thread.pk)).replace("{}", quote(value, safe="%"))
    assert alice.get(path).status_code in {200, 404, 422}


@pytest.mark.parametrize("value", ["\x00", "x" * 300, "😀", "'; --", b"\xff\xfe"])
def test_no_posted_value_breaks_a_view(world: World, alice: Client, value: object) -> None:
    thread = world.thread()
    base = f"/chat/{thread.pk}"
    form = dict.fromkeys(("text", "agent", "client_key", "title", "member", "archived"), value)
    for path in ("/chat/", f"{base}/messages/", f"{base}/rename/", f"{base}/people/"):
        assert alice.post(path, form).status_code < 500


def test_strangers_see_nothing(world: World, client: Client) -> None:
    thread = world.thread(title="Private")
    client.force_login(world.bob)
    for path in ("", "people/", "rename/", "messages/"):
        assert client.get(f"/chat/{thread.pk}/{path}").status_code == 404
    assert "Private" not in client.get("/chat/sidebar/").content.decode()


def test_the_pages_hold_no_inline_script_or_style(world: World, alice: Client) -> None:
    thread = world.thread()
    send_agent_message(thread, content="Hi", author=world.alice)
    for path in ("/chat/", f"/chat/{thread.pk}/", "/agents/", f"/chat/{thread.pk}/people/"):
        html = alice.get(path).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|hx-on|javascript:", html)
