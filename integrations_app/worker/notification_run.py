"""The durable run of one notification: its steps, one after the other, over days if need be.

It only decides what comes next; ``services.stepping`` does, in transactions of this run.
"""

from typing import Any
from uuid import UUID

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.exceptions import ValidationError as SchemaMismatch
from pydantic import BaseModel
from referencing import Registry

from integrations_app.models import Notification
from integrations_app.providers.http import fetch
from integrations_app.runtime.notification_steps import AnyStep, needed_by
from integrations_app.runtime.step_requests import MAX_BODY, HttpRequest
from integrations_app.runtime.templates import as_url, render
from integrations_app.services.ending import end, settled_event
from integrations_app.services.facts import facts_of
from integrations_app.services.stepping import Outcome, close_digest, record_request, take_step
from integrations_app.services.triggering import WORKFLOW
from integrations_app.types import Reason
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.common.text import clean_json, is_plain_json
from one_project.workflows.definitions import declare_pool, step, workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import StepError

POOL = declare_pool("notification requests", 20)
# Deliveries that take longer are taken for waiting by whoever asks about them.
SETTLE_WAIT = 3 * 86_400.0


class Answer(BaseModel):
    """What an address answered; ``error``: in our words, why it is of no use."""

    status: int = 0
    data: Any = None
    error: str = ""


@workflow(name=WORKFLOW, retry=True)
async def notification_run(
    ctx: WorkflowContext, notification_id: UUID, steps: list[AnyStep]
) -> str:
    """How it ended: "" or the reason it stopped for."""
    sent: set[str] = set()
    for place, one in enumerate(steps):
        for earlier in sorted(needed_by(one) & sent):
            await _settled(ctx, earlier)
            sent.discard(earlier)
        outcome = await _taken(ctx, notification_id, one)
        if outcome.do == "sent":
            if not one.stop_on_fail:
                sent.add(one.id)
            elif await _settled(ctx, one.id) == "failed":
                outcome = Outcome(do="failed")
        if outcome.do == "failed" and one.stop_on_fail:
            outcome = Outcome(do="stop", reason=Reason.STEP_FAILED)
        if outcome.do == "stop":
            rest = [other.id for other in steps[place + 1 :]]
            await ctx.run_step(end, notification_id, rest, outcome.reason)
            return outcome.reason
    await ctx.run_step(end, notification_id, [], "")
    return ""


async def _taken(ctx: WorkflowContext, notification_id: UUID, one: AnyStep) -> Outcome:
    """A step with all it waits for."""
    outcome: Outcome = await ctx.run_step(take_step.options(name=one.id), notification_id, one)
    if outcome.do in {"wait", "collect"} and outcome.until is not None:
        await ctx.sleep_until(outcome.until, name=f"until {one.id}")
    if outcome.do == "collect":
        outcome = await ctx.run_step(close_digest, notification_id, one)
    if outcome.do == "ask" and isinstance(one, HttpRequest):
        answer = await _asked(ctx, notification_id, one)
        outcome = await ctx.run_step(
            record_request, notification_id, one, answer.status, answer.data, answer.error
        )
    return outcome


async def _settled(ctx: WorkflowContext, name: str) -> str:
    """How the delivery of a step ended; "waiting" where that takes too long."""
    try:
        return str(await ctx.wait_event(settled_event(name), str, timeout=SETTLE_WAIT))
    except StepError:
        return "waiting"


async def _asked(ctx: WorkflowContext, notification_id: UUID, one: HttpRequest) -> Answer:
    try:
        found: Answer = await ctx.run_step(
            ask.options(timeout=one.timeout / 1000 + 10), notification_id, one
        )
    except StepError:
        return Answer(error="The address was called, and nobody knows what it answered.")
    return found


@step(name="integrations_app.ask_address", pool=POOL, retry=False)
async def ask(notification_id: UUID, one: HttpRequest) -> Answer:
    """Call the address once: nobody knows what a second call would do there."""
    facts = await in_thread(_facts, notification_id)
    if facts is None:
        return Answer(error="The notification is gone.")
    try:
        response = await fetch(
            render(one.url, facts, escape=as_url),
            method=one.method,
            headers={name: _line(text, facts) for name, text in one.headers.items()},
            json=None if one.body is None else _filled(one.body, facts),
            timeout=one.timeout / 1000,
            max_bytes=MAX_BODY,
        )
    except AppError as error:
        return Answer(error=error.user_message)
    answer = Answer(status=response.status, data=_data(response.text))
    if not response.is_ok:
        answer.error = f"The address answered {response.status}."
    elif one.response_schema and (wrong := _mismatch(answer.data, one.response_schema)):
        answer.error = wrong
    return answer


def _facts(notification_id: UUID) -> dict[str, Any] | None:
    rows = Notification.objects.select_related("user", "organisation")
    row = rows.filter(pk=notification_id).first()
    return facts_of(row) if row else None


def _line(text: str, facts: dict[str, Any]) -> str:
    return " ".join(render(text, facts).split())[:1_000]


def _filled(value: Any, facts: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return render(value, facts)
    if isinstance(value, dict):
        return {name: _filled(item, facts) for name, item in value.items()}
    return [_filled(item, facts) for item in value] if isinstance(value, list) else value


def _data(text: str) -> Any:
    """The answer as JSON, else as text; what cannot be stored is nothing."""
    try:
        found = orjson.loads(text)
    except ValueError:
        found = text
    return clean_json(found) if is_plain_json(found) else None


def _mismatch(data: Any, schema: dict[str, Any]) -> str:
    try:
        # A registry of our own: nothing is fetched because a schema says so.
        Draft202012Validator(schema, registry=Registry()).validate(data)
    except SchemaMismatch as error:
        return f"The answer is not as expected at “{'.'.join(map(str, error.path))[:100]}”."
    except SchemaError:
        return "The schema of the answer is none."
    return ""
