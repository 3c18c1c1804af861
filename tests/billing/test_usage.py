"""Recording of usage."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing_app.models import (
    Budget,
    BudgetScope,
    ModelPrice,
    Pricing,
    RollUpMark,
    UsageRecord,
    Wallet,
)
from billing_app.services.prices import add_price, change_price
from billing_app.services.rolling_up import roll_up
from billing_app.services.usage import fill_missing_prices, record_usage
from billing_app.types.periods import period_of
from billing_app.types.usage import Use
from one_project.accounts.models import Event, Team, TeamMember
from one_project.common.errors import InvalidInput
from one_project.common.ids import new_id
from one_project.common.metrics import render_metrics
from tests.billing.prices import add_prices, price
from tests.billing.uses import MAY, use
from tests.people import World

MILLION = 1_000_000


def recorded(*uses: Use) -> UsageRecord:
    """The row of the last one."""
    return record_usage(uses)[uses[-1].id]


def wallet_of(world: World) -> Wallet:
    """Of the organisation's budget, this month."""
    budget = Budget.objects.create(
        organisation=world.organisation, scope=BudgetScope.ORGANISATION, hard_limit=100
    )
    return Wallet.objects.create(
        organisation=world.organisation, budget=budget, window_start=period_of(timezone.now())
    )


def test_a_use_is_a_row_with_its_price_and_cost(world: World, prices: list[ModelPrice]) -> None:
    made = recorded(
        use(
            "gpt-5",
            model_returned="gpt-5-2025-08-07",
            organisation_id=world.organisation.pk,
            user_id=world.bob.pk,
            agent_id=world.agent.pk,
            agent_name="Guide",
            input_tokens=MILLION,
            cached_input_tokens=MILLION // 2,
            output_tokens=MILLION,
            reasoning_tokens=MILLION,
            is_aborted=True,
        )
    )
    row = UsageRecord.objects.get()
    assert row.pk == made.pk
    assert row.cost == made.cost == Decimal("0.625") + Decimal("0.0625") + 10
    assert (row.model, row.model_requested, row.pricing) == ("gpt-5", "gpt-5", Pricing.LISTED)
    assert row.model_returned == "gpt-5-2025-08-07"
    assert (row.price_input, row.price_output) == (Decimal("1.25"), 10)
    assert row.billing_period == date(2026, 5, 1)
    assert row.recorded_at == made.recorded_at > MAY
    assert (row.user_id, row.agent_name, row.is_aborted) == (world.bob.pk, "Guide", True)
    assert not row.is_estimated


