"""The rare chores of billing. Each brings about what is due: one beat lost, or two at once, change
nothing."""

from celery import shared_task
from django.utils import timezone

from billing_app.services import begun_calls, budgets, reconciling, rolling_up, usage


@shared_task(name="billing_app.fill_missing_prices", ignore_result=True)  # type: ignore[untyped-decorator]
def fill_missing_prices() -> int:
    """Price what had no price when it was recorded and has one now; returns how many."""
    return usage.fill_missing_prices()


@shared_task(name="billing_app.roll_up", ignore_result=True)  # type: ignore[untyped-decorator]
def roll_up() -> int:
    """Sum usage up by day, as far as days have ended; returns how many days were computed."""
    return rolling_up.roll_up()


@shared_task(name="billing_app.reconcile", ignore_result=True)  # type: ignore[untyped-decorator]
def reconcile() -> None:
    """Have the books checked, once for each night."""
    reconciling.request_reconciling(night=timezone.now().date())


@shared_task(name="billing_app.bill_due", ignore_result=True)  # type: ignore[untyped-decorator]
def bill_due() -> None:
    """Bill the months that are due and have not been."""
    from billing_app.services import invoicing

    invoicing.bill_due()


@shared_task(name="billing_app.sweep_reservations", ignore_result=True)  # type: ignore[untyped-decorator]
def sweep_reservations() -> None:
    """Record the calls whose process is gone, and free what is held for those that never ended."""
    begun_calls.record_lost()
    budgets.sweep_reservations()
