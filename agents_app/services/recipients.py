"""Whom a tool may reach: members, places that are set up, addresses its config lists."""

import re
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q, QuerySet

from agents_app.tools.definitions import ToolContext, ToolError
from integrations_app.models import Endpoint, Integration
from integrations_app.providers.base import Provider, Target
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.addressing import BLOCKED, address_of
from integrations_app.types import ChannelType, EndpointType, Reason
from one_project.accounts.models import Membership, User
from one_project.common.ids import parse_id

# How a model says the person it works for.
ME: Final = {"", "me", "myself"}
_PHONE: Final = re.compile(r"^\+[1-9]\d{6,14}$")
_SLACK_NAME: Final = re.compile(r"^[#@]?[\w.-]{1,80}$")


def member_of(context: ToolContext, named: str) -> User:
    """A member by e-mail address or whole name; "me" is who asked. Raises ToolError."""
    if named.lower() in ME:
        return requester_of(context)
    members = Membership.objects.active().filter(organisation=context.organisation)
    by_name = members.filter(Q(user__email__iexact=named) | Q(user__name__iexact=named))
    found = [row.user for row in by_name.select_related("user")[:2]]
    if len(found) != 1:
        many = "Several members have this name" if found else "No member has this name or address"
        raise ToolError(f"{many}; say the e-mail address of one.", code="unknown_person")
    return found[0]


def requester_of(context: ToolContext) -> User:
    """The person the tool works for. Raises ToolError where it is a program."""
    if context.user is None:
        raise ToolError("There is no person here to reach.", code="no_person")
    return context.user


def reached(person: User, context: ToolContext, provider: Provider) -> dict[str, Any]:
    """How a person is reached, as fields of a plan. Raises ToolError."""
    endpoint, target = address_of(person, context.organisation.pk, provider)
    if endpoint is None and target is None:
        raise ToolError(
            f"{person.display_name} has no address for {provider.title}.", code=Reason.NO_ADDRESS
        )
    return {
        "person": person,
        "endpoint": endpoint,
        "target": None if endpoint is not None else target,
        "shown": person.display_name,
    }


def fixed_place(context: ToolContext, integration: Integration) -> Endpoint | None:
    """The one place that the config names, if it does. Raises ToolError."""
    wanted = context.config.get("endpoint_id")
    if not wanted:
        return None
    place_id = parse_id(str(wanted))
    place = places_of(context, integration).filter(pk=place_id).first() if place_id else None
    if place is None:
        raise ToolError("The place of this tool is not there any more.", code="not_set_up")
    return place


def place_of(context: ToolContext, integration: Integration, to: str) -> Endpoint:
    """The place of this name; the only one without a name. Raises ToolError."""
    places = list(places_of(context, integration)[:50])
    wanted = to.lstrip("#").lower()
    named = [one for one in places if wanted in (_plain(one.label), _plain(one.address))]
    if len(places) == 1 and not to:
        named = places
    if len(named) != 1:
        known = ", ".join(one.label or one.address for one in places[:20])
        known = f"There are: {known}." if known else "None is set up: an admin does that."
        raise ToolError(f"Say one of the places of this integration. {known}", code="no_place")
    return named[0]


def places_of(context: ToolContext, integration: Integration) -> "QuerySet[Endpoint]":
    """Places that are set up at the integration, and nobody's own."""
    places = Endpoint.objects.filter(
        Q(integration=None) | Q(integration=integration),
        organisation=context.organisation,
        user=None,
        type__in=list(provider_of(integration.provider).endpoint_types),
    )
    # Nobody has set these up: they say that an address is not used any more.
    refused = places.filter(integration=None, status__in=BLOCKED)
    return places.exclude(pk__in=refused.values("pk")).order_by("label", "address")


def _plain(text: str) -> str:
    return text.lstrip("#").lower()


def refuse_choice(to: str) -> None:
    """Raises ToolError where the model names somebody although nothing is to be chosen."""
    if to:
        raise ToolError("Whom this reaches is fixed: leave “to” out.", code="invalid_arguments")


def listed(policy: Any, to: str) -> str:
    """One of the addresses that the config lists."""
    known = [str(one) for one in policy] if isinstance(policy, list) else []
    if not known:
        raise ToolError("This tool does not say whom it may reach.", code="not_set_up")
    if len(known) == 1 and not to:
        return known[0]
    for one in known:
        if one.lower() == to.lower():
            return one
    raise ToolError(f"It may only reach: {', '.join(known[:20])}.", code="not_allowed")


def bare_target(provider: Provider, channel_type: ChannelType, address: str) -> Target:
    """A bare address in the form of its kind. Raises ToolError."""
    if channel_type == ChannelType.EMAIL:
        try:
            validate_email(address)
        except ValidationError:
            raise ToolError("This is no e-mail address.", code="invalid_arguments") from None
        return Target(type=EndpointType.EMAIL, address=address)
    if channel_type == ChannelType.SMS:
        number = re.sub(r"[ ()/-]", "", address)
        if not _PHONE.match(number):
            raise ToolError(
                "A phone number is written as +, country code and number.",
                code="invalid_arguments",
            )
        return Target(type=provider.endpoint_types[0], address=number)
    if not _SLACK_NAME.match(address):
        raise ToolError("This is no channel's name or id.", code="invalid_arguments")
    is_person = address.startswith(("@", "U", "W"))
    kind = EndpointType.SLACK_USER if is_person else EndpointType.SLACK_CHANNEL
    return Target(type=kind, address=address)
