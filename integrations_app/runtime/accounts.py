"""Integrations opened for one use."""

from collections.abc import Mapping
from typing import Any

from integrations_app.models import Integration
from integrations_app.providers.base import Account, validated
from integrations_app.providers.registry import provider_of


def account_of(integration: Integration, token: Mapping[str, Any] | None = None) -> Account:
    """The integration with its credentials, as its provider takes it; drop it after the use.

    Raises UnknownProvider, InvalidSettings (stored by an older version), SealBroken.
    """
    provider = provider_of(integration.provider)
    return Account(
        integration_id=integration.pk,
        organisation_id=integration.organisation_id,
        settings=validated(provider.settings_model, integration.settings),
        credentials=validated(provider.credentials_model, integration.credentials),
        token=dict(token or {}),
    )
