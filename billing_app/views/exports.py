"""Usage as CSV: what a page shows, and the raw rows of a month, sent as they are read."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponseBase
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from billing_app.forms import Asked, asked_usage
from billing_app.runtime.usage_names import Names, read_names
from billing_app.runtime.usage_parts import PARTS, read_lines
from billing_app.runtime.usage_reading import Sums, read_sums, records
from billing_app.services.rolling_up import rolled_through
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.csv_files import csv_pieces, csv_response
from one_project.common.errors import InvalidInput

# Rows that are held at once, and a connection no longer than while they are read.
PAGE: Final = 2_000
HEADS: Final = {
    "day": ["Day (UTC)", "Provider", "Model"],
    "provider": ["Provider"],
    "agent": ["Agent", "Agent id"],
    "team": ["Team", "Team id"],
    "user": ["Person", "Person id"],
}
SUMS: Final = [
    "Calls",
    "Input tokens",
    "Cached input tokens",
    "Cache write tokens",
    "Output tokens",
    "Reasoning tokens",
    "Estimated calls",
    "Calls without a price",
    "Cost (USD)",
]
COLUMNS: Final = {
    "id": "Id",
    "occurred_at": "Occurred at (UTC)",
    "recorded_at": "Recorded at (UTC)",
    "billing_period": "Billing period",
    "provider": "Provider",
    "model": "Model",
    "model_requested": "Model requested",
    "model_returned": "Model returned",
    "service_tier": "Service tier",
    "purpose": "Purpose",
    "user_id": "Person id",
    "team_id": "Team id",
    "agent_id": "Agent id",
    "agent_name": "Agent",
    "thread_id": "Thread id",
    "turn_id": "Turn id",
    "message_id": "Message id",
    "input_tokens": "Input tokens",
    "cached_input_tokens": "Cached input tokens",
    "cache_write_tokens": "Cache write tokens",
    "output_tokens": "Output tokens",
    "reasoning_tokens": "Reasoning tokens",
    "is_estimated": "Estimated",
    "is_aborted": "Aborted",
    "pricing": "Pricing",
    "price_input": "Price of input (USD per million)",
    "price_cached_input": "Price of cached input (USD per million)",
    "price_cache_write": "Price of cache writes (USD per million)",
    "price_output": "Price of output (USD per million)",
    "cost": "Cost (USD)",
    "currency": "Currency",
}
_AT: Final = list(COLUMNS).index("occurred_at")
_USER: Final = list(COLUMNS).index("user_id")
_TEAM: Final = list(COLUMNS).index("team_id")


@require_safe
@member_required
def usage_csv(request: MemberRequest) -> HttpResponseBase:
    """Exactly what the chart ``of`` shows with these filters, a line for each of its values."""
    asked = _asked(request)
    name = request.GET.get("of", "day")
    if name not in PARTS:
        raise InvalidInput("A file is of: day, provider, agent, team or user.")
    through = rolled_through()
    lines: Iterator[list[object]]
    if name == "day":
        sums = read_sums(asked.wanted, PARTS["day"], through=through)
        # A name of a model is a text; a day is written as one.
        days = sorted(sums.items(), key=lambda item: tuple(map(str, item[0])))
        lines = ([f"{day:%Y-%m-%d}", *of, *_cells(each)] for (day, *of), each in days)
    else:
        house = asked.wanted.organisation_id
        found = read_lines(asked.wanted, name, lambda _: read_names(house), through)
        ids = name != "provider"
        lines = ([label, *([value] if ids else []), *_cells(each)] for label, value, each in found)
    pieces = csv_pieces([*HEADS[name], *SUMS], lines)
    return csv_response(request, pieces, f"usage by {name} {_whose(asked)}")


@require_safe
@member_required
def records_csv(request: MemberRequest) -> HttpResponseBase:
    """Raw usage of the month, oldest first, with the same filters."""
    asked = _asked(request)
    names = read_names(asked.wanted.organisation_id)
    head = [*COLUMNS.values(), "Person", "Team"]
    return csv_response(
        request, csv_pieces(head, _record_lines(asked, names)), f"raw usage {_whose(asked)}"
    )


def _asked(request: MemberRequest) -> Asked:
    """A file has no place to say what was left out. Raises InvalidInput instead."""
    asked = asked_usage(request.GET, request.membership, now())
    if asked.words:
        raise InvalidInput(" ".join(asked.words))
    return asked


def _whose(asked: Asked) -> str:
    return f"{'organisation' if asked.is_house else 'mine'} {asked.month}"


def _cells(sums: Sums) -> list[object]:
    return [
        sums.calls,
        sums.input_tokens,
        sums.cached_input_tokens,
        sums.cache_write_tokens,
        sums.output_tokens,
        sums.reasoning_tokens,
        sums.estimated_calls,
        sums.unpriced_calls,
        sums.cost,
    ]


def _record_lines(asked: Asked, names: Names) -> Iterator[list[object]]:
    for row in _rows(asked):
        cells = [_written(value) for value in row]
        yield [*cells, names.user(row[_USER]), names.team(row[_TEAM])]


def _rows(asked: Asked) -> Iterator[tuple[Any, ...]]:
    """A page of rows after the other, each read from where the last ended: nothing is kept open
    for the reader, however slow."""
    rows = records(asked.wanted).order_by("occurred_at", "pk").values_list(*COLUMNS)
    last: tuple[datetime, UUID] | None = None
    while True:
        wanted = rows
        if last is not None:
            # The first half is for the index, which knows no keys.
            after = Q(occurred_at__gt=last[0]) | Q(pk__gt=last[1])
            wanted = rows.filter(after, occurred_at__gte=last[0])
        page = list(wanted[:PAGE])
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1][_AT], page[-1][0]


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return str(value) if isinstance(value, UUID) else value
