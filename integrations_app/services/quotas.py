"""How much may be sent: by an organisation, by a person (or their agents) and to one address.

Counted in Postgres by billing_app (docs/rate-limits.md), in the caller's transaction. Locks are
taken in one order: the sender's, the address', the organisation's.
"""

from hashlib import sha256
from typing import Final
from uuid import UUID

from billing_app.conf import (
    DELIVERIES_PER_ORGANISATION,
    DELIVERIES_PER_RECIPIENT,
    EMAILS_PER_USER,
    SMS_PER_USER,
    Setting,
)
from billing_app.errors import spoken
from billing_app.services.rate_limits import limit
from integrations_app.types import ChannelType
from one_project.accounts.models import Organisation

PER_USER: Final = {ChannelType.SMS: SMS_PER_USER, ChannelType.EMAIL: EMAILS_PER_USER}
WORDS: Final = {
    SMS_PER_USER.name: "You have sent as many SMS as one person may.",
    EMAILS_PER_USER.name: "You have sent as many e-mails as one person may.",
    DELIVERIES_PER_RECIPIENT.name: "This address has got as many messages as it may.",
    DELIVERIES_PER_ORGANISATION.name: "Your organisation has sent as much as it may.",
}


def refusal(
    organisation_id: UUID, channel_type: str, *, by_id: UUID | None, address: str
) -> str | None:
    """Take one of each limit that applies; or why not, in words. A refusal by a later limit leaves
    what an earlier one gave taken. What the house sends by itself (no ``by_id``) counts for the
    address and the organisation."""
    asked: list[tuple[Setting, str]] = []
    personal = PER_USER.get(ChannelType(channel_type))
    if by_id is not None and personal is not None:
        asked.append((personal, str(by_id)))
    if address:
        hashed = sha256(f"{channel_type}:{address.lower()}".encode()).hexdigest()[:32]
        asked.append((DELIVERIES_PER_RECIPIENT, hashed))
    asked.append((DELIVERIES_PER_ORGANISATION, ""))
    # Only its key is asked for; nobody reads the row for that.
    organisation = Organisation(pk=organisation_id)
    for setting, key in asked:
        found = setting.limit
        if found is None:
            continue
        verdict = limit(setting.name, key=key, organisation=organisation, config=found)
        if not verdict.ok:
            wait = spoken(verdict.retry_after or 0.0)
            return f"{WORDS[setting.name]} Again possible in {wait}."
    return None
