"""Who may write a turn, and what happens when a worker is lost: claim, lease, sweep."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from agents_app.providers.parts import TextPart
from chat_app.models import Message, Thread, Turn, TurnStatus
from chat_app.services.conversation import continue_thread, stop_turn
from chat_app.services.threads import delete_thread
from chat_app.services.turns import (
    Checkpoint,
    Outcome,
    checkpoint_turns,
    claim_turn,
    finish_turn,
    release_turns,
    sweep_turns,
)
from tests.people import World


@pytest.fixture
def turn(world: World) -> Turn:
    return continue_thread(world.thread(), user=world.alice, message="Hi")


def let_the_lease_run_out(turn: Turn) -> None:
    Turn.objects.filter(pk=turn.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def said(text: str) -> Outcome:
    return Outcome(parts=[TextPart(text)])


@pytest.mark.django_db(transaction=True)
def test_one_of_many_workers_gets_a_turn(committed_world: World) -> None:
    world = committed_world
    thread = world.thread()
    turns = [continue_thread(thread, user=world.alice, message="Hi").pk for _ in range(20)]

    def claim(turn_id: UUID) -> UUID | None:
        try:
            return turn_id if claim_turn(turn_id, worker="w") else None
        finally:
            connection.close()

    # Six tries for each turn, next to each other, so that they meet.
    tries = [turn_id for turn_id in turns for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        claimed = [turn_id for turn_id in pool.map(claim, tries) if turn_id]
    assert claimed == turns


def test_the_checkpoint_renews_stores_and_tells_of_a_stop(turn: Turn) -> None:
    claimed = claim_turn(turn.pk, worker="w")
    assert claimed is not None
    before = claimed.lease_until
    row = Checkpoint(turn.pk, 1, "half", 3)
    assert checkpoint_turns([row]) == {turn.pk: False}
    turn.refresh_from_db()
    assert (turn.partial, turn.partial_seq) == ("half", 3)
    assert turn.lease_until is not None
    assert before is not None
    stop_turn(turn.thread, turn.pk)
    assert checkpoint_turns([Checkpoint(turn.pk, 1, None, 3)]) == {turn.pk: True}
    turn.refresh_from_db()
    assert turn.partial == "half"


def test_a_worker_that_lost_its_turn_writes_nothing(turn: Turn) -> None:
    old = claim_turn(turn.pk, worker="old")
    assert old is not None
    let_the_lease_run_out(turn)
    assert sweep_turns(10) == [turn.pk]
    new = claim_turn(turn.pk, worker="new")
    assert new is not None
    assert checkpoint_turns([Checkpoint(turn.pk, 1, "zombie", 9)]) == {}
    assert finish_turn(old, said("zombie")) is False
    assert finish_turn(new, said("real")) is True
    assert Message.objects.get(pk=turn.message_id).text == "real"


def test_a_turn_claimed_again_replaces_the_partial_answer_and_shows_it(turn: Turn) -> None:
    claim_turn(turn.pk, worker="old")
    checkpoint_turns([Checkpoint(turn.pk, 1, "half an ans", 4)])
    let_the_lease_run_out(turn)
    sweep_turns(10)
    before = Thread.objects.get(pk=turn.thread_id).seq
    again = claim_turn(turn.pk, worker="new")
    assert again is not None
    assert (again.attempt, again.partial, again.partial_seq) == (2, "", 0)
    thread, message = Thread.objects.get(pk=turn.thread_id), Message.objects.get(pk=turn.message_id)
    assert (thread.seq, message.seq) == (before + 1, before + 1)


def test_a_lease_that_holds_is_not_taken_away(turn: Turn) -> None:
    claim_turn(turn.pk, worker="w")
    assert sweep_turns(10) == []
    turn.refresh_from_db()
    assert turn.status == TurnStatus.RUNNING


def test_after_three_lost_workers_the_turn_fails_visibly_and_keeps_its_text(turn: Turn) -> None:
    for _ in range(3):
        claimed = claim_turn(turn.pk, worker="w")
        assert claimed is not None
        checkpoint_turns([Checkpoint(turn.pk, claimed.attempt, "half", 2)])
        let_the_lease_run_out(turn)
        sweep_turns(10)
    turn.refresh_from_db()
    message = Message.objects.get(pk=turn.message_id)
    assert (turn.status, turn.error_code) == ("failed", "worker_lost")
    assert (message.status, message.text) == ("failed", "half")
    assert message.error == "Failed to generate a response. Please try again."


def test_a_stop_that_no_worker_heard_is_done_by_the_sweep(turn: Turn) -> None:
    claim_turn(turn.pk, worker="w")
    checkpoint_turns([Checkpoint(turn.pk, 1, "half", 2)])
    stop_turn(turn.thread, turn.pk)
    let_the_lease_run_out(turn)
    sweep_turns(10)
    message = Message.objects.get(pk=turn.message_id)
    assert (message.status, message.text, message.is_stopped) == ("success", "half", True)


def test_a_worker_that_stops_in_good_order_gives_its_turns_back_without_counting(
    turn: Turn,
) -> None:
    for attempt in range(1, 6):
        claimed = claim_turn(turn.pk, worker="w")
        assert claimed is not None
        assert claimed.attempt == attempt
        release_turns([(turn.pk, attempt)])
    turn.refresh_from_db()
    assert (turn.status, turn.lapses) == ("queued", 0)


def test_a_lost_wake_up_call_is_found_by_the_sweep(turn: Turn) -> None:
    assert sweep_turns(10) == []
    Turn.objects.filter(pk=turn.pk).update(updated_at=timezone.now() - timedelta(seconds=3))
    assert sweep_turns(10) == [turn.pk]
    assert sweep_turns(0) == []


def test_turns_of_a_deleted_thread_are_left_alone(world: World, turn: Turn) -> None:
    delete_thread(turn.thread, user=world.alice)
    Turn.objects.update(updated_at=timezone.now() - timedelta(seconds=3))
    assert sweep_turns(10) == []
    assert claim_turn(turn.pk, worker="w") is None


def test_finishing_is_one_change_of_the_thread(turn: Turn) -> None:
    claimed = claim_turn(turn.pk, worker="w")
    assert claimed is not None
    before = Thread.objects.get(pk=turn.thread_id)
    finish_turn(claimed, said("done"))
    after = Thread.objects.get(pk=turn.thread_id)
    assert (after.seq, after.last_message) == (before.seq + 1, "done")
    assert finish_turn(claimed, said("twice")) is False
    assert Thread.objects.get(pk=turn.thread_id).seq == after.seq
