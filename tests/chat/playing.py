"""What the tests of the playground share: answered turns, their ledger, and running a trial."""

from typing import Any

from django.test import Client
from django.utils import timezone

from agents_app.models import AICall, AICallStatus
from agents_app.providers.parts import TextPart
from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel
from chat_app.models import Message, Thread, Trial, Turn
from chat_app.services.conversation import continue_thread
from tests.chat.test_engine import running_engine, wait_until
from tests.people import World


def client_of(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


def asked(thread: Thread, question: str = "Why?", answer: str = "Because.") -> Turn:
    """A turn that has been answered, with its model call."""
    turn = continue_thread(thread, user=thread.created_by, message=question)
    now = timezone.now()
    Turn.objects.filter(pk=turn.pk).update(status="success", started_at=now, finished_at=now)
    Message.objects.filter(pk=turn.message_id).update(
        status="success", text=answer, content=[TextPart(answer).to_json()], model="scripted"
    )
    turn.refresh_from_db()
    ledger(turn)
    return turn


def ledger(turn: Turn, **fields: Any) -> AICall:
    values: dict[str, Any] = {
        "organisation": turn.organisation,
        "thread_id": turn.thread_id,
        "turn_id": turn.pk,
        "message_id": turn.message_id,
        "status": AICallStatus.SUCCESS,
        "model": "scripted",
        "input_tokens": 20,
        "output_tokens": 3,
        "duration_ms": 1500,
        "first_token_ms": 400,
        "request": {"type": "chat_request", "note": "as it was sent"},
        "response": {"parts": []},
    }
    return AICall.objects.create(**{**values, **fields})


def form(world: World, **fields: Any) -> dict[str, Any]:
    return {"action": "run", "agent": str(world.agent.pk), "prompt": "Hello?", **fields}


def run_trial(client: Client, model: ScriptedModel, **fields: Any) -> Trial:
    with use_model(model):
        response = client.post("/playground/try/", fields)
        assert response.status_code == 303, response.content[:2000]
        trial = Trial.objects.latest("created_at")
        with running_engine(model):
            wait_until(lambda: not trial.answers.open().exists())
    return trial
