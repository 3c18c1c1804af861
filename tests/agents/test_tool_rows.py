"""Tools as people set them up: private by default, and the organisation's policy."""

from collections.abc import Iterator
from typing import Any

import pytest

from agents_app.access import access_tool_to_edit
from agents_app.errors import InvalidFields, ToolNotFound
from agents_app.models import Approval, Tool
from agents_app.services.sharing import Sharing
from agents_app.services.tools import (
    ToolValues,
    create_tool,
    delete_tool,
    set_tool_policy,
    update_tool,
)
from agents_app.tools.catalogue import offered_tools
from one_project.accounts.models import Grant, User
from one_project.common.errors import AccessDenied, InvalidInput, NotFound
from tests.agents.samples import sample_tools
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def samples() -> Iterator[None]:
    with sample_tools():
        yield


def made(world: World, sharing: Sharing | None = None, by: User | None = None, **more: Any) -> Tool:
    values = ToolValues(**{"name": "post_it", "action": "sample_send", **more})
    return create_tool(
        world.organisation, by=by or world.bob, values=values, sharing=sharing or Sharing()
    )


def offered(world: World, person: User, name: str) -> bool:
    return name in offered_tools([name], world.organisation, person)


def test_a_tool_is_private_until_shared(world: World) -> None:
    made(world)
    assert offered(world, world.bob, "post_it")
    assert not offered(world, world.stella, "post_it")
    made(world, Sharing(mode="organisation"), name="for_all")
    assert offered(world, world.stella, "for_all")
    made(world, Sharing(mode="chosen", people={world.stella.pk: "use"}), name="for_one")
    assert offered(world, world.stella, "for_one")
    assert not offered(world, world.adam, "for_one")


def test_a_shared_tool_can_be_made_private_again(world: World) -> None:
    tool = made(world, Sharing(mode="organisation"))
    update_tool(
        tool,
        by=world.bob,
        values=ToolValues(name="post_it", action="sample_send"),
        sharing=Sharing(),
    )
    assert not offered(world, world.stella, "post_it")


def test_nobody_takes_the_name_of_a_built_in_tool(world: World) -> None:
    with pytest.raises(InvalidFields) as caught:
        made(world, name="sample_read")
    assert set(caught.value.fields) == {"name"}
    assert offered(world, world.stella, "sample_read")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "with blank"),
        ("name", ""),
        ("action", "unheard_of"),
        ("approval", "sometimes"),
        ("approval", "deny"),
        ("config", {"a": "\x00"}),
        ("config", {"a": float("inf")}),
    ],
)
def test_values_that_cannot_be_used_are_said_by_field(world: World, field: str, value: Any) -> None:
    with pytest.raises(InvalidFields) as caught:
        made(world, **{field: value})
    assert set(caught.value.fields) == {field}
    assert not Tool.objects.exists()


def test_what_destroys_cannot_be_set_to_never_ask(world: World) -> None:
    with pytest.raises(InvalidFields):
        made(world, action="sample_erase", approval=Approval.NEVER)
    with pytest.raises(InvalidInput):
        set_tool_policy(world.organisation, by=world.adam, name="sample_erase", approval="never")


def test_a_name_is_given_once(world: World) -> None:
    made(world)
    with pytest.raises(InvalidFields):
        made(world, by=world.adam)


def test_an_outsider_makes_no_tool_here(world: World) -> None:
    with pytest.raises(NotFound):
        made(world, by=world.charlie)


def test_creator_and_admins_may_change_a_tool(world: World) -> None:
    tool = made(world, Sharing(mode="organisation"))
    for person in (world.bob, world.adam, world.alice):
        assert access_tool_to_edit(person, world.organisation, tool.pk) == tool
    for person in (world.stella, world.charlie):
        with pytest.raises(ToolNotFound):
            access_tool_to_edit(person, world.organisation, tool.pk)


def test_a_tool_an_admin_has_forbidden_stays_forbidden(world: World) -> None:
    tool = made(world)
    values = ToolValues(name="post_it", action="sample_send", approval=Approval.DENY)
    update_tool(tool, by=world.adam, values=values)
    update_tool(tool, by=world.bob, values=ToolValues(name="post_it", action="sample_send"))
    tool.refresh_from_db()
    assert tool.approval == Approval.DENY
    assert not offered(world, world.bob, "post_it")


def test_admins_say_how_the_organisation_uses_a_built_in_tool(world: World) -> None:
    set_tool_policy(world.organisation, by=world.adam, name="sample_read", approval="deny")
    assert not offered(world, world.bob, "sample_read")
    set_tool_policy(world.organisation, by=world.adam, name="sample_read", approval="default")
    assert offered(world, world.bob, "sample_read")
    assert Tool.objects.get().created_by is None
    with pytest.raises(AccessDenied):
        set_tool_policy(world.organisation, by=world.bob, name="sample_read", approval="deny")
    with pytest.raises(ToolNotFound):
        set_tool_policy(world.organisation, by=world.adam, name="unheard_of", approval="deny")


def test_a_deleted_tool_takes_its_grants_with_it(world: World) -> None:
    tool = made(world, Sharing(mode="organisation"))
    delete_tool(tool, by=world.bob)
    assert not Tool.objects.exists()
    assert not Grant.objects.exists()
