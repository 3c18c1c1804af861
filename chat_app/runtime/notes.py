"""Asking a model about a thread: a title, a summary. Nothing of it is said in the thread."""

from django.conf import settings

from agents_app.providers.base import ChatRequest
from agents_app.providers.parts import ChatMessage
from agents_app.providers.registry import resolve_chat_model
from agents_app.runtime.ask import Patience
from agents_app.runtime.recorded import Caller, Recorder
from agents_app.runtime.store import keep
from chat_app.models import Thread
from one_project.common.database import in_thread
from one_project.common.text import clean_text


def note_recorder(
    thread: Thread, purpose: str, model: str, instructions: str, text: str
) -> Recorder:
    """The call for one note; its cost is that of the thread's owner."""
    messages = (ChatMessage.text("system", instructions), ChatMessage.text("user", text))
    caller = Caller(
        organisation_id=thread.organisation_id,
        user_id=thread.created_by_id,
        agent_id=thread.agent_id,
        agent_name=thread.agent.name if thread.agent else "",
        thread_id=thread.pk,
        purpose=purpose,
    )
    return Recorder(resolve_chat_model(model), ChatRequest(messages=messages), caller)


async def noted(recorder: Recorder) -> str:
    """What the model says, clean. Raises ModelError; the calls are kept in any case.

    They are by themselves: whoever ends an answer locks the thread first, and budgets after it.
    """
    patience = Patience(
        first=settings.ONE_TURN_FIRST_TOKEN_TIMEOUT,
        idle=settings.ONE_TURN_IDLE_TIMEOUT,
        retries=settings.ONE_MODEL_RETRIES,
    )
    try:
        async for _ in recorder.ask(patience):
            pass
    finally:
        await in_thread(keep, recorder.calls, [])
    return clean_text(recorder.answer.completion().text).strip()
