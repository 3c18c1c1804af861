"""Celery's entry point: ``celery -A one_project``."""

from one_project.common.jobs import app

app.autodiscover_tasks()

__all__ = ["app"]
