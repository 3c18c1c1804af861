"""The part of a form that says who else may use a thing."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms

from agents_app.forms.fields import LinesField, ServiceForm
from agents_app.services.sharing import (
    CHOSEN,
    ORGANISATION,
    PRIVATE,
    Sharing,
    Thing,
    grants_on,
    mode_of,
)
from one_project.accounts.models import Grant, Membership, Organisation, Team, User

# How many people are offered without having access; others are added by their address.
OFFERED = 30
LEVELS = [("", "No access"), ("use", "May use"), ("manage", "May use and change")]


class SharingForm(ServiceForm):
    """``share_mode``, a choice per person and team, and addresses of others."""

    share_mode = forms.ChoiceField(
        label="Who may use it",
        choices=[
            (PRIVATE, "Private"),
            (ORGANISATION, "Everybody in the organisation"),
            (CHOSEN, "People and teams I choose"),
        ],
        initial=PRIVATE,
        widget=forms.RadioSelect,
        required=False,
    )
    share_addresses = LinesField(
        label="Others, by e-mail address",
        separator="\n",
        most=50,
        longest=254,
        help_text="One per line. They may use it.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )

    def __init__(
        self,
        data: Any = None,
        *,
        organisation: Organisation,
        person: User,
        thing: Thing | None = None,
        **options: Any,
    ) -> None:
        super().__init__(data, **options)
        self.organisation, self.person = organisation, person
        self._people: dict[str, tuple[UUID, Any]] = {}
        self._teams: dict[str, tuple[UUID, Any]] = {}
        grants = grants_on(thing) if thing is not None else []
        if thing is not None:
            self.fields["share_mode"].initial = mode_of(thing, grants)
        owner_id = thing.created_by_id if thing is not None else person.pk
        self._offer_people(grants, owner_id)
        self._offer_teams(grants)

    def _offer_people(self, grants: Iterable[Grant], owner_id: UUID | None) -> None:
        given = {row.user: row.level for row in grants if row.user is not None}
        members = (
            Membership.objects.active()
            .filter(organisation=self.organisation)
            .exclude(user__in=[user.pk for user in given])
            .select_related("user")
            .order_by("user__name", "user__email")
        )
        if owner_id is not None:
            members = members.exclude(user=owner_id)
        others = [membership.user for membership in members[:OFFERED]]
        for user in [*given, *others]:
            name = f"share_user_{user.pk}"
            self.fields[name] = _level_field(f"Access of {user.display_name}", given.get(user, ""))
            self._people[name] = (user.pk, user)

    def _offer_teams(self, grants: Iterable[Grant]) -> None:
        given = {row.team_id: row.level for row in grants if row.team_id is not None}
        for team in Team.objects.filter(organisation=self.organisation).order_by("name")[:100]:
            name = f"share_team_{team.pk}"
            self.fields[name] = _level_field(f"Access of {team.name}", given.get(team.pk, ""))
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


def _level_field(label: str, level: str) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=LEVELS, initial=level, required=False)
