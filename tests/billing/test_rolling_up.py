"""Sums by day equal the rows they are made of."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import Count, DateField, F, Model, Q, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from billing_app.models import Pricing, RollUpMark, UsageDaily, UsageDailyByPerson, UsageRecord
from billing_app.services.rolling_up import roll_up, rolled_through
from billing_app.services.usage import fill_missing_prices
from billing_app.types.periods import period_of
from one_project.common.ids import new_id
from tests.billing.prices import add_prices, price
from tests.billing.test_usage import at_once
from tests.people import World

TODAY = datetime(2026, 5, 10, 9, tzinfo=UTC)
BY = {UsageDaily: ("agent_id", "agent_name"), UsageDailyByPerson: ("user_id", "team_id")}
SUMS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)


def from_rows(table: type[Model], through: date) -> list[tuple[Any, ...]]:
    """What the table has to hold, asked of the rows in another way."""
    by = ("organisation", "day", "provider", "model", *BY[table])
    return sorted(
        UsageRecord.objects.annotate(
            day=TruncDate("occurred_at", tzinfo=UTC, output_field=DateField())
        )
        .filter(day__lt=through)
        .values(*by)
        .annotate(
            calls=Count("pk"),
            **{f"of_{name}": Sum(name) for name in SUMS},
            estimated=Count("pk", filter=Q(is_estimated=True)),
            unpriced=Count("pk", filter=Q(pricing=Pricing.MISSING)),
            costs=Coalesce(Sum("cost"), Decimal(0)),
        )
        .values_list(
            *by, "calls", *(f"of_{name}" for name in SUMS), "estimated", "unpriced", "costs"
        ),
        key=str,
    )


def from_sums(table: type[Model]) -> list[tuple[Any, ...]]:
    by = ("organisation", "day", "provider", "model", *BY[table])
    rest = ("calls", *SUMS, "estimated_calls", "unpriced_calls", "cost")
    return sorted(table.objects.values_list(*by, *rest), key=str)  # type: ignore[attr-defined]


def assert_equal() -> None:
    through = rolled_through()
    assert through is not None
    for table in BY:
        assert from_sums(table) == from_rows(table, through)


def records(world: World, count: int, seed: int = 1) -> list[UsageRecord]:
    """Of some days before TODAY and of the day itself, of two organisations and none."""
    chance = random.Random(seed)
    agents, people = [new_id(), new_id(), None], [world.alice.pk, world.bob.pk, None]
    made = []
    for _ in range(count):
        seconds = chance.choice((0, 1, 43_200, 86_399)) - 86_400 * chance.randrange(6)
        at = datetime(2026, 5, 10, tzinfo=UTC) + timedelta(seconds=seconds)
        is_missing = chance.random() < 0.1
        tokens = chance.randrange(10**6)
        made.append(
            UsageRecord(
                organisation=chance.choice((world.organisation, world.elsewhere, None)),
                user_id=chance.choice(people),
                team_id=chance.choice(people),
                agent_id=chance.choice(agents),
                agent_name=chance.choice(("", "Guide", "Guide 2")),
                purpose="answer",
                provider=chance.choice(("openai", "local")),
                model=chance.choice(("a", "b")),
                occurred_at=at,
                billing_period=period_of(at),
                input_tokens=tokens,
                cached_input_tokens=tokens // 3,
                cache_write_tokens=tokens // 5,
                output_tokens=tokens // 2,
                reasoning_tokens=tokens // 4,
                is_estimated=chance.random() < 0.2,
                pricing=Pricing.MISSING if is_missing else Pricing.LISTED,
                cost=None if is_missing else Decimal(tokens) / 10**12,
            )
        )
    return UsageRecord.objects.bulk_create(made)


@contextmanager
def session_zone(name: str) -> Iterator[None]:
    """The database's sessions think they are there."""
    before = connection.settings_dict["TIME_ZONE"]
    try:
        _set_zone(name)
        yield
    finally:
        _set_zone(before)


