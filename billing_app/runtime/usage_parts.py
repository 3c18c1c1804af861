"""The parts of a page of usage: sums by one thing each, dearest first, with names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from billing_app.runtime.charts import (
    SERIES,
    DayChart,
    bar_length,
    others_name,
    stack_days,
)
from billing_app.runtime.usage_names import Names, by_agent
from billing_app.runtime.usage_reading import (
    NOBODY,
    Key,
    Sums,
    Wanted,
    is_summed_up,
    read_sums,
    total,
)
from billing_app.types.money import ZERO
from billing_app.types.periods import next_period

# Name of a part, as in addresses: the columns it is read by.
PARTS: Final[dict[str, tuple[str, ...]]] = {
    "day": ("day", "provider", "model"),
    "provider": ("provider",),
    "agent": ("agent_id", "agent_name"),
    "team": ("team_id",),
    "user": ("user_id",),
}
# Rows of a table on a page; a file has all.
MOST_ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class Line:
    """``value``: what filters by it, as in addresses; "" for all others together."""

    name: str
    value: str
    sums: Sums
    length: int
    percent: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """``bars``: the dearest, and all others as one; ``lines``: the same for the table."""

    name: str
    lines: list[Line]
    bars: list[Line]
    sums: Sums


@dataclass(frozen=True, slots=True)
class DayPart:
    chart: DayChart
    sums: Sums


def is_quick(wanted: Wanted, name: str) -> bool:
    """Whether the part comes from roll-ups, or can come no quicker than the rest of the page."""
    return is_summed_up(wanted, PARTS[name]) or not is_summed_up(wanted)


def read_lines(
    wanted: Wanted, name: str, names: Callable[[Iterable[Key]], Names], through: date | None
) -> list[tuple[str, str, Sums]]:
    """Name, value and sums of each provider, agent, team or user, dearest first."""
    return lines_of(name, read_sums(wanted, PARTS[name], through=through), names)


def lines_of(
    name: str, sums: Mapping[Key, Sums], names: Callable[[Iterable[Key]], Names]
) -> list[tuple[str, str, Sums]]:
    """The same of sums that have been read."""
    if name == "agent":
        found, called = by_agent(sums)
        return _sorted((called[key[0]], _value(key[0]), each) for key, each in found.items())
    if name == "provider":
        return _sorted((key[0], key[0], each) for key, each in sums.items())
    known = names(sums)
    say = known.team if name == "team" else known.user
    return _sorted((say(key[0]), _value(key[0]), each) for key, each in sums.items())


def part_of(name: str, found: list[tuple[str, str, Sums]]) -> Part:
    """Shortened for a page."""
    everything = total(each for _, _, each in found)
    return Part(
        name,
        _shortened(found, MOST_ROWS, everything),
        _shortened(found, SERIES, everything),
        everything,
    )


def day_part(period: date, sums: Mapping[Key, Sums]) -> DayPart:
    """Sums by day, provider and model as a chart."""
    called = model_names(sums)
    costs: dict[tuple[date, str], Decimal] = {}
    for (day, provider, model), each in sums.items():
        key = day, called[provider, model]
        costs[key] = costs.get(key, ZERO) + each.cost
    days = (next_period(period) - period).days
    return DayPart(stack_days(period, days, costs), total(sums.values()))


def folded(sums: Mapping[Key, Sums], place: int) -> dict[Key, Sums]:
    """Sums by several columns as sums by the one at ``place``."""
    found: dict[Key, Sums] = {}
    for key, each in sums.items():
        one = (key[place],)
        found[one] = found[one] + each if one in found else each
    return found


def by_provider(sums: Mapping[Key, Sums]) -> list[tuple[str, str, Sums]]:
    """Sums by day, provider and model as lines of providers."""
    return _sorted((key[0], key[0], each) for key, each in folded(sums, 1).items())


def model_names(keys: Iterable[Key]) -> dict[tuple[str, str], str]:
    """What to call the models of (day, provider, model): with the provider where two have one."""
    pairs = {(provider, model) for _, provider, model in keys}
    models = [model for _, model in pairs]
    return {
        (provider, model): f"{model} ({provider})" if models.count(model) > 1 else model
        for provider, model in pairs
    }


def _sorted(lines: Iterable[tuple[str, str, Sums]]) -> list[tuple[str, str, Sums]]:
    return sorted(lines, key=lambda line: (-line[2].cost, -line[2].calls, line[0]))


def _value(key: UUID | None) -> str:
    return NOBODY if key is None else str(key)


def _shortened(found: list[tuple[str, str, Sums]], most: int, everything: Sums) -> list[Line]:
    kept: list[tuple[str, str, Sums]] = found
    if len(found) > most:
        rest = found[most:]
        kept = [*found[:most], (others_name(len(rest)), "", total(each[2] for each in rest))]
    top = max((each.cost for _, _, each in kept), default=ZERO)
    return [_line(name, value, each, top, everything.cost) for name, value, each in kept]


def _line(name: str, value: str, sums: Sums, top: Decimal, whole: Decimal) -> Line:
    percent: Any = round(100 * sums.cost / whole) if whole else None
    return Line(name, value, sums, bar_length(sums.cost, top), percent)
