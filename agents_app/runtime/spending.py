"""What a model call may cost at most, held back before the model is asked.

The worst case is the prompt, whose tokens are not underestimated, and the longest answer. An answer
without a limit of its own gets one where a hard limit or credits hold, so that no call costs more
than was held for it.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.utils import timezone

from agents_app.providers.base import ChatModel, ChatRequest
from agents_app.providers.errors import ModelError
from agents_app.runtime.recorded import Caller
from agents_app.runtime.tokens import count_request
from billing_app.conf import reserved_output_tokens
from billing_app.errors import BudgetExceeded
from billing_app.services import budgets
from billing_app.services.prices import estimate_cost
from billing_app.types.usage import Spender
from one_project.common.database import in_thread

# An answer is cut to what is left, but not to less than this.
LEAST_OUTPUT: Final = 256


@dataclass(frozen=True, slots=True)
class Held:
    """``request`` is what to ask the model, with an answer no longer than what is held covers.

    ``reservation_id`` goes with the call that is recorded, which ends it; None: nothing is held.
    """

    request: ChatRequest
    reservation_id: UUID | None = None


async def held(caller: Caller, model: ChatModel, request: ChatRequest) -> Held:
    """Hold back the worst case of one call. Raises ModelError (``budget_exceeded``)."""
    if caller.organisation_id is None:
        return Held(request)
    holding = asyncio.ensure_future(in_thread(hold, spender_of(caller), model, request))
    try:
        return await asyncio.shield(holding)
    except asyncio.CancelledError:
        # The thread goes on; what it holds nobody is going to use.
        with suppress(ModelError):
            await let_go((await holding).reservation_id)
        raise


async def let_go(reservation_id: UUID | None) -> None:
    """Free what was held for a call of which nothing will be recorded."""
    if reservation_id is not None:
        await in_thread(budgets.release, reservation_id)


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


def hold(spender: Spender, model: ChatModel, request: ChatRequest) -> Held:
    """As ``held``, for plain code."""
    if not budgets.applies(spender):
        return Held(request)
    longest = request.max_tokens or reserved_output_tokens()
    cost = _Costs.of(model, request, longest)
    shortest = min(longest, LEAST_OUTPUT)
    try:
        reserved = budgets.hold(
            spender, most=cost.of_output(longest), least=cost.of_output(shortest)
        )
    except BudgetExceeded as error:
        raise ModelError(
            "budget_exceeded", error.user_message, detail=error.user_message
        ) from error
    if reserved is None or reserved.id is None:
        return Held(request)
    covered = min(longest, cost.output_for(reserved.amount, longest))
    return Held(replace(request, max_tokens=covered), reserved.id)


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
