"""Agents that act through integrations: what is fixed, who is asked, what the call is told."""

import json

import pytest

from agents_app.builtins.sending import EMAIL
from agents_app.errors import ApprovalGone
from agents_app.models import Approval, CallStatus, Effect, Tool, ToolCall, ToolKind
from agents_app.providers.parts import ToolCallPart
from agents_app.runtime.tool_use import outcome_of_error, outcome_of_value
from agents_app.services.approvals import (
    answer_question,
    approve_call,
    edit_and_approve,
    offered_for,
)
from agents_app.services.outgoing import plan_of
from agents_app.services.running_tools import context_of
from agents_app.services.tool_calls import begin_call, settle_call
from agents_app.services.tools import set_tool_policy
from agents_app.tools.catalogue import must_ask, offered_tools
from agents_app.tools.definitions import ToolContext
from chat_app.models import TurnStatus
from chat_app.services.inbox import read_inbox
from chat_app.services.stopping import stop_turn
from integrations_app.models import (
    Channel,
    ChannelRoute,
    Delivery,
    Endpoint,
    Integration,
    NotificationWorkflow,
)
from integrations_app.services.settling import settle
from integrations_app.types import DeliveryStatus, Reason
from one_project.accounts.models import Team, TeamMember
from one_project.common.errors import AccessDenied
from tests.chat.proposing import do_chores, proposed, state, told
from tests.chat.tools import give_tools
from tests.people import World

pytestmark = pytest.mark.django_db


def make_mail(world: World, **fields: object) -> Integration:
    given = {"name": "Post", "status": "active", **fields}
    return Integration.objects.create(
        organisation=world.organisation,
        provider="smtp",
        channel_type="email",
        settings={"host": "mail.example.com", "from_email": "house@example.com"},
        credentials={"username": "one", "password": "canary-mail-password"},
        **given,
    )


def make_tool(world: World, integration: Integration, name: str = "mail", **fields: object) -> Tool:
    given = {"action": "send_email", **fields}
    return Tool.objects.create(
        organisation=world.organisation,
        name=name,
        kind=ToolKind.INTEGRATION,
        integration_id=integration.pk,
        **given,
    )


def mail(name: str = "mail", key: str = "c1", **arguments: str) -> ToolCallPart:
    return ToolCallPart(key, name, {"subject": "Hello", "text": "A letter", **arguments})


def ask(world: World, *parts: ToolCallPart, tools: tuple[str, ...] = ("mail",)):
    give_tools(world, *tools)
    return proposed(world, *parts)


def perform(call: ToolCall) -> ToolCall:
    """The approved call is run as a worker does."""
    begun = begin_call(call.pk, again=False)
    assert begun is not None
    offered = offered_for(begun)
    assert offered is not None
    try:
        value = offered.definition.run(context_of(begun, offered), begun.arguments)
        outcome = outcome_of_value(value)
    except Exception as error:
        outcome = outcome_of_error(call.name, error)
    assert settle_call(begun, outcome)
    begun.refresh_from_db()
    return begun


def approved(call: ToolCall, by) -> ToolCall:
    approve_call(call, by=by, args=call.args_hash)
    return perform(call)


def test_a_message_is_approved_sent_and_told_with_the_providers_id(world: World) -> None:
    post = make_mail(world)
    make_tool(world, post, config={"to": ["sales@example.com"]})
    turn, [call] = ask(world, mail())
    assert state(call) == CallStatus.AWAITING_APPROVAL
    facts = call.meta["facts"]
    assert facts["through"] == "Post · Mail server (SMTP) · from house@example.com"
    assert facts["to"] == "sales@example.com"
    call = approved(call, world.alice)
    assert call.is_sending
    delivery = Delivery.objects.get(pk=call.meta["delivery"])
    assert (delivery.integration, delivery.address) == (post, "sales@example.com")
    assert (delivery.source, delivery.source_id, delivery.by) == ("tool_call", call.pk, world.alice)
    settle(delivery, DeliveryStatus.ACCEPTED, Reason.SENT, message_id="provider-7")
    do_chores()
    call.refresh_from_db()
    assert call.status == CallStatus.SUCCEEDED
    assert call.output["provider_message_id"] == "provider-7"
    [(_, text, is_error)] = told(turn)
    assert json.loads(text)["delivery_id"] == str(delivery.pk)
    assert not is_error
    turn.refresh_from_db()
    assert turn.status == TurnStatus.QUEUED


