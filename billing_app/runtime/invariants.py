"""What has to hold between usage, wallets and invoices, whatever happened. Only reads.

Each check is one or two statements over whole tables, and is right while calls and invoices go on:
what came in too late to be counted is told from what is wrong. See docs/reconciliation.md.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from billing_app.types.money import ZERO

# So many rows are named where more are wrong.
NAMED: Final = 20
# A transaction that was open when months were billed or days summed up commits within this time;
# what it recorded comes with the next run.
IN_FLIGHT: Final = timedelta(hours=1)

MissingIn = Callable[[date], int]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check. ``difference``: US dollars, or how many, as the name says; ``detail``
    names the rows that are wrong (at most NAMED), empty where all is well."""

    number: int
    name: str
    is_ok: bool
    checked: int
    difference: Decimal
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it is kept in ``Reconciliation.findings``; the difference as text."""
        return {**asdict(self), "difference": f"{self.difference.normalize():f}"}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One row that is wrong, by how much."""

    what: str
    by: Decimal


def finding(number: int, name: str, checked: int, wrong: Sequence[Wrong]) -> Finding:
    """Ok where nothing is wrong; the difference is the sum of all, whichever way each is off."""
    named = "; ".join(each.what for each in wrong[:NAMED])
    more = f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    total = sum((abs(each.by) for each in wrong), ZERO)
    return Finding(number, name, not wrong, checked, total, named + more)


def rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of one statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


_sources: dict[str, MissingIn] = {}


def register_source(name: str, missing: MissingIn) -> None:
    """``missing(period)``: how many calls of that month have no usage record. Filled by the apps
    above when they start; the same name again replaces."""
    _sources[name] = missing


def recorded_everything(periods: Iterable[date]) -> Finding:
    """6: every call that an app above knows of is metered."""
    wrong, checked = [], 0
    for period in periods:
        for name, missing in sorted(_sources.items()):
            checked += 1
            if count := missing(period):
                wrong.append(Wrong(f"{name} of {period:%Y-%m}: {count} missing", Decimal(count)))
    return finding(6, "Every call of a model has its raw usage (calls)", checked, wrong)
