"""Pages of matrix, board, one step and their CSV, as a browser asks for them."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from flows_app.models import FlowProgress, LessonTarget, Status
from flows_app.views.board_changes import key_of
from tests.flows.samples import assign, complete, make_flow, move, step, steps
from tests.people import World

HTMX = {"HX-Request": "true"}


@pytest.fixture
def staff(world: World, client: Client) -> Client:
    client.force_login(world.stella)
    return client


@pytest.fixture
def target(world: World) -> LessonTarget:
    return assign(world, make_flow(world, "Read <b>", "Sign", step("Essay", needs_review=True)))


def hidden(page: str) -> dict[str, str]:
    """What the page sends with everything it asks."""
    names = ("query", "shown", "counts", "v")
    found = {name: re.search(rf'name="{name}" value="([^"]*)"', page) for name in names}
    return {name: hit[1].replace("&amp;", "&") for name, hit in found.items() if hit}


def test_the_matrix_is_a_table_with_a_button_for_each_cell(
    staff: Client, target: LessonTarget
) -> None:
    page = staff.get(reverse("flows:matrix", args=[target.flow_id])).content.decode()
    assert page.count('scope="col"') == 4
    assert page.count('scope="row"') == 2
    assert "<caption" in page
    assert "Read &lt;b&gt;" in page
    assert "Read <b>" not in page
    (first, *rest) = re.findall(r'name="c" value="([^"]+)"', page)
    assert len(rest) == 2
    cell = staff.get(reverse("flows:pick_cell"), {"c": first}, headers=HTMX).content.decode()
    assert "Bob: Read &lt;b&gt;" in cell
    assert 'id="main"' not in cell
    assert 'id="main"' in staff.get(reverse("flows:pick_cell"), {"c": first}).content.decode()


def test_the_matrix_sends_only_the_rows_that_have_changed(
    world: World, staff: Client, target: LessonTarget
) -> None:
    assign(world, target.flow, world.adam)
    flow = target.flow_id
    known = hidden(staff.get(reverse("flows:matrix", args=[flow])).content.decode())
    part = reverse("flows:matrix_part", args=[flow])
    assert staff.get(part, known, headers=HTMX).status_code == 204
    complete(target, "Sign", by=world.bob)
    answer = staff.get(part, known, headers=HTMX).content.decode()
    assert answer.count('hx-swap-oob="innerHTML"><span class="cell') == 3
    assert "Completed" in answer
    assert "<table" not in answer
    assert staff.get(part, hidden(answer), headers=HTMX).status_code == 204
    assign(world, target.flow, world.alice)
    assert "<table" in staff.get(part, hidden(answer), headers=HTMX).content.decode()
    assert "<table" in staff.get(part, {"v": "\x00"}, headers=HTMX).content.decode()


def test_more_people_follow_a_page_at_a_time(
    world: World, staff: Client, target: LessonTarget
) -> None:
    assign(world, target.flow, world.adam)
    assign(world, target.flow, world.alice)
    address = reverse("flows:matrix", args=[target.flow_id])
    page = staff.get(address, {"rows": "2"}).content.decode()
    assert "Show more (1 left)" in page
    part = reverse("flows:matrix_part", args=[target.flow_id])
    answer = staff.get(part, {**hidden(page), "more": "1"}, headers=HTMX).content.decode()
    assert "<table" not in answer
    assert answer.count('scope="row"') == 1
    assert staff.get(part, hidden(answer), headers=HTMX).status_code == 204


def test_a_step_is_moved_in_its_panel(staff: Client, target: LessonTarget) -> None:
    address = reverse("flows:cell", args=[target.pk, steps(target)["Sign"].key])
    asked = {"to": "Blocked", "version": "0", "notes": "Two <i>words</i>", "request_id": "r1"}
    refused = staff.post(address, asked, headers=HTMX)
    assert (refused.status_code, refused["HX-Retarget"]) == (422, "#dialog-body")
    assert "Please say why" in refused.content.decode()
    assert "Two &lt;i&gt;words" in refused.content.decode()
    for _ in range(2):  # a double click is one
        answer = staff.post(address, {**asked, "reason": "No pen"}, headers=HTMX)
        assert (answer.status_code, answer["HX-Reswap"]) == (200, "none")
        assert "one:inbox" in answer["HX-Trigger"]
    assert FlowProgress.objects.filter(target=target, status=Status.BLOCKED).count() == 1
    page = staff.get(address).content.decode()
    assert "No pen" in page
    assert "<i>words</i>" not in page


def test_a_stale_panel_says_who_changed_what_and_keeps_what_was_typed(
    world: World, staff: Client, target: LessonTarget
) -> None:
    address = reverse("flows:cell", args=[target.pk, steps(target)["Sign"].key])
    move(target, "Sign", Status.IN_PROGRESS, world.bob)
    asked = {"to": "Skipped", "version": "0", "reason": "Not needed", "request_id": "r1"}
    answer = staff.post(address, asked, headers=HTMX)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "Bob has set this step to In Progress" in text
    assert "Not needed" in text
    assert 'name="version" value="1"' in text


def test_a_card_moves_and_the_page_follows(staff: Client, target: LessonTarget) -> None:
    page = staff.get(reverse("flows:board")).content.decode()
    assert page.count("data-column=") == 5
    assert page.count('draggable="true"') == 1
    known, key = hidden(page), steps(target)["Read <b>"].key
    part = reverse("flows:board_part")
    assert staff.get(part, known, headers=HTMX).status_code == 204
    answer = staff.post(
        reverse("flows:move_card", args=[target.pk, key]),
        {**known, "to": "Completed", "version": "0"},
        headers=HTMX,
    ).content.decode()
    card = f"k{key_of(target.pk, key)}"
    assert f'id="{card}" hx-swap-oob="delete"' in answer
    assert 'hx-swap-oob="afterbegin:#board-cards-2"' in answer
    # The next step takes its place.
    assert 'hx-swap-oob="afterbegin:#board-cards-0"' in answer
    assert staff.get(part, hidden(answer), headers=HTMX).status_code == 204
    assert staff.get(part, known, headers=HTMX).status_code == 200


def test_what_needs_a_reason_asks_in_the_card_first(staff: Client, target: LessonTarget) -> None:
    key = steps(target)["Sign"].key
    address = reverse("flows:move_card", args=[target.pk, key])
    known = hidden(staff.get(reverse("flows:board")).content.decode())
    asked = staff.post(address, {**known, "to": "Blocked", "version": "0"}, headers=HTMX)
    assert (asked.status_code, asked["HX-Reswap"]) == (200, "outerHTML")
    assert 'name="reason"' in asked.content.decode()
    assert not target.states.exists()
    saved = {**known, "to": "Blocked", "version": "0", "reason": "Ill", "request_id": "r2"}
    assert staff.post(address, {**saved, "reason": " "}, headers=HTMX).status_code == 422
    assert "board-cards-3" in staff.post(address, saved, headers=HTMX).content.decode()
    assert target.states.get().reason == "Ill"


@pytest.mark.parametrize(
    ("name", "to", "told"),
    [
        ("Sign", "", "it can become In Progress, Completed, Blocked or Skipped"),
        ("Essay", "Nonsense", "it can become"),
    ],
)
def test_an_illegal_move_is_told_and_the_card_stays(
    staff: Client, target: LessonTarget, name: str, to: str, told: str
) -> None:
    address = reverse("flows:move_card", args=[target.pk, steps(target)[name].key])
    answer = staff.post(address, {"to": to, "version": "0"}, headers=HTMX)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert told in text
    assert 'id="notices"' in text
    assert f'id="k{key_of(target.pk, steps(target)[name].key)}"' in text
    assert not target.states.exists()


def test_a_stale_card_says_who_changed_what(
    world: World, staff: Client, target: LessonTarget
) -> None:
    move(target, "Sign", Status.IN_PROGRESS, world.bob)
    address = reverse("flows:move_card", args=[target.pk, steps(target)["Sign"].key])
    asked = {"to": "Blocked", "version": "0", "reason": "I was typing"}
    answer = staff.post(address, asked, headers=HTMX)
    assert answer.status_code == 409
    assert "Bob has set this step to In Progress" in answer.content.decode()
    assert "I was typing" in answer.content.decode()


def test_files_are_named_and_filtered_like_the_page(
    world: World, staff: Client, target: LessonTarget
) -> None:
    assign(world, target.flow, world.adam)
    address = reverse("flows:matrix_csv", args=[target.flow_id])
    answer = staff.get(address, {"q": "adam", "sort": "-percent"})
    lines = answer.getvalue().decode().splitlines()
    assert answer["Content-Disposition"].startswith('attachment; filename="onboarding-')
    assert len(lines) == 2
    assert "adam@example.test" in lines[1]
    board = staff.get(reverse("flows:board_csv"), {"flow": str(target.flow_id), "who": "me"})
    assert len(board.getvalue().decode().splitlines()) == 1


def test_pages_of_another_organisation_do_not_exist(
    world: World, client: Client, target: LessonTarget
) -> None:
    client.force_login(world.charlie)
    key = steps(target)["Sign"].key
    assert client.get(reverse("flows:board"), {"flow": str(target.flow_id)}).status_code == 404
    assert client.get(reverse("flows:cell", args=[target.pk, key])).status_code == 404
    assert "Bob" not in client.get(reverse("flows:board")).content.decode()
