"""Taking from limits in Postgres, by a clock that the test moves (rows RL and cases T-L)."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from billing_app.errors import ImpossibleCount, RateLimited, UnknownLimit, spoken
from billing_app.models import RateLimitState
from billing_app.services import rate_limits
from billing_app.services.rate_limits import (
    charge,
    check,
    clear_all,
    define_limit,
    get_value,
    limit,
    refund,
    reset,
)
from billing_app.types.rate_limits import HOUR, MINUTE, SECOND, Kind, RateLimit, Verdict, calculate
from tests.billing.clock import BUCKET, KINDS, START, WINDOW, at, limit_of
from tests.people import World

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("kind", KINDS)]

YES = Verdict(ok=True)


def left(name: str = "limit", **more: Any) -> float:
    return RateLimitState.objects.get(name=name, **more).value


def test_the_second_of_one_a_second_waits_a_second(kind: Kind) -> None:
    config = limit_of(kind, 1, SECOND)
    assert check("limit", config=config, now=START) == YES
    assert limit("limit", config=config, now=START) == YES
    refused = Verdict(ok=False, retry_after=1.0)
    assert check("limit", config=config, now=START) == refused
    assert limit("limit", config=config, now=START) == refused
    assert limit("limit", config=config, now=at(0.75)).retry_after == 0.25
    assert limit("limit", config=config, now=at(1)) == YES


def test_keys_names_and_organisations_do_not_share(world: World, kind: Kind) -> None:
    config = limit_of(kind, 1, SECOND)
    where: list[dict[str, Any]] = [
        {},
        {"key": "a"},
        {"key": "b"},
        {"organisation": world.organisation},
        {"organisation": world.organisation, "key": "a"},
        {"organisation": world.elsewhere, "key": "a"},
    ]
    for name in ("limit", "other"):
        for each in where:
            assert limit(name, config=config, now=START, **each).ok
            assert not limit(name, config=config, now=START, **each).ok


def test_a_burst_uses_what_was_saved_and_no_more_than_capacity_is_saved(kind: Kind) -> None:
    config = limit_of(kind, 1, SECOND, capacity=3)
    for now in (START, at(1000)):
        answers = [limit("limit", config=config, now=now).ok for _ in range(4)]
        assert answers == [True, True, True, False]


def test_the_wait_is_exact(kind: Kind) -> None:
    config = limit_of(kind, 10, MINUTE)
    assert limit("limit", count=5, config=config, now=START) == YES
    then = at(6) if kind == BUCKET else at(60)
    assert limit("limit", count=6, config=config, now=then) == YES
    before = RateLimitState.objects.get()
    assert before.value == (0 if kind == BUCKET else 4)
    assert limit("limit", count=10, config=config, now=then) == Verdict(False, 60.0)
    after = RateLimitState.objects.get()
    assert (after.value, after.at) == (before.value, before.at)


def test_the_wait_of_a_reservation_is_exact(kind: Kind) -> None:
    config = limit_of(kind, 10, MINUTE)
    assert limit("limit", count=5, config=config, now=START) == YES
    then = at(6) if kind == BUCKET else at(60)
    verdict = limit("limit", count=16, reserve=True, config=config, now=then)
    assert verdict == Verdict(ok=True, retry_after=60.0)
    assert left() == (-10 if kind == BUCKET else -6)
    verdict = limit("limit", count=5, reserve=True, config=config, now=then + timedelta(seconds=30))
    assert verdict == Verdict(ok=True, retry_after=60.0 if kind == BUCKET else 90.0)
    assert left() == (-10 if kind == BUCKET else -11)


def test_a_reservation_without_a_bound_keeps_others_out_for_long(kind: Kind) -> None:
    config = limit_of(kind, 1, HOUR)
    reserved = limit("limit", count=100, reserve=True, config=config, now=START)
    assert reserved == Verdict(ok=True, retry_after=99 * HOUR)
    assert check("limit", config=config, now=START) == Verdict(False, 100 * HOUR)


def test_a_reservation_goes_no_further_than_its_bound(kind: Kind) -> None:
    config = limit_of(kind, 1, HOUR, max_reserved=1)
    assert check("limit", count=2, reserve=True, config=config, now=START).ok
    assert limit("limit", count=2, reserve=True, config=config, now=START).ok
    assert not check("limit", config=config, now=START).ok
    refused = limit("limit", reserve=True, config=config, now=START)
    assert refused == Verdict(ok=False, retry_after=2 * HOUR), "until all of it is there"


def test_a_bound_of_zero_is_a_bound(kind: Kind) -> None:
    config = limit_of(kind, 1, HOUR, max_reserved=0)
    assert limit("limit", reserve=True, config=config, now=START).ok
    assert limit("limit", reserve=True, config=config, now=START) == Verdict(False, HOUR)


def test_a_count_that_can_never_be_is_an_error_and_no_refusal(kind: Kind) -> None:
    config = limit_of(kind, 1, SECOND, max_reserved=2)
    with pytest.raises(ImpossibleCount, match="Rate limit simple count 4 exceeds 3"):
        limit("simple", count=4, reserve=True, config=config)
    with pytest.raises(ImpossibleCount, match="Rate limit simple count 2 exceeds 1"):
        limit("simple", count=2, config=config)
    for count in (-1, float("nan"), float("inf")):
        with pytest.raises(ImpossibleCount):
            limit("simple", count=count, reserve=True, config=limit_of(kind, 1, SECOND))
        with pytest.raises(ImpossibleCount):
            refund("simple", count=count, config=config)
    assert not RateLimitState.objects.exists()


def test_an_error_names_the_limit_and_the_wait_and_takes_nothing(kind: Kind) -> None:
    config = limit_of(kind, 1, 4 * SECOND)
    assert limit("limit", config=config, throws=True, now=START) == YES
    for verb in (limit, check):
        for reserve in (False, True):
            with pytest.raises(RateLimited, match="Please wait 4 s") as error:
                verb("limit", config=config, throws=True, reserve=reserve, now=START)
            assert (error.value.kind, error.value.name) == ("RateLimited", "limit")
            assert (error.value.retry_after, error.value.status) == (4.0, 429)
            assert (error.value.code, error.value.retryable) == ("rate_limited", True)
            assert left() == 0


def test_looking_takes_writes_and_creates_nothing(kind: Kind) -> None:
    config = limit_of(kind, 10, MINUTE)
    for _ in range(20):
        assert check("limit", count=10, config=config, now=START) == YES
    assert not RateLimitState.objects.exists()
    limit("limit", count=4, config=config, now=START)
    assert check("limit", count=6, config=config, now=START) == YES
    assert check("limit", count=7, config=config, now=START).ok is False
    assert left() == 6


def test_after_a_reset_it_is_full_and_only_it(kind: Kind) -> None:
    config = limit_of(kind, 3, MINUTE, shards=3)
    for key in ("a", "b"):
        for _ in range(20):
            limit("limit", key=key, config=config, now=START)
    assert RateLimitState.objects.filter(key="a").count() == 3
    reset("limit", key="a")
    assert not RateLimitState.objects.filter(key="a").exists()
    assert RateLimitState.objects.filter(key="b").count() == 3
    assert limit("limit", key="a", config=config, now=START).ok


def test_all_are_cleared_in_pages(
    world: World, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "PAGE", 2)
    config = limit_of(kind, 1, MINUTE)
    for number in range(5):
        limit("limit", key=str(number), config=config)
        limit("limit", key=str(number), organisation=world.organisation, config=config)
    assert clear_all(before=timezone.now() - timedelta(hours=1)) == 0
    assert clear_all(organisation=world.organisation) == 5
    assert RateLimitState.objects.count() == 5
    assert clear_all() == 5
    assert not RateLimitState.objects.exists()


def test_a_limit_goes_by_its_name_once_defined(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "_defined", {})
    for verb in (limit, check, refund, get_value):
        with pytest.raises(UnknownLimit, match="'named'"):
            verb("named")  # type: ignore[operator]
    define_limit("named", limit_of(kind, 1, MINUTE))
    define_limit("named", limit_of(kind, 1, MINUTE))
    assert limit("named", now=START).ok
    assert not limit("named", now=START).ok
    inline = limit_of(kind, 5, MINUTE)
    assert check("other", config=inline).ok
    with pytest.raises(ValueError, match="Two different limits"):
        define_limit("named", inline)


# --- what is left ---------------------------------------------------------------------------------


def test_an_unused_limit_has_all_of_it(kind: Kind) -> None:
    config = limit_of(kind, 10, MINUTE)
    value = get_value("limit", config=config, now=START)
    assert (value.value, value.at, value.shard, value.config) == (10, START, 0, config)
    limit("limit", count=4, config=config, now=START)
    value = get_value("limit", config=config, now=START)
    assert (value.value, value.at) == (6, START)
    then = get_value("limit", config=config, now=at(90))
    assert (then.value, then.at) == ((10, at(90)) if kind == BUCKET else (10, at(60)))


@pytest.mark.parametrize("shards", [2, 3, 5])
def test_what_is_left_of_a_shard_goes_with_the_limit_of_a_shard(kind: Kind, shards: int) -> None:
    config = RateLimit(kind, 10 * shards, MINUTE, shards=shards)
    unused = get_value("limit", config=config, now=START)
    assert (unused.value, unused.config.size, unused.config.rate) == (10, 10, 10)
    for _ in range(5 * shards):
        limit("limit", config=config, now=START)
    value = get_value("limit", config=config, sample_shards=shards, now=START)
    assert value.value == RateLimitState.objects.order_by("-value").first().value  # type: ignore
    for seconds in (0, 30, 10_000):
        assert calculate(value, value.config, at(seconds)).value <= 10
    if kind == WINDOW:
        assert value.config.start == value.at


# --- giving back ----------------------------------------------------------------------------------


def test_a_refund_gives_back_what_was_taken(kind: Kind) -> None:
    config = limit_of(kind, 10, MINUTE)
    limit("limit", count=10, config=config, now=START)
    assert refund("limit", count=4, config=config, now=START) == 4
    assert left() == 4
    assert limit("limit", count=4, config=config, now=START).ok
    assert not limit("limit", config=config, now=START).ok


def test_a_refund_never_makes_more_than_the_capacity(kind: Kind) -> None:
    config = limit_of(kind, 10, MINUTE)
    assert refund("limit", count=4, config=config, now=START) == 0, "nothing was taken"
    limit("limit", count=10, config=config, now=START)
    assert refund("limit", count=25, config=config, now=START) == 10
    assert left() == 10
    limit("limit", count=10, config=config, now=START)
    assert refund("limit", count=10, config=config, now=at(60)) == 0, "it has come back by itself"
    larger = limit_of(kind, 10, MINUTE, capacity=20)
    assert not check("limit", count=11, config=larger, now=at(60)).ok


def test_a_refund_pays_debts(kind: Kind) -> None:
    config = limit_of(kind, 10, MINUTE)
    charge("limit", 30, config=config, now=START)
    assert left() == -20
    assert refund("limit", count=25, config=config, now=START) == 25
    assert left() == 5


def test_a_refund_finds_room_in_all_shards(kind: Kind) -> None:
    config = limit_of(kind, 40, MINUTE, shards=4)
    while limit("limit", count=5, config=config, now=START).ok:
        pass
    taken = 40 - sum(RateLimitState.objects.values_list("value", flat=True))
    assert taken >= 20
    assert refund("limit", count=15, config=config, now=START) == 15
    assert refund("limit", count=100, config=config, now=START) == pytest.approx(taken - 15)
    assert set(RateLimitState.objects.values_list("value", flat=True)) == {10}


def test_a_charge_is_taken_whatever_the_bound(kind: Kind) -> None:
    config = limit_of(kind, 10, MINUTE, max_reserved=1)
    assert charge("limit", 5, config=config, now=START) == YES
    assert charge("limit", 25, config=config, now=START) == Verdict(True, 120.0)
    assert left() == -20


# --- the enclosing transaction --------------------------------------------------------------------


def test_what_was_taken_comes_back_with_the_transaction(kind: Kind) -> None:
    config = limit_of(kind, 10, MINUTE)
    limit("limit", count=2, config=config, now=START)
    with transaction.atomic():
        assert limit("limit", count=5, config=config, now=START).ok
        assert limit("new", count=5, config=config, now=START).ok
        assert left() == 3
        transaction.set_rollback(True)
    assert left() == 8
    assert not RateLimitState.objects.filter(name="new").exists()


def test_a_refusal_that_is_caught_leaves_the_transaction_whole(kind: Kind) -> None:
    config = limit_of(kind, 1, MINUTE)
    with transaction.atomic():
        limit("limit", config=config, now=START)
        with pytest.raises(RateLimited):
            limit("limit", config=config, now=START, throws=True)
        limit("other", config=config, now=START)
    assert left("other") == 0


def test_the_clock_is_the_databases_and_never_goes_back(kind: Kind) -> None:
    config = limit_of(kind, 10, MINUTE)
    ahead = timezone.now() + timedelta(hours=1)
    limit("limit", count=10, config=config, now=ahead)
    row = RateLimitState.objects.get()
    verdict = limit("limit", config=config)
    assert verdict.ok is False
    assert verdict.retry_after is not None
    assert verdict.retry_after > 3000
    assert RateLimitState.objects.get().at == row.at


def test_waits_are_spoken_so_that_people_can_act(kind: Kind) -> None:
    waits = [0.001, 3.2, 59, 59.5, 61, 3600, 7200.5, 3 * 86_400]
    spoke = ["1 s", "4 s", "59 s", "1 min", "2 min", "1 h", "3 h", "3 days"]
    assert [spoken(wait) for wait in waits] == spoke
