"""SparkPost, through django-anymail."""
