"""How the admin writes money, counts and months; static/css/admin.css puts their columns in line.

Each takes the name of a field and gives a column for ``list_display`` and ``fields``.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin

from billing_app.runtime.documents import month, price
from billing_app.types.money import spoken, to_cents

# A callable of the row; what lists of columns are made of has no one type.
Column = Any


def money(name: str, title: str = "", *, is_exact: bool = False) -> Column:
    """``$1,388.41``; with all its digits where ``is_exact``."""
    return _column(name, "money", title, _exactly if is_exact else spoken)


def rate(name: str, title: str = "") -> Column:
    """A price, with the decimals it has: ``$0.075``."""
    return _column(name, "money", title, price)


def count(name: str, title: str = "") -> Column:
    """``1,234,567``."""
    return _column(name, "count", title, "{:,}".format)


def month_of(name: str, title: str = "month") -> Column:
    """``May 2026``."""
    return _column(name, "month", title, month)


def moment(name: str, title: str = "") -> Column:
    """``2026-05-01``, and the hour (UTC) unless it is midnight."""
    return _column(name, "moment", title, _moment)


def _column(name: str, kind: str, title: str, say: Callable[[Any], str]) -> Column:
    @admin.display(description=title or name.replace("_", " "), ordering=name)
    def shown(row: Any) -> Any:
        value = getattr(row, name)
        return None if value is None else say(value)

    shown.__name__ = f"{name}_{kind}"
    return shown


def _exactly(amount: Any) -> str:
    plain = abs(amount).normalize()
    if plain == to_cents(plain):
        plain = to_cents(plain)
    return f"{'-' if amount < 0 else ''}${plain:,f}"


def _moment(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d}" if not (at.hour or at.minute or at.second) else f"{at:%Y-%m-%d %H:%M}"
