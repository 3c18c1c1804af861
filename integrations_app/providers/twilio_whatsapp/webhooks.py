"""What Twilio tells of WhatsApp messages: as of all its messages."""

from integrations_app.providers.twilio.webhooks import parse, verify

__all__ = ["parse", "verify"]
