"""One answer of a trial as a piece of work: asked, measured, kept; repeated after a lost worker."""

import logging
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from agents_app.errors import AgentExecutionError, AgentNotFound
from agents_app.models import AICall, Purpose
from agents_app.providers.errors import ModelError
from agents_app.providers.parts import ReasoningPart
from agents_app.runtime.agent import Agent, registered_agents
from agents_app.runtime.run import TextResult
from agents_app.services.ai_calls import in_micros, with_costs
from agents_app.types import AgentOptions, read_options
from billing_app.types.money import ZERO
from chat_app.models import Trial, TrialAnswer, TrialStatus
from chat_app.runtime.options import agent_behind
from chat_app.services.playground_checks import passes
from chat_app.services.playground_requests import Prepared, Question, prepare
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.common.text import clean_json, clean_text
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.types import Result, Retry

logger = logging.getLogger(__name__)

POOL = declare_pool("playground", 8)
LONGEST_TOLD = 4_000


# Nothing it does has an effect, so it may be repeated.
@step(
    name="chat_app.answer_trial",
    pool=POOL,
    lease=settings.ONE_TURN_LEASE,
    retry=Retry(attempts=3),
)
async def answer_trial(answer_id: UUID) -> None:
    """Ask the model of one answer and keep what it says."""
    try:
        prepared = await in_thread(_begin, answer_id)
        if prepared is None:
            return
        result = await prepared.agent.generate_text(**prepared.call(answer_id))
    except ModelError as error:
        await in_thread(_fail, answer_id, error.message_for_person, error.code)
    except AppError as error:
        await in_thread(_fail, answer_id, error.user_message, error.code)
    except Exception:
        logger.exception("the trial answer %s failed", answer_id)
        told = AgentExecutionError
        await in_thread(_fail, answer_id, told.user_message, told.code)
    else:
        await in_thread(_finish, answer_id, result)


@step(name="chat_app.trial_over", kind="transaction")
def trial_over(result: Result, context: dict[str, Any]) -> None:
    """The work has ended without the answer: its workers were lost, or it was canceled."""
    if result.kind == "success":
        return
    status = TrialStatus.STOPPED if result.kind == "canceled" else TrialStatus.FAILED
    error = "" if result.kind == "canceled" else AgentExecutionError.user_message
    TrialAnswer.objects.open().filter(pk=context["answer"]).update(status=status, error=error)


def trial_agent(trial: Trial) -> Agent:
    """Who is asked. Raises AgentNotFound when it is gone."""
    found = agent_behind(trial.agent) or registered_agents().get(trial.code_name)
    if found is None:
        raise AgentNotFound
    return found


def question_of(answer: TrialAnswer) -> Question:
    """What is asked for this answer. Raises AgentNotFound."""
    trial = answer.trial
    if trial.created_by is None:
        raise AgentNotFound
    told = read_options(trial.options)
    own: dict[str, Any] = {"model": answer.model} if answer.model else {}
    if trial.is_comparison:
        own["instructions"] = trial.versions[answer.side]["text"]
    return Question(
        organisation=trial.organisation,
        user=trial.created_by,
        agent=trial_agent(trial),
        prompt=answer.prompt,
        options=AgentOptions.model_construct(None, **own).over(told),
        thread=trial.thread,
        turn=trial.turn,
    )


def _begin(answer_id: UUID) -> Prepared | None:
    """None when it was stopped or has ended meanwhile."""
    begun = TrialAnswer.objects.open().filter(pk=answer_id).update(status=TrialStatus.RUNNING)
    if not begun:
        return None
    answer = TrialAnswer.objects.select_related(
        "trial__organisation",
        "trial__created_by",
        "trial__agent",
        "trial__thread__created_by",
        "trial__turn__prompt",
        "trial__turn__requested_by",
    ).get(pk=answer_id)
    return prepare(question_of(answer))


def _finish(answer_id: UUID, result: TextResult) -> None:
    thought = [part.text for part in result.parts if isinstance(part, ReasoningPart)]
    # By their places: some models number their calls anew in each step.
    tools = [
        {
            "name": call.name,
            "arguments": call.arguments,
            "told": str(told.output)[:LONGEST_TOLD],
            "is_error": told.is_error,
        }
        for step in result.steps
        for call, told in zip(step.tool_calls, step.results, strict=False)
    ]
    text = clean_text(result.text)
    _end(
        answer_id,
        status=TrialStatus.SUCCESS,
        text=text,
        reasoning=clean_text("\n\n".join(thought)),
        tools=clean_json(tools),
        finish_reason=result.finish_reason[:32],
        steps=len(result.steps),
    )


def _fail(answer_id: UUID, message: str, code: str) -> None:
    _end(answer_id, status=TrialStatus.FAILED, error=clean_text(message), error_code=code[:64])


@transaction.atomic
def _end(answer_id: UUID, **fields: Any) -> None:
    """Write the end, unless somebody stopped it before."""
    answer = TrialAnswer.objects.select_for_update().filter(pk=answer_id).first()
    if answer is None or not answer.is_open:
        return
    for name, value in fields.items():
        setattr(answer, name, value)
    _measure(answer)
    if answer.status == TrialStatus.SUCCESS:
        answer.passed = passes(answer.check_by, answer.expected, answer.text)
    answer.save()


def _measure(answer: TrialAnswer) -> None:
    """What its model calls took, from the ledger; also those of attempts that were lost."""
    calls = with_costs(
        AICall.objects.filter(
            Q(message_id=answer.pk),
            organisation=answer.organisation_id,
            purpose=Purpose.PLAYGROUND,
            created_at__gte=answer.created_at,
        )
        .defer("request", "response")
        .order_by("created_at", "pk")
    )
    costs = [call.cost for call in calls]
    answer.calls = [call.pk for call in calls]
    answer.answered_by = calls[-1].model if calls else ""
    answer.input_tokens = sum(call.input_tokens for call in calls)
    answer.output_tokens = sum(call.output_tokens for call in calls)
    answer.duration_ms = sum(call.duration_ms for call in calls)
    answer.first_token_ms = calls[0].first_token_ms if calls else None
    known = [cost for cost in costs if cost is not None]
    answer.cost_micros = in_micros(sum(known, ZERO)) if known and len(known) == len(costs) else None
