"""Resend, through django-anymail."""
