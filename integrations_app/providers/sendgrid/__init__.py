"""Twilio SendGrid, through django-anymail."""
