"""What worker processes do for the chat: answer turns, and the rare chores."""

from celery import shared_task

from chat_app.services.threads import purge_deleted_threads as purge
from chat_app.worker.answerer import answer_here

answer_here()


@shared_task(name="chat_app.purge_deleted_threads", ignore_result=True)
def purge_deleted_threads() -> int:
    """Remove threads whose time for undo has passed."""
    return purge()
