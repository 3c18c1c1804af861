"""``celery -A one_project`` finds the app here. No message carries work (see workflows.tasks)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "one_project.settings.development")

app = Celery("one")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
