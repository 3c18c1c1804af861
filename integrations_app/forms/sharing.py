"""The part that says who else may use an integration."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from django import forms

from integrations_app.forms.fields import LinesField, ServiceForm
from integrations_app.models import Integration
from integrations_app.services.sharing import (
    CHOSEN,
    ORGANISATION,
    PRIVATE,
    Sharing,
    grants_on,
    mode_of,
)
from one_project.accounts.models import Grant, Membership, Team

# How many people are offered without having access; others are added by their address.
OFFERED: Final = 30
LEVELS: Final = [("", "No access"), ("use", "May use"), ("manage", "May use and change")]


class SharingForm(ServiceForm):
    """``share_mode``, a choice for each person and team, and addresses of others."""

    share_mode = forms.ChoiceField(
        label="Who may use it",
        choices=[
            (PRIVATE, "Nobody else"),
            (ORGANISATION, "Everybody in the organisation"),
            (CHOSEN, "People and teams I choose"),
        ],
        widget=forms.RadioSelect,
        required=False,
    )
    share_addresses = LinesField(
        label="Others, by e-mail address",
        required=False,
        help_text="One per line. They may use it.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, row: Integration, **options: Any
    ) -> None:
        super().__init__(data, **options)
        grants = grants_on(row)
        self.fields["share_mode"].initial = mode_of(grants)
        self._people: dict[str, tuple[UUID, Any]] = {}
        self._teams: dict[str, tuple[UUID, Any]] = {}
        self._offer_people(row, grants)
        self._offer_teams(row, grants)

    def _offer_people(self, row: Integration, grants: Iterable[Grant]) -> None:
        given = {one.user: one.level for one in grants if one.user is not None}
        members = (
            Membership.objects.active()
            .filter(organisation_id=row.organisation_id)
            .exclude(user__in=[user.pk for user in given])
            .select_related("user")
            .order_by("user__name", "user__email")
        )
        if row.user_id is not None:
            members = members.exclude(user=row.user_id)
        for user in [*given, *(one.user for one in members[:OFFERED])]:
            name = f"share_user_{user.pk}"
            self.fields[name] = _level(f"Access of {user.display_name}", given.get(user, ""))
            self._people[name] = (user.pk, user)

    def _offer_teams(self, row: Integration, grants: Iterable[Grant]) -> None:
        given = {one.team_id: one.level for one in grants if one.team_id is not None}
        teams = Team.objects.filter(organisation_id=row.organisation_id).order_by("name")
        for team in teams[:100]:
            name = f"share_team_{team.pk}"
            self.fields[name] = _level(f"Access of {team.name}", given.get(team.pk, ""))
            self._teams[name] = (team.pk, team)

    @property
    def person_rows(self) -> list[tuple[Any, forms.BoundField]]:
        return [(user, self[name]) for name, (_, user) in self._people.items()]

    @property
    def team_rows(self) -> list[tuple[Any, forms.BoundField]]:
        return [(team, self[name]) for name, (_, team) in self._teams.items()]

    def sharing(self) -> Sharing:
        """What was chosen. Who was not on the page that was sent stays as they are."""
        data = self.cleaned_data
        return Sharing(
            mode=data["share_mode"] or PRIVATE,
            people={pk: data[name] for name, (pk, _) in self._people.items() if name in self.data},
            teams={pk: data[name] for name, (pk, _) in self._teams.items() if name in self.data},
            addresses=tuple(data["share_addresses"]),
        )


def _level(label: str, level: str) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=LEVELS, initial=level, required=False)