@pytest.mark.parametrize(
    ("status", "reason", "ends"),
    [
        (DeliveryStatus.UNKNOWN, Reason.OUTCOME_UNKNOWN, CallStatus.UNKNOWN),
        (DeliveryStatus.FAILED, Reason.AUTH_FAILED, CallStatus.FAILED),
        (DeliveryStatus.CANCELED, Reason.CANCELED, CallStatus.CANCELED),
    ],
)
def test_the_end_of_a_message_is_the_end_of_its_call(world, status, reason, ends) -> None:
    make_tool(world, make_mail(world), config={"to": "requester"})
    _, [call] = ask(world, mail())
    call = approved(call, world.alice)
    settle(Delivery.objects.get(), status, reason)
    do_chores()
    call.refresh_from_db()
    assert call.status == ends
    assert "Error:" in call.told


def test_while_it_is_sent_it_is_nobodys_question(world: World) -> None:
    make_tool(world, make_mail(world), config={"to": "requester"})
    _, [call] = ask(world, mail())
    call = approved(call, world.alice)
    assert read_inbox(world.alice, world.organisation, is_staff=True).is_empty
    with pytest.raises(ApprovalGone):
        answer_question(call, by=world.alice, text="sent")


def test_stopping_the_answer_keeps_a_waiting_message_back(world: World) -> None:
    make_tool(world, make_mail(world), config={"to": "requester"})
    turn, [call] = ask(world, mail())
    approved(call, world.alice)
    stop_turn(turn.thread, turn.pk)
    do_chores()
    assert Delivery.objects.get().status == DeliveryStatus.CANCELED
    assert state(call) == CallStatus.CANCELED
    turn.refresh_from_db()
    assert turn.status == TurnStatus.STOPPED


@pytest.mark.parametrize(
    ("config", "to", "has_to"),
    [
        ({"to": "requester"}, "evil@example.com", False),
        ({"to": ["a@example.com"]}, "evil@example.com", False),
        ({"to": ["a@example.com", "b@example.com"]}, "evil@example.com", True),
        ({"to": "members"}, "evil@example.com", True),
        ({}, "charlie@example.test", True),
    ],
)
def test_the_model_does_not_choose_beyond_the_config(world, config, to, has_to) -> None:
    make_tool(world, make_mail(world), config=config)
    give_tools(world, "mail")
    offered = offered_tools(["mail"], world.organisation, world.alice)["mail"]
    assert ("to" in offered.definition.parameters["properties"]) == has_to
    assert "integration_id" not in json.dumps(offered.definition.parameters)
    _, [call] = proposed(world, mail(to=to))
    call = approved(call, world.alice)
    assert call.status == CallStatus.FAILED
    assert not Delivery.objects.exists()


def test_a_member_is_reached_by_name_at_their_own_address(world: World) -> None:
    make_tool(world, make_mail(world))
    _, [call] = ask(world, mail(to="Bob"))
    call = approved(call, world.alice)
    delivery = Delivery.objects.get()
    assert (delivery.user, delivery.address) == (world.bob, world.bob.email)


def test_a_free_address_always_asks(world: World) -> None:
    make_tool(world, make_mail(world), config={"to": "ask"}, approval=Approval.NEVER)
    offered = offered_tools(["mail"], world.organisation, world.alice)["mail"]
    context = ToolContext(organisation=world.organisation, user=world.alice)
    assert must_ask(offered, context, None, Approval.NEVER)
    _, [call] = ask(world, mail(to="new@example.com"))
    with pytest.raises(AccessDenied):
        approve_call(call, by=world.alice, args=call.args_hash, always=True)
    call.refresh_from_db()
    changed = edit_and_approve(
        call, by=world.alice, arguments={**call.arguments, "to": "other@example.com"}
    )
    assert changed.meta["facts"]["to"] == "other@example.com"
    assert perform(changed).is_sending
    assert Delivery.objects.get().address == "other@example.com"


