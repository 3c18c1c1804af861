"""The pages of connections: who sees what, forms that lose nothing but secrets, live changes."""

import re
from typing import Any

import pytest

from agents_app.models import Tool
from integrations_app.models import Connection, Integration
from one_project.workflows.models import WorkItem
from tests.agents.browsing import client_of, queries, text_of
from tests.people import World

pytestmark = pytest.mark.django_db

SECRET = "canary-page-password"
FORM = {
    "name": "Our post",
    "priority": "100",
    "owner": "me",
    "settings__host": "mail.example.invalid",
    "settings__port": "587",
    "settings__security": "starttls",
    "settings__from_email": "one@example.com",
    "credentials__username": "one",
    "credentials__password": SECRET,
}


def made(world: World, name: str = "Our post", **more: Any) -> Integration:
    given: dict[str, Any] = {
        "provider": "smtp",
        "channel_type": "email",
        "status": "active",
        "settings": {"host": "mail.example.invalid", "from_email": "one@example.com"},
        "credentials": {"username": "one", "password": SECRET},
        "hint": "••••word",
        **more,
    }
    return Integration.objects.create(organisation=world.organisation, name=name, **given)


def test_the_first_visit_says_what_it_is_for(world: World) -> None:
    text = text_of(world.bob, "/connections/")
    assert "Nothing is connected yet" in text
    assert 'href="/connections/providers/"' in text


def test_everybody_sees_their_own_and_the_organisations(world: World) -> None:
    made(world, "Own of Bob", user=world.bob)
    made(world, "The house post", last_error="The provider could not be reached.")
    bobs, stellas = text_of(world.bob, "/connections/"), text_of(world.stella, "/connections/")
    assert "Own of Bob" in bobs
    assert "Own of Bob" not in stellas
    for text in (bobs, stellas):
        assert "The house post" in text
        assert "The provider could not be reached." in text
    # An admin may stop what is somebody's own, and does not get to its page.
    admins = text_of(world.adam, "/connections/")
    assert "People’s own" in admins
    own = Integration.objects.get(name="Own of Bob")
    assert f'action="/connections/{own.pk}/pause/"' in admins
    assert f'href="/connections/{own.pk}/"' not in admins
    assert "The house post" not in text_of(world.charlie, "/connections/")


def test_a_long_list_costs_no_more(world: World) -> None:
    def add(number: int) -> None:
        row = made(world, f"Post {number}", user=world.bob)
        Connection.objects.create(
            organisation=world.organisation, integration=row, user=world.bob, status="active"
        )

    add(1)
    few = queries(world.bob, "/connections/")
    for number in range(2, 12):
        add(number)
    assert queries(world.bob, "/connections/") == few


def test_programs_get_the_list_without_anything_secret(world: World) -> None:
    made(world, user=world.bob)
    answer = client_of(world.bob).get("/connections/", headers={"Accept": "application/json"})
    found = answer.json()["integrations"]
    assert [one["name"] for one in found] == ["Our post"]
    assert not {"credentials", "settings", "hint"} & set(found[0])


def test_choosing_a_provider_by_kind_and_by_words(world: World) -> None:
    text = text_of(world.bob, "/connections/providers/?q=smtp")
    assert "/connections/new/smtp/" in text
    assert "/connections/new/slack/" not in text
    assert "/connections/new/smtp/" not in text_of(world.bob, "/connections/providers/?channel=sms")
    assert "No service is like that" in text_of(world.bob, "/connections/providers/?q=nowhere")
    assert client_of(world.bob).get("/connections/new/nowhere/").status_code == 404


def test_a_form_keeps_what_was_typed_except_secrets(world: World) -> None:
    wrong = {**FORM, "settings__from_email": "nobody", "settings__port": "99999"}
    answer = client_of(world.bob).post("/connections/new/smtp/", wrong)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="mail.example.invalid"' in text
    assert 'value="nobody"' in text
    assert "Must be an e-mail address." in text
    assert 'id="id_settings__port_error"' in text
    assert SECRET not in text
    assert "Please type the credentials once more" in text
    assert not Integration.objects.exists()


