"""Mailjet, through django-anymail."""
