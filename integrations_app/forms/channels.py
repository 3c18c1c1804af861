"""Channels and their ways."""

from collections.abc import Mapping
from typing import Any

import orjson
from django import forms
from django.core.exceptions import ValidationError

from integrations_app.forms.fields import ServiceForm
from integrations_app.models import Channel, Endpoint, Integration
from integrations_app.types import ChannelType
from one_project.accounts.models import Team

_EVERYBODY = "The whole organisation"


class ChannelForm(ServiceForm):
    """A new channel."""

    name = forms.CharField(label="Name", required=False, max_length=120)
    key = forms.CharField(
        label="Key",
        required=False,
        max_length=64,
        help_text="What programs and notifications call it, like alerts. It does not change.",
        widget=forms.TextInput({"spellcheck": "false", "autocapitalize": "none"}),
    )
    channel_type = forms.ChoiceField(
        label="How it reaches people",
        required=False,
        choices=[
            (one.value, one.label)
            for one in ChannelType
            if one.reaches_people and one != ChannelType.IN_APP
        ],
    )
    team = forms.ModelChoiceField(
        label="For", queryset=Team.objects.none(), required=False, empty_label=_EVERYBODY
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, teams: Any, may_all: bool, **options: Any
    ) -> None:
        super().__init__(data, **options)
        field: Any = self.fields["team"]
        field.queryset = teams
        field.empty_label = _EVERYBODY if may_all else None


class RouteForm(ServiceForm):
    """One more way of a channel."""

    integration = forms.ModelChoiceField(
        label="Through", queryset=Integration.objects.none(), required=False, empty_label=None
    )
    endpoint = forms.ModelChoiceField(
        label="To a fixed place",
        queryset=Endpoint.objects.none(),
        required=False,
        empty_label="No: to where each person is reached",
    )
    condition = forms.CharField(
        label="Only when",
        required=False,
        max_length=4_000,
        help_text='Empty: always. Else a condition, like {"==": [{"var": "category"}, "billing"]}.',
        widget=forms.Textarea({"rows": 2, "spellcheck": "false", "class": "is-code"}),
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        channel: Channel,
        usable: Any,
        **options: Any,
    ) -> None:
        super().__init__(data, **options)
        fitting = usable.filter(channel_type=channel.channel_type, user=None)
        of_team = fitting.filter(team=None) | fitting.filter(team=channel.team_id)
        integration: Any = self.fields["integration"]
        integration.queryset = of_team.defer("credentials").order_by("priority", "name")
        endpoint: Any = self.fields["endpoint"]
        endpoint.queryset = Endpoint.objects.filter(
            organisation_id=channel.organisation_id, user=None, integration__in=of_team.values("pk")
        ).order_by("label", "address")

    def clean_condition(self) -> Any:
        """The object that was typed; what it says is the service's to check."""
        text = self.cleaned_data["condition"]
        if not text:
            return {}
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValidationError(f"This is not valid JSON: {error}.") from None
