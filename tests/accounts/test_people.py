"""Signing up and in, and which organisation a person works in."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client, override_settings

from agents_app.access import access_agent
from agents_app.errors import AgentNotFound
from agents_app.models import Agent, AgentKind
from agents_app.services.agents import create_agent
from one_project.accounts.access import access_membership
from one_project.accounts.models import Membership, Role, User
from one_project.accounts.services.organisations import add_member, create_organisation
from one_project.common.errors import AccessDenied, InvalidInput, NotFound
from tests.people import PASSWORD, World


def test_a_new_person_gets_an_organisation_of_their_own(client: Client, db: None) -> None:
    form = {"email": "New.Person@example.test", "password1": PASSWORD}
    assert client.post("/accounts/signup/", form).status_code == 302
    membership = Membership.objects.get(user__email__iexact="new.person@example.test")
    assert membership.role == Role.OWNER
    assert client.get("/chat/").status_code == 200


def test_people_sign_in_by_email_in_any_case(client: Client, world: World) -> None:
    form = {"login": "ALICE@Example.test", "password": PASSWORD}
    response = client.post("/accounts/login/", form)
    assert (response.status_code, response["Location"]) == (302, "/chat/")


def test_a_wrong_password_tells_nothing_about_the_account(client: Client, world: World) -> None:
    def answer(email: str) -> str:
        form = {"login": email, "password": "wrong-password"}
        page = client.post("/accounts/login/", form).content.decode()
        return page.replace(email, "")

    assert client.post("/accounts/login/", {"login": "x", "password": "y"}).status_code == 200
    assert "alice" not in answer("alice@example.test").lower()


def test_addresses_differ_by_more_than_case(world: World) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email="ALICE@example.test")


def test_a_person_without_an_organisation_is_told_so(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("lone@example.test", PASSWORD))
    response = client.get("/chat/")
    assert response.status_code == 403
    assert "organisation" in response.content.decode()


def test_a_person_of_two_organisations_chooses_one(client: Client, world: World) -> None:
    add_member(world.elsewhere, user=world.bob)
    client.force_login(world.bob)
    client.post("/accounts/organisation/", {"organisation": str(world.elsewhere.pk)})
    assert "Elsewhere" in client.get("/chat/").content.decode()
    Membership.objects.filter(user=world.bob, organisation=world.elsewhere).update(is_active=False)
    assert "Acme" in client.get("/chat/").content.decode()


def test_rights_follow_the_role_and_outsiders_find_nothing(world: World) -> None:
    assert access_membership(world.adam, world.organisation, Role.ADMIN)
    with pytest.raises(AccessDenied):
        access_membership(world.bob, world.organisation, Role.STAFF)
    with pytest.raises(NotFound):
        access_membership(world.charlie, world.organisation)
    Membership.objects.filter(user=world.bob).update(is_active=False)
    with pytest.raises(NotFound):
        access_membership(world.bob, world.organisation)


def test_agents_of_the_organisation_are_made_by_admins(world: World) -> None:
    with pytest.raises(AccessDenied):
        create_agent(
            world.organisation, name="X", kind=AgentKind.SYSTEM_AGENT, created_by=world.bob
        )
    with pytest.raises(NotFound):
        create_agent(world.organisation, name="X", created_by=world.charlie)
    with pytest.raises(InvalidInput):
        create_agent(world.organisation, name=" \x00 ", created_by=world.bob)
    with pytest.raises(InvalidInput):
        create_agent(world.organisation, name="X", kind="robot", created_by=world.bob)


def test_a_persons_own_agent_is_private_until_shared(world: World) -> None:
    own = create_agent(world.organisation, name="Mine", created_by=world.bob)
    assert access_agent(world.bob, world.organisation, own.pk) == own
    with pytest.raises(AgentNotFound):
        access_agent(world.alice, world.organisation, own.pk)
    Agent.objects.filter(pk=own.pk).update(is_shared=True)
    assert access_agent(world.alice, world.organisation, own.pk) == own
    for other in (world.elsewhere, create_organisation(name="Third", owner=world.alice)):
        with pytest.raises(AgentNotFound):
            access_agent(world.alice, other, own.pk)


def test_agents_delegate_only_inside_their_organisation(world: World) -> None:
    foreign = create_agent(world.elsewhere, name="Foreign")
    with pytest.raises(InvalidInput):
        create_agent(world.organisation, name="X", delegates_to=[foreign])
    friend = create_agent(world.organisation, name="Friend", delegates_to=[world.agent])
    assert list(friend.delegates_to.all()) == [world.agent]


@override_settings(DEBUG=True)
def test_development_accounts_are_made_once(db: None) -> None:
    call_command("seed_development")
    call_command("seed_development")
    assert User.objects.count() == 4
    outsider = Membership.objects.get(user__email="outsider@one.test")
    assert not Membership.objects.filter(
        organisation=outsider.organisation, user__email="admin@one.test"
    ).exists()
    assert Agent.objects.filter(organisation__slug="one").count() == 4


def test_development_accounts_are_never_made_in_production(db: None) -> None:
    with pytest.raises(CommandError):
        call_command("seed_development")
    assert not User.objects.exists()


@pytest.mark.parametrize("size", [200_000, 5_000_000])
def test_what_is_far_too_large_is_told_so(client: Client, world: World, size: int) -> None:
    thread = world.thread()
    client.force_login(world.alice)
    response = client.post(f"/chat/{thread.pk}/messages/", {"text": "x" * size})
    assert response.status_code == 413
    assert thread.messages.count() == 0


def test_json_clients_get_typed_errors(client: Client, world: World) -> None:
    client.force_login(world.alice)
    response = client.post(
        f"/chat/{world.thread().pk}/messages/",
        {"text": " "},
        headers={"Accept": "application/json"},
    )
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "invalid_input"
