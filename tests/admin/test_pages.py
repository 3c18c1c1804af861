"""Every page of the admin renders for whom it is meant, at a cost that does not grow."""

from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing_app.models import Invoice, UsageRecord
from one_project.accounts.models import Organisation, User
from tests.admin.conftest import page, signed_in
from tests.admin.rows import MAKERS
from tests.people import World

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)


def make(model: type[Model], number: int, organisation: Organisation) -> list[Model]:
    return [MAKERS[model](organisation) for _ in range(number)]


def test_every_registered_model_is_tested() -> None:
    assert set(MAKERS) == set(MODELS)


@every_model
def test_pages_open_for_a_superuser(root: Client, world: World, model: type[Model]) -> None:
    row = make(model, 2, world.organisation)[0]
    model_admin = admin.site.get_model_admin(model)
    assert root.get(page(model, "changelist")).status_code == 200
    assert root.get(page(model, "change", row.pk)).status_code == 200
    assert root.get(page(model, "history", row.pk)).status_code == 200
    asked = root.get(page(model, "changelist")).wsgi_request
    may_add = model_admin.has_add_permission(asked)
    assert root.get(page(model, "add")).status_code == (200 if may_add else 403)
    may_delete = model_admin.has_delete_permission(asked, row)
    assert root.get(page(model, "delete", row.pk)).status_code == (200 if may_delete else 403)


TERMS = ["word", "two words", str(uuid4()), "12", "%", "'\"", "a\x00b", "\N{SNOWMAN}"]


@every_model
def test_search_takes_anything(root: Client, world: World, model: type[Model]) -> None:
    make(model, 1, world.organisation)
    for term in TERMS:
        assert root.get(page(model, "changelist"), {"q": term}).status_code == 200


def test_filters_take_anything(root: Client) -> None:
    for model in (UsageRecord, Invoice):  # what all lists share
        address = page(model, "changelist")
        specs = root.get(address).context_data["cl"].filter_specs
        names = {name for spec in specs for name in spec.expected_parameters()}
        assert names
        for name in names:
            assert root.get(address, {name: "a\x00b"}, follow=True).status_code == 200, name


@every_model
def test_an_id_in_full_is_found(root: Client, world: World, model: type[Model]) -> None:
    if "id" not in admin.site.get_model_admin(model).id_fields:
        pytest.skip("has no ids of ours")
    wanted = make(model, 3, world.organisation)[1]
    response = root.get(page(model, "changelist"), {"q": str(wanted.pk)})
    assert list(response.context_data["cl"].result_list) == [wanted]


@every_model
def test_every_filter_can_be_chosen(root: Client, world: World, model: type[Model]) -> None:
    make(model, 2, world.organisation)
    address = page(model, "changelist")
    changelist = root.get(address).context_data["cl"]
    for spec in changelist.filter_specs:
        for choice in spec.choices(changelist):
            assert root.get(address + choice["query_string"]).status_code == 200


def queries(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


@every_model
@pytest.mark.parametrize("who", ["root", "own_admin"])
def test_a_list_costs_the_same_with_3_and_with_30_rows(
    request: pytest.FixtureRequest, world: World, model: type[Model], who: str
) -> None:
    client: Client = request.getfixturevalue(who)
    address = page(model, "changelist")
    if client.get(address).status_code == 403:
        pytest.skip("not theirs to see")
    make(model, 3, world.organisation)
    few = queries(client, address)
    make(model, 27, world.organisation)
    many = queries(client, address)
    assert len(many) == len(few), "\n".join(many)
    assert len(many) < 16


@every_model
def test_others_stay_outside(world: World, model: type[Model]) -> None:
    row = make(model, 1, world.organisation)[0]
    pages = [
        page(model, "changelist"),
        page(model, "add"),
        page(model, "change", row.pk),
        page(model, "delete", row.pk),
        page(model, "history", row.pk),
    ]
    nobody = User.objects.create_user("nobody@example.test", "x", is_staff=True)
    for address in pages:
        for client in (Client(), signed_in(world.alice), signed_in(world.charlie)):
            response = client.get(address)
            assert response.status_code == 302
            assert response["Location"].startswith("/admin/login/")
        # With is_staff and no role: in the admin, but with nothing in it.
        assert signed_in(nobody).get(address).status_code in {302, 403}


def test_the_start_page_groups_what_is_there(root: Client) -> None:
    html = root.get("/admin/").content.decode()
    for title in ("Agents", "Conversations", "Workflows", "People", "Billing"):
        assert f">{title}</h2>" in html
    for model in MODELS:
        assert page(model, "changelist") in html


def test_the_start_page_of_somebody_without_a_role_is_empty(world: World) -> None:
    nobody = User.objects.create_user("nobody@example.test", "x", is_staff=True)
    html = signed_in(nobody).get("/admin/").content.decode()
    assert "There is nothing here for you" in html
    assert page(MODELS[0], "changelist") not in html
