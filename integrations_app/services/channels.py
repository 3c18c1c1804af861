"""Channels: named routes that programs, agents and notifications send by."""

import re
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max

from integrations_app.access import access_integration, is_admin_of
from integrations_app.errors import InvalidSettings
from integrations_app.models import Channel, ChannelRoute, Endpoint
from integrations_app.types import ChannelType
from one_project.accounts.models import Organisation, Team, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, Conflict, InvalidInput, NotFound
from one_project.common.ids import parse_id
from one_project.common.text import clean_line, is_plain_json

MAX_CHANNELS: Final = 200
MAX_ROUTES: Final = 20
_KEY: Final = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")


def access_channel_to_edit(
    user: User, organisation: Organisation, channel_id: UUID | str | None
) -> Channel:
    """A channel the person may change: admins all, members those of their teams. Raises NotFound,
    also for one they only see."""
    wanted = parse_id(channel_id)
    rows = Channel.objects.filter(organisation=organisation)
    if not is_admin_of(user, organisation):
        rows = rows.filter(team__team_members__user=user)
    found = wanted and rows.filter(pk=wanted).first()
    if not found:
        raise NotFound
    return found


@transaction.atomic
def create_channel(
    organisation: Organisation,
    *,
    by: User,
    key: str,
    name: str,
    channel_type: str,
    team: Team | None = None,
) -> Channel:
    """A new channel. Raises InvalidSettings, AccessDenied (the organisation's are its admins'),
    Conflict."""
    if not is_admin_of(by, organisation) and not (
        team is not None and team.team_members.filter(user=by).exists()
    ):
        raise AccessDenied("Only admins make channels of the whole organisation.")
    if team is not None and team.organisation_id != organisation.pk:
        raise InvalidSettings({"team": "Please choose a team."})
    problems = {}
    name, key = clean_line(name, 120), clean_line(key, 65)
    if not name:
        problems["name"] = "Please give it a name."
    if not _KEY.match(key):
        problems["key"] = "Small letters, digits, _ and -, at most 64 of them."
    if channel_type not in [one for one in ChannelType if one.reaches_people]:
        problems["channel_type"] = "Please choose how it reaches people."
    if problems:
        raise InvalidSettings(problems)
    if Channel.objects.filter(organisation=organisation).count() >= MAX_CHANNELS:
        raise Conflict(f"An organisation has at most {MAX_CHANNELS} channels.")
    try:
        with transaction.atomic():
            row = Channel.objects.create(
                organisation=organisation, team=team, key=key, name=name, channel_type=channel_type
            )
    except IntegrityError:
        raise InvalidSettings({"key": "There is a channel with this key already."}) from None
    _record(row, "channel_created", by)
    return row


@transaction.atomic
def change_channel(row: Channel, *, by: User, name: str, is_active: bool) -> Channel:
    """Its key and its kind stay: programs rely on them. Raises InvalidSettings."""
    kept = _locked(row)
    name = clean_line(name, 120)
    if not name:
        raise InvalidSettings({"name": "Please give it a name."})
    kept.name, kept.is_active = name, is_active
    kept.save()
    _record(kept, "channel_changed", by)
    return kept


@transaction.atomic
def delete_channel(row: Channel, *, by: User) -> None:
    """Remove it with its routes; what names it later finds no channel."""
    kept = _locked(row)
    _record(kept, "channel_deleted", by, {"key": kept.key})
    kept.delete()


@transaction.atomic
def add_route(
    channel: Channel,
    *,
    by: User,
    integration_id: UUID | str | None,
    endpoint_id: UUID | str | None = None,
    condition: Any = None,
) -> ChannelRoute:
    """One more way, after the others. ``condition``: see ``runtime.conditions``.

    A channel is for everybody it tells of, so its ways are the organisation's or its team's, not a
    person's own. Raises InvalidSettings, IntegrationNotFound.
    """
    kept = _locked(channel)
    integration = access_integration(by, kept.organisation, integration_id)
    problems = {}
    if integration.channel_type != kept.channel_type:
        problems["integration"] = "This one is for another kind of channel."
    elif integration.user_id is not None:
        problems["integration"] = "A personal one cannot carry the messages of others."
    elif integration.team_id is not None and integration.team_id != kept.team_id:
        problems["integration"] = "This one belongs to another team."
    endpoint = None
    wanted = parse_id(endpoint_id)
    if endpoint_id:
        places = Endpoint.objects.filter(organisation_id=kept.organisation_id, user=None)
        endpoint = wanted and places.filter(pk=wanted, integration=integration).first()
        if not endpoint:
            problems["endpoint"] = "Please choose a place of this integration."
    condition = condition or {}
    try:
        _check(condition)
    except InvalidInput as error:
        problems["condition"] = error.user_message
    if problems:
        raise InvalidSettings(problems)
    routes = ChannelRoute.objects.filter(channel=kept)
    if routes.count() >= MAX_ROUTES:
        raise Conflict(f"A channel has at most {MAX_ROUTES} ways.")
    last = routes.aggregate(last=Max("position"))["last"]
    try:
        with transaction.atomic():
            route = ChannelRoute.objects.create(
                organisation_id=kept.organisation_id,
                channel=kept,
                integration=integration,
                endpoint=endpoint or None,
                condition=condition,
                position=0 if last is None else last + 1,
            )
    except IntegrityError:
        problem = {"integration": "This channel goes through it already."}
        raise InvalidSettings(problem) from None
    _record(kept, "channel_route_added", by, {"integration": str(integration.pk)})
    return route


def _check(condition: Any) -> None:
    from integrations_app.runtime.conditions import check_condition

    if not isinstance(condition, dict) or not is_plain_json(condition):
        raise InvalidInput(
            'Please write a JSON object, like {"==": [{"var": "priority"}, "high"]}.'
        )
    check_condition(condition)


@transaction.atomic
def remove_route(channel: Channel, *, by: User, route_id: UUID | str | None) -> None:
    """Raises NotFound."""
    kept = _locked(channel)
    _route(kept, route_id).delete()
    _record(kept, "channel_route_removed", by)


@transaction.atomic
def move_route(channel: Channel, *, by: User, route_id: UUID | str | None, up: bool) -> None:
    """Change places with the one before, or after. Raises NotFound."""
    kept = _locked(channel)
    routes = list(ChannelRoute.objects.filter(channel=kept).order_by("position", "pk"))
    at = routes.index(_route(kept, route_id))
    other = at - 1 if up else at + 1
    if 0 <= other < len(routes):
        routes[at], routes[other] = routes[other], routes[at]
        for position, route in enumerate(routes):
            route.position = position
        ChannelRoute.objects.bulk_update(routes, ["position"])
        _record(kept, "channel_route_moved", by)


def _route(channel: Channel, route_id: UUID | str | None) -> ChannelRoute:
    wanted = parse_id(route_id)
    found = wanted and ChannelRoute.objects.filter(channel=channel, pk=wanted).first()
    if not found:
        raise NotFound
    return found


def _locked(row: Channel) -> Channel:
    found = Channel.objects.select_for_update(of=("self",)).filter(pk=row.pk).first()
    if found is None:
        raise NotFound
    return found


def _record(row: Channel, kind: str, by: User, data: dict[str, Any] | None = None) -> None:
    record_event(row.organisation, kind, actor=by, target=f"channel:{row.pk}", data=data)
