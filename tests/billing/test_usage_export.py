"""Usage as CSV: the sums of a page, and the rows themselves."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import AsyncClient, Client

from billing_app.models import UsageRecord
from billing_app.views import exports
from one_project.accounts.models import User
from one_project.common.csv_files import csv_pieces, safe_cell
from tests.billing.test_usage_pages import GUIDE, a_month, summed_up, used
from tests.people import World

pytestmark = pytest.mark.django_db
MONTH = "?month=2026-10"
HOUSE = f"{MONTH}&whose=organisation"


def file(person: User, name: str, query: str = MONTH, status: int = 200) -> list[dict[str, str]]:
    client = Client()
    client.force_login(person)
    answer = client.get(f"/usage/{name}.csv{query}")
    content = answer.getvalue()
    assert answer.status_code == status, content[:300]
    if status != 200:
        return []
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def test_every_view_as_a_file_has_the_same_sums(world: World) -> None:
    a_month(world)
    summed_up(datetime(2026, 10, 9, tzinfo=UTC).date())
    rows = UsageRecord.objects.filter(organisation=world.organisation, billing_period="2026-10-01")
    cost = sum(row.cost or 0 for row in rows)
    for of in ("day", "provider", "agent", "team", "user"):
        lines = file(world.adam, "usage", f"{HOUSE}&of={of}")
        assert sum(Decimal(line["Cost (USD)"]) for line in lines) == cost, of
        assert sum(int(line["Calls"]) for line in lines) == 36, of
        assert sum(int(line["Calls without a price"]) for line in lines) == 6, of
    raw = file(world.adam, "records", HOUSE)
    assert sum(Decimal(line["Cost (USD)"] or 0) for line in raw) == cost
    assert {line["Id"] for line in raw} == {str(row.pk) for row in rows}
    narrow = f"{HOUSE}&agent={GUIDE}&provider=local"
    (line,) = file(world.adam, "usage", f"{narrow}&of=agent")
    assert (line["Agent"], int(line["Calls"])) == ("Guide", 6)
    assert len(file(world.adam, "records", narrow)) == 6


def test_rows_are_ones_own_unless_an_admin_asks_for_all(world: World) -> None:
    mine = used(world, user_id=world.bob.pk)
    used(world, user_id=world.alice.pk)
    used(world, organisation=world.elsewhere, user_id=world.bob.pk)
    (line,) = file(world.bob, "records")
    assert line["Id"] == str(mine.pk)
    assert line["Person"] == "Bob"
    for name in ("usage", "records"):
        file(world.bob, name, HOUSE, status=422)
        file(world.stella, name, HOUSE, status=422)
        file(world.bob, name, "?month=never", status=422)
    file(world.bob, "usage", f"{MONTH}&of=never", status=422)
    assert len(file(world.adam, "records", HOUSE)) == 2


def test_rows_come_in_order_across_pages_and_each_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE", 3)
    start = datetime(2026, 10, 1, tzinfo=UTC)
    # More at one moment than a page has.
    made = [used(world, occurred_at=start + timedelta(hours=n // 5)) for n in range(16)]
    lines = file(world.alice, "records", HOUSE)
    wanted = sorted(made, key=lambda row: (row.occurred_at, row.pk))
    assert [line["Id"] for line in lines] == [str(row.pk) for row in wanted]
    assert lines[0]["Occurred at (UTC)"] == "2026-10-01T00:00:00.000000Z"
    assert lines[0]["Cost (USD)"] == "0.030000000000"
    assert lines[0]["Person"] == "The organisation itself"


def test_no_cell_is_a_formula(world: World) -> None:
    used(world, agent_id=GUIDE, agent_name='=HYPERLINK("http://x")', model="@SUM(1)")
    (line,) = file(world.alice, "records", HOUSE)
    assert line["Agent"].startswith("'=")
    assert line["Model"] == "'@SUM(1)"
    (line,) = file(world.alice, "usage", f"{HOUSE}&of=agent")
    assert line["Agent"].startswith("'=")


@pytest.mark.parametrize("start", ["=1", "+1", "-1", "@a", "\t=1", " =1", "\u00a0-1", "＝1"])
def test_texts_that_look_like_formulas_get_an_apostrophe(start: str) -> None:
    assert safe_cell(start) == f"'{start}"


def test_numbers_stay_numbers() -> None:
    values: list[Any] = [Decimal("-2.50"), Decimal("1E+3"), -1, None, True, "a\x00b"]
    assert list(map(safe_cell, values)) == ["-2.50", "1000", -1, "", "yes", "ab"]


def test_a_file_leaves_in_pieces_and_is_read_no_further_than_asked() -> None:
    read = 0

    def rows() -> Any:
        nonlocal read
        for read in range(100_000):
            yield [read, "x" * 50]

    pieces = csv_pieces(["Number", "Text"], rows())
    next(pieces)
    assert 0 < read < 2_000


@pytest.mark.django_db(transaction=True)
def test_under_asgi_rows_are_sent_while_they_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE", 50)
    monkeypatch.setattr("one_project.common.csv_files.PIECE", 4_096)
    UsageRecord.objects.bulk_create(
        UsageRecord(
            organisation=world.organisation,
            user_id=world.bob.pk,
            purpose="answer",
            provider="openai",
            model="gpt-5.1",
            occurred_at=datetime(2026, 10, 2, tzinfo=UTC) + timedelta(seconds=n),
            billing_period="2026-10-01",
            pricing="listed",
            cost=Decimal("0.01"),
        )
        for n in range(500)
    )
    asked: list[int] = []
    seen = exports._rows

    def counted(wanted: Any) -> Any:
        for number, row in enumerate(seen(wanted)):
            asked.append(number)
            yield row

    monkeypatch.setattr(exports, "_rows", counted)
    client = AsyncClient()
    client.force_login(world.bob)

    async def read() -> tuple[int, bytes]:
        answer: Any = await client.get(f"/usage/records.csv{MONTH}")
        parts = aiter(answer.streaming_content)
        first = await anext(parts)
        so_far = len(asked)
        return so_far, first + b"".join([part async for part in parts])

    so_far, content = asyncio.run(read())
    assert so_far < 100  # the first piece left before the rest was read
    assert content.count(b"\r\n") == 501
