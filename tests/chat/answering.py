"""Answering by hand: what a worker does with a turn, one verb at a time."""

from datetime import timedelta

from django.utils import timezone

from chat_app.models import Turn
from chat_app.services.answering import POOL, answer_turn
from chat_app.services.turns import begin_turn
from one_project.workflows.models import WorkItem
from one_project.workflows.services.claims import claim, give_back
from one_project.workflows.services.sweeping import sweep
from one_project.workflows.types import Claimed


def claim_turns() -> list[Claimed]:
    """Take all turns that wait for a worker."""
    return claim(POOL, worker="test", room=100, known=[answer_turn.name])


def begin(turn: Turn) -> tuple[Turn, Claimed]:
    """Claim the turn and begin its answer."""
    claimed = claim_turns()
    [work] = [each for each in claimed if each.arguments["turn_id"] == str(turn.pk)]
    give_back([(each.id, each.token) for each in claimed if each is not work])
    begun = begin_turn(turn.pk, token=work.token)
    assert begun is not None
    return begun, work


def lose_the_worker(turn: Turn) -> None:
    """Its worker is silent for longer than the lease, and somebody looks."""
    past = timezone.now() - timedelta(seconds=1)
    WorkItem.objects.filter(turn=turn).update(poke_at=past)
    sweep()
