"""What ``manage.py check`` says of the keys that seal credentials."""

from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured

from one_project.common.sealing import parsed_keys

# Fewer different bytes than any 32 random ones ever have.
_FEWEST: Final = 16
# Beginnings of keys that everybody can read in the settings.
_PUBLIC_IDS: Final = ("dev", "test")


@register(Tags.security)
def keys_are_usable(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """E001: no keys, or some that are none."""
    try:
        parsed_keys(settings.ONE_CREDENTIAL_KEYS)
    except ImproperlyConfigured as error:
        return [Error(str(error), hint=_HINT, id="integrations.E001")]
    return []


@register(Tags.security, deploy=True)
def keys_are_secret(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """E002: a key that everybody knows. W003: private addresses are open to everybody's tools."""
    found: list[CheckMessage] = []
    try:
        keys = parsed_keys(settings.ONE_CREDENTIAL_KEYS)
    except ImproperlyConfigured:
        return []  # E001
    if any(len(set(key)) < _FEWEST or name in _PUBLIC_IDS for name, key in keys.items()):
        problem = "A key in ONE_CREDENTIAL_KEYS is not a random one."
        found.append(Error(problem, hint=_HINT, id="integrations.E002"))
    if settings.ONE_HTTP_ALLOW_PRIVATE:
        problem = "ONE_HTTP_ALLOW_PRIVATE lets everybody's tools and hooks reach private networks."
        hint = "List the hosts that they need in ONE_HTTP_ALLOWED_HOSTS instead."
        found.append(Warning(problem, hint=hint, id="integrations.W003"))
    return found


_HINT: Final = "Make one with manage.py new_credential_key."
