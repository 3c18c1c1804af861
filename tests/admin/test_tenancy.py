"""An organisation's admin who is let into the Django admin sees that organisation and no other."""

from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from agents_app.models import Agent, Prompt, Tool, ToolCall
from one_project.accounts.models import Grant, Membership, Organisation, Role, Team, User
from one_project.common.tenancy import in_tenant
from tests.admin import rows
from tests.admin.conftest import page, signed_in
from tests.admin.rows import GLOBAL, MAKERS
from tests.people import World

TENANT = sorted(set(MAKERS) - GLOBAL, key=lambda model: model._meta.label)
every_tenant_model = pytest.mark.parametrize("model", TENANT, ids=lambda model: model._meta.label)


def own(model: type[Model], world: World) -> Any:
    return world.organisation if model is Organisation else MAKERS[model](world.organisation)


def foreign(model: type[Model], world: World) -> Any:
    return world.elsewhere if model is Organisation else MAKERS[model](world.elsewhere)


@every_tenant_model
def test_lists_show_own_rows_only(own_admin: Client, world: World, model: type[Model]) -> None:
    mine, other = own(model, world), foreign(model, world)
    seen = own_admin.get(page(model, "changelist")).context_data["cl"].result_list
    assert mine in seen
    assert other not in seen
    assert (
        not own_admin.get(page(model, "changelist"), {"q": str(other.pk)})
        .context_data["cl"]
        .result_list
    )


@every_tenant_model
def test_own_rows_open(own_admin: Client, world: World, model: type[Model]) -> None:
    assert own_admin.get(page(model, "change", own(model, world).pk)).status_code == 200


@every_tenant_model
@pytest.mark.parametrize("what", ["change", "delete", "history"])
def test_foreign_rows_do_not_exist(
    own_admin: Client, world: World, model: type[Model], what: str
) -> None:
    other = foreign(model, world)
    for method in (own_admin.get, own_admin.post):
        response = method(page(model, what, other.pk))
        assert response.status_code in {302, 403, 404}
        if response.status_code == 302:
            assert response["Location"] == "/admin/"
    with in_tenant(world.elsewhere.pk):
        assert model._default_manager.filter(pk=other.pk).exists()


@every_tenant_model
def test_filters_name_nothing_foreign(own_admin: Client, world: World, model: type[Model]) -> None:
    other = foreign(model, world)
    own(model, world)
    html = own_admin.get(page(model, "changelist")).content.decode()
    assert world.elsewhere.name not in html
    assert str(other.pk) not in html
    forged = {"organisation": str(world.elsewhere.pk)}
    response = own_admin.get(page(model, "changelist"), forged)
    # Where there is no such filter, Django turns the address down.
    if response.status_code != 302:
        assert other not in response.context_data["cl"].result_list


@pytest.mark.parametrize("model", sorted(GLOBAL, key=str), ids=lambda model: model._meta.label)
def test_what_belongs_to_the_installation_is_not_theirs(
    own_admin: Client, world: World, model: type[Model]
) -> None:
    row = MAKERS[model](world.organisation)
    assert own_admin.get(page(model, "changelist")).status_code == 403
    assert own_admin.get(page(model, "add")).status_code == 403
    assert own_admin.get(page(model, "change", row.pk)).status_code in {302, 403}


RELATIONS = sorted(
    {
        (model, name)
        for model, model_admin in admin.site._registry.items()
        for name in model_admin.autocomplete_fields
        if model not in GLOBAL
    },
    key=str,
)
every_relation = pytest.mark.parametrize(
    ("model", "name"), RELATIONS, ids=lambda value: getattr(value, "__name__", value)
)


@every_relation
def test_autocompletion_offers_own_rows_only(
    own_admin: Client, world: World, model: type[Model], name: str
) -> None:
    remote: Any = model._meta.get_field(name).remote_field.model
    mine, other = own(remote, world), foreign(remote, world)
    asked = {
        "app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": name
    }  # fmt: skip
    ids = set()
    for term in ("", str(mine.pk), str(other.pk)):
        answer = own_admin.get("/admin/autocomplete/", {**asked, "term": term}).json()
        ids |= {row["id"] for row in answer["results"]}
    assert str(mine.pk) in ids
    assert str(other.pk) not in ids


@every_relation
def test_a_foreign_choice_is_refused_and_not_named(
    own_admin: Client, world: World, model: type[Model], name: str
) -> None:
    if own_admin.get(page(model, "add")).status_code == 403:
        pytest.skip("nothing is added there")
    other = foreign(model._meta.get_field(name).remote_field.model, world)
    before = model._default_manager.count()
    response = own_admin.post(page(model, "add"), {name: str(other.pk), "name": "x"})
    assert response.status_code == 200
    assert name in response.context_data["adminform"].form.errors
    assert str(other) not in response.content.decode()
    assert model._default_manager.count() == before


def agent_form(organisation: Organisation, **more: Any) -> dict[str, Any]:
    return {"organisation": str(organisation.pk), "name": "Helper", "kind": "system_agent", **more}


def test_a_superuser_cannot_join_two_organisations_either(root: Client, world: World) -> None:
    for field, other in (
        ("delegates_to", rows.agent(world.elsewhere)),
        ("attached_prompts", rows.prompt(world.elsewhere)),
        ("created_by", world.charlie),
    ):
        form = agent_form(world.organisation, **{field: str(other.pk)})
        response = root.post(page(Agent, "add"), form)
        assert response.context_data["adminform"].form.errors[field]
    assert not Agent.objects.filter(name="Helper").exists()


