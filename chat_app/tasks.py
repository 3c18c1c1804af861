"""What worker processes do for the chat: answer turns, and the rare chores."""

from celery import shared_task

from agents_app.services.ai_calls import forget_raw_calls as forget
from agents_app.services.approvals import expire_calls
from agents_app.services.keeping_files import vacuum_files as vacuum
from chat_app.services.threads import purge_deleted_threads as purge
from chat_app.worker.answerer import answer_here

answer_here()


@shared_task(name="chat_app.purge_deleted_threads", ignore_result=True)
def purge_deleted_threads() -> int:
    """Remove threads whose time for undo has passed."""
    return purge()


@shared_task(name="chat_app.expire_approvals", ignore_result=True)
def expire_approvals() -> int:
    """End approvals that nobody gave in time; their turns go on without."""
    return expire_calls()


@shared_task(name="chat_app.forget_raw_calls", ignore_result=True)
def forget_raw_calls() -> int:
    """Empty raw model requests and responses that have been kept long enough."""
    return forget()


@shared_task(name="chat_app.vacuum_files", ignore_result=True)
def vacuum_files() -> int:
    """Remove files that no message has carried for a day."""
    return vacuum()
