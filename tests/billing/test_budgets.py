"""Budgets: what is held back before a call, and counted after it (reference 2.5, 2.8)."""

import os
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from billing_app.errors import BudgetExceeded
from billing_app.models import (
    Budget,
    Reservation,
    ReservationStatus,
    UsageRecord,
    Wallet,
)
from billing_app.services import budgets, warnings
from billing_app.services.budget_settings import end_budget, set_budget
from billing_app.services.usage import record_usage
from one_project.accounts.models import Event, Team, TeamMember
from one_project.common.errors import InvalidInput
from one_project.common.ids import new_id
from tests.billing.spending import (
    add_dollar_model,
    at,
    at_once,
    spend,
    spender_of,
    use_of,
    wallet,
)
from tests.people import World, make_world

ONE = Decimal(1)


@pytest.fixture
def acme(world: World) -> World:
    add_dollar_model()
    return world


def budget(world: World, **fields: Any) -> Budget:
    """Ten dollars a month for everyone, unless told otherwise."""
    base: dict[str, Any] = {"scope": "user", "window": "month", "hard_limit": Decimal(10)}
    return set_budget(world.organisation, **base | fields)


def left(world: World, **fields: Any) -> Decimal | None:
    found = budgets.remaining(spender_of(world, **fields))
    return found.left if found else None


@pytest.mark.django_db
class TestHoldingBack:
    def test_without_budgets_nothing_is_written_and_one_thing_asked(self, acme: World) -> None:
        with CaptureQueriesContext(connection) as queries:
            assert budgets.reserve(spender_of(acme), ONE) is None
        assert len(queries) == 1
        spend(acme, "1")
        assert not Wallet.objects.exists()
        assert not Reservation.objects.exists()

    def test_many_budgets_take_no_more_statements_than_one(self, acme: World) -> None:
        def statements() -> int:
            budgets.reserve(spender_of(acme), ONE)  # wallets are made on first need
            with CaptureQueriesContext(connection) as queries:
                budgets.reserve(spender_of(acme), ONE)
            return len(queries)

        budget(acme)
        one = statements()
        budget(acme, scope="organisation")
        budget(acme, window="day")
        assert statements() == one

    def test_what_is_held_becomes_what_was_spent(self, acme: World) -> None:
        budget(acme)
        held = budgets.reserve(spender_of(acme), Decimal(4))
        assert (wallet().spent, wallet().reserved) == (0, 4)
        spend(acme, "1.5", reservation_id=held)
        assert (wallet().spent, wallet().reserved) == (Decimal("1.5"), 0)
        assert Reservation.objects.get().status == ReservationStatus.SETTLED

    def test_what_does_not_fit_is_refused_and_changes_nothing(self, acme: World) -> None:
        budget(acme, hard_limit=Decimal(5))
        spend(acme, "4.5")
        with pytest.raises(BudgetExceeded) as refused:
            budgets.reserve(spender_of(acme), ONE)
        assert "You have used $4.50 of $5.00 for this month, and what is left" in str(refused.value)
        assert wallet().reserved == 0
        budgets.reserve(spender_of(acme), Decimal("0.5"))

    def test_the_tightest_says_no_and_then_nothing_is_held_anywhere(self, acme: World) -> None:
        budget(acme, scope="organisation", hard_limit=Decimal(100))
        budget(acme, window="day", hard_limit=Decimal(2))
        with pytest.raises(BudgetExceeded, match=r"\$2\.00 for today"):
            budgets.reserve(spender_of(acme), Decimal(3))
        assert not Wallet.objects.exclude(reserved=0).exists()
        budgets.reserve(spender_of(acme), Decimal(2))
        assert set(Wallet.objects.values_list("reserved", flat=True)) == {2}

    def test_an_answer_may_be_cut_to_what_is_left(self, acme: World) -> None:
        budget(acme, hard_limit=Decimal(5))
        held = budgets.hold(spender_of(acme), most=Decimal(8), least=ONE)
        assert held is not None
        assert held.amount == 5
        with pytest.raises(BudgetExceeded):
            budgets.hold(spender_of(acme), most=Decimal(8), least=ONE)

    def test_what_costs_nothing_passes_unless_the_limit_is_nothing(self, acme: World) -> None:
        made = budget(acme, hard_limit=Decimal(1))
        spend(acme, "1")
        assert budgets.reserve(spender_of(acme), Decimal(0)) is None
        set_budget(acme.organisation, scope=made.scope, hard_limit=Decimal(0))
        with pytest.raises(BudgetExceeded, match=r"Nothing may be spent"):
            budgets.reserve(spender_of(acme), Decimal(0))

    def test_release_frees_once(self, acme: World) -> None:
        budget(acme)
        held = budgets.reserve(spender_of(acme), ONE)
        assert held
        budgets.reserve(spender_of(acme), ONE)
        for _ in range(2):
            budgets.release(held)
        assert wallet().reserved == 1

    def test_what_nobody_ended_expires_and_its_usage_still_counts(self, acme: World) -> None:
        budget(acme)
        held = budgets.reserve(spender_of(acme), Decimal(4))
        budgets.reserve(spender_of(acme), ONE)
        assert budgets.sweep_reservations() == 0
        Reservation.objects.filter(pk=held).update(expires_at=at(1))
        assert budgets.sweep_reservations() == 1
        assert wallet().reserved == 1
        spend(acme, "3", reservation_id=held)
        assert (wallet().spent, wallet().reserved) == (3, 1)
        assert Reservation.objects.get(pk=held).status == ReservationStatus.EXPIRED

    def test_the_same_call_settles_once(self, acme: World) -> None:
        budget(acme)
        held = budgets.reserve(spender_of(acme), Decimal(4))
        use = use_of(acme, "3", reservation_id=held)
        for _ in range(2):
            record_usage([use])
        assert (wallet().spent, wallet().reserved) == (3, 0)


