"""Postmark, through django-anymail."""
