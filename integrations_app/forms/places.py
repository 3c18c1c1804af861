"""Addresses: places behind an integration, and a person's own."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms

from integrations_app.forms.fields import ServiceForm
from integrations_app.providers.base import Provider
from integrations_app.services.endpoints import OWN_TYPES
from integrations_app.types import EndpointType

# Made by other means: a browser registers itself, a person links their account.
_NOT_TYPED: Final = (EndpointType.WEB_PUSH, EndpointType.SLACK_USER)


class PlaceForm(ServiceForm):
    """Where an integration posts to."""

    kind = forms.ChoiceField(label="What it is", required=False)
    address = forms.CharField(
        label="Address",
        required=False,
        max_length=2_000,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    label = forms.CharField(
        label="Name", required=False, max_length=120, help_text="What you call it here."
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, provider: Provider, **options: Any
    ) -> None:
        super().__init__(data, prefix=None, auto_id="place_%s", **options)
        kinds = [one for one in provider.endpoint_types if one not in _NOT_TYPED]
        self.fields["kind"].choices = [(str(one), one.label) for one in kinds]  # type: ignore[attr-defined]
        self.kinds = kinds
        if len(kinds) == 1:
            self.fields["kind"].widget = forms.HiddenInput()
            self.fields["kind"].initial = str(kinds[0])


class OwnAddressForm(ServiceForm):
    """Where a person is reached."""

    kind = forms.ChoiceField(
        label="What it is",
        choices=[(kind, EndpointType(kind).label) for kind in OWN_TYPES],
        required=False,
    )
    address = forms.CharField(label="Address or number", required=False, max_length=320)
    label = forms.CharField(
        label="Name", required=False, max_length=120, help_text="Such as “work”; may stay empty."
    )