@pytest.mark.django_db
class TestScopes:
    def test_everyone_has_a_budget_of_their_own(self, acme: World) -> None:
        budget(acme, hard_limit=Decimal(3))
        budgets.reserve(spender_of(acme), Decimal(3))
        budgets.reserve(spender_of(acme, acme.stella.pk), Decimal(3))
        with pytest.raises(BudgetExceeded):
            budgets.reserve(spender_of(acme), ONE)

    def test_one_persons_budget_is_nobody_elses(self, acme: World) -> None:
        budget(acme, subject_id=acme.bob.pk, hard_limit=Decimal(1))
        assert left(acme) == 1
        assert left(acme, user_id=acme.stella.pk) is None

    def test_a_team_spends_together(self, acme: World) -> None:
        team = Team.objects.create(organisation=acme.organisation, name="Blue")
        for person in (acme.bob, acme.stella):
            TeamMember.objects.create(team=team, user=person)
        budget(acme, scope="team", hard_limit=Decimal(5))
        budgets.reserve(spender_of(acme), ONE)
        spend(acme, "2", user_id=acme.stella.pk)
        assert (left(acme), left(acme, user_id=acme.adam.pk)) == (3, None)
        with pytest.raises(BudgetExceeded, match="Your team has"):
            budgets.reserve(spender_of(acme), Decimal("2.01"))

    def test_an_agent_spends_whoever_asks(self, acme: World) -> None:
        agent, other = acme.agent.pk, new_id()
        budget(acme, scope="agent", hard_limit=Decimal(5), subject_id=agent)
        spend(acme, "2", agent_id=agent)
        spend(acme, "2", agent_id=other)
        assert left(acme, user_id=acme.stella.pk, agent_id=agent) == 3
        assert left(acme, agent_id=other) is None

    def test_another_organisation_is_another_purse(self, acme: World) -> None:
        budget(acme, scope="organisation", hard_limit=Decimal(5))
        spend(acme, "5", organisation_id=acme.elsewhere.pk)
        assert left(acme) == 5

    def test_use_of_the_system_counts_for_the_organisation(self, acme: World) -> None:
        budget(acme, scope="organisation", hard_limit=Decimal(5))
        spend(acme, "2", user_id=None)
        assert left(acme) == 3

    def test_a_budget_switched_off_stops_nobody_but_counts_on(self, acme: World) -> None:
        made = budget(acme, hard_limit=Decimal(3))
        budgets.reserve(spender_of(acme), ONE)
        end_budget(made)
        assert left(acme) is None
        spend(acme, "2")
        budget(acme, hard_limit=Decimal(3))
        assert left(acme) == 1


