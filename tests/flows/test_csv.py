"""CSV of matrix and board: what is shown, times twice, nothing a spreadsheet would run."""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from flows_app.models import LessonTarget, Status, StepState
from flows_app.services.csv_export import Moments, export_board, export_matrix
from flows_app.services.filtering import Wanted
from one_project.accounts.models import User
from one_project.common.csv_files import BOM, csv_pieces, safe_cell
from tests.flows.samples import assign, complete, make_flow, move
from tests.people import World


def read(pieces: Iterable[bytes]) -> list[list[str]]:
    text = b"".join(pieces).decode()
    assert text.startswith(BOM)
    return list(csv.reader(io.StringIO(text[1:])))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", '=HYPERLINK("x")'],
)
def test_what_looks_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert read(csv_pieces(["a"], [[text]]))[1][0] == f"'{text}"


def test_plain_values_stay_as_they_are() -> None:
    assert [safe_cell(one) for one in ("Ann", "a=b", 7, -7, None, True, "")] == [
        *("Ann", "a=b", 7, -7, ""),
        "yes",
        "",
    ]


def test_a_moment_is_told_in_utc_and_by_the_askers_clock() -> None:
    at = datetime(2026, 7, 1, 22, 30, 5, 999, tzinfo=UTC)
    moments = Moments("Europe/Berlin")
    assert moments.head("Due") == ["Due (UTC)", "Due (Europe/Berlin)"]
    assert moments.cells(at) == ["2026-07-01T22:30:05Z", "2026-07-02 00:30:05"]
    assert Moments("Nowhere/Else").head("Due")[1] == "Due (UTC)"


def test_the_file_is_made_in_pieces_and_never_held() -> None:
    made = 0

    def rows() -> Iterable[list[str]]:
        nonlocal made
        for number in range(100_000):
            made += 1
            yield [f"{number}", "x" * 90]

    pieces = iter(csv_pieces(["a", "b"], rows()))
    assert len(next(pieces)) < 70_000
    assert made < 1_000
    assert sum(1 for _ in pieces) > 100


def test_the_matrix_as_it_is_filtered_and_sorted(world: World) -> None:
    flow = make_flow(world, "Read", "=Sign")
    bob, adam = assign(world, flow), assign(world, flow, world.adam)
    assign(world, flow, world.alice)
    complete(adam, "Read", by=world.adam)
    User.objects.filter(pk=world.bob.pk).update(name="=cmd|' /C calc'!A0")
    world.stella.timezone = "Asia/Tokyo"
    wanted = Wanted(status=Status.NOT_STARTED, sort="-percent")
    head, *rows = read(export_matrix(flow, wanted, by=world.stella))
    assert head[:4] == ["Person", "E-mail", "Revision", "Attempt"]
    assert "Assigned (Asia/Tokyo)" in head
    assert "'=Sign" in head
    assert [row[0] for row in rows] == ["Adam", "'=cmd|' /C calc'!A0", "Alice"]
    adams = dict(zip(head, rows[0], strict=True))
    assert (adams["Percent"], adams["Read"], adams["'=Sign"]) == ("50", "Completed", "Not Started")
    changed = StepState.objects.get(target=adam).changed_at
    assert changed is not None
    assert adams["Read: changed (UTC)"] == changed.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert LessonTarget.objects.get(pk=bob.pk).assigned_at.strftime("%Y-%m-%d") in rows[1][4]


def test_the_board_with_reasons(world: World) -> None:
    target = assign(world, make_flow(world, "Read", "Sign"))
    move(target, "Read", Status.BLOCKED, world.bob, reason="+49 does not answer")
    head, *rows = read(export_board(world.organisation, Wanted(), by=world.stella))
    found = [dict(zip(head, row, strict=True)) for row in rows]
    assert [(one["Status"], one["Step"], one["Reason"]) for one in found] == [
        ("Not Started", "Sign", ""),
        ("Blocked", "Read", "'+49 does not answer"),
    ]
    assert found[1]["Changed by"] == "Bob"
