"""The trial of invoices, short: runs doubled and killed, and that it sees what is wrong."""

import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from benchmarks.billing.verdict import Verdict, judge
from benchmarks.trial_invoices import ZONES, run_trial
from billing_app.models import InvoiceLine
from billing_app.services.invoicing import bill_organisation
from billing_app.services.usage import record_usage
from tests.billing.prices import add_prices
from tests.billing.uses import use
from tests.people import World

MAY = date(2026, 5, 1)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_billed_twice_or_lost_whatever_is_killed(tmp_path: Path) -> None:
    add_prices()
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = {**os.environ, "DATABASE_URL": urlunsplit(url), "DATABASE_OWNER_URL": ""}
    verdict, trial = run_trial(environment, tmp_path, rows=800, kills=2, seed=3, months=2)
    assert verdict.is_good, verdict
    assert trial.fates.total() >= 1
    assert not trial.failed, trial.nursery.said()
    assert verdict.invoices > 8
    assert verdict.adjustments
    assert set(trial.runs) == set(ZONES)


@pytest.fixture
def billed(world: World) -> Verdict:
    """An organisation with an invoice, which is right."""
    add_prices()
    record_usage([use("gpt-5", organisation_id=world.organisation.pk, input_tokens=1_000_000)])
    bill_organisation(world.organisation.pk, MAY)
    verdict = judge([world.organisation.pk], MAY)
    assert verdict.is_good, verdict
    return verdict


@pytest.mark.django_db
def test_the_verdict_sees_usage_that_is_not_billed(world: World, billed: Verdict) -> None:
    record_usage([use("gpt-5", organisation_id=world.organisation.pk, input_tokens=8)])
    found = judge([world.organisation.pk], MAY)
    assert (found.missed, found.doubled, found.is_good) == (2, 0, False)
    assert Decimal(found.difference) == -Decimal("0.00001") - Decimal("0.0001")


@pytest.mark.django_db
def test_the_verdict_sees_what_is_billed_twice(world: World, billed: Verdict) -> None:
    line = InvoiceLine.objects.get(token_type="input")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_app_invoiceline DISABLE TRIGGER USER")
    line.pk, line.position, line._state.adding = None, 99, True
    line.id = InvoiceLine._meta.pk.get_default()
    line.save()
    found = judge([world.organisation.pk], MAY)
    assert (found.doubled, found.missed, found.wrong) == (1, 0, 1)
    assert Decimal(found.difference) == Decimal("1.25")
