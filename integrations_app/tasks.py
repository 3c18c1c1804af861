"""Chores that beat brings: no message carries work."""

from celery import shared_task

from integrations_app.services.idempotency import forget_old
from integrations_app.services.status_events import forget_events as forget
from integrations_app.services.sweeping import carry_the_forgotten


@shared_task(name="integrations_app.carry_deliveries", ignore_result=True)  # type: ignore[untyped-decorator]
def carry_deliveries() -> int:
    """Give deliveries that nobody carries any more new work."""
    return carry_the_forgotten()


@shared_task(name="integrations_app.forget_events", ignore_result=True)  # type: ignore[untyped-decorator]
def forget_events() -> int:
    """Remove what providers told long ago."""
    return forget()


@shared_task(name="integrations_app.forget_answers", ignore_result=True)  # type: ignore[untyped-decorator]
def forget_answers() -> int:
    """Remove what requests with an ``Idempotency-Key`` were answered more than a day ago."""
    return forget_old()
