"""Every provider there is: importing this registers them."""

from integrations_app.providers.apprise_service import provider as _apprise_service  # noqa: F401
from integrations_app.providers.base import Provider, provider_of, providers
from integrations_app.providers.brevo import provider as _brevo  # noqa: F401
from integrations_app.providers.discord import provider as _discord  # noqa: F401
from integrations_app.providers.google_drive import provider as _google_drive  # noqa: F401
from integrations_app.providers.mailersend import provider as _mailersend  # noqa: F401
from integrations_app.providers.mailgun import provider as _mailgun  # noqa: F401
from integrations_app.providers.mailjet import provider as _mailjet  # noqa: F401
from integrations_app.providers.mailtrap import provider as _mailtrap  # noqa: F401
from integrations_app.providers.mandrill import provider as _mandrill  # noqa: F401
from integrations_app.providers.notion import provider as _notion  # noqa: F401
from integrations_app.providers.onedrive import provider as _onedrive  # noqa: F401
from integrations_app.providers.postal import provider as _postal  # noqa: F401
from integrations_app.providers.postmark import provider as _postmark  # noqa: F401
from integrations_app.providers.resend import provider as _resend  # noqa: F401
from integrations_app.providers.scaleway import provider as _scaleway  # noqa: F401
from integrations_app.providers.sendgrid import provider as _sendgrid  # noqa: F401
from integrations_app.providers.ses import provider as _ses  # noqa: F401
from integrations_app.providers.slack import provider as _slack  # noqa: F401
from integrations_app.providers.smtp import provider as _smtp  # noqa: F401
from integrations_app.providers.sparkpost import provider as _sparkpost  # noqa: F401
from integrations_app.providers.stripe import provider as _stripe  # noqa: F401
from integrations_app.providers.teams import provider as _teams  # noqa: F401
from integrations_app.providers.telegram import provider as _telegram  # noqa: F401
from integrations_app.providers.twilio_sms import provider as _twilio_sms  # noqa: F401
from integrations_app.providers.twilio_whatsapp import provider as _twilio_whatsapp  # noqa: F401
from integrations_app.providers.unisender_go import provider as _unisender_go  # noqa: F401
from integrations_app.providers.web_push import provider as _web_push  # noqa: F401
from integrations_app.providers.webhook import provider as _webhook  # noqa: F401

__all__ = ["Provider", "provider_of", "providers"]
