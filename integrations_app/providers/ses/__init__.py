"""Amazon SES, through django-anymail and boto3."""
