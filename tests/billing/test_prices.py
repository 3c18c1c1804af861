"""Prices from the library and of people."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from genai_prices import types as library

from billing_app.models import ModelPrice, PriceSource
from billing_app.runtime import pricing
from billing_app.services import price_library
from billing_app.services.prices import (
    add_price,
    change_price,
    end_price,
    estimate_cost,
    price_drift,
    prices_for,
    seed_prices,
)
from one_project.common.errors import Conflict, InvalidInput, NotFound
from tests.billing.prices import BEGINNING, add_prices, price
from tests.billing.uses import MAY, use
from tests.people import World

pytestmark = pytest.mark.django_db
OCTOBER = datetime(2026, 10, 12, tzinfo=UTC)


class Library:
    """A library of one provider, whose models a test sets."""

    def __init__(self) -> None:
        self.provider = library.Provider(id="openai", name="OpenAI", api_pattern="", models=[])

    def has(self, *models: library.ModelInfo) -> None:
        self.provider.models = list(models)


def model(name: str, prices: Any = None, **fields: Any) -> library.ModelInfo:
    return library.ModelInfo(
        id=name, match=library.ClauseEquals(equals=name), prices=prices or costs(), **fields
    )


def costs(input_: str | library.TieredPrices = "1", **others: Any) -> library.ModelPrice:
    found = {"input_mtok": input_, **others}
    return library.ModelPrice(
        **{
            name: Decimal(value) if isinstance(value, str) else value
            for name, value in found.items()
        }
    )


def since(day: date, prices: library.ModelPrice) -> library.ConditionalPrice:
    return library.ConditionalPrice(library.StartDateConstraint(day), prices=prices)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """Stands for the data of the library, of which there will be other versions."""
    found = Library()
    monkeypatch.setattr(price_library, "price_list", lambda: [found.provider])
    monkeypatch.setattr(pricing, "price_list", lambda: [found.provider])
    pricing._listed_name.cache_clear()
    yield found
    pricing._listed_name.cache_clear()


def rows(**fields: Any) -> list[tuple[Any, ...]]:
    """Kind, tier, context, amount, from and to of the rows."""
    names = ("token_type", "service_tier", "context_from", "amount", "valid_from", "valid_to")
    return list(ModelPrice.objects.filter(**fields).order_by(*names).values_list(*names))


def test_the_whole_library_is_taken_over_once(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    with CaptureQueriesContext(connection) as found:
        call_command("seed_model_prices")
    assert len(found) < 12
    before = set(ModelPrice.objects.values_list("pk", "updated_at"))
    assert len(before) > 1000
    call_command("seed_model_prices")
    assert set(ModelPrice.objects.values_list("pk", "updated_at")) == before
    assert price_drift() == []
    said = capsys.readouterr().out
    assert "0 prices added, 0 closed" in said
    assert "deepseek" in said  # dearer at some hours
    # As the library says: dated, by tier, by context, and of the time of the call.
    o3 = {"provider": "openai", "model": "o3", "service_tier": "", "token_type": "input"}
    change = datetime(2025, 6, 10, tzinfo=UTC)
    assert rows(**o3) == [
        ("input", "", 0, 2, change, None),
        ("input", "", 0, 10, BEGINNING, change),
    ]
    sol = {"provider": "openai", "model": "gpt-6-sol", "token_type": "input"}
    assert [row[1:4] for row in rows(**sol, service_tier__in=["", "flex"])] == [
        ("", 0, 2),
        ("", 272_000, 4),
        ("flex", 0, 1),
        ("flex", 272_000, 2),
    ]
    assert set(ModelPrice.objects.values_list("source_version", flat=True)) == {"0.2.3"}
    tokens = {"input_tokens": 1_000_000, "output_tokens": 0}
    embedding = use("text-embedding-3-small", purpose="embedding", **tokens)
    assert pricing.price_use(embedding, prices_for([embedding])).cost == Decimal("0.02")


def test_dates_tiers_and_variants_become_rows(listed: Library) -> None:
    tiered = library.TieredPrices(Decimal(1), [library.Tier(1000, Decimal(2))])
    listed.has(
        model(
            "m",
            [
                library.ConditionalPrice(prices=costs("5", cache_read_mtok="0.0833333333")),
                since(date(2026, 10, 12), costs(tiered)),
            ],
            price_variants=[
                library.PriceVariant({"service_tier": "default"}, costs("99")),
                library.PriceVariant(
                    {"processing": "batch"},
                    costs("0.5"),
                    library.StartDateConstraint(date(2026, 10, 12)),
                ),
            ],
        )
    )
    seed_prices()
    assert rows() == [
        ("cached_input", "", 0, Decimal("0.083333"), BEGINNING, OCTOBER),
        ("input", "", 0, 1, OCTOBER, None),
        ("input", "", 0, 5, BEGINNING, OCTOBER),
        ("input", "", 1000, 2, OCTOBER, None),
        ("input", "batch", 0, Decimal("0.5"), OCTOBER, None),
    ]


def test_a_new_version_closes_what_changed_and_adds_what_is_new(listed: Library) -> None:
    listed.has(model("changes"), model("stays"), model("goes"))
    seed_prices()
    listed.has(model("changes", costs("2")), model("stays"), model("comes"))
    assert {(each.kind, each.key.model) for each in price_drift()} == {
        ("differs", "changes"),
        ("missing", "comes"),
        ("gone", "goes"),
    }
    seeded = seed_prices()
    assert (seeded.added, seeded.closed, seeded.unchanged) == (2, 1, 1)
    old, new = ModelPrice.objects.filter(model="changes").order_by("valid_from")
    assert old.valid_to == new.valid_from > timezone.now() - timedelta(minutes=1)
    assert (old.amount, new.amount, new.valid_to) == (1, 2, None)
    assert ModelPrice.objects.get(model="goes").valid_to is None


def test_what_is_announced_may_still_change(listed: Library) -> None:
    soon = timezone.now().date() + timedelta(days=10)
    listed.has(model("m", [since(date(2020, 1, 1), costs("1")), since(soon, costs("2"))]))
    seed_prices()
    listed.has(model("m", [since(date(2020, 1, 1), costs("1")), since(soon, costs("3"))]))
    seed_prices()
    assert [row.amount for row in ModelPrice.objects.order_by("valid_from")] == [1, 1, 3]
    assert seed_prices().unchanged == 1


def test_prices_of_people_are_left_to_them(listed: Library, world: World) -> None:
    listed.has(model("theirs"), model("changed"), model("ended"))
    add_price(
        provider="openai", model="theirs", token_type="input", amount=Decimal(9), valid_from=MAY
    )
    seed_prices()
    change_price(ModelPrice.objects.get(model="changed").pk, amount=Decimal(9), by=world.alice)
    end_price(ModelPrice.objects.get(model="ended").pk, by=world.alice)
    before = set(ModelPrice.objects.values_list("pk", "amount", "valid_to"))
    listed.has(*(model(name, costs("2")) for name in ("theirs", "changed", "ended")))
    seeded = seed_prices()
    assert (seeded.added, seeded.kept_of_people) == (0, 3)
    assert set(ModelPrice.objects.values_list("pk", "amount", "valid_to")) == before
    assert {each.kind for each in price_drift()} == {"person"}


def test_a_price_that_overlaps_is_refused_with_a_reason(world: World) -> None:
    new = {
        "provider": "openai",
        "model": "m",
        "token_type": "input",
        "amount": Decimal(1),
        "by": world.alice,
    }
    added = add_price(**new, valid_from=MAY, valid_to=OCTOBER)
    assert (added.source, added.meta) == (PriceSource.PERSON, {"by": str(world.alice.pk)})
    add_price(**new, valid_from=OCTOBER)
    with pytest.raises(InvalidInput, match="another price"):
        add_price(**new, valid_from=OCTOBER - timedelta(microseconds=1))
    assert ModelPrice.objects.count() == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": Decimal(-1)},
        {"amount": Decimal("NaN")},
        {"amount": Decimal("0.0000001")},
        {"amount": Decimal(10**9)},
        {"model": " "},
        {"provider": "x" * 65},
        {"token_type": "audio"},
        {"context_from": -1},
        {"valid_to": MAY},
    ],
    ids=str,
)
def test_a_price_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    good = {"provider": "p", "model": "m", "token_type": "input", "amount": Decimal(1)}
    with pytest.raises(InvalidInput):
        add_price(**good | {"valid_from": MAY} | wrong)


def test_a_price_is_followed_and_never_rewritten() -> None:
    [old] = add_prices(price(amount=1))
    new = change_price(old.pk, amount=Decimal(2))
    old.refresh_from_db()
    assert (old.amount, old.valid_to) == (1, new.valid_from)
    assert new.source == PriceSource.PERSON
    with pytest.raises(Conflict):
        change_price(old.pk, amount=Decimal(3))
    with pytest.raises(InvalidInput):
        change_price(new.pk, amount=Decimal(3), at=timezone.now() - timedelta(days=1))
    later = change_price(new.pk, amount=Decimal(3), at=timezone.now() + timedelta(days=1))
    assert change_price(later.pk, amount=Decimal(4)).pk == later.pk  # it has not begun
    end_price(later.pk)
    end_price(new.pk, at=new.valid_from + timedelta(hours=1))
    assert ModelPrice.objects.count() == 2
    with pytest.raises(NotFound):
        end_price(later.pk)


def test_estimates_always_have_an_amount(prices: list[ModelPrice]) -> None:
    tokens = {"input_tokens": 1_000_000, "output_tokens": 1_000_000, "at": MAY}
    assert estimate_cost("openai", "gpt-5", **tokens) == Decimal("11.25")
    assert estimate_cost("openai", "nobody-knows-1", **tokens) == 20
    assert estimate_cost("demo", "one-demo", **tokens) == 0
    before = {**tokens, "at": BEGINNING - timedelta(days=1)}
    assert estimate_cost("openai", "gpt-5", **before) == 20


def test_an_estimate_is_not_below_what_writing_to_the_cache_costs(db: None) -> None:
    tokens = {"input_tokens": 1_000_000, "output_tokens": 0, "at": MAY}
    add_prices(
        price(model="m", token_type="input", amount=3),
        price(model="m", token_type="cached_input", amount=1),
        price(model="m", token_type="cache_write", amount=4),
        price(model="m", token_type="output", amount=9),
    )
    assert estimate_cost("openai", "m", **tokens) == 4


def test_prices_of_many_uses_take_two_queries_at_most(prices: list[ModelPrice]) -> None:
    uses = [use(name) for name in ("gpt-5", "gpt-5-2025-08-07", "gpt-4o-mini-2024-07-18", "x")]
    with CaptureQueriesContext(connection) as found:
        loaded = prices_for(uses)
    assert len(found) == 2
    assert [loaded.name_of(each) for each in uses] == [
        ("openai", "gpt-5"),
        ("openai", "gpt-5"),
        ("openai", "gpt-4o-mini"),
        None,
    ]
