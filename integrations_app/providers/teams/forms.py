"""What Teams needs: the address of a workflow ("When a Teams webhook request is received")."""

import re
from typing import Final
from urllib.parse import urlsplit

from integrations_app.providers.places import is_operators

_HOSTS: Final = re.compile(
    r"(?:[a-z0-9-]+\.)+(?:logic\.azure\.(?:com|us)|api\.powerplatform\.(?:com|us)"
    r"|webhook\.office\.com)"
)


def is_workflow(url: str) -> bool:
    """Whether this is where Microsoft has workflows (or the operator has set it)."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if host and is_operators(host, port or (443 if parts.scheme == "https" else 80)):
        return True
    return parts.scheme == "https" and port in (None, 443) and bool(_HOSTS.fullmatch(host))
