"""Rows of a bulk assignment, and reading them from a CSV file or a pasted table."""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from flows_app.conf import MAX_BULK
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_text

# What one cell may hold; a note is cut where it is stored.
CELL_LIMIT: Final = 5_000
COLUMNS: Final = {
    "email": ("email", "e_mail", "mail", "address", "person", "user"),
    "agent": ("agent",),
    "role": ("role",),
    "team": ("team", "group"),
    "flow": ("flow",),
    "course": ("course",),
    "step": ("step", "step_name"),
    "due": ("due", "due_date", "due_at", "due_on"),
    "follow_up": ("follow_up", "followup", "follow_up_date", "follow_up_at"),
    "note": ("note", "notes", "comment"),
    "resolution": ("resolution",),
}
_NAMES: Final = {name: column for column, names in COLUMNS.items() for name in names}
KNOWN: Final = ", ".join(column.replace("_", "-") for column in COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRow:
    """Who gets what by when, as text: one of ``email`` (or the person's id), ``agent``, ``role``,
    ``team``; ``flow`` or ``course``; all by id or name. ``due`` and ``follow_up``: a date, or days
    after now. ``line`` is where it stood. ``problem``: why it cannot be read."""

    line: int
    email: str = ""
    agent: str = ""
    role: str = ""
    team: str = ""
    flow: str = ""
    course: str = ""
    step: str = ""
    due: str = ""
    follow_up: str = ""
    note: str = ""
    resolution: str = ""
    problem: str = ""

    @property
    def who(self) -> str:
        return self.email or self.agent or self.role or self.team

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value or key == "line"}

    def filled(self, defaults: "BulkRow") -> "BulkRow":
        """With what is empty taken from ``defaults``; of flow, course and step together."""
        plain = ("due", "follow_up", "note", "resolution")
        names = plain if self.flow or self.course else (*plain, "flow", "course", "step")
        missing = {name: getattr(defaults, name) for name in names if not getattr(self, name)}
        return replace(self, **missing)


def decoded(data: bytes) -> str:
    """A file as text. Raises InvalidInput for one that is no UTF-8 (nor UTF-16 that says so)."""
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(
            "This file is not UTF-8: names would be spoilt. "
            "Save it again as “CSV UTF-8”, or paste its lines."
        ) from None


def rows_of_text(text: str, defaults: BulkRow | None = None) -> list[BulkRow]:
    """The rows below a line that names the columns, in any case and order.

    Between values: a comma, a semicolon or a tab, whichever the first line has most of. Raises
    InvalidInput for unknown or missing columns, for too many rows, and for what is no table.
    """
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=_delimiter(text))
    rows: list[BulkRow] = []
    columns: list[str] = []
    count = 0
    try:
        for cells in reader:
            values = [clean_text(cell).strip() for cell in cells]
            if not any(values):
                continue
            if not columns:
                columns = _columns(values)
                continue
            count += 1
            if count <= MAX_BULK:
                rows.append(_row(reader.line_num, columns, values))
    except csv.Error as error:
        raise InvalidInput(f"Line {reader.line_num} cannot be read: {error}.") from error
    if count > MAX_BULK:
        raise InvalidInput(
            f"At most {MAX_BULK:,} rows at a time, please: these are {count:,}. Split the file."
        )
    if not rows:
        raise InvalidInput("There are no rows below the line that names the columns.")
    return [row.filled(defaults) for row in rows] if defaults else rows


def rows_of_json(rows: Iterable[dict[str, Any]]) -> list[BulkRow]:
    return [BulkRow(**row) for row in rows]


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max((",", ";", "\t"), key=first.count)


def _columns(values: list[str]) -> list[str]:
    names = [value.lower().replace("-", "_").replace(" ", "_") for value in values]
    unknown = [
        value
        for value, name in zip(values, names, strict=True)
        if name not in _NAMES and (value or name)
    ]
    if unknown:
        listed = ", ".join(f"“{value[:40]}”" for value in unknown[:5])
        raise InvalidInput(
            f"The first line has to name the columns. Not known: {listed}. Known are: {KNOWN}."
        )
    columns = [_NAMES.get(name, "") for name in names]
    twice = {column for column in columns if column and columns.count(column) > 1}
    if twice:
        raise InvalidInput(f"The column “{min(twice)}” is there twice.")
    if not {"email", "agent", "role", "team"} & set(columns):
        raise InvalidInput("One column has to say who: email, agent, role or team.")
    return columns


def _row(line: int, columns: list[str], values: list[str]) -> BulkRow:
    if len(values) > len(columns) and any(values[len(columns) :]):
        problem = f"This line has {len(values)} values for {len(columns)} columns."
        return BulkRow(line=line, problem=problem)
    pairs = zip(columns, values, strict=False)
    return BulkRow(line=line, **{name: value[:CELL_LIMIT] for name, value in pairs if name})
