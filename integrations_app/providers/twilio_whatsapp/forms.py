"""What WhatsApp through Twilio needs."""

from integrations_app.providers.twilio.forms import TwilioCredentials, WhatsAppSettings

__all__ = ["TwilioCredentials", "WhatsAppSettings"]