def test_an_address_inside_is_refused_beside_its_box(world: World) -> None:
    answer = client_of(world.bob).post(
        "/connections/new/smtp/", {**FORM, "settings__host": "127.0.0.1"}
    )
    assert answer.status_code == 422
    error = re.search(r'id="id_settings__host_error">([^<]*)<', answer.content.decode())
    assert error is not None
    assert "public internet" in error[1]


def test_what_is_saved_is_tested_and_shows_no_secret(world: World) -> None:
    answer = client_of(world.bob).post("/connections/new/smtp/", FORM)
    row = Integration.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/connections/{row.pk}/")
    assert (row.user, row.status) == (world.bob, "draft")
    assert WorkItem.objects.filter(function="integrations.try").count() == 1
    text = text_of(world.bob, f"/connections/{row.pk}/")
    assert "The connection is being tested" in text
    assert "••••word" in text
    assert SECRET not in text
    assert 'autocomplete="off"' in text


def test_members_do_not_set_up_for_everybody(world: World) -> None:
    assert 'value="organisation"' not in text_of(world.bob, "/connections/new/smtp/")
    forged = client_of(world.bob).post("/connections/new/smtp/", {**FORM, "owner": "organisation"})
    assert forged.status_code == 422
    answer = client_of(world.adam).post(
        "/connections/new/smtp/", {**FORM, "owner": "organisation", "is_default": "on"}
    )
    assert answer.status_code == 303
    assert Integration.objects.get().is_default


def test_changing_says_when_somebody_else_was_first(world: World) -> None:
    row = made(world, user=world.bob, meta={"version": 3})
    form = {**FORM, "credentials__password": "", "credentials__username": "", "seen": "2"}
    answer = client_of(world.bob).post(f"/connections/{row.pk}/", {**form, "name": "Other"})
    assert answer.status_code == 409
    assert "Somebody else has changed this" in answer.content.decode()
    assert 'value="Other"' in answer.content.decode()


def test_who_may_only_use_it_sees_no_settings(world: World) -> None:
    row = made(world)
    text = text_of(world.bob, f"/connections/{row.pk}/")
    assert "mail.example.invalid" not in text
    assert "••••word" not in text
    form = {**FORM, "seen": "1"}
    assert client_of(world.bob).post(f"/connections/{row.pk}/", form).status_code == 404


def test_the_page_follows_a_test(world: World) -> None:
    row = made(world, user=world.bob, status="draft")
    client = client_of(world.bob)
    begun = client.post(f"/connections/{row.pk}/test/", headers={"HX-Request": "true"})
    text = begun.content.decode()
    assert "The connection is being tested" in text
    live = re.search(r'hx-get="([^"]+)"', text)
    assert live is not None
    assert "every 2s" in text
    assert client.get(live[1]).status_code == 204
    Integration.objects.filter(pk=row.pk).update(status="active")
    assert client.get(live[1]).status_code == 200
    listed = text_of(world.bob, "/connections/")
    again = re.search(r'hx-get="(/connections/live/\?version=\w+)"', listed)
    assert again is not None
    assert client.get(again[1]).status_code == 204
    made(world, "Another", user=world.bob)
    assert client.get(again[1]).status_code == 200


def test_removing_says_what_stops_working(world: World) -> None:
    row = made(world, user=world.bob)
    Tool.objects.create(
        organisation=world.organisation,
        name="send_from_post",
        kind="integration",
        action="send_email",
        integration_id=row.pk,
        created_by=world.bob,
    )
    text = text_of(world.bob, f"/connections/{row.pk}/")
    assert "These stop working: send_from_post (tool)" in text
    assert client_of(world.bob).post(f"/connections/{row.pk}/remove/").status_code == 303
    assert not Integration.objects.exists()
