"""Mailchimp Transactional (Mandrill), through django-anymail."""
