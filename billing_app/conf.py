"""The limits of the installation, each one setting of one line; ``off`` disables it.

``bucket 20000/60s burst 100000`` gains 20,000 tokens a minute and holds 100,000;
``window 1/5s burst 2`` gains one every five seconds. ``shards 4`` and ``reserve 10`` may follow.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from billing_app.types.rate_limits import DAY, HOUR, MINUTE, SECOND, WEEK, Kind, RateLimit

KINDS: Final[dict[str, Kind]] = {"bucket": "token bucket", "window": "fixed window"}
UNITS: Final = {
    "ms": SECOND / 1000,
    "s": SECOND,
    "min": MINUTE,
    "h": HOUR,
    "d": DAY,
    "w": WEEK,
}
OPTIONS: Final = ("burst", "reserve", "shards")
NUMBER: Final = r"[0-9][0-9_]*(?:\.[0-9]+)?"
FIRST: Final = re.compile(rf"({'|'.join(KINDS)})\s+({NUMBER})/({NUMBER})?({'|'.join(UNITS)})")
OPTION: Final = re.compile(rf"\s+({'|'.join(OPTIONS)})\s+({NUMBER})")
HOW: Final = 'write for example "bucket 20000/60s burst 100000", "window 1/5s burst 2" or "off"'


@dataclass(frozen=True, slots=True)
class Setting:
    """One limit as the environment gives it; ``name`` is the limit's."""

    name: str
    setting: str
    default: str

    @property
    def limit(self) -> RateLimit | None:
        """As set now; None when it is off. Raises ImproperlyConfigured."""
        return parse_limit(getattr(settings, self.setting, self.default), self.setting)


MESSAGES_PER_USER: Final = Setting(
    "messages_per_user", "ONE_LIMIT_MESSAGES_PER_USER", "window 1/5s burst 2"
)
MESSAGES_PER_ORGANISATION: Final = Setting(
    "messages_per_organisation", "ONE_LIMIT_MESSAGES_PER_ORGANISATION", "bucket 1000/60s"
)
TOKENS_PER_USER: Final = Setting(
    "tokens_per_user", "ONE_LIMIT_TOKENS_PER_USER", "bucket 20000/60s burst 100000"
)
TOKENS_PER_ORGANISATION: Final = Setting(
    "tokens_per_organisation",
    "ONE_LIMIT_TOKENS_PER_ORGANISATION",
    "bucket 200000/60s burst 1000000",
)
THREADS_PER_USER: Final = Setting(
    "threads_per_user", "ONE_LIMIT_THREADS_PER_USER", "bucket 20/60s burst 40"
)
SMS_PER_USER: Final = Setting("sms_per_user", "ONE_LIMIT_SMS_PER_USER", "bucket 50/d")
EMAILS_PER_USER: Final = Setting("emails_per_user", "ONE_LIMIT_EMAILS_PER_USER", "bucket 500/d")
DELIVERIES_PER_RECIPIENT: Final = Setting(
    "deliveries_per_recipient", "ONE_LIMIT_DELIVERIES_PER_RECIPIENT", "bucket 200/d"
)
DELIVERIES_PER_ORGANISATION: Final = Setting(
    "deliveries_per_organisation", "ONE_LIMIT_DELIVERIES_PER_ORGANISATION", "bucket 20000/h"
)
SETTINGS: Final = (
    MESSAGES_PER_USER,
    MESSAGES_PER_ORGANISATION,
    TOKENS_PER_USER,
    TOKENS_PER_ORGANISATION,
    THREADS_PER_USER,
    SMS_PER_USER,
    EMAILS_PER_USER,
    DELIVERIES_PER_RECIPIENT,
    DELIVERIES_PER_ORGANISATION,
)


@lru_cache(maxsize=64)
def parse_limit(text: str, setting: str = "A rate limit") -> RateLimit | None:
    """The limit that ``text`` describes, None for ``off``. Raises ImproperlyConfigured."""
    text = text.strip().lower()
    if text == "off":
        return None
    first = FIRST.match(text)
    if first is None:
        raise ImproperlyConfigured(f"{setting} is {text!r}; {HOW}.")
    kind, rate, amount, unit = first.groups()
    options: dict[str, str] = {}
    place = first.end()
    while place < len(text):
        option = OPTION.match(text, place)
        if option is None or option[1] in options:
            raise ImproperlyConfigured(f"{setting} has {text[place:]!r} at its end; {HOW}.")
        options[option[1]] = option[2]
        place = option.end()
    burst, reserve, shards = (options.get(name) for name in OPTIONS)
    try:
        return RateLimit(
            KINDS[kind],
            rate=float(rate),
            period=float(amount or 1) * UNITS[unit],
            capacity=float(burst) if burst else None,
            max_reserved=float(reserve) if reserve else None,
            shards=int(shards) if shards else None,
        )
    except ValueError as error:
        raise ImproperlyConfigured(f"{setting} is {text!r}. {error}") from error


def reserved_output_tokens() -> int:
    """Tokens of an answer that budgets hold back for, and cut it at, where it has no limit."""
    return int(getattr(settings, "ONE_RESERVED_OUTPUT_TOKENS", 4096))


def reservation_minutes() -> int:
    """After which what is held for a call that never ended is free again."""
    return int(getattr(settings, "ONE_RESERVATION_MINUTES", 30))


def invoice_per() -> str:
    """For whom invoices are made where an organisation does not say: an ``InvoicePer``. Raises
    ImproperlyConfigured."""
    per = str(getattr(settings, "ONE_INVOICE_PER", "user")).strip().lower()
    if per not in {"user", "organisation"}:
        raise ImproperlyConfigured('ONE_INVOICE_PER is "user" or "organisation".')
    return per


def invoice_issuer() -> dict[str, str]:
    """Who bills: lines of text (``\\n`` counts as one's end), the first the name, of three and
    more the last the tax number, what is between the address."""
    text = str(getattr(settings, "ONE_INVOICE_ISSUER", "")).replace("\\n", "\n")
    name, *rest = [line.strip() for line in text.splitlines() if line.strip()] or ["ONE"]
    tax_number = rest.pop() if len(rest) > 1 else ""
    return {"name": name, "email": "", "address": "\n".join(rest), "tax_number": tax_number}
