"""Logs without secrets: what has the form of one is blotted out of every line.

A last net below the rule that nobody logs them: it knows forms (keys of providers, headers of
authorisation, our own keys and sealed texts, names of secrets with their values), not values.
"""

import logging
import re
from typing import Final

HIDDEN: Final = "(hidden)"

# What follows has a digit in it, as no word has.
_RANDOM: Final = r"(?=[\w+/=.~-]{0,60}\d)"
# Each keeps its first group, which says what it was. Repetitions that something else follows are
# bounded: an attacker may have written the line.
_KEYS: Final = [
    re.compile(one)
    for one in (
        rf"(\b(?:Bearer|bearer|Basic|basic)\s+){_RANDOM}[\w+/=.~-]{{8,}}",
        r"(\bxox[a-z](?:\.xox[a-z])?-)[A-Za-z0-9-]{6,}",  # Slack
        r"(\bxapp-)[A-Za-z0-9-]{6,}",
        rf"(\bsk[-_](?:[a-z]+[-_]){{0,3}}){_RANDOM}[\w-]{{8,}}",  # models, payments
        r"(\bSG\.)[\w.-]{16,}",  # SendGrid
        r"(\b(?:pub)?key-)[0-9a-f]{24,}",  # Mailgun
        rf"(\bre_){_RANDOM}\w{{16,}}",  # Resend
        r"(\bxkeysib-)[A-Za-z0-9-]{16,}",  # Brevo
        r"(\bmlsn\.)[A-Za-z0-9]{16,}",  # MailerSend
        rf"(\bmd-){_RANDOM}[\w-]{{20,}}",  # Mandrill
        r"(\b(?:AKIA|ASIA))[A-Z0-9]{12,}",  # Amazon
        r"(\bgh[pousr]_)[A-Za-z0-9]{16,}",
        r"(\b(?:ntn|secret)_)[A-Za-z0-9]{20,}",  # Notion
        r"(\bya29\.)[\w.-]{16,}",  # Google
        r"(\bwhsec_)[A-Za-z0-9+/=_-]{8,}",  # Standard Webhooks
        r"(\bbot\d{5,15}:)[\w-]{20,}",  # Telegram, in its addresses
        r"(\beyJ)[\w-]{8,2000}\.[\w-]{4,4000}\.[\w-]*",  # JSON web tokens
        rf"(\bone_){_RANDOM}[\w-]{{16,}}",  # our own
        r"(\bv1:[\w-]{1,32}:)[A-Za-z0-9+/=]{24,}",  # sealed
        r"(/api/webhooks/\d{1,30}/)[\w-]{16,}",  # Discord
        r"(/services/T[A-Z0-9]{1,20}/B[A-Z0-9]{1,20}/)[A-Za-z0-9]{8,}",  # Slack's hooks
        r"([?&]sig=)[\w%-]{16,}",  # Teams' workflows
    )
]
# Values by their names: in headers, queries, dicts and JSON; and passwords in addresses.
_SCHEMES: Final = r"(?:(?:bearer|basic|token|digest)\s+)?+"
_NAMES: Final = (
    r"(?:password|passwd|secret|cookie|(?:api|access|private)[_-]?key"
    r"|(?:auth|access|refresh|id)[_-]?token)"
)
_IS: Final = r"[\"']?\s{0,3}[:=,]\s{0,3}b?[\"']?"
_VALUE: Final = r"(?!\(hidden)[^\s\"'&,;)}\]]{4,}"
_NAMED: Final = [
    re.compile(one, re.IGNORECASE)
    for one in (
        rf"(\bauthorization{_IS}{_SCHEMES}){_VALUE}",
        rf"({_NAMES}{_IS}){_VALUE}",
        r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{0,100}:)[^\s/@]{1,300}(?=@)",
    )
]
_MOST: Final = 20_000


def without_keys(text: str) -> str:
    """``text`` without what has the form of a key: for what people wrote, where words stay."""
    for form in _KEYS:
        text = form.sub(rf"\1{HIDDEN}", text)
    return text


def without_secrets(text: str) -> str:
    """A line of a log without anything that looks like a secret; a very long one is cut."""
    if len(text) > _MOST:
        text = f"{text[:_MOST]}… ({len(text)} characters)"
    text = without_keys(text)
    for form in _NAMED:
        text = form.sub(rf"\1{HIDDEN}", text)
    return text


class SecretlessFormatter(logging.Formatter):
    """For every handler: whole lines, with the texts of exceptions. Records stay as they are."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))
