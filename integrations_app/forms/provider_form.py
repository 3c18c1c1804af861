"""The form of an integration, made of its provider's models.

Fields of settings are called ``settings__host``, of credentials ``credentials__password``. What was
typed into a secret is never in a page again: after an error it is typed once more.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from pydantic import SecretStr

from integrations_app.forms.fields import ServiceForm, field_of, issubclass_of, values_of
from integrations_app.models import Integration
from integrations_app.providers.base import Provider
from integrations_app.services.checking import Values
from integrations_app.services.owners import Owner
from one_project.accounts.models import Membership, Team

ME, ORGANISATION = "me", "organisation"


class ProviderForm(ServiceForm):
    """Settings, credentials and priority; with ``offered`` also whose it becomes."""

    name = forms.CharField(
        label="Name", required=False, max_length=120, help_text="What you call it here."
    )
    priority = forms.IntegerField(
        label="Priority",
        required=False,
        initial=100,
        min_value=0,
        max_value=999,
        help_text="Where several would do, the lowest is taken first.",
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        provider: Provider,
        row: Integration | None = None,
        offered: "list[tuple[str, str]] | None" = None,
        teams: "Mapping[UUID, Team] | None" = None,
        **options: Any,
    ) -> None:
        super().__init__(data, **options)
        self.provider, self.row, self._teams = provider, row, teams or {}
        self.fields["name"].initial = row.name if row else provider.title
        self.fields["priority"].initial = row.priority if row else 100
        self._settings = self._add("settings", provider.settings_model.model_fields, row)
        self._credentials = self._add("credentials", provider.credentials_model.model_fields, row)
        if offered is not None:
            self.fields["owner"] = forms.ChoiceField(
                label="Whose is it",
                choices=offered,
                initial=offered[0][0],
                widget=forms.RadioSelect,
                required=False,
            )
            self.fields["is_default"] = forms.BooleanField(
                label="Use this one first for its kind of message", required=False
            )

    def _add(
        self, part: str, model_fields: Mapping[str, Any], row: Integration | None
    ) -> list[str]:
        """Adds the fields of one model; their names."""
        secret_part = part == "credentials"
        has_stored = row is not None and row.credentials_changed_at is not None
        names = []
        for name, info in model_fields.items():
            field = field_of(name, info, is_set=secret_part and has_stored)
            if not secret_part and row is not None and name in row.settings:
                field.initial = row.settings[name]
            # A star where the model wants something; the model itself refuses.
            is_wanted = info.is_required() and not (secret_part and has_stored)
            field.widget.attrs["aria-required"] = "true" if is_wanted else "false"
            is_box = not isinstance(field, forms.BooleanField | forms.ChoiceField)
            if is_box and not info.is_required() and not info.default:
                field.label = f"{field.label} (optional)"
            self.fields[f"{part}__{name}"] = field
            names.append(f"{part}__{name}")
        return names

    @property
    def settings_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self._settings]

    @property
    def credentials_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self._credentials]

    @property
    def had_secrets(self) -> bool:
        """Whether something was typed that the page does not repeat."""
        fields = self.provider.credentials_model.model_fields
        return any(
            self.data.get(f"credentials__{name}")
            for name, info in fields.items()
            if issubclass_of(info.annotation, SecretStr)
        )

    def values(self) -> Values:
        cleaned = self.cleaned_data
        priority = cleaned.get("priority")
        return Values(
            name=cleaned.get("name") or "",
            settings=values_of(self.provider.settings_model, "settings", cleaned),
            priority=100 if priority is None else priority,
        )

    def credentials(self) -> dict[str, Any]:
        return values_of(self.provider.credentials_model, "credentials", self.cleaned_data)

    def owner(self) -> Owner:
        chosen = self.cleaned_data.get("owner") or ME
        for pk, team in self._teams.items():
            if chosen == f"team:{pk}":
                return team
        return "organisation" if chosen == ORGANISATION else "me"


def owners_for(membership: Membership) -> tuple[list[tuple[str, str]], dict[UUID, Team]]:
    """Whom the person may set something up for: choices, and the teams by id."""
    teams = Team.objects.filter(organisation_id=membership.organisation_id).order_by("name")
    if not membership.is_admin:
        teams = teams.filter(team_members__user=membership.user_id)
    known = {team.pk: team for team in teams[:100]}
    offered = [(ME, "Mine: only I use it")]
    offered += [(f"team:{pk}", f"The team {team.name}") for pk, team in known.items()]
    if membership.is_admin:
        offered.insert(
            0, (ORGANISATION, f"The organisation: everybody in {membership.organisation}")
        )
    return offered, known