def test_rights_are_looked_at_again_when_it_runs(world: World) -> None:
    own = make_mail(world, user=world.alice)
    row = make_tool(world, own, config={"to": "requester"})
    _, [call] = ask(world, mail())
    Integration.objects.filter(pk=own.pk).update(user=world.bob)
    assert approved(call, world.alice).error_code == "not_allowed"
    Integration.objects.filter(pk=own.pk).update(user=world.alice, status="inactive")
    _, [call] = ask(world, mail())
    call = approved(call, world.alice)
    assert call.error_code == "not_usable"
    assert "paused" in call.told
    assert row.integration_id == own.pk
    assert not Delivery.objects.exists()


def test_who_approves_needs_the_integration_too(world: World) -> None:
    make_tool(world, make_mail(world, user=world.alice), config={"to": "requester"})
    _, [call] = ask(world, mail())
    assert approved(call, world.stella).error_code == "not_allowed"


def test_what_was_shown_is_what_is_used(world: World) -> None:
    first = make_mail(world, is_default=True)
    _, [call] = ask(world, mail("send_email", to="me"), tools=("send_email",))
    assert call.meta["facts"]["integration"] == str(first.pk)
    Integration.objects.update(is_default=False)
    make_mail(world, name="Another", is_default=True)
    call = approved(call, world.alice)
    assert Delivery.objects.get().integration == first


def test_without_an_integration_it_says_so_before_and_after(world: World) -> None:
    _, [call] = ask(world, mail("send_email", to="me"), tools=("send_email",))
    assert call.meta["facts"]["problem"]
    assert approved(call, world.alice).error_code == Reason.NO_INTEGRATION


def test_other_organisations_integrations_are_not_used(world: World) -> None:
    theirs = make_mail(world)
    Integration.objects.update(organisation=world.elsewhere)
    make_tool(world, theirs, config={"to": "requester"})
    _, [call] = ask(world, mail())
    assert approved(call, world.alice).error_code == "not_allowed"


def test_slack_reaches_places_that_are_set_up(world: World) -> None:
    slack = Integration.objects.create(
        organisation=world.organisation,
        name="Team",
        provider="slack",
        channel_type="chat",
        credentials={"bot_token": "xoxb-canary"},
        status="active",
    )
    general = Endpoint.objects.create(
        organisation=world.organisation,
        integration=slack,
        type="slack_channel",
        address="C0GENERAL",
        label="#general",
        status="active",
    )
    # An address that refused a message is no place that somebody has set up.
    Endpoint.objects.create(
        organisation=world.organisation, type="slack_channel", address="C0REFUSED", status="bounced"
    )
    parts = ToolCallPart("c1", "post_to_slack", {"text": "Hi", "to": "general"})
    _, [call] = ask(world, parts, tools=("post_to_slack",))
    assert call.meta["facts"]["to"] == "#general"
    approved(call, world.alice)
    assert Delivery.objects.get().endpoint == general
    other = ToolCallPart("c2", "post_to_slack", {"text": "Hi", "to": "#secret"})
    _, [call] = ask(world, other, tools=("post_to_slack",))
    call = approved(call, world.alice)
    assert call.error_code == "no_place"
    assert "#general" in call.told
    assert "C0REFUSED" not in call.told


def test_telling_oneself_asks_nobody(world: World) -> None:
    parts = [
        ToolCallPart("c1", "notify_user", {"title": "Done", "to": "me"}),
        ToolCallPart("c2", "notify_user", {"title": "Done", "to": "Bob"}),
    ]
    _, [own, others] = ask(world, *parts, tools=("notify_user",))
    assert state(own) == CallStatus.APPROVED
    assert state(others) == CallStatus.AWAITING_APPROVAL
    assert others.meta["facts"]["to"] == "Bob"
    assert perform(own).output == {"status": "notified", "to": "Alice"}


def test_nobody_is_said_to_be_told_where_that_is_switched_off(world: World) -> None:
    NotificationWorkflow.objects.create(
        organisation=world.organisation, key="notify-user", name="Off", is_active=False
    )
    part = ToolCallPart("c1", "notify_user", {"title": "Done", "to": "me"})
    _, [own] = ask(world, part, tools=("notify_user",))
    assert perform(own).error_code == "not_usable"


