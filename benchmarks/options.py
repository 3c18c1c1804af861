"""Options from the environment (make variables), and the ways results are printed."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def text(name: str, default: str) -> str:
    """The variable ``name``, or ``default`` where it is unset or empty (make exports empties)."""
    return os.environ.get(name, "").strip() or default


def number(name: str, default: int, *, least: int = 1, most: int = 1_000_000) -> int:
    """A whole number from ``least`` to ``most``; ends the program with a sentence otherwise."""
    return _whole(name, text(name, str(default)), least, most)


def numbers(name: str, default: str, *, least: int = 1, most: int = 1_000_000) -> list[int]:
    """Whole numbers separated by blanks or commas."""
    return [
        _whole(name, word, least, most) for word in text(name, default).replace(",", " ").split()
    ]


def choice(name: str, default: str, known: Sequence[str]) -> str:
    """One of ``known``."""
    value = text(name, default)
    if value not in known:
        sys.exit(f"{name} is one of: {', '.join(known)}; not {value!r}.")
    return value


def _whole(name: str, word: str, least: int, most: int) -> int:
    if not word.isdecimal() or not least <= int(word) <= most:
        sys.exit(f"{name} must be a whole number from {least} to {most}, not {word!r}.")
    return int(word)


def say(line: str) -> None:
    """Progress, seen at once."""
    print(line, flush=True)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as their widest cell; the first to the left, the others to the right."""
    cells = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` (0 to 1) of ``values`` lie; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def rounded(value: Any, digits: int = 4) -> Any:
    """``value`` with every float in it cut to ``digits`` significant digits, for JSON."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    return value


def finish(figures: dict[str, Any]) -> None:
    """The last line: one JSON object."""
    say(json.dumps(rounded(figures), separators=(", ", ": ")))
