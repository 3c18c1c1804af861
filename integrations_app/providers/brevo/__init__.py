"""Brevo, through django-anymail."""
