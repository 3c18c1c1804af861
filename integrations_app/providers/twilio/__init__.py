"""What SMS and WhatsApp through Twilio have in common: ``forms``, ``api``, ``webhooks``."""
