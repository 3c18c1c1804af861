"""Which tools an agent has for whom, and when a person is asked first."""

import pytest

from agents_app.models import Approval, Effect, Tool, ToolAllowance, ToolKind
from agents_app.tools.catalogue import Offered, definition_of, must_ask, offered_tools
from agents_app.tools.definitions import NoArguments, ToolContext, define
from one_project.accounts.models import Membership, Team, TeamMember
from one_project.accounts.models.grants import Grant
from one_project.common.ids import new_id


def make_tool(world, name="notes", **fields):
    fields = {"action": "calculator", "organisation": world.organisation, **fields}
    return Tool.objects.create(name=name, **fields)


def has(world, user, name="notes", organisation=None):
    return name in offered_tools([name], organisation or world.organisation, user)


def grant(world, row, **to):
    return Grant.objects.create(
        organisation=world.organisation, object_type="tool", object_id=row.pk, **to
    )


def test_only_the_allow_list_is_offered(world):
    found = offered_tools(["calculator", "no_such_tool", "calculator"], world.organisation, None)
    assert list(found) == ["calculator"]
    assert offered_tools([], world.organisation, world.bob) == {}


def test_a_private_tool_is_its_owners(world):
    make_tool(world, created_by=world.bob)
    assert has(world, world.bob)
    for user in (world.alice, world.stella, world.charlie, None):
        assert not has(world, user)


def test_a_tool_is_shared_with_a_person_a_team_or_everybody(world):
    row = make_tool(world, created_by=world.alice)
    to_bob = grant(world, row, user=world.bob)
    assert has(world, world.bob)
    assert not has(world, world.stella)
    to_bob.delete()
    team = Team.objects.create(organisation=world.organisation, name="Sales")
    TeamMember.objects.create(team=team, user=world.stella)
    to_team = grant(world, row, team=team)
    assert has(world, world.stella)
    assert not has(world, world.bob)
    to_team.delete()
    grant(world, row)
    assert has(world, world.bob)
    assert has(world, world.stella)
    assert not has(world, world.charlie)


def test_who_has_left_loses_what_was_shared(world):
    row = make_tool(world, created_by=world.alice)
    grant(world, row, user=world.bob)
    Membership.objects.filter(user=world.bob).update(is_active=False)
    assert not has(world, world.bob)


def test_a_row_of_another_organisation_does_not_exist_here(world):
    make_tool(world, organisation=world.elsewhere)
    assert has(world, world.charlie, organisation=world.elsewhere)
    assert not has(world, world.charlie)
    assert not has(world, world.alice)
    make_tool(world, name="calculator", organisation=world.elsewhere, approval=Approval.DENY)
    assert has(world, world.alice, "calculator")


def test_forbidden_and_switched_off_tools_are_not_offered(world):
    row = make_tool(world, name="calculator", action="", approval=Approval.DENY)
    assert not has(world, world.alice, "calculator")
    row.approval, row.is_active = Approval.DEFAULT, False
    row.save()
    assert not has(world, world.alice, "calculator")


def test_a_row_names_describes_and_fixes_a_tool(world):
    row = make_tool(
        world, "tell_sales", action="post_webhook", description="Tell sales.", config={"url": "x"}
    )
    made = offered_tools(["tell_sales"], world.organisation, world.bob)["tell_sales"].definition
    assert (made.name, made.description, made.tool_id) == ("tell_sales", "Tell sales.", row.pk)
    assert made.config["url"] == "x"
    assert "url" not in made.parameters["properties"]
    assert definition_of(make_tool(world, "odd", action="no_such_action")) is None
    assert definition_of(make_tool(world, "mcp", kind=ToolKind.MCP)) is None


def test_rights_take_two_queries(world, django_assert_max_num_queries):
    rows = [make_tool(world, f"tool{n}", created_by=world.alice) for n in range(5)]
    for row in rows:
        grant(world, row, user=world.bob)
    with django_assert_max_num_queries(3):  # the membership, too
        assert len(offered_tools([row.name for row in rows], world.organisation, world.bob)) == 5


def nothing(arguments: NoArguments) -> None:
    """Nothing."""


def asks(world, *, effect, row="default", agent="", allowed=False, user="bob"):
    definition = define(nothing, name="nothing", effect=effect)
    context = ToolContext(
        organisation=world.organisation,
        user=getattr(world, user) if user else None,
        thread_id=new_id(),
    )
    if allowed:
        ToolAllowance.objects.create(
            organisation=world.organisation,
            user=world.bob,
            thread_id=context.thread_id,
            tool_name="nothing",
        )
    return must_ask(Offered(definition, row), context, None, agent)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"effect": Effect.READ}, False),
        ({"effect": Effect.WRITE}, False),
        ({"effect": Effect.EXTERNAL}, True),
        # The row is over the agent, and what is stricter stays.
        ({"effect": Effect.READ, "row": "always"}, True),
        ({"effect": Effect.READ, "row": "always", "agent": "never"}, True),
        ({"effect": Effect.READ, "row": "never", "agent": "always"}, True),
        ({"effect": Effect.EXTERNAL, "row": "never"}, False),
        # The agent is over the tool's effect.
        ({"effect": Effect.READ, "agent": "always"}, True),
        ({"effect": Effect.EXTERNAL, "agent": "never"}, False),
        # A person's allowance loosens the effect only, and only their own.
        ({"effect": Effect.EXTERNAL, "allowed": True}, False),
        ({"effect": Effect.EXTERNAL, "allowed": True, "user": "alice"}, True),
        ({"effect": Effect.EXTERNAL, "allowed": True, "user": None}, True),
        ({"effect": Effect.EXTERNAL, "allowed": True, "row": "always"}, True),
        ({"effect": Effect.EXTERNAL, "allowed": True, "agent": "always"}, True),
        # What destroys always asks.
        ({"effect": Effect.DESTRUCTIVE, "row": "never", "agent": "never"}, True),
        ({"effect": Effect.DESTRUCTIVE, "allowed": True}, True),
    ],
)
def test_who_is_asked(world, given, asked):
    assert asks(world, **given) is asked


def test_a_policy_of_the_organisation_holds_under_every_name(world):
    make_tool(world, "my_hook", action="post_webhook", created_by=world.bob, approval="never")
    assert offered_tools(["my_hook"], world.organisation, world.bob)["my_hook"].policy == "never"
    policy = make_tool(world, "post_webhook", action="", approval=Approval.ALWAYS)
    assert offered_tools(["my_hook"], world.organisation, world.bob)["my_hook"].policy == "always"
    policy.approval = Approval.DENY
    policy.save()
    assert not has(world, world.bob, "my_hook")
    policy.approval, policy.is_active = Approval.DEFAULT, False
    policy.save()
    assert not has(world, world.bob, "my_hook")
    assert offered_tools(["my_hook"], world.organisation, world.bob).keys() == set()


def test_only_what_is_asked_for_is_offered(world):
    make_tool(world, "sums", action="calculator", created_by=world.bob)
    make_tool(world, "calculator", action="", approval=Approval.ALWAYS)
    assert list(offered_tools(["sums"], world.organisation, world.bob)) == ["sums"]


def test_a_predicate_that_fails_asks(world):
    def broken(context, arguments):
        raise KeyError("amount")

    definition = define(nothing, name="nothing", approval=broken)
    context = ToolContext(organisation=world.organisation, user=world.bob, thread_id=new_id())
    assert must_ask(Offered(definition), context, NoArguments(), "")
