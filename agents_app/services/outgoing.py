"""What agents send: through which integration, to whom, and handed over with the call's record.

The tool's config decides, never the model: which integration (``integration_id``) or channel
(``channel``, its key), and whom it may reach (``to``): "requester", "members", a list of addresses,
"places" (those set up at the integration), one place (``endpoint_id``), or "ask": any address, and
then a person is always asked. The rights of whoever asked and approved are looked at when it runs.
"""

from dataclasses import dataclass
from typing import Any, Final

from agents_app.models import ToolCall
from agents_app.services.recipients import (
    ME,
    bare_target,
    fixed_place,
    listed,
    member_of,
    place_of,
    reached,
    refuse_choice,
    requester_of,
)
from agents_app.tools.definitions import ToolContext, ToolError, Waiting
from integrations_app.models import Channel, Endpoint, Integration
from integrations_app.providers.base import Content, Target
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.routing import Route, route
from integrations_app.services.deliveries import queue_delivery
from integrations_app.types import SETTLED, ChannelType, IntegrationStatus, Reason
from one_project.accounts.models import Membership, User
from one_project.common.ids import parse_id

SOURCE: Final = "tool_call"
REQUESTER, MEMBERS, PLACES, ASK = "requester", "members", "places", "ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How something is sent. ``provider``: one that it has to be, or ""."""

    channel_type: ChannelType
    provider: str = ""
    policy: str = MEMBERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One message's way. ``shown``: whom it reaches, for people."""

    integrations: tuple[Integration, ...]
    channel: Channel | None = None
    endpoint: Endpoint | None = None
    target: Target | None = None
    person: User | None = None
    shown: str = ""


def send(context: ToolContext, way: Way, to: str, content: Content) -> Any:
    """Hand it over, in the caller's transaction; ``Waiting`` for the end of the delivery.

    Without a stored call (a program tries the tool out) the message's id comes back at once.
    Raises ToolError in words for the model.
    """
    plan = plan_of(context, way, to)
    first, *fallbacks = plan.integrations
    delivery = queue_delivery(
        context.organisation.pk,
        content=content,
        channel_type=way.channel_type,
        integration_id=first.pk,
        fallbacks=fallbacks,
        channel=plan.channel,
        endpoint=plan.endpoint,
        target=plan.target,
        user=plan.person,
        by=context.user,
        source=SOURCE,
        source_id=context.key,
        idempotency_key=str(context.key) if context.key else None,
    )
    if delivery.status in SETTLED:
        raise ToolError(delivery.error or Reason(delivery.reason).label, code=delivery.reason)
    if context.key is not None and ToolCall.objects.filter(pk=context.key).exists():
        return Waiting(delivery_id=delivery.pk)
    return {"status": delivery.status, "delivery_id": str(delivery.pk), "to": plan.shown}


def described(context: ToolContext, way: Way, to: str) -> dict[str, str]:
    """What people are told before they decide; ``integration`` is what they then agree to."""
    always = {"always": "1"} if policy_of(context, way) == ASK else {}
    try:
        plan = plan_of(context, way, to)
    except ToolError as error:
        return {"problem": str(error), **always}
    first, *rest = plan.integrations
    through = _named(first)
    if rest:
        through += f" (if it fails: {', '.join(one.name for one in rest[:3])})"
    return {"through": through, "to": plan.shown, "integration": str(first.pk), **always}


def policy_of(context: ToolContext, way: Way) -> Any:
    """Whom the tool may reach."""
    return context.config.get("to") or way.policy


