"""Mailgun, through django-anymail."""
