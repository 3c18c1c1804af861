"""Credits of organisations that pay beforehand."""

from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum
from django.utils import timezone

from billing_app.errors import BudgetExceeded, WrongInvoiceStatus
from billing_app.models import BillingAccount, CreditEntry, Invoice, Payment, Wallet
from billing_app.runtime.checking_invoices import paid_in_full
from billing_app.services import budgets, credits, warnings
from billing_app.services.budget_settings import set_prepaid
from billing_app.services.invoice_moves import left_to_pay
from billing_app.services.invoices import finalise, mark_paid, void
from billing_app.services.invoicing import bill_organisation
from billing_app.types.periods import bounds, next_period, period_of
from one_project.common.errors import Conflict, InvalidInput
from tests.billing.spending import add_dollar_model, at_once, spend, spender_of, use_of, wallet
from tests.people import World, make_world

ONE = Decimal(1)


@pytest.fixture
def acme(world: World) -> World:
    add_dollar_model()
    set_prepaid(world.organisation, True)
    return world


def give(world: World, amount: str, ref: str = "first") -> CreditEntry:
    return credits.grant(world.organisation, Decimal(amount), ref=ref)


def in_order(world: World) -> bool:
    """The entries' sum is the balance, and each says what was left after it."""
    rows = list(credits.entries(world.organisation.pk))[::-1]
    left = Decimal(0)
    for row in rows:
        left += row.amount
        assert row.balance_after == left
    return left == credits.balance(world.organisation.pk)


