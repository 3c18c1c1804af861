"""What SMS through Twilio needs."""

from integrations_app.providers.twilio.forms import SmsSettings, TwilioCredentials

__all__ = ["SmsSettings", "TwilioCredentials"]
