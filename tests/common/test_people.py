"""The world of the tests is what the services make."""

from typing import Any

import pytest
from django.apps import apps
from django.db import transaction

from agents_app.models import AgentKind
from agents_app.services.agents import create_agent
from one_project.accounts.models import Role, User
from one_project.accounts.services.organisations import add_member, create_organisation
from tests.people import PASSWORD, World, make_person, make_world

OURS = {"one_project", "agents_app", "chat_app", "flows_app", "integrations_app", "billing_app"}
# What differs from row to row.
OWN = {"id", "created_at", "updated_at", "slug", "password"}


def _made_by_services() -> World:
    alice, charlie = make_person("Alice"), make_person("Charlie")
    organisation = create_organisation(name="Acme", owner=alice)
    people = {name: make_person(name) for name in ("Adam", "Stella", "Bob")}
    for name, role in (("Adam", Role.ADMIN), ("Stella", Role.STAFF), ("Bob", Role.MEMBER)):
        add_member(organisation, user=people[name], role=role)
    agent = create_agent(
        organisation, name="Guide", kind=AgentKind.SYSTEM_AGENT, prompt="You are Guide."
    )
    elsewhere = create_organisation(name="Elsewhere", owner=charlie)
    return World(
        organisation,
        elsewhere,
        alice,
        people["Adam"],
        people["Stella"],
        people["Bob"],
        charlie,
        agent,
    )


def _rows(world: World) -> dict[str, list[dict[str, str]]]:
    """All rows of all tables in the order of their keys; for ids, what they belong to."""
    people = {one.pk: one.email for one in User.objects.all()}
    others = {world.organisation.pk: "acme", world.elsewhere.pk: "elsewhere"}
    names = {str(pk): name for pk, name in {**people, **others, world.agent.pk: "agent"}.items()}

    def plain(value: Any) -> str:
        text = str(value)
        for pk, name in names.items():
            text = text.replace(pk, name)
        return text

    return {
        model._meta.db_table: [
            {name: plain(value) for name, value in row.items() if name not in OWN}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in apps.get_models()
        if model.__module__.split(".")[0] in OURS and model._default_manager.exists()
    }


@pytest.mark.django_db
def test_the_world_is_what_the_services_would_have_made() -> None:
    found = []
    for make in (_made_by_services, make_world):
        with transaction.atomic():
            world = make()
            rows = _rows(world)
            assert {row["password"][:4] for row in User.objects.values("password")} == {"md5$"}
            transaction.set_rollback(True)
        assert world.alice.check_password(PASSWORD)
        assert world.organisation.slug.startswith("acme-")
        found.append((rows, {name: str(getattr(world, name)) for name in vars(world)}))
    made, quick = found
    assert set(made[0]) >= {"accounts_membership", "accounts_event", "agents_app_agent"}
    assert quick == made
