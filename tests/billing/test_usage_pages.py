"""Pages of usage: whose figures, of what, and that all of them agree."""

import html
import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from billing_app.models import (
    Budget,
    UsageDaily,
    UsageRecord,
    Wallet,
)
from billing_app.runtime.charts import nice_ceiling, stack_days
from billing_app.runtime.usage_reading import (
    NOBODY,
    Sums,
    Wanted,
    count_conversations,
    is_summed_up,
    read_sums,
    total,
)
from billing_app.services.rolling_up import roll_up
from billing_app.templatetags.billing import exact, money, tokens
from one_project.accounts.models import User
from tests.people import World

pytestmark = pytest.mark.django_db
OCTOBER = date(2026, 10, 1)
GUIDE, SCOUT, TEAM = uuid4(), uuid4(), uuid4()


def used(world: World, **fields: Any) -> UsageRecord:
    """A call of October, of 3 cents."""
    at = fields.setdefault("occurred_at", datetime(2026, 10, 5, 12, tzinfo=UTC))
    base: dict[str, Any] = {
        "organisation": world.organisation,
        "purpose": "answer",
        "provider": "openai",
        "model": "gpt-5.1",
        "billing_period": at.date().replace(day=1),
        "pricing": "listed",
        "cost": Decimal("0.03"),
        "input_tokens": 1_000,
        "cached_input_tokens": 250,
        "output_tokens": 100,
        "reasoning_tokens": 40,
    }
    return UsageRecord.objects.create(**base | fields)


def a_month(world: World) -> None:
    """Calls of all kinds from before October's first moment to after its last."""
    first = datetime(2026, 10, 1, tzinfo=UTC)
    models = [("openai", "gpt-5.1"), ("openai", "gpt-5.1-mini"), ("local", "gpt-5.1")]
    agents = [(GUIDE, "Old guide"), (GUIDE, "Guide"), (SCOUT, "Scout"), (None, "")]
    people = [(world.bob.pk, TEAM), (world.alice.pk, None), (None, None)]
    mixed = itertools.product(models, agents, people)
    for number, ((provider, model), (agent_id, agent_name), (user_id, team_id)) in enumerate(mixed):
        unpriced = number % 7 == 0
        used(
            world,
            occurred_at=first + timedelta(hours=20 * number + 3, microseconds=number),
            provider=provider,
            model=model,
            agent_id=agent_id,
            agent_name=agent_name,
            user_id=user_id,
            team_id=team_id,
            thread_id=UUID(int=number % 5 + 1),
            is_estimated=number % 5 == 0,
            pricing="missing" if unpriced else "flat" if number % 3 == 0 else "listed",
            cost=None if unpriced else Decimal(f"0.{number:06}"),
        )
    used(world, occurred_at=first - timedelta(microseconds=1), user_id=world.bob.pk)
    used(world, occurred_at=datetime(2026, 11, 1, tzinfo=UTC), user_id=world.bob.pk)
    used(world, organisation=world.elsewhere, user_id=world.bob.pk)


def summed_up(through: date) -> None:
    """All days before ``through`` are in the roll-ups."""
    roll_up(datetime.combine(through, time(), tzinfo=UTC), afresh=True)


BY = [
    (),
    ("day", "provider", "model"),
    ("provider",),
    ("agent_id",),
    ("team_id",),
    ("user_id",),
    ("agent_id", "user_id"),
]


@pytest.fixture
def month(world: World) -> World:
    a_month(world)
    return world


def test_rows_roll_ups_and_both_mixed_give_the_same_sums(month: World) -> None:
    house = {"organisation_id": month.organisation.pk, "period": OCTOBER}
    asked = [
        Wanted(**house),
        Wanted(**house, user_id=month.bob.pk),
        Wanted(**house, user_id=NOBODY, provider="openai"),
        Wanted(**house, agent_id=GUIDE, model="gpt-5.1"),
        Wanted(**house, agent_id=NOBODY, team_id=TEAM),
    ]
    rows = [read_sums(wanted, by) for wanted in asked for by in BY]
    assert all(rows)
    for through in (date(2026, 9, 1), OCTOBER, date(2026, 10, 17), date(2026, 11, 20)):
        summed_up(through)
        assert [read_sums(w, by, through=through) for w in asked for by in BY] == rows
    for index, wanted in enumerate(asked):
        sums = rows[index * len(BY) : (index + 1) * len(BY)]
        assert len({total(each.values()) for each in sums}) == 1, wanted
    everything = total(rows[0].values())
    of_october = UsageRecord.objects.filter(organisation=month.organisation, billing_period=OCTOBER)
    assert everything.calls == of_october.count() == 36
    assert everything.cost == sum(row.cost or 0 for row in of_october)
    assert everything.unpriced_calls == 6
    assert everything.cached_percent == 25


