"""The one way to write the event log."""

import logging
from typing import Any

from one_project.accounts.models import Event, Organisation, User

logger = logging.getLogger("one.events")


def record_event(
    organisation: Organisation,
    kind: str,
    *,
    actor: User | None = None,
    target: str = "",
    data: dict[str, Any] | None = None,
) -> Event:
    """Append a past fact; call it inside the transaction that made it true."""
    return Event.objects.create(
        organisation=organisation, kind=kind, actor=actor, target=target, data=data or {}
    )