@pytest.fixture
def far_east() -> Iterator[None]:
    """The process is 14 hours ahead of UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Pacific/Kiritimati"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.django_db
@pytest.mark.usefixtures("far_east")
class TestWindows:
    def test_days_and_months_are_those_of_utc(self, acme: World) -> None:
        budget(acme, window="day", hard_limit=Decimal(2))
        budget(acme, window="month", hard_limit=Decimal(5))
        with time_machine.travel(at(30, 23, 59), tick=False):
            budgets.reserve(spender_of(acme), Decimal(2))
            spend(acme, "2")
            with pytest.raises(BudgetExceeded, match="at 00:00 UTC"):
                budgets.reserve(spender_of(acme), ONE)
        with time_machine.travel(at(31), tick=False):
            assert left(acme) == 2
            spend(acme, "2")
            budgets.reserve(spender_of(acme, acme.stella.pk), ONE)
        with time_machine.travel(at(31, 23, 59), tick=False):
            assert left(acme) == 0
        with time_machine.travel(at(1, month=6), tick=False):
            assert left(acme) == 2

    def test_a_budget_made_later_knows_what_was_spent_before(self, acme: World) -> None:
        with time_machine.travel(at(1, month=4), tick=False):
            spend(acme, "7")
        with time_machine.travel(at(3), tick=False):
            spend(acme, "2")
            spend(acme, "1", user_id=acme.stella.pk)
        with time_machine.travel(at(20), tick=False):
            budget(acme, hard_limit=Decimal(5))
            assert left(acme) == 3
            budgets.reserve(spender_of(acme), ONE)
            assert wallet().spent == 2

    def test_late_usage_counts_in_its_own_window(self, acme: World) -> None:
        budget(acme, window="day", hard_limit=Decimal(5))
        with time_machine.travel(at(3), tick=False):
            budgets.reserve(spender_of(acme), ONE)
        with time_machine.travel(at(4), tick=False):
            spend(acme, "2", occurred_at=at(3, 12))
            assert left(acme) == 5
        assert wallet().spent == 2


class Told:
    """Who is told of warnings."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def __call__(self, told: Wallet, kind: str, name: str) -> None:
        self.kinds.append(f"{kind}: {name}")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    follower = Told()
    monkeypatch.setattr(warnings, "_followers", [follower])
    return follower


