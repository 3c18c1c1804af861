"""Before a model is asked: what the call may cost at most is held back, and its begin is noted.

The worst case is the prompt, whose tokens are not underestimated, and the longest answer. An answer
without a limit of its own gets one where a hard limit or credits hold, so that no call costs more
than was held for it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import UUID

from django.db import Error as DatabaseFailure
from django.utils import timezone

from agents_app.providers.base import ChatModel, ChatRequest, estimate_usage
from agents_app.providers.embeddings import EmbeddingModel
from agents_app.providers.errors import ModelError
from agents_app.providers.events import tokens_of
from agents_app.runtime.recorded import Caller
from agents_app.runtime.tokens import count_request, estimate_tokens
from billing_app.conf import reserved_output_tokens
from billing_app.errors import BudgetExceeded
from billing_app.runtime.pricing import EMBEDDING
from billing_app.services import begun_calls, budgets
from billing_app.services.prices import estimate_cost
from billing_app.types.usage import Spender, Use
from one_project.common.database import in_thread
from one_project.common.ids import new_id

logger = logging.getLogger(__name__)

# An answer is cut to what is left, but not to less than this.
LEAST_OUTPUT: Final = 256


@dataclass(frozen=True, slots=True)
class Held:
    """``request`` is what to ask the model, with an answer no longer than what is held covers.

    ``reservation_id`` goes with the call that is recorded, which ends it; None: nothing is held.
    ``call_id``: the id it has to be recorded under; None: it was not noted.
    """

    request: ChatRequest
    reservation_id: UUID | None = None
    call_id: UUID | None = None


async def held(caller: Caller, model: ChatModel, request: ChatRequest) -> Held:
    """Hold back the worst case of one call, and note that it begins. Raises ModelError
    (``budget_exceeded``)."""
    if caller.organisation_id is None:
        return Held(request)
    return await _unless_left(partial(_begun, caller, model, request))


async def held_for_texts(
    caller: Caller, model: EmbeddingModel, texts: Sequence[str], *, is_limited: bool
) -> Held:
    """As ``held``, of one request for vectors; there is nothing in it to shorten. ``is_limited``:
    hold its cost back; else it is only noted."""
    request = ChatRequest(messages=())
    if caller.organisation_id is None:
        return Held(request)
    return await _unless_left(partial(_begun_texts, caller, model, texts, request, is_limited))


async def _unless_left(begin: Callable[[], Held]) -> Held:
    holding = asyncio.ensure_future(in_thread(begin))
    try:
        return await asyncio.shield(holding)
    except asyncio.CancelledError:
        # The thread goes on; what it holds nobody is going to use.
        with suppress(ModelError):
            await in_thread(_let_go, await holding)
        raise


def _let_go(held: Held) -> None:
    """Of this call nothing will be recorded."""
    if held.reservation_id is not None:
        budgets.release(held.reservation_id)
    if held.call_id is not None:
        begun_calls.forget(held.call_id)


async def go_on(held: Held, produced_chars: int) -> None:
    """Say that the call goes on. Best effort: an answer does not fail over it."""
    if held.call_id is None:
        return
    try:
        await in_thread(
            begun_calls.go_on, held.call_id, held.reservation_id, tokens_of(produced_chars)
        )
    except DatabaseFailure as error:
        logger.warning("a call that goes on is not noted: %s", error)


def spender_of(caller: Caller) -> Spender:
    """On whose account the caller asks. Raises ValueError without an organisation."""
    if caller.organisation_id is None:
        raise ValueError("Without an organisation nobody pays.")
    return Spender(
        organisation_id=caller.organisation_id,
        user_id=caller.user_id,
        team_id=caller.team_id,
        agent_id=caller.agent_id,
    )


def _begun(caller: Caller, model: ChatModel, request: ChatRequest) -> Held:
    found = hold(spender_of(caller), model, request)
    name = found.request.model or model.model
    tier = str(found.request.provider_options.get("service_tier") or "")
    given = estimate_usage(found.request, 0).input_tokens
    return _noted(found, caller, model.provider, name, tier, given)


def _begun_texts(
    caller: Caller,
    model: EmbeddingModel,
    texts: Sequence[str],
    request: ChatRequest,
    is_limited: bool,
) -> Held:
    found = Held(request)
    if is_limited and budgets.applies(spender_of(caller)):
        most = estimate_cost(
            model.provider,
            model.model,
            input_tokens=sum(map(estimate_tokens, texts)),
            output_tokens=0,
            at=timezone.now(),
            purpose=EMBEDDING,
        )
        # What costs nothing is not stopped: documents are found by words without it.
        reserved = _reserved(spender_of(caller), most, most) if most else None
        found = replace(found, reservation_id=reserved.id if reserved else None)
    given = tokens_of(sum(map(len, texts)))
    return _noted(found, caller, model.provider, model.model, "", given)


def _noted(
    found: Held, caller: Caller, provider: str, model: str, tier: str, input_tokens: int
) -> Held:
    use = Use(
        id=new_id(),
        occurred_at=timezone.now(),
        provider=provider,
        model_requested=model,
        service_tier=tier,
        purpose=caller.purpose,
        organisation_id=caller.organisation_id,
        user_id=caller.user_id,
        team_id=caller.team_id,
        agent_id=caller.agent_id,
        agent_name=caller.agent_name,
        thread_id=caller.thread_id,
        turn_id=caller.turn_id,
        message_id=caller.message_id,
        input_tokens=input_tokens,
        reservation_id=found.reservation_id,
    )
    begun_calls.begin(use)
    return replace(found, call_id=use.id)


def hold(spender: Spender, model: ChatModel, request: ChatRequest) -> Held:
    """Hold back the worst case of one call. Raises ModelError (``budget_exceeded``)."""
    if not budgets.applies(spender):
        return Held(request)
    longest = request.max_tokens or reserved_output_tokens()
    cost = _Costs.of(model, request, longest)
    shortest = min(longest, LEAST_OUTPUT)
    reserved = _reserved(spender, cost.of_output(longest), cost.of_output(shortest))
    if reserved is None or reserved.id is None:
        return Held(request)
    covered = min(longest, cost.output_for(reserved.amount, longest))
    return Held(replace(request, max_tokens=covered), reserved.id)


def _reserved(spender: Spender, most: Decimal, least: Decimal) -> budgets.Reserved | None:
    try:
        return budgets.hold(spender, most=most, least=least)
    except BudgetExceeded as error:
        raise ModelError(
            "budget_exceeded", error.user_message, detail=error.user_message
        ) from error


def is_free(model: ChatModel) -> bool:
    """Whether calls of the model cost nothing."""
    return _cost(model, model.model, 1_000_000, 1_000_000, "") == 0


@dataclass(frozen=True, slots=True)
class _Costs:
    """US dollars of one call: of its prompt, and of each token of its answer."""

    prompt: Decimal
    token: Decimal

    @classmethod
    def of(cls, model: ChatModel, request: ChatRequest, longest: int) -> "_Costs":
        name = request.model or model.model
        tier = str(request.provider_options.get("service_tier") or "")
        tokens = count_request(request, name)
        prompt = _cost(model, name, tokens, 0, tier)
        return cls(prompt, (_cost(model, name, tokens, longest, tier) - prompt) / longest)

    def of_output(self, tokens: int) -> Decimal:
        return self.prompt + self.token * tokens

    def output_for(self, amount: Decimal, otherwise: int) -> int:
        """Tokens of an answer that ``amount`` covers; ``otherwise`` where they cost nothing."""
        return int((amount - self.prompt) / self.token) if self.token else otherwise


def _cost(model: ChatModel, name: str, given: int, said: int, tier: str) -> Decimal:
    return estimate_cost(
        model.provider,
        name,
        input_tokens=given,
        output_tokens=said,
        at=timezone.now(),
        service_tier=tier,
    )