def plan_of(context: ToolContext, way: Way, to: str) -> Plan:
    """Through what, to whom. Reads rows, writes none. Raises ToolError."""
    channel = _channel(context, way)
    found = _route(context, way, channel)
    integrations = found.integrations
    provider = provider_of(integrations[0].provider)
    policy = policy_of(context, way)
    given: dict[str, Any] = {"integrations": integrations, "channel": channel}
    fixed = fixed_place(context, integrations[0]) or found.endpoint
    to = to.strip()
    if fixed is not None:
        refuse_choice(to)
        return Plan(**given, endpoint=fixed, shown=fixed.label or fixed.address)
    if policy == REQUESTER:
        refuse_choice("" if to.lower() in ME else to)
        return Plan(**given, **reached(requester_of(context), context, provider))
    if policy == MEMBERS:
        return Plan(**given, **reached(member_of(context, to), context, provider))
    if policy == PLACES:
        place = place_of(context, integrations[0], to)
        return Plan(**given, endpoint=place, shown=place.label or place.address)
    if policy == ASK:
        if to.lower() in ME:
            return Plan(**given, **reached(requester_of(context), context, provider))
        target = bare_target(provider, way.channel_type, to)
        return Plan(**given, target=target, shown=target.address)
    target = bare_target(provider, way.channel_type, listed(policy, to))
    return Plan(**given, target=target, shown=target.address)


def usable_integration(context: ToolContext, wanted: object) -> Integration:
    """An integration that whoever asked, and whoever approved, may use now. Raises ToolError."""
    integration_id = parse_id(str(wanted))
    rows = Integration.objects.filter(organisation=context.organisation)
    found = rows.filter(pk=integration_id).first() if integration_id else None
    people = [context.user, approver_of(context)]
    for person in people[:1] + [one for one in people[1:] if one is not None]:
        if found is None or not _may_use(person, context, found):
            raise ToolError("This integration may not be used here.", code="not_allowed")
    assert found is not None
    if found.status != IntegrationStatus.ACTIVE:
        label = IntegrationStatus(found.status).label.lower()
        raise ToolError(f"{found.name} cannot be used now: {label}.", code="not_usable")
    return found


def approver_of(context: ToolContext) -> User | None:
    """The person who let this very call happen, if one did."""
    if context.key is None:
        return None
    call = ToolCall.objects.select_related("decided_by").filter(pk=context.key).first()
    return call.decided_by if call else None


def _may_use(person: User | None, context: ToolContext, row: Integration) -> bool:
    if person is None:
        return row.user_id is None and row.team_id is None
    usable = Integration.objects.usable_by(person, context.organisation)
    member = Membership.objects.active().filter(user=person, organisation=context.organisation)
    return usable.filter(pk=row.pk).exists() and member.exists()


def _channel(context: ToolContext, way: Way) -> Channel | None:
    key = context.config.get("channel")
    if not key:
        return None
    rows = Channel.objects.filter(organisation=context.organisation, is_active=True)
    found = rows.filter(key=str(key), channel_type=way.channel_type).first()
    if found is None:
        raise ToolError("The channel of this tool is not there any more.", code="not_set_up")
    return found


def _route(context: ToolContext, way: Way, channel: Channel | None) -> Route:
    """Fixed by config, or what was shown to who approved, or the organisation's own ways."""
    fixed = context.config.get("integration_id")
    wanted = fixed or context.config.get("pinned_integration")
    chosen = usable_integration(context, wanted) if wanted else None
    if chosen is not None and chosen.channel_type != way.channel_type:
        raise ToolError("This integration cannot send this.", code="not_set_up")
    found = route(
        context.organisation,
        way.channel_type,
        user=context.user,
        channel=channel,
        integration=chosen,
    )
    rows = [one for one in found.integrations if way.provider in ("", one.provider)]
    if fixed and chosen is not None:
        rows = [chosen]
    if not rows:
        raise ToolError(Reason.NO_INTEGRATION.label, code=Reason.NO_INTEGRATION)
    if chosen is None:
        # The rights of who approves count for what the organisation's ways choose, too.
        usable_integration(context, rows[0].pk)
    # Of those for when it fails, a team's are its members'.
    rest = [one for one in rows[1:] if one.team_id is None or _may_use(context.user, context, one)]
    return Route((rows[0], *rest), endpoint=found.endpoint if channel else None)


def _named(integration: Integration) -> str:
    """The integration, and what it sends as."""
    settings = integration.settings
    names = ("from_email", "from_number", "sender")
    sender = next((str(settings[name]) for name in names if settings.get(name)), "")
    title = provider_of(integration.provider).title
    known = [title] if title != integration.name else []
    return " · ".join([integration.name, *known, *([f"from {sender}"] if sender else [])])