def test_an_agent_does_not_move_to_another_organisation(root: Client, world: World) -> None:
    address = page(Agent, "change", world.agent.pk)
    assert root.post(address, agent_form(world.elsewhere)).status_code == 302
    world.agent.refresh_from_db()
    assert (world.agent.name, world.agent.organisation) == ("Helper", world.organisation)


def test_an_organisations_admin_makes_an_agent_of_it(own_admin: Client, world: World) -> None:
    response = own_admin.post(page(Agent, "add"), agent_form(world.organisation))
    assert response.status_code == 302
    assert Agent.objects.get(name="Helper").organisation == world.organisation


def test_grants_name_own_things_only(own_admin: Client, world: World) -> None:
    for name, make in (("agent", rows.agent), ("tool", rows.tool), ("prompt", rows.prompt)):
        form = {"organisation": str(world.organisation.pk), "level": "use"}
        response = own_admin.post(page(Grant, "add"), {**form, name: make(world.elsewhere).pk})
        assert response.status_code == 200
    assert not Grant.objects.exists()


def test_actions_reach_own_rows_only(own_admin: Client, world: World) -> None:
    mine, other = rows.agent(world.organisation), rows.agent(world.elsewhere)
    chosen = {"action": "deactivate", "_selected_action": [str(mine.pk), str(other.pk)]}
    own_admin.post(page(Agent, "changelist"), chosen)
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.is_active, other.is_active) == (False, True)


def test_people_are_seen_and_not_changed(own_admin: Client, world: World) -> None:
    address = page(User, "change", world.bob.pk)
    Membership.objects.create(organisation=world.elsewhere, user=world.bob)
    html = own_admin.get(address).content.decode()
    assert world.bob.email in html
    assert world.elsewhere.name not in html
    assert "is_superuser" not in html
    assert world.bob.password.split("$")[-1] not in html
    assert own_admin.post(address, {"is_superuser": "on"}).status_code == 403
    assert own_admin.get(f"/admin/accounts/user/{world.bob.pk}/password/").status_code == 403
    guess = {"password__startswith": world.bob.password[:3]}
    assert own_admin.get(page(User, "changelist"), guess).status_code in {302, 400}


@pytest.mark.parametrize("role", [Role.STAFF, Role.MEMBER])
def test_lower_roles_see_nothing(world: World, role: str) -> None:
    person = world.stella if role == Role.STAFF else world.bob
    person.is_staff = True
    person.save()
    client = signed_in(person)
    for model in MAKERS:
        assert client.get(page(model, "changelist")).status_code == 403


def test_a_role_that_is_gone_opens_nothing(own_admin: Client, world: World) -> None:
    Membership.objects.filter(user=world.adam).update(is_active=False)
    assert own_admin.get(page(Agent, "changelist")).status_code == 403


def test_permissions_of_django_open_nothing(world: World) -> None:
    from django.contrib.auth.models import Permission

    world.charlie.is_staff = True
    world.charlie.save()
    world.charlie.user_permissions.set(Permission.objects.all())
    client = signed_in(world.charlie)
    mine = rows.tool_call(world.organisation)
    assert not client.get(page(ToolCall, "changelist")).context_data["cl"].result_list
    assert client.get(page(ToolCall, "change", mine.pk)).status_code in {302, 404}
    assert client.get(page(Tool, "add")).status_code == 200


class TestOwners:
    """Ownership is given by owners, and never lost by all."""

    def membership(self, world: World, user: User) -> Membership:
        return Membership.objects.get(organisation=world.organisation, user=user)

    def test_an_admin_promotes_to_admin(self, own_admin: Client, world: World) -> None:
        row = self.membership(world, world.bob)
        form = {"role": "admin", "is_active": "on"}
        assert own_admin.post(page(Membership, "change", row.pk), form).status_code == 302
        row.refresh_from_db()
        assert row.role == Role.ADMIN

    def test_an_admin_makes_no_owner(self, own_admin: Client, world: World) -> None:
        row = self.membership(world, world.adam)
        form = {"role": "owner", "is_active": "on"}
        assert own_admin.post(page(Membership, "change", row.pk), form).status_code == 200
        row.refresh_from_db()
        assert row.role == Role.ADMIN

    def test_an_admin_does_not_touch_an_owner(self, own_admin: Client, world: World) -> None:
        row = self.membership(world, world.alice)
        form = {"role": "member", "is_active": "on"}
        assert own_admin.post(page(Membership, "change", row.pk), form).status_code == 403

    @pytest.mark.parametrize("form", [{"role": "member", "is_active": "on"}, {"role": "owner"}])
    def test_the_last_owner_stays(self, root: Client, world: World, form: dict[str, str]) -> None:
        row = self.membership(world, world.alice)
        response = root.post(page(Membership, "change", row.pk), form)
        assert "keeps at least one owner" in response.content.decode()
        row.refresh_from_db()
        assert (row.role, row.is_active) == (Role.OWNER, True)


def test_a_team_takes_members_of_its_organisation_only(root: Client, world: World) -> None:
    form = {
        "organisation": str(world.organisation.pk), "name": "Front",
        "team_members-TOTAL_FORMS": "1", "team_members-INITIAL_FORMS": "0",
        "team_members-0-user": str(world.charlie.pk),
    }  # fmt: skip
    assert "not a member" in root.post(page(Team, "add"), form).content.decode()
    form["team_members-0-user"] = str(world.bob.pk)
    assert root.post(page(Team, "add"), form).status_code == 302
    assert list(Team.objects.get(name="Front").members.all()) == [world.bob]


def test_prompts_of_others_are_not_found_by_their_text(own_admin: Client, world: World) -> None:
    rows.prompt(world.elsewhere)
    seen = own_admin.get(page(Prompt, "changelist"), {"q": "Two"}).context_data["cl"].result_list
    assert not seen
