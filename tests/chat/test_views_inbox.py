"""The inbox and its verbs over HTTP: whose it is, what it shows, and what it costs."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from chat_app.models import Escalation, Routing, Task, Thread
from chat_app.services.escalations import escalate, take_over
from chat_app.services.inbox import read_inbox, waiting_count
from chat_app.services.tasks import create_task
from chat_app.services.threads import add_participants, delete_thread
from tests.chat.test_views_decisions import as_person, question
from tests.chat.tools import call, give_tools, propose, registered_tools
from tests.people import World

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with registered_tools():
        yield


@pytest.fixture
def thread(world: World) -> Thread:
    give_tools(world, "look_up", "write_down", "send_out", "destroy", "ask_human")
    return world.thread(world.bob, title="Letters")


def inbox(client: Client) -> str:
    response = client.get("/chat/inbox/")
    assert response.status_code == 200
    return response.content.decode().split("<main", 1)[1]


def test_an_empty_inbox_says_so(world: World) -> None:
    html = inbox(as_person(world.bob))
    assert "Nothing waits for you" in html


def test_it_shows_what_waits_for_the_person(world: World, thread: Thread) -> None:
    propose(world, thread, call("send_out"))
    question(world, world.thread(title="Drinks"))
    create_task(world.organisation, user=world.alice, title="Water <plants>", priority="high")
    html = inbox(as_person(world.alice))
    for words in ("Waits for your approval", "Letters", "Questions for you", "Drinks", "High"):
        assert words in html
    assert "Water &lt;plants&gt;" in html


def test_staff_see_those_of_others_in_their_threads_only(world: World, thread: Thread) -> None:
    propose(world, thread, call("send_out"))
    assert "Nothing waits for you" in inbox(as_person(world.bob))
    assert "Nothing waits for you" in inbox(as_person(world.stella))
    add_participants(thread, user=world.alice, people=[world.stella])
    html = inbox(as_person(world.stella))
    assert "Letters" in html
    assert "for Alice" in html


def test_nothing_of_another_organisation_or_a_deleted_thread(world: World, thread: Thread) -> None:
    propose(world, thread, call("send_out"))
    escalate(thread, reason="Help", user=world.alice)
    assert not read_inbox(world.charlie, world.elsewhere, is_staff=True).calls
    assert read_inbox(world.charlie, world.elsewhere, is_staff=True).is_empty
    delete_thread(thread, user=world.alice)
    found = read_inbox(world.alice, world.organisation, is_staff=True)
    assert found.is_empty
    assert waiting_count(world.alice, world.organisation, is_staff=True) == 0


def test_the_sidebar_counts_what_waits(world: World, thread: Thread) -> None:
    propose(world, thread, call("send_out"), call("write_down", key="c2"))
    create_task(world.organisation, user=world.alice, title="One more")
    alice = as_person(world.alice)
    assert "</span>3</span>" in alice.get("/chat/sidebar/").content.decode()
    assert "</span>3</span>" in alice.get("/chat/").content.decode()
    assert 'id="inbox-count"' in alice.get("/agents/").content.decode()


def test_as_many_queries_for_many_rows_as_for_few(
    world: World, django_assert_num_queries: Callable[..., object]
) -> None:
    give_tools(world, "send_out", "ask_human")
    stella = as_person(world.stella)
    for count in (1, 4):
        for number in range(count):
            thread = world.thread(world.stella, title=f"{count} {number}")
            propose(world, thread, call("send_out"))
            escalate(thread, reason="Help", user=world.alice)
            create_task(world.organisation, user=world.stella, title="Do", thread_id=thread.pk)
        stella.get("/chat/inbox/")
        with django_assert_num_queries(9):
            stella.get("/chat/inbox/")


def test_tasks_are_ticked_off_and_back_by_their_person_only(world: World) -> None:
    task = create_task(world.organisation, user=world.alice, title="Water")
    path = f"/chat/tasks/{task.pk}/tick/"
    for person in (world.bob, world.adam, world.charlie):
        assert as_person(person).post(path, {"done": "1"}).status_code == 404
    alice = as_person(world.alice)
    assert alice.post(path, {"done": "1"})["Location"] == "/chat/inbox/"
    assert Task.objects.get().done_at is not None
    assert "Done (1)" in inbox(alice)
    alice.post(path, {"done": "0"})
    assert Task.objects.get().done_at is None


def test_asking_for_a_person_taking_over_and_handing_back(world: World, thread: Thread) -> None:
    bob, stella = as_person(world.bob), as_person(world.stella)
    assert bob.post(f"/chat/{thread.pk}/call-person/").status_code == 303
    assert bob.post(f"/chat/{thread.pk}/call-person/").status_code == 303
    escalation = Escalation.objects.get()
    assert "Letters" in inbox(stella)
    assert stella.get(f"/chat/{thread.pk}/").status_code == 404
    take = f"/chat/escalations/{escalation.pk}/take/"
    assert bob.post(take).status_code == 404
    assert as_person(world.charlie).post(take).status_code == 404
    assert stella.post(take)["Location"] == f"/chat/{thread.pk}/"
    assert as_person(world.adam).post(take).status_code == 409
    page = stella.get(f"/chat/{thread.pk}/").content.decode()
    assert "Stella has taken over. Agents are silent until it is handed back." in page
    assert "Hand back" in inbox(stella)
    assert "Letters" not in inbox(as_person(world.adam))
    assert bob.post(f"/chat/{thread.pk}/hand-back/").status_code == 403
    back = stella.post(f"/chat/{thread.pk}/hand-back/", {"next": "inbox"})
    assert back["Location"] == "/chat/inbox/"
    assert stella.post(f"/chat/{thread.pk}/hand-back/").status_code == 409
    assert "has taken over. Agents" not in stella.get(f"/chat/{thread.pk}/").content.decode()


def test_the_banner_comes_and_goes_live(world: World, thread: Thread) -> None:
    from chat_app.live.catch_up import missed_since

    thread.refresh_from_db()
    before = thread.seq
    take_over(escalate(thread, reason="Help", user=world.bob), by=world.stella)
    missed = missed_since(thread.pk, before)
    assert missed is not None
    assert "Stella has taken over. Agents" in missed.record.decode()


def test_who_answers_is_set_by_those_who_take_part(world: World, thread: Thread) -> None:
    path = f"/chat/{thread.pk}/answering/"
    other = type(world.agent).objects.create(organisation=world.organisation, name="Other")
    bob = as_person(world.bob)
    for headers in ({}, HTMX):
        assert "Nearest description" in bob.get(path, headers=headers).content.decode()
    html = bob.post(path, {"routing": "similarity", "agent": other.pk}, headers=HTMX)
    assert "The nearest agent answers" in html.content.decode()
    thread.refresh_from_db()
    assert (thread.routing, thread.agent) == (Routing.SIMILARITY, other)
    assert bob.post(path, {"routing": "chance"}).status_code == 422
    foreign = type(world.agent).objects.create(organisation=world.elsewhere, name="Foreign")
    assert bob.post(path, {"routing": "assigned", "agent": foreign.pk}).status_code == 404
    assert bob.post(path, {"routing": "assigned"}).status_code == 303
    thread.refresh_from_db()
    assert (thread.routing, thread.agent) == (Routing.ASSIGNED, other)
    assert as_person(world.stella).post(path, {"routing": "assigned"}).status_code == 404