def test_only_what_no_roll_up_has_is_read_from_rows(
    month: World, django_assert_num_queries: Callable[..., Any]
) -> None:
    wanted = Wanted(organisation_id=month.organisation.pk, period=OCTOBER)
    assert is_summed_up(wanted, ("day", "model", "agent_id", "agent_name"))
    assert is_summed_up(wanted, ("user_id", "team_id"))
    assert not is_summed_up(wanted, ("agent_id", "user_id"))
    summed_up(date(2026, 11, 1))
    UsageDaily.objects.all().delete()  # nothing but the roll-up is looked at
    with django_assert_num_queries(1):
        assert read_sums(wanted, ("agent_id",), through=date(2026, 11, 1)) == {}
    assert Sums().cached_percent is None


@pytest.fixture
def october(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 11 October 2026, 00:00 UTC: ten days of 31 have passed."""
    moment = datetime(2026, 10, 11, tzinfo=UTC)
    for place in ("usage", "exports"):
        monkeypatch.setattr(f"billing_app.views.{place}.now", lambda: moment)


def page(person: User, query: str = "", **headers: str) -> str:
    client = Client()
    client.force_login(person)
    answer = client.get(f"/usage/{query}", headers=headers)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def main(text: str) -> str:
    return text.split("<main", 1)[1].split("</main", 1)[0]


def test_each_sees_their_own_and_only_admins_see_everybodys(world: World) -> None:
    used(world, user_id=world.bob.pk, cost=Decimal("1.25"), agent_name="Guide", agent_id=GUIDE)
    used(world, user_id=world.alice.pk, cost=Decimal("2.50"))
    used(world, cost=Decimal("4.00"))
    used(world, organisation=world.elsewhere, user_id=world.charlie.pk, cost=Decimal("9.13"))
    month = "?month=2026-10"
    assert "$1.25" in page(world.bob, month)
    for person in (world.bob, world.stella):
        asked = page(person, f"{month}&whose=organisation")
        assert "Only administrators see the whole organisation" in asked
        assert "$7.75" not in asked
    for person in (world.alice, world.adam):
        asked = main(page(person, f"{month}&whose=organisation"))
        assert "$7.75" in asked
        assert "The organisation itself" in asked
        assert "Bob" in asked
        assert "Charlie" not in asked
        assert "$9.13" not in asked
    theirs = f"{month}&whose=organisation&user={world.charlie.pk}"
    assert "Charlie" not in main(page(world.alice, theirs))


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("?month=2026-13", "is not a month"),
        ("?month=2999-01", "has not begun"),
        ("?month=0000-00", "is not a month"),
        ("?agent=x", "There is no such agent"),
        ("?team='", "There is no such team"),
        ("?whose=everybody", "so this is your own"),
        ("?user=none", "the person was ignored"),
        ("?whose=organisation&user=1", "There is no such person"),
    ],
)
def test_what_means_nothing_is_left_out_and_said(
    world: World, october: None, query: str, word: str
) -> None:
    used(world, user_id=world.alice.pk)
    shown = page(world.alice, query)
    assert word in shown
    assert "October 2026" in shown


def test_a_month_that_goes_on_is_projected_from_its_elapsed_part(
    world: World, october: None
) -> None:
    used(world, user_id=world.bob.pk, cost=Decimal("2.00"))
    used(
        world,
        user_id=world.bob.pk,
        cost=Decimal("9.00"),
        occurred_at=datetime(2026, 9, 5, tzinfo=UTC),
    )
    shown = page(world.bob)
    assert "$6.20" in shown
    assert "first 10.0 of 31 days (UTC)" in shown
    assert "Projected" not in page(world.bob, "?month=2026-09")


def test_estimated_and_unpriced_calls_are_said(world: World, october: None) -> None:
    used(world, user_id=world.bob.pk, pricing="missing", cost=None)
    used(world, user_id=world.bob.pk, is_estimated=True)
    shown = page(world.bob)
    assert "1 without a price" in shown
    assert "1 estimated" in shown
    assert "25 %" in shown
    # Prices are the installation's: who may look into the admin cannot add them.
    for name, may_add in (("is_staff", False), ("is_superuser", True)):
        User.objects.filter(pk=world.bob.pk).update(**{name: True})
        assert ("you add the missing price" in page(world.bob)) is may_add


def test_without_usage_a_page_says_what_will_be_there(world: World) -> None:
    assert "Each answer of an agent appears here" in page(world.bob)
    assert "Nothing in" in page(world.bob, "?model=none-such")


def test_filters_narrow_and_are_kept_in_the_address(month: World, october: None) -> None:
    shown = page(month.alice, f"?whose=organisation&provider=local&agent={GUIDE}")
    wanted = Wanted(
        organisation_id=month.organisation.pk, period=OCTOBER, provider="local", agent_id=GUIDE
    )
    sums = total(read_sums(wanted).values())
    assert f"{sums.calls} calls" in shown
    assert f"whose=organisation&month=2026-09&provider=local&agent={GUIDE}" in shown
    assert '<option value="local" selected>' in shown
    assert '<option value="openai"' in shown  # the way to the others
    assert "Old guide" not in main(shown).split("By agent")[1]  # an agent has its newest name


def test_charts_and_tables_of_a_page_show_the_same_sums(month: World) -> None:
    summed_up(date(2026, 10, 20))
    whole = read_sums(Wanted(organisation_id=month.organisation.pk, period=OCTOBER))
    sums = total(whole.values())
    shown = page(month.alice, "?whose=organisation&month=2026-10&part=conversations")
    for name in ("day and model", "provider", "agent", "team", "person"):
        table = shown.split(f"by {name}</summary>")[1].split("</table>")[0]
        assert exact(sums.cost) in table.split("<tfoot>")[1], name
    assert money(count_conversations_cost(month)) in shown


def count_conversations_cost(world: World) -> Decimal:
    wanted = Wanted(organisation_id=world.organisation.pk, period=OCTOBER)
    threads, spent = count_conversations(wanted)
    assert threads == 5
    return spent / threads


def test_what_needs_all_rows_comes_after_the_page(month: World) -> None:
    query = "?month=2026-10"
    shown = page(month.bob, query)
    assert 'hx-trigger="load"' in main(shown)
    assert "Scout" not in main(shown)
    assert "Scout" in main(page(month.bob, f"{query}&part=agent"))  # without a script
    part = page(month.bob, f"{query}&part=agent", HX_Request="true")
    assert "<main" not in part
    assert "Scout" in part


@pytest.mark.parametrize(
    ("query", "most"),
    [("?month=2026-10", 12), ("?whose=organisation&month=2026-10", 12)],
)
def test_a_page_asks_little_however_much_there_is(
    month: World, django_assert_max_num_queries: Callable[..., Any], query: str, most: int
) -> None:
    summed_up(date(2026, 10, 20))
    client = Client()
    client.force_login(month.alice)
    with django_assert_max_num_queries(most):
        client.get(f"/usage/{query}")


def test_budgets_show_what_is_spent_held_and_left(world: World, october: None) -> None:
    house = Budget.objects.create(
        organisation=world.organisation, scope="organisation", soft_limit=8, hard_limit=10
    )
    Wallet.objects.create(
        organisation=world.organisation,
        budget=house,
        window_start=OCTOBER,
        spent=Decimal("8.50"),
        reserved=1,
    )
    Budget.objects.create(organisation=world.organisation, scope="user", hard_limit=5)
    shown = page(world.alice, "?whose=organisation")
    assert "$8.50 spent of $10.00" in shown
    assert "$1.00 held for calls under way; warning at $8.00" in shown
    assert "Past the warning" in shown
    own = page(world.bob)
    assert "$8.50" not in own
    assert "$0.00 spent of $5.00" in own


def test_a_stack_of_days_is_as_high_as_its_sum_and_folds_what_is_small() -> None:
    costs = {
        (OCTOBER + timedelta(days=day), f"m{number}"): Decimal(number + 1) / 8
        for day in range(31)
        for number in range(12)
    }
    chart = stack_days(OCTOBER, 31, costs)
    assert [each.name for each in chart.series][-1] == "4 others"
    assert [each.number for each in chart.series] == [1, 2, 3, 4, 5, 6, 7, 8, 0]
    assert sum(each.cost for each in chart.series) == sum(costs.values())
    for bar in chart.bars:
        assert sum(bar.costs) == bar.cost
        top = chart.height - round(bar.cost / chart.ticks[0] * chart.height)
        assert min(each.y for each in bar.segments) == top
    assert nice_ceiling(Decimal("0.0031")) == Decimal("0.004")
    assert nice_ceiling(Decimal(0)) == 1
    assert stack_days(OCTOBER, 31, {}).bars[30].segments == []


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0"), (999, "999"), (999_949, "999.9k"), (999_950, "1.0M"), (12_400, "12.4k")],
)
def test_tokens_are_said_short(count: int, said: str) -> None:
    assert tokens(count) == said


def test_money_is_said_in_cents_or_exactly() -> None:
    assert exact(Decimal("0.012500000000")) == "$0.0125"
    assert exact(Decimal("1388.400000000000")) == "$1,388.40"
    assert exact(Decimal(0)) == "$0.00"
    assert exact(None) == money(None) == "–"
    assert money(Decimal("0.0001")) == "<$0.01"
