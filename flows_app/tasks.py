"""The rare chores around lessons, brought by beat; what must be done is rows and work items."""

from celery import shared_task

from flows_app.services.live_roles import catch_up_lessons
from flows_app.services.mailing import send_due_mail
from flows_app.services.reminders import send_due_reminders
from flows_app.services.review_notices import remind_reviewers


@shared_task(name="flows_app.send_reminders", ignore_result=True)  # type: ignore[untyped-decorator]
def send_reminders() -> int:
    """Remind people of what is due, and staff of what waits for their review."""
    remind_reviewers()
    return send_due_reminders()


@shared_task(name="flows_app.send_mail", ignore_result=True)  # type: ignore[untyped-decorator]
def send_mail() -> int:
    """Hand over the letters whose time has come."""
    return send_due_mail()


@shared_task(name="flows_app.catch_up_lessons", ignore_result=True)  # type: ignore[untyped-decorator]
def catch_up_live_lessons() -> int:
    """Give what is assigned to a live role or team to who has joined it since."""
    return catch_up_lessons()
