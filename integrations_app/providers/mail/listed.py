"""Which servers may be spoken to without encryption: those of the operator."""

from urllib.parse import urlsplit

from django.conf import settings

from integrations_app.providers.places import is_operators


def is_listed(host: str, port: int) -> bool:
    """Whether the operator has listed the server (ONE_HTTP_ALLOWED_HOSTS, ONE_PROVIDER_URLS), or
    has opened everything (ONE_HTTP_ALLOW_PRIVATE)."""
    if getattr(settings, "ONE_HTTP_ALLOW_PRIVATE", False):
        return True
    listed = {one.lower() for one in getattr(settings, "ONE_HTTP_ALLOWED_HOSTS", ())}
    return f"{host}:{port}".lower() in listed or is_operators(host, port)


def is_plain(url: str) -> bool:
    """Whether the address is without encryption, and of a server that is not listed."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_listed(parts.hostname or "", parts.port or 80)
