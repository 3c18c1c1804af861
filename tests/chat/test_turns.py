"""Who may write a turn, and what happens when a worker is lost."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from agents_app.providers.parts import TextPart
from chat_app.models import Message, Thread, Turn, TurnStatus
from chat_app.services.conversation import continue_thread
from chat_app.services.stopping import stop_turn
from chat_app.services.threads import delete_thread, restore_thread
from chat_app.services.turns import Checkpoint, Outcome, begin_turn, checkpoint_turns, finish_turn
from one_project.workflows.errors import TryLater
from one_project.workflows.models import WorkItem
from one_project.workflows.services.claims import give_back
from one_project.workflows.services.sweeping import sweep
from tests.chat.answering import begin, claim_turns, lose_the_worker
from tests.people import World


@pytest.fixture
def turn(world: World) -> Turn:
    return continue_thread(world.thread(), user=world.alice, message="Hi")


def said(text: str) -> Outcome:
    return Outcome(parts=[TextPart(text)])


@pytest.mark.django_db(transaction=True)
def test_one_of_many_workers_gets_a_turn(committed_world: World) -> None:
    world = committed_world
    thread = world.thread()
    turns = [continue_thread(thread, user=world.alice, message="Hi") for _ in range(20)]

    def claim_some(_: int) -> list[str]:
        try:
            return [work.arguments["turn_id"] for work in claim_turns()]
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        claimed = [turn_id for some in pool.map(claim_some, range(12)) for turn_id in some]
    assert sorted(claimed) == sorted(str(turn.pk) for turn in turns)


def test_the_checkpoint_stores_what_was_said(turn: Turn) -> None:
    begin(turn)
    checkpoint_turns([Checkpoint(turn.pk, 1, "half", 3)])
    turn.refresh_from_db()
    assert (turn.partial, turn.partial_seq) == ("half", 3)
    assert turn.first_token_at is not None


def test_a_worker_that_lost_its_turn_writes_nothing(turn: Turn) -> None:
    old, old_work = begin(turn)
    lose_the_worker(turn)
    new, new_work = begin(turn)
    checkpoint_turns([Checkpoint(turn.pk, 1, "zombie", 9)])
    assert Turn.objects.get(pk=turn.pk).partial == ""
    assert begin_turn(turn.pk, token=old_work.token) is None
    assert finish_turn(old, said("zombie"), old_work) is False
    assert finish_turn(new, said("zombie"), old_work) is False
    assert finish_turn(new, said("real"), new_work) is True
    assert Message.objects.get(pk=turn.message_id).text == "real"
    assert WorkItem.objects.get(turn=turn).status == "success"


def test_a_turn_begun_again_replaces_the_partial_answer_and_shows_it(turn: Turn) -> None:
    begin(turn)
    checkpoint_turns([Checkpoint(turn.pk, 1, "half an ans", 4)])
    lose_the_worker(turn)
    before = Thread.objects.get(pk=turn.thread_id).seq
    again, _ = begin(turn)
    assert (again.attempt, again.partial, again.partial_seq) == (2, "", 0)
    thread, message = Thread.objects.get(pk=turn.thread_id), Message.objects.get(pk=turn.message_id)
    assert (thread.seq, message.seq) == (before + 1, before + 1)


def test_a_lease_that_holds_is_not_taken_away(turn: Turn) -> None:
    begin(turn)
    sweep()
    assert claim_turns() == []


def test_after_three_lost_workers_the_turn_fails_visibly_and_keeps_its_text(turn: Turn) -> None:
    for _ in range(3):
        begun, _ = begin(turn)
        checkpoint_turns([Checkpoint(turn.pk, begun.attempt, "half", 2)])
        lose_the_worker(turn)
    turn.refresh_from_db()
    message = Message.objects.get(pk=turn.message_id)
    assert (turn.status, turn.error_code) == ("failed", "worker_lost")
    assert (message.status, message.text) == ("failed", "half")
    assert message.error == "Failed to generate a response. Please try again."


def test_a_stop_that_no_worker_heard_is_done_by_the_sweep(turn: Turn) -> None:
    begin(turn)
    checkpoint_turns([Checkpoint(turn.pk, 1, "half", 2)])
    stop_turn(turn.thread, turn.pk)
    lose_the_worker(turn)
    message = Message.objects.get(pk=turn.message_id)
    assert (message.status, message.text, message.is_stopped) == ("success", "half", True)


def test_a_stop_between_two_workers_ends_the_turn_at_once(turn: Turn) -> None:
    begin(turn)
    checkpoint_turns([Checkpoint(turn.pk, 1, "half", 2)])
    lose_the_worker(turn)
    stop_turn(turn.thread, turn.pk)
    message = Message.objects.get(pk=turn.message_id)
    assert (message.status, message.text, message.is_stopped) == ("success", "half", True)
    assert claim_turns() == []


def test_a_worker_that_stops_in_good_order_gives_its_turns_back_without_counting(
    turn: Turn,
) -> None:
    for attempt in range(1, 6):
        begun, work = begin(turn)
        assert begun.attempt == attempt
        give_back([(work.id, work.token)])
    assert WorkItem.objects.get(turn=turn).status == "ready"


def test_turns_of_a_deleted_thread_wait_until_it_is_back(world: World, turn: Turn) -> None:
    delete_thread(turn.thread, user=world.alice)
    [work] = claim_turns()
    with pytest.raises(TryLater):
        begin_turn(turn.pk, token=work.token)
    restore_thread(world.organisation, turn.thread_id, user=world.alice)
    assert begin_turn(turn.pk, token=work.token) is not None


def test_finishing_is_one_change_of_the_thread(turn: Turn) -> None:
    begun, work = begin(turn)
    before = Thread.objects.get(pk=turn.thread_id)
    finish_turn(begun, said("done"), work)
    after = Thread.objects.get(pk=turn.thread_id)
    assert (after.seq, after.last_message) == (before.seq + 1, "done")
    assert finish_turn(begun, said("twice"), work) is False
    assert Thread.objects.get(pk=turn.thread_id).seq == after.seq
    assert Turn.objects.get(pk=turn.pk).status == TurnStatus.SUCCESS