def test_what_the_provider_did_not_count_and_unknown_models_are_estimates(db: None) -> None:
    add_prices(price(), price(token_type="output"))
    assert recorded(use(is_estimated=True)).is_estimated
    flat = recorded(use("nobody-knows-1"))
    assert (flat.is_estimated, flat.pricing) == (True, Pricing.FLAT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_tokens": -1},
        {"output_tokens": 10**12 + 1},
        {"input_tokens": 10, "cached_input_tokens": 11},
        {"input_tokens": 10, "cached_input_tokens": 6, "cache_write_tokens": 5},
        {"output_tokens": 1, "reasoning_tokens": 2},
    ],
    ids=str,
)
def test_counts_that_cannot_be_are_refused_and_nothing_is_kept(
    db: None, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        record_usage([use(), use(**wrong)])
    assert not UsageRecord.objects.exists()


def test_a_clock_may_be_five_minutes_ahead_and_no_more(db: None) -> None:
    now = timezone.now()
    recorded(use(occurred_at=now + timedelta(minutes=4)))
    with pytest.raises(InvalidInput):
        recorded(use(occurred_at=now + timedelta(minutes=6)))
    with pytest.raises(ValueError):
        recorded(use(occurred_at=datetime(2026, 5, 1)))  # noqa: DTZ001


def test_huge_counts_are_exact(db: None) -> None:
    add_prices(price(amount="123456.789012"))
    made = recorded(use(input_tokens=10**12, output_tokens=0))
    made.refresh_from_db()
    assert made.cost == Decimal("123456789012")


def test_texts_from_outside_are_cut_and_cleaned(db: None) -> None:
    row = recorded(use("m\n\x00" + "x" * 200, "p" * 100, agent_name="a" * 300, purpose="answer\n"))
    row.refresh_from_db()
    assert (len(row.model), len(row.provider), len(row.agent_name)) == (120, 64, 120)
    assert (row.model[:3], row.purpose) == ("m x", "answer")


def test_an_attempt_counts_once(world: World, prices: list[ModelPrice]) -> None:
    wallet = wallet_of(world)
    one = use("gpt-5", organisation_id=world.organisation.pk, occurred_at=timezone.now())
    first = recorded(one, one)
    again = recorded(one, use(id=one.id, input_tokens=5))
    assert (first.pk, first.cost) == (again.pk, again.cost)
    assert UsageRecord.objects.count() == 1
    wallet.refresh_from_db()
    assert wallet.spent == first.cost


def test_many_uses_take_no_more_statements_than_one(world: World, prices: list[ModelPrice]) -> None:
    def statements(count: int) -> int:
        uses = [
            use("gpt-5", organisation_id=world.organisation.pk, user_id=world.bob.pk)
            for _ in range(count)
        ]
        with CaptureQueriesContext(
            connection,
        ) as found:
            record_usage(uses)
        return len(found)

    # What is under way no more, prices, the rows with their teams, which budgets there are.
    assert statements(1) == statements(30) == 4


def test_usage_is_of_the_team_in_which_the_person_has_been_longest(world: World) -> None:
    teams = [
        Team.objects.create(organisation=organisation, name=name)
        for organisation, name in (
            (world.elsewhere, "Other"),
            (world.organisation, "First"),
            (world.organisation, "Second"),
        )
    ]
    for team in teams:
        TeamMember.objects.create(team=team, user=world.bob)
    here = world.organisation.pk
    uses = [
        use(organisation_id=here, user_id=world.bob.pk),
        use(organisation_id=here, user_id=world.bob.pk, team_id=teams[2].pk),
        use(organisation_id=here, user_id=world.alice.pk),
        use(organisation_id=here),
        use(user_id=world.bob.pk),
    ]
    rows = record_usage(uses)
    found = [rows[each.id].team_id for each in uses]
    assert found == [teams[1].pk, teams[2].pk, None, None, None]


def test_use_without_a_person_is_kept(world: World) -> None:
    rows = record_usage([use(organisation_id=world.organisation.pk), use(provider="demo")])
    assert {row.organisation_id for row in rows.values()} == {world.organisation.pk, None}


def test_a_missing_price_is_told_once_a_day_and_counted(
    world: World, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    add_prices(price(valid_to=MAY))
    one = {"organisation_id": world.organisation.pk, "output_tokens": 0}
    with django_capture_on_commit_callbacks(execute=True):
        row = recorded(use(**one), use(**one), use(output_tokens=0))
    recorded(use(**one))
    assert (row.pricing, row.cost) == (Pricing.MISSING, None)
    event = Event.objects.get(kind="price_missing")
    assert event.organisation == world.organisation
    assert event.data == {"provider": "openai", "model": "m"}
    assert "one_usage_without_price_total" in render_metrics()


def test_a_price_that_comes_later_is_filled_in_and_counted(world: World) -> None:
    add_prices(price(valid_to=MAY))
    wallet = wallet_of(world)
    now = timezone.now()
    tokens = {"input_tokens": MILLION, "output_tokens": 0, "occurred_at": now}
    mine = recorded(use(organisation_id=world.organisation.pk, **tokens))
    recorded(use(organisation_id=world.elsewhere.pk, **tokens))
    roll_up()
    assert fill_missing_prices() == 0
    add_price(provider="openai", model="m", token_type="input", amount=Decimal(7), valid_from=MAY)
    assert fill_missing_prices(world.organisation.pk) == 1
    mine.refresh_from_db()
    assert (mine.pricing, mine.cost, mine.price_input) == (Pricing.LISTED, 7, 7)
    wallet.refresh_from_db()
    assert wallet.spent == 7
    mark = RollUpMark.objects.get()
    assert mark.seen_at is not None
    assert mark.seen_at <= mine.recorded_at  # its day will be summed up again
    assert (fill_missing_prices(), fill_missing_prices()) == (1, 0)


def test_a_price_that_changes_leaves_what_was_used_as_it_was(db: None) -> None:
    [row] = add_prices(price(amount=1))
    tokens = {"input_tokens": MILLION, "output_tokens": 0}
    before = recorded(use(**tokens, occurred_at=timezone.now()))
    change_price(row.pk, amount=Decimal(2))
    before.refresh_from_db()
    assert before.cost == 1
    assert recorded(use(**tokens, occurred_at=timezone.now())).cost == 2
    late = recorded(use(**tokens, occurred_at=MAY))
    assert late.cost == 1


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run each in a thread with a connection of its own."""

    def run(work: Callable[[], Any]) -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


@pytest.mark.django_db(transaction=True)
def test_two_transactions_record_an_attempt_once() -> None:
    id_: UUID = new_id()
    both = Barrier(2)

    def record(tokens: int) -> int:
        with transaction.atomic():
            both.wait(10)
            return record_usage([use(id=id_, input_tokens=tokens)])[id_].input_tokens

    found = at_once(lambda: record(1), lambda: record(2))
    assert UsageRecord.objects.get().input_tokens == found[0] == found[1]


def test_moments_are_kept_in_utc_months(db: None) -> None:
    last = datetime(2026, 5, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    rows = [recorded(use(occurred_at=at)) for at in (last, last + timedelta(microseconds=1))]
    assert [row.billing_period.month for row in rows] == [5, 6]
