"""Scaleway Transactional Email, through django-anymail."""
