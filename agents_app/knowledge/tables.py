"""Rows of a table as lines of text that can be found and understood one by one. Pure."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from one_project.common.text import clean_line

SEPARATOR: Final = " | "
_MAX_CELL: Final = 32_767  # Excel's own limit
_MAX_HEADER: Final = 80
_MAX_COLUMNS: Final = 500


def row_lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """``header: value | header: value`` where the first row names the columns, else the values.

    Empty cells and rows are left out.
    """
    header: list[str] | None = None
    is_first = True
    for row in rows:
        cells = [cell_text(value) for value in row[:_MAX_COLUMNS]]
        if not any(cells):
            continue
        if is_first:
            is_first = False
            if is_header(cells):
                header = cells
                yield SEPARATOR.join(cell for cell in cells if cell)
                continue
        yield SEPARATOR.join(_named(cells, header))


def is_header(cells: Sequence[str]) -> bool:
    """Names of columns: at least two, short, different, none of them a number or a date."""
    names = [cell for cell in cells if cell]
    return (
        len(names) >= 2
        and len(set(names)) == len(names)
        and all(len(name) <= _MAX_HEADER and not name[0].isdigit() for name in names)
    )


def _named(cells: Sequence[str], header: Sequence[str] | None) -> Iterator[str]:
    for number, cell in enumerate(cells):
        if cell:
            name = header[number] if header and number < len(header) else ""
            yield f"{name}: {cell}" if name else cell


def cell_text(value: Any) -> str:
    """One line; dates as ISO 8601, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        is_day = value.time() == datetime.time.min
        return value.date().isoformat() if is_day else value.isoformat(" ", "minutes")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return clean_line(value, _MAX_CELL)
