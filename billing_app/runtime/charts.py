"""Geometry of the charts of usage: whole numbers in the units of an SVG. Pure.

A chart draws what the table below it says; nothing can be read from it alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from billing_app.types.money import ZERO, spoken

# Series with a colour and a pattern of their own; all others are drawn as one.
SERIES: Final = 8
DAY_WIDTH: Final = 20
BAR_WIDTH: Final = 14
HEIGHT: Final = 200
BAR_LENGTH: Final = 1000
_STEPS: Final = tuple(
    Decimal(step) for step in ("1", "1.2", "1.5", "2", "2.5", "3", "4", "5", "6", "8", "10")
)


@dataclass(frozen=True, slots=True)
class Segment:
    """``series``: which colour and pattern, 1 to SERIES, 0 for the others."""

    series: int
    name: str
    cost: Decimal
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day of the month; ``costs`` has an amount for each series, also where it is nothing."""

    day: date
    x: int
    cost: Decimal
    costs: list[Decimal]
    segments: list[Segment]

    @property
    def left(self) -> int:
        """Where the day begins; its bar does not fill it."""
        return self.x - (DAY_WIDTH - BAR_WIDTH) // 2

    @property
    def said(self) -> str:
        """Its tooltip: the day, and a line for each series."""
        first = f"{self.day.day} {self.day:%B}: {spoken(self.cost)}"
        return "\n".join([first, *(f"{one.name} {spoken(one.cost)}" for one in self.segments)])


@dataclass(frozen=True, slots=True)
class Series:
    """``path``: all its segments, as the ``d`` of one path."""

    number: int
    name: str
    cost: Decimal
    path: str = ""


@dataclass(frozen=True, slots=True)
class DayChart:
    """``ticks``: the amounts at the top, the middle and the bottom."""

    series: list[Series]
    bars: list[DayBar]
    ticks: list[Decimal]
    width: int
    height: int = HEIGHT

    @property
    def dearest(self) -> DayBar:
        return max(self.bars, key=lambda bar: bar.cost)


def nice_ceiling(amount: Decimal) -> Decimal:
    """The next round amount, a few steps for each power of ten; 1 for nothing."""
    if amount <= 0:
        return Decimal(1)
    size = Decimal(1).scaleb(amount.adjusted())
    return next(size * step for step in _STEPS if size * step >= amount)


def stack_days(period: date, days: int, costs: dict[tuple[date, str], Decimal]) -> DayChart:
    """``costs`` by day and name. The dearest have a colour each, a last series has the rest."""
    sums: dict[str, Decimal] = {}
    for (_, name), cost in costs.items():
        sums[name] = sums.get(name, ZERO) + cost
    names = sorted(sums, key=lambda name: (-sums[name], name))
    shown, rest = names[:SERIES], names[SERIES:]
    series = [Series(number, name, sums[name]) for number, name in enumerate(shown, 1)]
    if rest:
        others = sum((sums[name] for name in rest), ZERO)
        series.append(Series(0, others_name(len(rest)), others))
    place = {name: index for index, name in enumerate(shown)}
    by_day: list[list[Decimal]] = [[ZERO] * len(series) for _ in range(days)]
    for (day, name), cost in costs.items():
        by_day[(day - period).days][place.get(name, SERIES)] += cost
    top = nice_ceiling(max((sum(each, ZERO) for each in by_day), default=ZERO))
    bars = [_bar(period, index, each, series, top) for index, each in enumerate(by_day)]
    drawn = [replace(each, path=_path(each.number, bars)) for each in series]
    return DayChart(drawn, bars, [top, top / 2, ZERO], days * DAY_WIDTH)


def others_name(count: int) -> str:
    return "1 other" if count == 1 else f"{count} others"


def bar_length(cost: Decimal, most: Decimal) -> int:
    """Of BAR_LENGTH; never nothing for what is something."""
    if most <= 0 or cost <= 0:
        return 0
    return max(4, _whole(cost / most * BAR_LENGTH))


def _bar(
    period: date, index: int, costs: list[Decimal], series: Sequence[Series], top: Decimal
) -> DayBar:
    """Edges are rounded, not heights, so that the stack is as high as its sum."""
    segments, below = [], ZERO
    for each, cost in zip(series, costs, strict=True):
        lower = HEIGHT - _whole(below / top * HEIGHT)
        below += cost
        upper = HEIGHT - _whole(below / top * HEIGHT)
        if cost > 0:
            segments.append(Segment(each.number, each.name, cost, upper, lower - upper))
    day = period + timedelta(days=index)
    x = index * DAY_WIDTH + (DAY_WIDTH - BAR_WIDTH) // 2
    return DayBar(day, x, below, costs, segments)


def _path(number: int, bars: Sequence[DayBar]) -> str:
    return "".join(
        f"M{bar.x} {each.y}h{BAR_WIDTH}v{each.height}h-{BAR_WIDTH}z"
        for bar in bars
        for each in bar.segments
        if each.series == number
    )


def _whole(number: Decimal) -> int:
    return int(number.quantize(Decimal(1), rounding=ROUND_HALF_UP))
