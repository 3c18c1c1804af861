"""Postal, through django-anymail."""
