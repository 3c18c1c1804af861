"""Which integration something goes through, and which come next when it fails.

Explicit choice, then the channel's rules, then the team's default, the organisation's default, and
the rest by priority. Only active ones. ``user`` is who sends: a person's own integration carries
nothing that somebody else says. Reads rows, writes none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q

from integrations_app.models import Channel, ChannelRoute, Endpoint, Integration
from integrations_app.runtime.conditions import holds
from integrations_app.types import IntegrationStatus, Reason
from one_project.accounts.models import Organisation, User
from one_project.common.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Route:
    """``integrations``: the first is taken, the rest are for when it fails. ``places``: the fixed
    ones of the channel's rules, by integration; ``endpoint``: that of the first. ``reason``: why
    there is none; then ``integrations`` is empty."""

    integrations: tuple[Integration, ...] = ()
    endpoint: Endpoint | None = None
    reason: Reason | None = None
    places: Mapping[UUID, Endpoint] = field(default_factory=dict)

    @property
    def first(self) -> Integration | None:
        return self.integrations[0] if self.integrations else None

    @property
    def fallbacks(self) -> tuple[Integration, ...]:
        return self.integrations[1:]


def route(
    organisation: Organisation,
    channel_type: str,
    *,
    user: User | None = None,
    team_id: UUID | None = None,
    channel: Channel | None = None,
    integration: Integration | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Route:
    """The way of one message. ``user``: who sends; ``team_id``: for which team; ``facts``: what the
    rules of the channel are about. One query, two with a channel."""
    if channel is not None and not channel.is_active:
        return Route(reason=Reason.NO_INTEGRATION)
    rules = _rules(organisation, channel, facts or {})
    team = team_id or (channel.team_id if channel else None)
    rest = _candidates(organisation, channel_type, user, team)
    own_types = channel_type if channel is None else channel.channel_type
    chosen: list[Integration] = []
    if integration is not None and _may(integration, organisation, own_types):
        chosen.append(integration)
    chosen += [one.integration for one in rules]
    ordered = tuple(_once([*chosen, *rest]))
    if not ordered:
        return Route(reason=Reason.NO_INTEGRATION)
    places = {one.integration_id: one.endpoint for one in rules if one.endpoint is not None}
    return Route(ordered, endpoint=places.get(ordered[0].pk), places=places)


def _rules(
    organisation: Organisation, channel: Channel | None, facts: Mapping[str, Any]
) -> list[ChannelRoute]:
    """The channel's routes whose condition holds, through what is active."""
    if channel is None:
        return []
    routes = ChannelRoute.objects.filter(
        organisation=organisation,
        channel=channel,
        integration__status=IntegrationStatus.ACTIVE,
        # What became a person's own later carries nothing for others any more.
        integration__user=None,
    ).select_related("integration", "endpoint")
    return [one for one in routes if _holds(one, facts)]


def _holds(rule: ChannelRoute, facts: Mapping[str, Any]) -> bool:
    try:
        return holds(rule.condition, facts)
    except InvalidInput:
        return False


def _candidates(
    organisation: Organisation, channel_type: str, user: User | None, team_id: UUID | None
) -> list[Integration]:
    """What may carry it by itself: the sender's own, the team's, the organisation's."""
    whose = Q(user=None, team=None)
    if team_id is not None:
        whose |= Q(team_id=team_id)
    if user is not None:
        whose |= Q(user=user)
    rows = Integration.objects.active().filter(
        whose, organisation=organisation, channel_type=channel_type
    )
    return sorted(rows, key=_rank)


def _rank(one: Integration) -> tuple[int, int, Any]:
    """Defaults first, the nearest owner's before the house's; then by priority."""
    if not one.is_default:
        return 3, one.priority, one.pk
    nearness = 0 if one.user_id else 1 if one.team_id else 2
    return nearness, one.priority, one.pk


def _may(integration: Integration, organisation: Organisation, channel_type: str) -> bool:
    return (
        integration.organisation_id == organisation.pk
        and integration.is_usable
        and integration.channel_type == channel_type
    )


def _once(found: Iterable[Integration]) -> Iterable[Integration]:
    known: set[UUID] = set()
    for one in found:
        if one.pk not in known:
            known.add(one.pk)
            yield one
