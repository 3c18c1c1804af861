"""Mailtrap, through django-anymail."""