@pytest.mark.django_db
class TestCredits:
    def test_calls_are_paid_until_nothing_is_left(self, acme: World) -> None:
        give(acme, "2")
        held = budgets.reserve(spender_of(acme), Decimal("1.5"))
        with pytest.raises(BudgetExceeded, match=r"\$2\.00 of credits left"):
            budgets.reserve(spender_of(acme), ONE)
        spend(acme, "1.5", reservation_id=held)
        assert credits.balance(acme.organisation.pk) == Decimal("0.5")
        # Without a reservation, as embeddings are: what was used was used.
        spend(acme, "0.75", purpose="embedding")
        assert credits.balance(acme.organisation.pk) == Decimal("-0.25")
        with pytest.raises(BudgetExceeded, match="has used its credits"):
            budgets.check(spender_of(acme))
        budgets.check(spender_of(acme), is_free=True)
        assert [row.kind for row in credits.entries(acme.organisation.pk)] == [
            "settle", "settle", "grant",
        ]  # fmt: skip
        assert in_order(acme)

    def test_without_any_credits_nothing_begins(self, acme: World) -> None:
        with pytest.raises(BudgetExceeded):
            budgets.reserve(spender_of(acme), ONE)
        assert budgets.reserve(spender_of(acme), Decimal(0)) is None

    def test_who_does_not_pay_beforehand_spends_no_credits(self, acme: World) -> None:
        give(acme, "2")
        set_prepaid(acme.organisation, False)
        spend(acme, "1")
        assert credits.balance(acme.organisation.pk) == 2
        assert budgets.remaining(spender_of(acme)) is None

    def test_the_same_reference_counts_once(self, acme: World) -> None:
        assert give(acme, "2") == give(acme, "2")
        credits.refill(acme.organisation, Decimal(2), ref="first")
        with pytest.raises(Conflict):
            give(acme, "3")
        assert credits.balance(acme.organisation.pk) == 4

    def test_a_correction_takes_no_more_than_is_left(self, acme: World) -> None:
        give(acme, "5")
        budgets.reserve(spender_of(acme), Decimal(2))
        with pytest.raises(InvalidInput, match=r"Only \$3\.00"):
            credits.adjust(acme.organisation, Decimal(-4), ref="a", note="too much")
        credits.adjust(acme.organisation, Decimal(-3), ref="a", note="too much")
        assert credits.balance(acme.organisation.pk) == 2
        assert in_order(acme)

    @pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "1e12"])
    def test_amounts_that_cannot_be_are_refused(self, acme: World, amount: str) -> None:
        with pytest.raises(InvalidInput):
            give(acme, amount)

    def test_low_credits_are_told_again_after_a_gift(
        self, acme: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[Any] = []
        monkeypatch.setattr(warnings, "_followers", [lambda *what: told.append(what[1:])])
        give(acme, "10")
        for _ in range(2):
            spend(acme, "4.5")
        assert told == [("soft", "credits")]
        give(acme, "10", ref="second")
        spend(acme, "10")
        assert len(told) == 2

    def test_credits_that_are_used_up_are_told_after_each_gift(
        self, acme: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[Any] = []
        monkeypatch.setattr(warnings, "_followers", [lambda *what: told.append(what[1])])
        for ref in ("first", "second"):
            give(acme, "1", ref=ref)
            spend(acme, "1")
            for _ in range(2):
                with pytest.raises(BudgetExceeded):
                    budgets.reserve(spender_of(acme), ONE)
        assert told == ["soft", "hard"] * 2

    def test_what_is_little_follows_the_last_gift(self, acme: World) -> None:
        """And not all that was ever given: who refills each month is not low for ever."""
        for number in range(12):
            give(acme, "10", ref=str(number))
            spend(acme, "8")
            left = budgets.remaining(spender_of(acme))
            assert left is not None
            assert not left.is_low
            spend(acme, "2")


def billed(world: World, *, later: int = 0) -> list[Invoice]:
    """Of the month that it is (``later``: so many after), as if it had ended."""
    period = period_of(timezone.now())
    for _ in range(later):
        period = next_period(period)
    return bill_organisation(world.organisation.pk, period, now=bounds(period)[1])


def payments(invoice: Invoice) -> list[str]:
    return [f"{each.provider} {each.amount}" for each in invoice.payments.order_by("created_at")]


@pytest.mark.django_db
class TestInvoicesOfCredits:
    def test_what_credits_have_paid_is_not_asked_for_again(self, acme: World) -> None:
        BillingAccount.objects.update(tax_label="VAT", tax_percent=Decimal(10))
        give(acme, "3")
        spend(acme, "1.111113")
        spend(acme, "2", user_id=None)  # the last call may cost more than is left
        bobs, own = billed(acme)
        assert [(each.status, str(each.total), each.due_on) for each in (own, bobs)] == [
            ("paid", "2.20", None), ("paid", "1.22", None),
        ]  # fmt: skip
        assert (payments(own), payments(bobs)) == (["credits 2.20"], ["credits 1.22"])
        assert paid_in_full().is_ok
        # Looked at again, nothing is paid twice; what is used late is paid by itself.
        billed(acme)
        spend(acme, "0.5")
        (late,) = billed(acme, later=1)
        assert (late.status, payments(late)) == ("paid", ["credits 0.55"])
        assert Payment.objects.count() == 3

    def test_what_they_have_paid_in_part_leaves_the_rest_to_pay(self, acme: World) -> None:
        set_prepaid(acme.organisation, False)
        spend(acme, "0.666667")
        set_prepaid(acme.organisation, True)
        give(acme, "5")
        spend(acme, "1.333338")
        (invoice,) = billed(acme)
        # 2.00 x 1.333338 / 2.000005, rounded down.
        assert (invoice.status, payments(invoice)) == ("pending", ["credits 1.33"])
        assert invoice.due_on is not None
        with pytest.raises(WrongInvoiceStatus, match="Money was received"):
            void(invoice, reason="Wrong", by=None)
        # Late use that credits have paid is not for what was left.
        spend(acme, "0.5")
        (late,) = billed(acme, later=1)
        assert (late.status, payments(late)) == ("paid", ["credits 0.50"])
        # What they have paid counts for one invoice only.
        set_prepaid(acme.organisation, False)
        spend(acme, "0.5")
        (last,) = billed(acme, later=2)
        assert (last.status, payments(last)) == ("pending", [])
        assert left_to_pay(invoice) == Decimal("0.67")
        assert mark_paid(invoice, ref="by hand").status == "paid"
        assert paid_in_full().is_ok

    def test_of_the_organisation_and_of_drafts_it_is_the_same(self, acme: World) -> None:
        BillingAccount.objects.update(invoice_per="organisation", needs_review=True)
        give(acme, "5")
        spend(acme, "1")
        spend(acme, "0.25", user_id=acme.alice.pk)
        (draft,) = billed(acme)
        assert payments(draft) == []
        finalise(draft, None)
        assert (draft.status, payments(draft)) == ("paid", ["credits 1.25"])
        assert paid_in_full().is_ok


@pytest.mark.django_db(transaction=True)
def test_credits_for_ten_pay_ten_of_thirty_turns_at_once() -> None:
    acme = make_world()
    add_dollar_model()
    set_prepaid(acme.organisation, True)
    gifts = at_once(*[lambda: give(acme, "10")] * 6)
    assert len({gift.pk for gift in gifts}) == 1

    def turn() -> bool:
        held = budgets.reserve(spender_of(acme), ONE)
        use = use_of(acme, "1", reservation_id=held)
        spend(acme, "1", reservation_id=held, id=use.id)
        spend(acme, "1", reservation_id=held, id=use.id)
        return True

    found = at_once(*[turn] * 30)
    assert found.count(True) == 10
    assert (wallet().spent, wallet().reserved, wallet().granted) == (10, 0, 10)
    assert CreditEntry.objects.aggregate(sum=Sum("amount"))["sum"] == 0
    assert in_order(acme)
    assert Wallet.objects.count() == 1
