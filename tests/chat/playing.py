"""What the tests of the playground share: answered turns, their ledger, and running a trial."""

from decimal import Decimal
from typing import Any

from django.test import Client
from django.utils import timezone

from agents_app.models import AICall, AICallStatus
from agents_app.providers.parts import TextPart
from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel
from billing_app.models import Pricing, UsageRecord
from billing_app.types.periods import period_of
from chat_app.models import Message, Thread, Trial, Turn
from chat_app.services.conversation import continue_thread
from tests.chat.test_engine import running_engine, wait_until
from tests.people import World


def client_of(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


def asked(thread: Thread, question: str = "Why?", answer: str = "Because.", **fields: Any) -> Turn:
    """A turn that has been answered, with its model call."""
    turn = continue_thread(thread, user=thread.created_by, message=question)
    now = timezone.now()
    Turn.objects.filter(pk=turn.pk).update(status="success", started_at=now, finished_at=now)
    Message.objects.filter(pk=turn.message_id).update(
        status="success", text=answer, content=[TextPart(answer).to_json()], model="scripted"
    )
    turn.refresh_from_db()
    ledger(turn, **fields)
    return turn


def ledger(turn: Turn, cost: Decimal | None = None, **fields: Any) -> AICall:
    """A call of the turn in the ledger, and in raw usage; without ``cost`` its price is missing."""
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
    call = AICall.objects.create(**{**values, **fields})
    now = timezone.now()
    UsageRecord.objects.create(
        pk=call.pk,
        organisation=turn.organisation,
        thread_id=call.thread_id,
        turn_id=call.turn_id,
        message_id=call.message_id,
        purpose=call.purpose,
        provider="openai",
        model=call.model,
        occurred_at=now,
        billing_period=period_of(now),
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        pricing=Pricing.MISSING if cost is None else Pricing.LISTED,
        cost=cost,
    )
    return call


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