def _set_zone(name: str | None) -> None:
    database = connections["default"]
    database.settings_dict["TIME_ZONE"] = name
    for cached in ("timezone", "timezone_name"):
        vars(database).pop(cached, None)
    database.ensure_timezone()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sums_equal_the_rows_however_often_and_late(world: World, seed: int) -> None:
    assert rolled_through() is None
    records(world, 60, seed)
    assert roll_up(TODAY) > 0
    assert rolled_through() == date(2026, 5, 10)
    assert UsageDaily.objects.exists()
    assert_equal()
    for round_ in range(2):  # late ones, of days that are summed up already
        records(world, 15, seed * 10 + round_)
        roll_up(TODAY)
        assert_equal()
    before = from_sums(UsageDaily)
    roll_up(TODAY)
    roll_up(TODAY - timedelta(days=3))  # a clock that was moved back
    assert from_sums(UsageDaily) == before
    assert rolled_through() == date(2026, 5, 10)
    roll_up(TODAY + timedelta(days=1))
    assert len(from_sums(UsageDaily)) > len(before)
    assert_equal()


@pytest.mark.parametrize("zone", ["Asia/Almaty", "Pacific/Kiritimati"])
def test_days_are_of_utc_whatever_the_session_thinks(world: World, zone: str) -> None:
    records(world, 30)
    with session_zone(zone):
        with connection.cursor() as cursor:
            cursor.execute("SHOW TimeZone")
            assert cursor.fetchone() == (zone,)
        roll_up(TODAY)
        records(world, 10, 2)
        roll_up(TODAY)
    assert_equal()


def test_only_what_has_come_in_is_summed_up_again(world: World) -> None:
    records(world, 60)
    roll_up(TODAY)
    RollUpMark.objects.update(seen_at=timezone.now() + timedelta(hours=2))
    kept = UsageDaily.objects.values_list("pk", flat=True)
    before = set(kept)
    assert roll_up(TODAY) == 0
    assert set(kept) == before
    RollUpMark.objects.update(seen_at=timezone.now() + timedelta(hours=1))
    [late] = records(world, 1, 5)
    assert roll_up(TODAY) == 1
    assert_equal()
    changed = UsageDaily.objects.exclude(pk__in=before)
    assert {(row.organisation_id, row.day) for row in changed} == {
        (late.organisation_id, late.occurred_at.date())
    }


def test_what_was_written_with_an_earlier_moment_needs_a_fresh_start(world: World) -> None:
    records(world, 20)
    roll_up(TODAY)
    for row in records(world, 5, 9):
        UsageRecord.objects.bulk_create(
            [UsageRecord(**{**_fields(row), "id": new_id(), "recorded_at": row.occurred_at})]
        )
    RollUpMark.objects.update(seen_at=timezone.now())
    roll_up(TODAY, afresh=True)
    assert_equal()


def _fields(row: UsageRecord) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_a_price_that_was_filled_in_is_summed_up(world: World) -> None:
    records(world, 40)
    roll_up(TODAY)
    # Long ago, so that nothing of it would be looked at again.
    RollUpMark.objects.update(seen_at=timezone.now() + timedelta(hours=3))
    for name in ("a", "b"):
        for provider in ("openai", "local"):
            kinds = ("input", "output")
            add_prices(*(price(provider, name, kind, "0.5") for kind in kinds))
    # Names of what was asked for are what prices are found by.
    assert fill_missing_prices() == 0
    UsageRecord.objects.bulk_create(
        [
            UsageRecord(
                organisation=world.organisation,
                purpose="answer",
                provider="openai",
                model="a",
                model_requested="a",
                occurred_at=TODAY - timedelta(days=2),
                billing_period=date(2026, 5, 1),
                input_tokens=10**6,
                pricing=Pricing.MISSING,
            )
        ]
    )
    roll_up(TODAY)
    RollUpMark.objects.update(seen_at=timezone.now() + timedelta(hours=3))
    assert fill_missing_prices() == 1
    roll_up(TODAY)
    assert_equal()


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_time_end_as_one_does(committed_world: World) -> None:
    records(committed_world, 40)
    together = Barrier(3)

    def run() -> None:
        together.wait(10)
        roll_up(TODAY)

    at_once(run, run, run)
    assert_equal()
    assert RollUpMark.objects.filter(through=F("through")).count() == 1
