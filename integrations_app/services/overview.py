"""The page of connections: what is set up, how it is, and what uses it. Reads only."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Max, Q
from django.utils import timezone

from integrations_app.access import editable_integrations, is_admin_of, visible_connections
from integrations_app.errors import UnknownProvider
from integrations_app.models import ChannelRoute, Connection, Delivery, Integration
from integrations_app.providers.base import Provider
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.uses import Use, uses_of
from integrations_app.services.testing import Trial, trial_of
from integrations_app.types import DeliveryStatus
from one_project.accounts.models import Organisation, User

LOOKED_BACK: Final = timedelta(days=30)
SHOWN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One integration. ``failed`` and ``sent``: messages of the last 30 days."""

    row: Integration
    provider: Provider | None
    trial: Trial | None
    may_edit: bool
    may_stop: bool
    sent: int = 0
    failed: int = 0
    last_used: datetime | None = None
    uses: list[Use] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    own_connection: Connection | None = None

    @property
    def provider_title(self) -> str:
        return self.provider.title if self.provider else self.row.provider

    @property
    def uses_connections(self) -> bool:
        """Whether people link accounts through it: its provider can, and our app there is known."""
        can = self.provider is not None and self.provider.uses_connections
        return can and bool(self.row.meta.get("links_accounts", True))

    @property
    def owner(self) -> str:
        if self.row.team is not None:
            return f"The team {self.row.team.name}"
        return self.row.user.display_name if self.row.user else "The organisation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """By whose they are; ``of_others``: personal ones an admin may pause and remove."""

    mine: list[Line]
    teams: list[Line]
    organisation: list[Line]
    shared: list[Line]
    of_others: list[Line]

    @property
    def lines(self) -> list[Line]:
        return [*self.mine, *self.teams, *self.organisation, *self.shared, *self.of_others]

    @property
    def is_busy(self) -> bool:
        return any(line.trial is not None and line.trial.is_running for line in self.lines)

    @property
    def version(self) -> str:
        """Tells two states of the page apart."""
        return sha256(repr([_state(line) for line in self.lines]).encode()).hexdigest()[:16]


def _state(line: Line) -> tuple[Any, ...]:
    own = line.own_connection
    return (
        line.row.pk,
        line.row.updated_at,
        line.row.status,
        line.row.last_error,
        line.trial,
        line.sent,
        line.failed,
        [(one.pk, one.status) for one in line.connections],
        (own.pk, own.status) if own else None,
        line.uses,
    )


def overview(user: User, organisation: Organisation) -> Overview:
    """Everything the person may use, stop or change; a number of queries that does not grow."""
    usable = Integration.objects.usable_by(user, organisation)
    reach = Q(pk__in=usable.values("pk"))
    is_admin = is_admin_of(user, organisation)
    if is_admin:
        reach = Q()
    rows = (
        Integration.objects.filter(reach, organisation=organisation)
        .select_related("user", "team", "credentials_changed_by")
        .defer("credentials")
        .order_by("channel_type", "priority", "name", "pk")[:SHOWN]
    )
    found = list(rows)
    lines = lines_of(found, user, organisation, is_admin=is_admin)
    used = set(usable.values_list("pk", flat=True))
    parts: dict[str, list[Line]] = {
        name: [] for name in ("mine", "teams", "organisation", "shared", "of_others")
    }
    for line in lines:
        parts[_part(line.row, user, used)].append(line)
    return Overview(**parts)


def _part(row: Integration, user: User, usable: Collection[UUID]) -> str:
    if row.user_id == user.pk:
        return "mine"
    if row.team_id is not None:
        return "teams"
    if row.user_id is None:
        return "organisation"
    return "shared" if row.pk in usable else "of_others"


def lines_of(
    rows: Iterable[Integration], user: User, organisation: Organisation, *, is_admin: bool
) -> list[Line]:
    """The rows with what is known of each."""
    found = list(rows)
    ids = [row.pk for row in found]
    editable = set(
        editable_integrations(user, organisation).filter(pk__in=ids).values_list("pk", flat=True)
    )
    figures, uses = _figures(ids), _uses(ids)
    connections: dict[UUID, list[Connection]] = {}
    for one in visible_connections(user, organisation).filter(integration__in=ids):
        connections.setdefault(one.integration_id, []).append(one)
    return [
        Line(
            row=row,
            provider=_provider(row.provider),
            trial=trial_of(row),
            may_edit=row.pk in editable,
            may_stop=is_admin or row.pk in editable,
            # Tools may be somebody's own: their names are for who could stop them.
            uses=uses.get(row.pk, []) if is_admin or row.pk in editable else [],
            connections=connections.get(row.pk, []),
            own_connection=next(
                (one for one in connections.get(row.pk, []) if one.user_id == user.pk), None
            ),
            **figures.get(row.pk, {}),
        )
        for row in found
    ]


def _provider(slug: str) -> Provider | None:
    try:
        return provider_of(slug)
    except UnknownProvider:
        return None


def _figures(ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    failed = Q(status__in=[DeliveryStatus.FAILED, DeliveryStatus.BOUNCED, DeliveryStatus.UNKNOWN])
    rows = (
        Delivery.objects.filter(integration__in=ids, created_at__gt=timezone.now() - LOOKED_BACK)
        .values("integration_id")
        .annotate(sent=Count("pk"), failed=Count("pk", filter=failed), last_used=Max("created_at"))
        .order_by()
    )
    return {
        row["integration_id"]: {key: row[key] for key in ("sent", "failed", "last_used")}
        for row in rows
    }


def _uses(ids: Collection[UUID]) -> dict[UUID, list[Use]]:
    found = uses_of(ids)
    routes = ChannelRoute.objects.filter(integration__in=ids).select_related("channel")
    for route in routes.order_by("channel__name"):
        use = Use("Channel", route.channel.name, f"/connections/channels/{route.channel_id}/")
        found.setdefault(route.integration_id, []).append(use)
    return found
