"""The admin of rows under row-level security: one organisation at a time, and no other's.

Teams stand for such rows: their table is put under the policy for the time of a test.
"""

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import include, path

from one_project import urls
from one_project.accounts.models import Membership, Organisation, Role, Team
from one_project.accounts.secured_admin import SecuredTenantAdmin
from one_project.accounts.tenant_admin import OrganisationFilter
from one_project.common.row_security import RowSecurity
from one_project.common.tenancy import in_tenant
from tests.admin.conftest import page
from tests.people import World


class SecuredTeamAdmin(SecuredTenantAdmin[Team]):
    list_display = ["name", "organisation"]
    list_filter = ["created_at", OrganisationFilter]
    fields = ["organisation", "name"]


# Before the admin's own pages of teams, whose names and addresses they have.
urlpatterns = [
    path("admin/accounts/team/", include(SecuredTeamAdmin(Team, admin.site).get_urls())),
    *urls.urlpatterns,
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def teams(world: World) -> dict[Organisation, Team]:
    """A team of each of the two organisations, then the policy on their table."""
    made = {
        organisation: Team.objects.create(organisation=organisation, name=f"{organisation} team")
        for organisation in (world.organisation, world.elsewhere)
    }
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(RowSecurity(Team._meta.db_table).sql)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    if Team.objects.exists():
        pytest.skip("the tests' database role passes row-level security")
    return made


Teams = dict[Organisation, Team]


def listed(client: Client, organisation: Organisation | None = None) -> tuple[set[Any], str]:
    """The rows of the list and its page."""
    asked = {"organisation": str(organisation.pk)} if organisation else {}
    response = client.get(page(Team, "changelist"), asked)
    assert response.status_code == 200
    return set(response.context_data["cl"].result_list), response.content.decode()


def test_list_shows_the_organisation_one_administers(
    own_admin: Client, world: World, teams: Teams
) -> None:
    for asked in (None, world.organisation, world.elsewhere):
        rows, html = listed(own_admin, asked)
        assert teams[world.organisation] in rows
        assert teams[world.elsewhere] not in rows
        assert world.elsewhere.name not in html


def test_list_shows_one_organisation_at_a_time(root: Client, world: World, teams: Teams) -> None:
    for organisation, team in teams.items():
        rows, html = listed(root, organisation)
        assert team in rows
        assert {row.organisation_id for row in rows} == {organisation.pk}
        assert team.name in html
        assert world.elsewhere.name in html  # in the filter
    first = Organisation.objects.order_by("name").first()
    assert {row.organisation for row in listed(root)[0]} == {first}


@pytest.mark.parametrize("what", ["change", "delete", "history"])
def test_own_rows_open_and_foreign_ones_do_not_exist(
    own_admin: Client, root: Client, world: World, teams: Teams, what: str
) -> None:
    for organisation, team in teams.items():
        html = root.get(page(Team, what, team.pk)).content.decode()
        assert team.name in html
        response = own_admin.get(page(Team, what, team.pk))
        if organisation == world.organisation:
            assert team.name in response.content.decode()
        else:
            assert (response.status_code, response["Location"]) == (302, "/admin/")
            assert own_admin.post(page(Team, what, team.pk), {"post": "yes"}).status_code == 302
    for nonsense in ("x", "0" * 32):
        assert own_admin.get(page(Team, what, nonsense)).status_code == 302
    with in_tenant(world.elsewhere.pk):
        assert Team.objects.filter(pk=teams[world.elsewhere].pk).exists()


def test_rows_are_added_changed_and_deleted_in_each_organisation(
    own_admin: Client, world: World, teams: Teams
) -> None:
    Membership.objects.create(organisation=world.elsewhere, user=world.adam, role=Role.ADMIN)
    for organisation, team in teams.items():
        own_admin.post(
            page(Team, "add"), {"organisation": str(organisation.pk), "name": "Newcomers"}
        )
        own_admin.post(page(Team, "change", team.pk), {"name": "Other"})
        with in_tenant(organisation.pk):
            names = set(Team.objects.values_list("name", flat=True))
            assert {"Newcomers", "Other"} <= names
        own_admin.post(page(Team, "delete", team.pk), {"post": "yes"})
        with in_tenant(organisation.pk):
            assert not Team.objects.filter(pk=team.pk).exists()


def test_nothing_is_added_to_an_organisation_one_does_not_administer(
    own_admin: Client, world: World, teams: Teams
) -> None:
    told = {"organisation": str(world.elsewhere.pk), "name": "Newcomers"}
    assert own_admin.post(page(Team, "add"), told).status_code == 200  # the form, with an error
    with in_tenant(world.elsewhere.pk):
        assert not Team.objects.filter(name="Newcomers").exists()
