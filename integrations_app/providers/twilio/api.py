"""Twilio's interface for messages, by REST: one call sends, one asks about the account."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from integrations_app.errors import (
    AuthFailed,
    BadTarget,
    Permanent,
    RateLimited,
    SendError,
    Transient,
)
from integrations_app.providers.base import Accepted, Account
from integrations_app.providers.http import Fetched
from integrations_app.providers.mail.refusals import meaning, wait_of
from integrations_app.providers.places import base_url
from integrations_app.providers.posting import answer_of, asked
from integrations_app.providers.twilio.forms import PHONE, is_allowed

_TEST_SECONDS: Final = 10.0
UNSUBSCRIBED: Final = frozenset((21610, 63032))
# Numbers that never take a message.
NO_TARGET: Final = frozenset(
    (21211, 21214, 21217, 21219, 21401, 21407, 21421, 21604, 21614, 30005, 30006, 63003, 63013,
     63024)
)  # fmt: skip
_AUTH: Final = frozenset((20003, 20005, 20006, 20008, 20010, 30002))
_LIMIT: Final = frozenset((20429, 14107, 30001, 30022, 63018))
_WORDS: Final = {
    21408: "The account may not send to this country.",
    21606: "The number in “From” cannot send there.",
    21612: "From this number, that one cannot be reached.",
    21660: "The number in “From” does not belong to the account.",
    63007: "The number in “From” is not registered for WhatsApp.",
    63016: "They have not written in the last 24 hours: WhatsApp wants a template then.",
}


async def account_name(account: Account) -> str:
    """What the account is called over there. Raises as ``send``."""
    found = await asked(
        f"{_base(account)}.json", deadline=_TEST_SECONDS, is_read=True, headers=_headers(account)
    )
    answer = _checked(found)
    if answer.get("status") not in (None, "active"):
        raise AuthFailed("The Twilio account is not active.", code="account_inactive")
    return str(answer.get("friendly_name") or account.settings.account_sid)[:80]


def check_number(account: Account, number: str) -> None:
    """Raises BadTarget for what is no number, Permanent for a country that is not allowed."""
    if not PHONE.fullmatch(number):
        raise BadTarget("This is not a phone number with its country.", code="bad_number")
    if not is_allowed(number, account.settings.countries):
        raise Permanent("Messages to this country are not allowed here.", code="country")


async def send(account: Account, fields: Mapping[str, str], deadline: float) -> Accepted:
    """Hand one message over; its id is Twilio's sid."""
    form = dict(fields)
    callback = callback_url(account)
    if callback:
        form["StatusCallback"] = callback
    found = await asked(
        f"{_base(account)}/Messages.json",
        deadline=deadline,
        method="POST",
        form=form,
        headers=_headers(account),
    )
    return Accepted(message_id=str(_checked(found).get("sid") or ""))


def callback_url(account: Account) -> str:
    """Where Twilio tells what became of a message; "" where nobody could call us."""
    if not settings.ONE_URL.startswith("https://"):
        return ""
    try:
        path = reverse("hooks:provider", args=[account.integration_id])
    except NoReverseMatch:
        return ""
    return f"{settings.ONE_URL.rstrip('/')}{path}"


def _base(account: Account) -> str:
    return f"{base_url('twilio')}/2010-04-01/Accounts/{quote(account.settings.account_sid)}"


def _headers(account: Account) -> dict[str, str]:
    token = account.credentials.auth_token.get_secret_value()
    pair = b64encode(f"{account.settings.account_sid}:{token}".encode()).decode()
    return {"Authorization": f"Basic {pair}", "Accept": "application/json"}


def _checked(found: Fetched) -> dict[str, Any]:
    answer = answer_of(found)
    if found.is_ok:
        return answer
    raise _meant(found, answer)


def _meant(found: Fetched, answer: Mapping[str, Any]) -> SendError:
    code = answer.get("code")
    number = code if isinstance(code, int) else 0
    wait = wait_of(found.headers)
    known: dict[str, Any] = {"code": str(number or ""), "http_status": found.status}
    if number in UNSUBSCRIBED:
        return BadTarget("They have unsubscribed (STOP).", **{**known, "code": "unsubscribed"})
    if number in NO_TARGET:
        return BadTarget("This number takes no messages.", **known)
    if number in _AUTH:
        return AuthFailed(**known)
    if number in _LIMIT:
        return RateLimited(wait, **known)
    if number in _WORDS:
        return Permanent(_WORDS[number], **known)
    if found.status == 409:  # somebody changes the account right now
        return Transient(**known)
    return meaning(found.status, code=str(number or ""), retry_after=wait)
