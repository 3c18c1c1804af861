"""Naming, archiving, deleting with undo, and people, over HTTP."""

import pytest
from django.test import Client

from chat_app.models import Thread, ThreadParticipant, ThreadStatus
from tests.people import World

HTMX = {"HX-Request": "true"}


@pytest.fixture
def alice(world: World, client: Client) -> Client:
    client.force_login(world.alice)
    return client


def test_renaming(world: World, alice: Client) -> None:
    thread = world.thread(title="Old")
    path = f"/chat/{thread.pk}/rename/"
    assert 'value="Old"' in alice.get(path, headers=HTMX).content.decode()
    html = alice.post(path, {"title": "A <new> title"}, headers=HTMX).content.decode()
    assert 'id="thread-title"' in html
    assert "A &lt;new&gt; title" in html
    assert alice.post(path, {"title": "Third"}).status_code == 303
    assert alice.post(path, {"title": "  "}).status_code == 422
    assert Thread.objects.get().title == "Third"


def test_archiving_and_back(world: World, alice: Client) -> None:
    thread = world.thread()
    for value, status in (("1", ThreadStatus.ARCHIVED), ("0", ThreadStatus.ACTIVE)):
        response = alice.post(f"/chat/{thread.pk}/archive/", {"archived": value})
        assert response["Location"] == f"/chat/{thread.pk}/"
        assert Thread.objects.get().status == status


def test_deleting_offers_to_take_it_back(world: World, alice: Client) -> None:
    thread = world.thread(title="Gone")
    page = alice.post(f"/chat/{thread.pk}/delete/", follow=True).content.decode()
    assert f'action="/chat/{thread.pk}/restore/"' in page
    assert "Undo" in page
    assert alice.get(f"/chat/{thread.pk}/").status_code == 404
    assert "Undo" not in alice.get("/chat/").content.decode()
    assert alice.post(f"/chat/{thread.pk}/restore/")["Location"] == f"/chat/{thread.pk}/"
    assert alice.get(f"/chat/{thread.pk}/").status_code == 200


def test_only_who_began_a_thread_is_offered_its_deletion(world: World, client: Client) -> None:
    thread = world.thread(world.bob)
    client.force_login(world.bob)
    assert "/delete/" not in client.get(f"/chat/{thread.pk}/").content.decode()
    assert client.post(f"/chat/{thread.pk}/delete/").status_code == 403
    assert client.post(f"/chat/{thread.pk}/restore/").status_code == 404


def test_people_are_added_and_removed(world: World, alice: Client) -> None:
    thread = world.thread()
    path = f"/chat/{thread.pk}/people/"
    html = alice.get(path, headers=HTMX).content.decode()
    assert "Bob" in html
    assert "Charlie" not in html
    html = alice.post(path, {"member": [world.bob.pk]}, headers=HTMX).content.decode()
    assert "Remove Bob" in html
    assert 'aria-label="People (2)"' in html
    html = alice.post(f"{path}{world.bob.pk}/remove/", headers=HTMX).content.decode()
    assert 'aria-label="People (1)"' in html
    assert not ThreadParticipant.objects.filter(user=world.bob).exists()


def test_only_members_of_the_organisation_can_be_added(world: World, alice: Client) -> None:
    path = f"/chat/{world.thread().pk}/people/"
    assert alice.post(path, {"member": [world.charlie.pk]}).status_code == 404
    assert alice.post(path, {"member": ["x", ""]}).status_code == 422
    assert not ThreadParticipant.objects.filter(user=world.charlie).exists()


def test_leaving_leads_to_the_start(world: World, client: Client) -> None:
    thread = world.thread(world.bob)
    client.force_login(world.bob)
    response = client.post(f"/chat/{thread.pk}/people/{world.bob.pk}/remove/", headers=HTMX)
    assert response["HX-Redirect"] == "/chat/"
    assert client.get(f"/chat/{thread.pk}/").status_code == 404


def test_members_cannot_remove_others(world: World, client: Client) -> None:
    thread = world.thread(world.bob)
    client.force_login(world.bob)
    path = f"/chat/{thread.pk}/people/{world.alice.pk}/remove/"
    assert client.post(path).status_code == 403
    assert client.post(f"/chat/{thread.pk}/people/{world.charlie.pk}/remove/").status_code == 404
