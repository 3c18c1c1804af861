"""Where providers live: the fixed addresses of their interfaces, in one place.

``ONE_PROVIDER_URLS`` replaces them by name ({"slack": "http://127.0.0.1:9000"}), for tests and for
proxies of the operator. What the operator sets there may be private: the doors open it.
"""

from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

# Without a slash at the end; paths are the providers' own.
DEFAULTS: Final[dict[str, str]] = {
    # Messages
    "slack": "https://slack.com/api",
    "twilio": "https://api.twilio.com",
    "discord": "https://discord.com",
    "telegram": "https://api.telegram.org",
    # E-mail
    "brevo": "https://api.brevo.com/v3",
    "mailersend": "https://api.mailersend.com/v1",
    "mailgun": "https://api.mailgun.net/v3",
    "mailgun_eu": "https://api.eu.mailgun.net/v3",
    "mailjet": "https://api.mailjet.com/v3.1",
    "mailjet_us": "https://api.us.mailjet.com/v3.1",
    "mailtrap": "https://send.api.mailtrap.io/api",
    "mailtrap_account": "https://mailtrap.io/api",
    "mandrill": "https://mandrillapp.com/api/1.0",
    "postmark": "https://api.postmarkapp.com",
    "resend": "https://api.resend.com",
    "scaleway": "https://api.scaleway.com/transactional-email/v1alpha1",
    "sendgrid": "https://api.sendgrid.com/v3",
    "sendgrid_eu": "https://api.eu.sendgrid.com/v3",
    "sparkpost": "https://api.sparkpost.com/api/v1",
    "sparkpost_eu": "https://api.eu.sparkpost.com/api/v1",
    "unisender_go": "https://go1.unisender.ru/ru/transactional/api/v1",
    "unisender_go_2": "https://go2.unisender.ru/ru/transactional/api/v1",
    # Payments
    "stripe": "https://api.stripe.com",
    # Knowledge
    "google_drive": "https://www.googleapis.com/drive/v3",
    "notion": "https://api.notion.com",
    "onedrive": "https://graph.microsoft.com/v1.0",
    # Consent (OAuth): the page for people, and where codes become tokens
    "slack_oauth": "https://slack.com",
    "google_oauth": "https://accounts.google.com",
    "google_token": "https://oauth2.googleapis.com",
    "microsoft_oauth": "https://login.microsoftonline.com",
    "notion_oauth": "https://api.notion.com",
}


def base_url(name: str) -> str:
    """The address of a provider, without a slash at the end. Raises LookupError for none."""
    found = replaced(name) or DEFAULTS.get(name, "")
    if not found:
        raise LookupError(f"no address is known for {name}")
    return found.rstrip("/")


def replaced(name: str) -> str:
    """What the operator has set for a provider instead of its address, or ""."""
    return str(_given().get(name, ""))


def is_operators(host: str, port: int) -> bool:
    """Whether the operator has set an address at ``host`` and ``port``."""
    return any(_at(one) == (host.lower(), port) for one in _given().values())


def _given() -> dict[str, str]:
    given: dict[str, str] = getattr(settings, "ONE_PROVIDER_URLS", {}) or {}
    return given


def _at(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
