"""Matrix and board as CSV, a piece at a time, safe to open in a spreadsheet."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flows_app.models import Flow
from flows_app.services.board import all_cards
from flows_app.services.filtering import Wanted
from flows_app.services.matrix import Row, all_rows
from one_project.accounts.models import Organisation, User
from one_project.common.csv_files import csv_pieces


class Moments:
    """Each time twice: UTC in ISO 8601, and as the clock on the asker's wall showed it."""

    def __init__(self, zone: str) -> None:
        try:
            self.zone = ZoneInfo(zone)
            self.name = zone
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.zone, self.name = ZoneInfo("UTC"), "UTC"

    def head(self, name: str) -> list[str]:
        return [f"{name} (UTC)", f"{name} ({self.name})"]

    def cells(self, at: datetime | None) -> list[str]:
        if at is None:
            return ["", ""]
        utc = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return [utc, at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")]


def export_matrix(flow: Flow, wanted: Wanted, *, by: User) -> Iterator[bytes]:
    """A line for each row of the matrix, with the same filters, order and columns."""
    moments = Moments(by.timezone)
    grid, rows = all_rows(flow, wanted, by=by)
    head = ["Person", "E-mail", "Revision", "Attempt"]
    head += [*moments.head("Assigned"), *moments.head("Due")]
    head += ["Percent", "Done", "Of", "Overdue"]
    for column in grid.columns:
        head += [column.name, *moments.head(f"{column.name}: changed")]
    return csv_pieces(head, (_matrix_line(row, grid.numbers, moments) for row in rows))


def _matrix_line(row: Row, numbers: dict[UUID, int], moments: Moments) -> list[Any]:
    target = row.target
    line: list[Any] = [
        row.name,
        target.user.email if target.user is not None else "",
        numbers.get(target.revision_id, ""),
        target.attempt,
        *moments.cells(target.assigned_at),
        *moments.cells(target.due_at),
        row.share.percent,
        row.share.done,
        row.share.total,
        row.is_late,
    ]
    for cell in row.cells:
        line += ["", "", ""] if cell is None else [cell.status, *moments.cells(cell.changed_at)]
    return line


def export_board(organisation: Organisation, wanted: Wanted, *, by: User) -> Iterator[bytes]:
    """A line for each card of the board, all pages of its columns, with the same filters."""
    moments = Moments(by.timezone)
    head = ["Status", "Person", "E-mail", "Flow", "Step"]
    head += [*moments.head("Due"), "Overdue", *moments.head("Changed")]
    head += ["Changed by", "Reason", "Notes"]
    lines = (
        [
            card.status,
            card.who,
            card.target.user.email if card.target.user is not None else "",
            card.target.flow.name,
            card.step.name,
            *moments.cells(card.due_at),
            card.is_overdue,
            *moments.cells(card.changed_at),
            card.changed_by,
            card.reason,
            card.notes,
        ]
        for card in all_cards(organisation, wanted, by=by)
    )
    return csv_pieces(head, lines)
