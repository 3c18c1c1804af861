"""Set-ups of providers, linked accounts, and the addresses behind them."""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Exists, OuterRef, Q

from integrations_app.models.sealed import SealedField
from integrations_app.types import (
    ChannelType,
    ConnectionStatus,
    EndpointStatus,
    EndpointType,
    IntegrationStatus,
)
from one_project.accounts.models import Membership, Organisation, Team, User
from one_project.accounts.models.grants import granted_ids
from one_project.common.models import ChangingEntity, choice_check

if TYPE_CHECKING:
    from uuid import UUID

# ``Grant.object_type`` of integrations.
GRANTED = "integration"
_OWNED = Q(user=None) | Q(team=None)


def _membership(of: str) -> "models.QuerySet[Membership]":
    """Active ones of the person in the outer row's field ``of``, in its organisation."""
    return Membership.objects.active().filter(
        user=OuterRef(of), organisation=OuterRef("organisation")
    )


class IntegrationQuerySet(models.QuerySet["Integration"]):
    def usable_by(self, user: User, organisation: Organisation) -> "IntegrationQuerySet":
        """The organisation's, their teams', their own, and those shared with them by members."""
        shared = Q(pk__in=granted_ids(user, organisation, GRANTED))
        return self.filter(
            Q(user=None, team=None)
            | Q(user=user)
            | Q(team__team_members__user=user)
            # What somebody has shared goes with them.
            | shared & (Q(user=None) | Exists(_membership("user"))),
            organisation=organisation,
        ).distinct()

    def active(self) -> "IntegrationQuerySet":
        return self.filter(status=IntegrationStatus.ACTIVE)

    def of_house(self) -> "IntegrationQuerySet":
        """Those of the organisation itself."""
        return self.filter(user=None, team=None)


class Integration(ChangingEntity):
    """A provider, set up: ``user``'s own, ``team``'s, or with neither the organisation's.

    ``settings`` and ``credentials`` are what the provider's pydantic models say. ``hint`` tells
    credentials apart ("••••abcd") without showing them. ``failures``: of its credentials, in a row.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="integrations"
    )
    # Goes with its owner: without one it would be everybody's.
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="integrations"
    )
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="integrations"
    )
    name = models.CharField(max_length=120)
    provider = models.CharField(max_length=40)
    channel_type = models.CharField(max_length=9, choices=ChannelType.choices)
    settings = models.JSONField(default=dict, blank=True)
    credentials = SealedField()
    hint = models.CharField(max_length=200, blank=True)
    credentials_changed_at = models.DateTimeField(null=True, blank=True)
    credentials_changed_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    status = models.CharField(
        max_length=8, choices=IntegrationStatus.choices, default=IntegrationStatus.DRAFT
    )
    # The one of its owner for this channel type.
    is_default = models.BooleanField(default=False)
    # Lower comes first where several would do.
    priority = models.PositiveSmallIntegerField(default=100)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)
    last_error_code = models.CharField(max_length=40, blank=True)
    # In words for people; never what the provider sent as it is.
    last_error = models.CharField(max_length=300, blank=True)
    failures = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = IntegrationQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("integration_channel_known", "channel_type", ChannelType),
            choice_check("integration_status_known", "status", IntegrationStatus),
            models.CheckConstraint(name="integration_one_owner", condition=_OWNED),
            # One default of each owner; also the index of routing.
            models.UniqueConstraint(
                fields=["organisation", "channel_type", "user", "team"],
                condition=Q(is_default=True),
                nulls_distinct=False,
                name="integration_default_once",
            ),
        ]
        indexes = [
            # The page of connections, and the next ones to try.
            models.Index(
                fields=["organisation", "channel_type", "priority"], name="integration_by_channel"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_usable(self) -> bool:
        return self.status == IntegrationStatus.ACTIVE


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def usable_by(self, user: User, organisation: Organisation) -> "ConnectionQuerySet":
        """Their own, their teams', and those everybody shares (no user and no team)."""
        member = Membership.objects.active().filter(
            user=user, organisation=OuterRef("organisation")
        )
        return self.filter(
            Q(user=user) | Q(team__team_members__user=user) | Q(user=None, team=None),
            Exists(member),
            organisation=organisation,
        ).distinct()


class Connection(ChangingEntity):
    """An account linked through an integration by OAuth: a person's, a team's, or everybody's.

    ``token``: access_token, refresh_token, token_type, as the server gave them. ``external_*``: the
    workspace or account over there.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="connections"
    )
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, related_name="connections"
    )
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="connections"
    )
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="connections"
    )
    external_id = models.CharField(max_length=200, blank=True)
    external_name = models.CharField(max_length=200, blank=True)
    scopes = models.JSONField(default=list, blank=True)
    token = SealedField()
    expires_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(
        max_length=7, choices=ConnectionStatus.choices, default=ConnectionStatus.PENDING
    )
    last_ok_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("connection_status_known", "status", ConnectionStatus),
            models.CheckConstraint(name="connection_one_owner", condition=_OWNED),
            # One link of an owner through an integration; also the index that finds it.
            models.UniqueConstraint(
                fields=["integration", "user", "team"],
                nulls_distinct=False,
                name="connection_once_per_owner",
            ),
        ]

    def __str__(self) -> str:
        return self.external_name or str(self.integration)


class Endpoint(ChangingEntity):
    """An address: of a person (``user``), or a place such as a channel.

    ``address`` is shown (masked where it is somebody's); what is a key by itself (a webhook's URL,
    a browser's subscription) is in ``secret`` and ``address`` names it. ``integration`` None: any
    integration of a fitting type may use it. ``fingerprint``: of what is secret, to find it again.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="endpoints"
    )
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, null=True, blank=True, related_name="endpoints"
    )
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, null=True, blank=True, related_name="endpoints"
    )
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="endpoints"
    )
    type = models.CharField(max_length=15, choices=EndpointType.choices)
    address = models.CharField(max_length=320)
    secret = SealedField()
    fingerprint = models.CharField(max_length=64, blank=True)
    label = models.CharField(max_length=120, blank=True)
    status = models.CharField(
        max_length=12, choices=EndpointStatus.choices, default=EndpointStatus.UNVERIFIED
    )
    verified_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            choice_check("endpoint_type_known", "type", EndpointType),
            choice_check("endpoint_status_known", "status", EndpointStatus),
            # The same address once for a person or place; also the index that finds theirs.
            models.UniqueConstraint(
                fields=["organisation", "user", "type", "address", "fingerprint", "integration"],
                nulls_distinct=False,
                name="endpoint_once",
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.address


class OAuthAttempt(ChangingEntity):
    """A consent that somebody has been sent to give; used once, within minutes.

    ``state_hash``: SHA-256 of the state parameter; ``browser_hash`` of the session's key that may
    come back with it. ``secret``: the PKCE verifier.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="oauth_attempts"
    )
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, related_name="oauth_attempts"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="oauth_attempts")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True)
    # Whether the account becomes everybody's.
    is_shared = models.BooleanField(default=False)
    state_hash = models.CharField(max_length=64, unique=True)
    browser_hash = models.CharField(max_length=64)
    secret = SealedField()
    return_to = models.CharField(max_length=300, blank=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.user} to {self.integration}"


def owner_of(row: "Integration | Connection") -> "dict[str, UUID | None]":
    """Whose it is, as fields of another row."""
    found: dict[str, Any] = {"user_id": row.user_id, "team_id": row.team_id}
    return found