def test_a_tool_of_an_integration_is_one_to_give_to_agents(world: World) -> None:
    make_tool(world, make_mail(world))
    make_tool(world, make_mail(world), name="odd", action="calculator")
    found = offered_tools(["mail", "odd"], world.organisation, world.bob)
    assert list(found) == ["mail"]
    assert found["mail"].definition.effect == Effect.EXTERNAL


def test_a_teams_way_is_no_fallback_for_others(world: World) -> None:
    team = Team.objects.create(organisation=world.organisation, name="Sales")
    post, teams = make_mail(world), make_mail(world, team=team, name="Sales' post")
    channel = Channel.objects.create(
        organisation=world.organisation, team=team, key="sales", channel_type="email", name="Sales"
    )
    ChannelRoute.objects.create(organisation=world.organisation, channel=channel, integration=post)
    context = ToolContext(
        organisation=world.organisation, user=world.bob, config={"channel": "sales"}
    )
    assert plan_of(context, EMAIL, "me").integrations == (post,)
    TeamMember.objects.create(team=team, user=world.bob)
    assert plan_of(context, EMAIL, "me").integrations == (post, teams)


def test_what_admins_say_of_the_action_holds_through_an_integration(world: World) -> None:
    make_tool(world, make_mail(world), approval=Approval.NEVER, config={"to": ["a@example.com"]})
    context = ToolContext(organisation=world.organisation, user=world.bob)
    for policy, is_asked in (("default", False), ("always", True)):
        set_tool_policy(world.organisation, by=world.adam, name="send_email", approval=policy)
        found = offered_tools(["mail"], world.organisation, world.bob)["mail"]
        assert must_ask(found, context, {}, "") is is_asked
    set_tool_policy(world.organisation, by=world.adam, name="send_email", approval="deny")
    assert not offered_tools(["mail"], world.organisation, world.bob)


def test_the_card_says_through_what_and_to_whom(world: World, client) -> None:
    make_tool(world, make_mail(world), config={"to": ["sales@example.com"]})
    turn, _ = ask(world, mail())
    client.force_login(world.alice)
    page = client.get(f"/chat/{turn.thread_id}/").content.decode()
    assert (
        "Through Post · Mail server (SMTP) · from house@example.com, to sales@example.com" in page
    )


def test_the_card_has_a_button_to_connect(world: World, client) -> None:
    drive = Integration.objects.create(
        organisation=world.organisation,
        name="Drive",
        provider="google_drive",
        channel_type="knowledge",
        credentials={"client_id": "app", "client_secret": "canary-app-secret"},
        status="active",
    )
    part = ToolCallPart("c1", "request_connection", {"service": "google_drive"})
    turn, [call] = ask(world, part, tools=("request_connection",))
    assert perform(call).error_code == "connect_required"
    client.force_login(world.alice)
    page = client.get(f"/chat/{turn.thread_id}/").content.decode()
    assert f'href="/connections/{drive.pk}/connect/?next=/chat/{turn.thread_id}/"' in page
    assert "Connect Google Drive</a>" in page


def test_making_a_tool_of_an_integration(world: World, client) -> None:
    post = make_mail(world)
    private = make_mail(world, user=world.alice, name="Own post")
    client.force_login(world.bob)
    page = client.get(f"/agents/tools/integration/?integration={post.pk}").content.decode()
    assert "Send an e-mail" in page
    assert "Own post" not in page
    form = {
        "does": f"{post.pk}:send_email",
        "name": "mail_sales",
        "reach": "list",
        "addresses": "",
        "share_mode": "organisation",
    }
    again = client.post("/agents/tools/integration/", form)
    assert again.status_code == 422
    assert "at least one address" in again.content.decode()
    made = client.post("/agents/tools/integration/", {**form, "addresses": "sales@example.com"})
    assert made.status_code == 303
    row = Tool.objects.get(name="mail_sales")
    assert (row.kind, row.action, row.integration_id) == ("integration", "send_email", post.pk)
    assert row.config == {"to": ["sales@example.com"]}
    assert "mail_sales" in offered_tools(["mail_sales"], world.organisation, world.alice)
    foreign = {**form, "does": f"{private.pk}:send_email", "addresses": "sales@example.com"}
    assert client.post("/agents/tools/integration/", foreign).status_code == 422
    edited = client.get(f"/agents/tools/{row.pk}/")
    assert edited.status_code == 200
