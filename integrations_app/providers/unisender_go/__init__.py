"""Unisender Go, through django-anymail."""
