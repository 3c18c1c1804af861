"""MailerSend, through django-anymail."""
