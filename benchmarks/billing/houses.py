"""Organisations with people, written directly, and made-up usage of theirs."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from benchmarks.people import make_organisation, make_user

if TYPE_CHECKING:
    from billing_app.services.demo_usage.calendar import Day
    from billing_app.services.demo_usage.houses import House
    from billing_app.services.demo_usage.rows import Cast
    from one_project.accounts.models import Organisation


def make_houses(names: list[str], people: int) -> "tuple[list[Organisation], list[House]]":
    """So many people in each, two of three of them in a team."""
    from billing_app.services.demo_usage.houses import furnish, house_of

    made = [make_organisation(name) for name in names]
    for organisation in made:
        for _ in range(people - 1):
            make_user(organisation)
        furnish(organisation)
    return made, [house_of(organisation) for organisation in made]


def cast_of(houses: "list[House]", first: date, last: date, seed: int) -> "Cast":
    """Who uses what from ``first`` to before ``last``, at the prices that are there."""
    from billing_app.services.demo_usage.catalogue import CALLS, price_the_house
    from billing_app.services.demo_usage.rows import Cast
    from billing_app.services.demo_usage.tariffs import tariffs_of

    price_the_house(first)
    return Cast(houses, CALLS, tariffs_of(CALLS, first, last), seed)


def year_before(today: date | None = None) -> tuple[date, date]:
    """Twelve whole months, and this one up to yesterday."""
    from billing_app.services.demo_usage.calendar import span

    return span(12, today or datetime.now(UTC).date())


def write_year(
    cast: "Cast", first: date, last: date, rows: int, told: Callable[[date, int], None]
) -> int:
    """All of it, a month at a time; how many rows. ``told`` of each month and its rows."""
    from billing_app.services.demo_usage.calendar import days_of, months_of
    from billing_app.services.demo_usage.rows import write_rows

    days, written = days_of(first, last, rows), 0
    for month in months_of(first, last):
        added = write_rows(cast, _of(days, month))
        written += added
        told(month, added)
    return written


def _of(days: "list[Day]", month: date) -> "list[Day]":
    return [one for one in days if one.day.replace(day=1) == month]
