"""The board: which cards there are, and what a page is sent when they change."""

from datetime import timedelta

import pytest
from django.utils import timezone

from flows_app.models import LessonTarget, Status
from flows_app.services.board import BoardColumn, Card, all_cards, board_of
from flows_app.services.filtering import Wanted
from flows_app.views.board_changes import (
    changes_between,
    read_version,
    shown_of,
    version_of,
)
from tests.flows.samples import assign, complete, in_order, make_flow, move, step
from tests.people import World

ALL = len(Status.values)


def columns(
    world: World, shown: dict[str, int] | None = None, **wanted: object
) -> list[BoardColumn]:
    asked = Wanted(**wanted)  # type: ignore[arg-type]
    return board_of(world.organisation, asked, by=world.stella, shown=shown or {})


def cards(world: World, **wanted: object) -> dict[str, list[tuple[str, str]]]:
    found = columns(world, **wanted)
    return {one.status: [(card.who, card.step.name) for card in one.cards] for one in found}


def test_a_card_is_a_step_and_what_is_not_begun_is_one_each(world: World) -> None:
    flow = make_flow(world, *in_order("Tour", "Safety", "Test"))
    bob, adam = assign(world, flow), assign(world, flow, world.adam)
    complete(bob, "Tour", by=world.bob)
    move(adam, "Tour", Status.BLOCKED, world.adam, reason="Ill")
    found = cards(world)
    assert found == {
        # Adam's next step is locked; it shows all the same, with why.
        "Not Started": [("Adam", "Safety"), ("Bob", "Safety")],
        "In Progress": [],
        "Completed": [("Bob", "Tour")],
        "Blocked": [("Adam", "Tour")],
        "Skipped": [],
    }
    board = columns(world)
    assert [card.locked for card in board[0].cards] == ["Opens when “Tour” is done.", ""]
    assert board[3].cards[0].reason == "Ill"
    assert cards(world, status="Blocked") == {"Blocked": [("Adam", "Tour")]}
    assert cards(world, text="bob")["Not Started"] == [("Bob", "Safety")]
    exported = list(all_cards(world.organisation, Wanted(), by=world.stella))
    assert len(exported) == 4


def test_the_latest_change_comes_first_and_pages_follow(world: World) -> None:
    target = assign(world, make_flow(world, "A", "B", "C"))
    complete(target, "B", "A", "C", by=world.bob)
    board = columns(world, shown={"Completed": 2})
    done = next(one for one in board if one.status == "Completed")
    assert [card.step.name for card in done.cards] == ["C", "A"]
    assert (done.count, done.has_more) == (3, True)


def test_overdue_narrows_to_the_steps_that_are(world: World) -> None:
    target = assign(world, make_flow(world, step("Late", due_days=1), "Calm", "Rest"))
    move(target, "Late", Status.IN_PROGRESS, world.bob)
    move(target, "Calm", Status.IN_PROGRESS, world.bob)
    assert cards(world, overdue=True)["In Progress"] == []
    LessonTarget.objects.update(assigned_at=timezone.now() - timedelta(days=2))
    assert cards(world, overdue=True)["In Progress"] == [("Bob", "Late")]


def test_ended_assignments_and_other_organisations_have_no_cards(world: World) -> None:
    target = assign(world, make_flow(world, "A"))
    complete(target, "A", by=world.bob)
    theirs = board_of(world.elsewhere, Wanted(), by=world.charlie, shown={})
    assert not any(column.cards for column in theirs)
    LessonTarget.objects.update(ended_at=timezone.now(), ended="withdrawn")
    assert not any(column.cards for column in columns(world))


class Page:
    """What a browser does with what it is sent."""

    def __init__(self, board: list[BoardColumn]) -> None:
        lists = [[shown_of(card) for card in column.cards] for column in board]
        self.version = version_of(lists)
        self.lists = [[(one.dom_id, one.digest) for one in column] for column in lists]

    def follow(self, board: list[BoardColumn], asking: tuple[str, ...] = ()) -> int:
        seen = read_version(self.version, ALL)
        assert seen is not None
        changes = changes_between(seen, board, asking=asking)
        for gone in changes.removed:
            self.lists = [[one for one in column if one[0] != gone] for column in self.lists]
        for new in changes.changed:
            self.lists = [
                [(one[0], new.digest) if one[0] == new.dom_id else one for one in column]
                for column in self.lists
            ]
        for put in changes.placed:
            column = self.lists[put.place]
            ids = [one[0] for one in column]
            at = ids.index(put.after) + 1 if put.after else 0
            column.insert(at, (put.shown.dom_id, put.shown.digest))
        self.version = changes.version
        return len(changes.removed) + len(changes.changed) + len(changes.placed)


@pytest.fixture
def busy(world: World) -> list[LessonTarget]:
    flow = make_flow(world, "A", "B", "C", "D")
    people = (world.bob, world.adam, world.alice)
    return [assign(world, flow, one) for one in people]


def test_a_page_that_follows_equals_a_fresh_one(world: World, busy: list[LessonTarget]) -> None:
    page = Page(columns(world))
    bob, adam, alice = busy
    moves = [
        (bob, "A", "In Progress", ""),
        (adam, "A", "Completed", ""),
        (bob, "A", "Completed", ""),
        (alice, "B", "Blocked", "Why"),
        (adam, "A", "In Progress", "Again"),
        (alice, "B", "Skipped", "No"),
        (bob, "C", "Completed", ""),
        (adam, "A", "Completed", ""),
    ]
    for target, name, status, reason in moves:
        move(target, name, status, world.stella, reason=reason)
        board = columns(world)
        assert page.follow(board) > 0
        fresh = Page(board)
        assert (page.lists, page.version) == (fresh.lists, fresh.version)
        assert page.follow(board) == 0
    # Several at once, and back.
    for name in "BCD":
        move(adam, name, "Completed", world.adam)
    page.follow(columns(world))
    assert page.lists == Page(columns(world)).lists


def test_a_card_somebody_writes_in_stays(world: World, busy: list[LessonTarget]) -> None:
    bob = busy[0]
    move(bob, "A", Status.IN_PROGRESS, world.bob)
    page = Page(columns(world))
    (writing,) = [one[0] for one in page.lists[1]]
    move(bob, "A", Status.COMPLETED, world.bob)
    page.follow(columns(world), asking=(writing[1:],))
    assert [one[0] for one in page.lists[1]] == [writing]
    assert page.lists[2] == []
    page.follow(columns(world))
    assert page.lists == Page(columns(world)).lists


@pytest.mark.parametrize("version", ["", "....", "x....", "\x00....", ".....", "é" * 12 + "...."])
def test_a_version_no_page_has_sent_is_not_used(version: str) -> None:
    found = read_version(version, ALL)
    assert found is None or found == [{}] * ALL


def test_a_card_knows_what_it_can_become(world: World) -> None:
    target = assign(world, make_flow(world, "A"))
    complete(target, "A", by=world.bob)
    card: Card = columns(world)[2].cards[0]
    assert card.ways == ("In Progress",)
