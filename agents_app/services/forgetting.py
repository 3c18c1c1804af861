"""What goes with a thread when it is deleted for good."""

from uuid import UUID

from agents_app.models import AICall, ToolAllowance, ToolCall


def forget_calls_of(thread_id: UUID) -> None:
    """Delete the thread's tool calls and allowances. Its model calls have been paid for: their
    rows stay in the ledger, without what was said in them."""
    ToolCall.objects.filter(thread_id=thread_id).delete()
    ToolAllowance.objects.filter(thread_id=thread_id).delete()
    AICall.objects.filter(thread_id=thread_id).update(request=None, response=None)