@pytest.mark.django_db
class TestWarnings:
    def test_limits_are_told_once_each(self, acme: World, told: Told) -> None:
        budget(acme, soft_limit=Decimal(2), hard_limit=Decimal(4))
        budgets.reserve(spender_of(acme), ONE)
        for _ in range(3):
            spend(acme, "1")
        assert told.kinds == ["soft: your budget for the month"]
        with pytest.raises(BudgetExceeded):
            budgets.reserve(spender_of(acme), Decimal(2))
        spend(acme, "1")
        assert told.kinds[1:] == ["hard: your budget for the month"]
        assert Event.objects.filter(kind="budget_warning").count() == 2
        budget(acme, soft_limit=Decimal(5), hard_limit=Decimal(9))
        spend(acme, "1")
        assert len(told.kinds) == 3

    def test_who_fails_to_tell_does_not_lose_the_usage(
        self, acme: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(*_: Any) -> None:
            raise RuntimeError("no post today")

        monkeypatch.setattr(warnings, "_followers", [broken])
        budget(acme, soft_limit=ONE, hard_limit=None)
        budgets.reserve(spender_of(acme), ONE)
        spend(acme, "1")
        assert wallet().spent == 1
        assert "not told" in caplog.text

    def test_low_is_said_from_the_soft_limit_on(self, acme: World) -> None:
        budget(acme, soft_limit=Decimal(2))
        assert not low(acme)
        spend(acme, "2")
        assert low(acme)


def low(world: World) -> bool:
    found = budgets.remaining(spender_of(world))
    assert found
    return found.is_low


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"hard_limit": None},
        {"hard_limit": Decimal(-1)},
        {"hard_limit": Decimal("0.001")},
        {"hard_limit": Decimal("NaN")},
        {"soft_limit": Decimal(11)},
        {"scope": "planet"},
        {"window": "year"},
        {"scope": "organisation", "subject_id": UUID(int=1)},
        {"subject_id": UUID(int=1)},
        {"scope": "team", "subject_id": UUID(int=1)},
    ],
    ids=str,
)
def test_budgets_that_cannot_be_are_refused(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        budget(world, **wrong)


# --- at once --------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_fifty_turns_against_a_budget_for_ten(self, told: Told) -> None:
        acme = make_world()
        add_dollar_model()
        budget(acme, soft_limit=Decimal(4), hard_limit=Decimal(10), scope="organisation")
        budget(acme, hard_limit=Decimal(100))

        def turn() -> bool:
            held = budgets.reserve(spender_of(acme), ONE)
            spend(acme, "1", reservation_id=held)
            return True

        found = at_once(*[turn] * 50)
        assert found.count(True) == 10
        assert {type(each) for each in found} == {bool, BudgetExceeded}
        rows = Wallet.objects.order_by("subject_id")
        assert [(row.spent, row.reserved) for row in rows] == [(10, 0), (10, 0)]
        assert sorted(told.kinds) == [
            "hard: the organisation's budget for the month",
            "soft: the organisation's budget for the month",
        ]

    def test_a_wallet_that_is_made_while_others_spend_misses_nothing(self) -> None:
        acme = make_world()
        add_dollar_model()
        spend(acme, "1")
        for _ in range(3):
            budget(acme, hard_limit=Decimal(1000), scope="organisation")
            budget(acme, hard_limit=Decimal(1000), window="day")
            reserving = partial(budgets.reserve, spender_of(acme), ONE)
            spending = partial(spend, acme, "0.5")
            at_once(*[reserving, spending] * 8)
            total = UsageRecord.objects.aggregate(sum=Sum("cost"))["sum"]
            assert set(Wallet.objects.values_list("spent", flat=True)) == {total}
            Budget.objects.all().delete()

    def test_a_wallet_waits_for_usage_that_is_being_recorded(self) -> None:
        """The order of events that loses a record, were there no lock."""
        acme = make_world()
        add_dollar_model()
        budget(acme)
        with transaction.atomic():
            record_usage([use_of(acme, "2")])
            [held] = at_once(partial(_reserve_soon, acme))
        assert held == "waited"
        budgets.reserve(spender_of(acme), ONE)
        assert wallet().spent == 2

    def test_the_first_usage_makes_the_wallet_that_warns(self, told: Told) -> None:
        acme = make_world()
        add_dollar_model()
        budget(acme, soft_limit=Decimal(2), hard_limit=None)
        spend(acme, "1")
        assert wallet().spent == 1
        spend(acme, "1")
        assert told.kinds == ["soft: your budget for the month"]

    def test_the_first_usage_warns_where_it_passes_the_limit_alone(self, told: Told) -> None:
        acme = make_world()
        add_dollar_model()
        budget(acme, soft_limit=Decimal(2), hard_limit=None)
        spend(acme, "3")
        assert told.kinds == ["soft: your budget for the month"]


def _reserve_soon(world: World) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    try:
        budgets.reserve(spender_of(world), ONE)
    except Exception as error:
        return "waited" if "lock timeout" in str(error) else str(error)
    return "did not wait"
