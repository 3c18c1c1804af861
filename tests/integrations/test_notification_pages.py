"""The bell, the inbox, the switches and the workflows in the browser's terms."""

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations_app.models import Notification, NotificationWorkflow, Preference
from integrations_app.services import topics
from integrations_app.services.notification_workflows import Draft, create_workflow
from tests.people import World
from tests.workflows import by_hand

HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}
STEPS = [{"kind": "in_app", "title": "Hello {{ payload.name }}"}]


@pytest.fixture
def bob(world: World, client: Client) -> Client:
    client.force_login(world.bob)
    return client


@pytest.fixture
def adam(world: World, client: Client) -> Client:
    client.force_login(world.adam)
    return client


def told(world: World, title: str, **more: Any) -> Notification:
    return Notification.objects.create(
        organisation=world.organisation, user=world.bob, workflow="news", transaction_id=title,
        title=title, shown_at=timezone.now(), **more,
    )  # fmt: skip


def test_the_inbox_lists_counts_opens_and_puts_away(world: World, bob: Client) -> None:
    first = told(world, "Look <here>", url="/agents/", body="<script>")
    told(world, "Second")
    page = bob.get("/notifications/")
    assert "Look &lt;here&gt;" in page.text
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text
    # Listed is seen, not read.
    first.refresh_from_db()
    assert (first.seen_at is not None, first.read_at) == (True, None)
    assert "Notifications, 2 new" in bob.get("/notifications/bell/").text
    address = f"/notifications/?v={page.context['version']}"
    assert bob.get(address, headers=HTMX).status_code == 204
    opened = bob.get(f"/notifications/{first.pk}/")
    assert (opened.status_code, opened["Location"]) == (302, "/agents/")
    assert bob.get("/notifications/bell/", headers=JSON).json() == {"unread": 1}
    assert bob.get(address, headers=HTMX).status_code == 200
    # What is done answers with the list as it is now.
    answer = bob.post(f"/notifications/{first.pk}/archive/", headers=HTMX)
    assert "Look" not in answer.text
    assert "Look" in bob.get("/notifications/?show=archived").text
    assert bob.post(f"/notifications/{first.pk}/snooze/", {"until": "x"}).status_code == 422
    assert bob.post(f"/notifications/{first.pk}/snooze/", {"until": "hour"}).status_code == 303
    assert "Look" in bob.get("/notifications/?show=snoozed").text
    bob.post("/notifications/read/")
    assert "All read" in bob.get("/notifications/?show=unread").text


def test_programs_read_the_inbox_page_by_page(world: World, bob: Client) -> None:
    for number in range(31):
        told(world, f"N{number}")
    first = bob.get("/notifications/", headers=JSON).json()
    assert (first["unread"], len(first["notifications"])) == (31, 30)
    rest = bob.get("/notifications/", {"after": first["after"]}, headers=JSON).json()
    assert ([one["title"] for one in rest["notifications"]], rest["after"]) == (["N0"], "")
    key = rest["notifications"][0]["id"]
    changed = bob.post(f"/notifications/{key}/read/", headers=JSON).json()
    assert changed["read_at"] is not None


def test_the_bell_is_on_every_page_of_a_person(bob: Client) -> None:
    for address in ("/chat/", "/agents/", "/lessons/", "/notifications/", "/connections/"):
        assert bob.get(address).text.count('id="bell"') == 1, address


def test_switches_are_stored_one_by_one(world: World, bob: Client) -> None:
    topic = topics.create_topic(world.organisation, key="ops", name="Operations")
    topics.subscribe(topic, [world.bob])
    page = bob.get("/notifications/preferences/")
    assert "My work: E-mail" in page.text
    assert "Operations: not by" in page.text
    off = {"category": "lessons", "channel": "sms"}
    answer = bob.post("/notifications/preferences/", off, headers=HTMX)
    assert 'id="wish-lessons-sms"' in answer.text
    assert Preference.objects.get().is_on is False
    found = bob.get("/notifications/preferences/", headers=JSON).json()["preferences"]
    assert (found["lessons"]["sms"], found["lessons"]["email"]) == (False, True)
    bob.post("/notifications/preferences/topics/ops/", {"muted": ["sms", "push"]})
    assert topics.is_muted(world.bob.pk, topic.pk, "push")
    assert bob.post("/notifications/preferences/topics/nope/").status_code == 404
    bob.post("/notifications/preferences/reset/")
    assert Preference.objects.count() == 0


def test_an_admin_writes_tries_and_deletes_a_workflow(world: World, adam: Client) -> None:
    assert "A message to a person" in adam.get("/connections/workflows/").text
    assert adam.get("/connections/workflows/new/").status_code == 200
    form = {"key": "hello", "name": "Hello", "category": "general", "is_active": "on"}
    checked = adam.post("/connections/workflows/check/", {**form, "steps": json.dumps(STEPS)})
    assert "Show “Hello {{ payload.name }}” in the inbox." in checked.text
    for wrong, says in (
        ('[{"kind": "in_app", "title": "{{ x.y }}"}]', "steps.0.title"),
        ("[{", "line 1"),
        ("{}", "Steps are a list."),
    ):
        answer = adam.post("/connections/workflows/new/", {**form, "steps": wrong})
        assert answer.status_code == 422
        assert says in answer.text
        # What was typed stays in the box.
        assert answer.text.count("{{ x.y }}") >= wrong.count("{{ x.y }}")
    assert adam.post(
        "/connections/workflows/new/", {**form, "steps": json.dumps(STEPS)}
    ).status_code == 303  # fmt: skip
    row = NotificationWorkflow.objects.get()
    address = f"/connections/workflows/{row.pk}/"
    page = adam.get(address)
    assert "It has not been triggered yet." in page.text
    same = {**form, "steps": json.dumps(STEPS), "read_at": page.context["read_at"]}
    assert adam.post(address, {**same, "name": "Better"}).status_code == 303
    assert adam.post(address, {**same, "name": "Late"}).status_code == 409
    tried = adam.post("/connections/workflows/try/hello/", {"payload": '{"name": "Adam"}'})
    by_hand.drain()
    told_one = Notification.objects.get(user=world.adam)
    assert told_one.title == "Hello Adam"
    assert tried["Location"] == f"/connections/notifications/{told_one.pk}/"
    assert str(told_one.pk) in adam.get(address).text
    assert adam.post(f"{address}delete/").status_code == 303
    assert NotificationWorkflow.objects.count() == 0


def test_workflows_are_for_the_admins_of_their_organisation(world: World, client: Client) -> None:
    draft = Draft(key="hello", name="Hello", steps=STEPS)
    row = create_workflow(world.organisation, draft, by=world.adam)
    client.force_login(world.stella)
    assert client.get("/connections/workflows/").status_code == 403
    client.force_login(world.charlie)
    assert client.get(f"/connections/workflows/{row.pk}/").status_code == 404
