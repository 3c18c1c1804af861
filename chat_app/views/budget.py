"""What is left to spend, beside the box where people write."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing_app.services.budgets import remaining
from billing_app.types.money import spoken
from billing_app.types.usage import Spender
from chat_app.access import access_thread
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest

SPANS: Final = {"day": "left today", "month": "left this month", "": "of credits left"}


@dataclass(frozen=True, slots=True)
class Left:
    """``words``: ``$3.20 left this month``. ``details``: of which limit."""

    words: str
    details: str
    is_low: bool


@require_safe
@member_required
def budget(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """What is left in the thread; nothing where no limit holds any more."""
    thread = access_thread(request.user, thread_id)
    left = left_for(request, thread.agent_id, thread.organisation_id)
    return render(request, "chat/_budget.html", {"left": left, "thread": thread})


def left_for(
    request: MemberRequest, agent_id: UUID | None, organisation_id: UUID | None = None
) -> Left | None:
    """Of the tightest limit of the person when the agent answers; None where none holds.

    ``organisation_id``: the thread's, which need not be the one the person works in now.
    """
    found = remaining(
        Spender(
            organisation_id=organisation_id or request.organisation.pk,
            user_id=request.user.pk,
            agent_id=agent_id,
        )
    )
    if found is None:
        return None
    amount = f"{spoken(found.left)} {SPANS[found.window]}"
    return Left(
        words=f"Only {amount}" if found.is_low and found.left else amount,
        details=f"{spoken(found.used)} of {spoken(found.limit)} used: {found.name}",
        is_low=found.is_low,
    )
