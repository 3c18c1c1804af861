"""Limits spread over several rows (RL-12, T-L16), and many takers at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction

from billing_app.errors import ImpossibleCount, RateLimited
from billing_app.models import RateLimitState
from billing_app.services.rate_limits import limit, refund, reset
from billing_app.types.rate_limits import DAY, SECOND, RateLimit, Verdict
from tests.billing.clock import BUCKET, KINDS, START, at, limit_of

SHARDS = pytest.mark.parametrize("shards", [1, 2, 3, 4])


def fill(shards: int, value: float, **others: float) -> None:
    RateLimitState.objects.bulk_create(
        RateLimitState(
            name="limit", shard=shard, at=START, value=others.get(f"shard_{shard}", value)
        )
        for shard in range(shards)
    )


def values() -> list[float]:
    return list(RateLimitState.objects.order_by("shard").values_list("value", flat=True))


def of(shards: int, **more: Any) -> RateLimit:
    return RateLimit(
        BUCKET, **{"rate": 1, "capacity": 10 * shards, **more}, period=SECOND, shards=shards
    )


@pytest.mark.django_db
class TestShards:
    @SHARDS
    def test_one_shard_is_enough_where_it_suffices(self, shards: int) -> None:
        fill(shards, 1)
        assert limit("limit", config=of(shards), now=START) == Verdict(ok=True)
        assert sorted(values()) == [0.0] + [1.0] * (shards - 1)

    @SHARDS
    def test_a_reservation_without_a_bound_is_made_in_one_shard(self, shards: int) -> None:
        fill(shards, 0)
        verdict = limit("limit", config=of(shards), reserve=True, now=START)
        assert verdict == Verdict(ok=True, retry_after=float(shards))
        assert sorted(values()) == [-1.0] + [0.0] * (shards - 1)

    @SHARDS
    def test_it_fails_where_no_shard_has_enough(self, shards: int) -> None:
        fill(shards, 0)
        with pytest.raises(RateLimited) as error:
            limit("limit", config=of(shards), throws=True, now=START)
        wait = error.value.retry_after
        assert wait == pytest.approx(1.0 if shards == 1 else 2.0 if shards == 2 else shards / 2)
        assert values() == [0] * shards
        assert limit("limit", config=of(shards), now=at(wait)).ok

    @SHARDS
    def test_the_better_of_two_is_taken(self, shards: int) -> None:
        fill(shards, 1, shard_2=-1)
        assert limit("limit", config=of(shards), now=START) == Verdict(ok=True)
        worse = [-1.0] if shards > 2 else []
        assert sorted(values()) == [*worse, 0.0] + [1.0] * (shards - 1 - len(worse))

    @SHARDS
    def test_a_reservation_beyond_its_bound_fails(self, shards: int) -> None:
        fill(shards, 1)
        config = of(shards, max_reserved=1)
        verdict = limit("limit", count=3, reserve=True, config=config, now=START)
        assert verdict.ok is False
        assert verdict.retry_after is not None
        assert verdict.retry_after >= 1.0
        assert values() == [1] * shards

    @SHARDS
    def test_a_reservation_works_where_one_shard_has_room(self, shards: int) -> None:
        fill(shards, 1, shard_2=-1)
        config = of(shards, max_reserved=shards, rate=shards)
        verdict = limit("limit", count=2, reserve=True, config=config, now=START)
        assert verdict == Verdict(ok=True, retry_after=1.0)

    @pytest.mark.parametrize("shards", [3, 4])
    def test_two_halves_are_put_together(self, shards: int) -> None:
        fill(shards, 0.5)
        assert limit("limit", config=of(shards), now=START) == Verdict(ok=True)
        assert sorted(values()) == [0, 0] + [0.5] * (shards - 2)

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_unused_limit_gives_all_that_it_allows_at_once(self, kind: Any) -> None:
        for shards, most in ((1, 8), (2, 4), (4, 4)):
            config = limit_of(kind, 8, SECOND, shards=shards)
            assert limit(f"limit {shards}", count=most, config=config, now=START).ok
            with pytest.raises(ImpossibleCount, match=f"exceeds {most}"):
                limit(f"limit {shards}", count=most + 1, config=config, now=START)

    def test_more_shards_than_before_are_added_to_those_there_are(self) -> None:
        fill(2, 0)
        for _ in range(10):
            limit("limit", config=of(6, capacity=6), now=START)
        assert RateLimitState.objects.count() == 6
        assert all(value >= 0 for value in values())


# --- at once --------------------------------------------------------------------------------------


def at_once(call: Callable[[], Any], times: int) -> list[Any]:
    """In so many threads with a connection of their own, begun together."""
    barrier = threading.Barrier(times)

    def run(_: int) -> Any:
        try:
            barrier.wait(30)
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("used", [False, True])
    def test_twenty_takers_of_five_get_exactly_five(self, kind: Any, used: bool) -> None:
        config = limit_of(kind, 5, DAY)
        if used:
            limit("limit", config=config)
            refund("limit", config=config)
        answers = at_once(lambda: limit("limit", config=config).ok, 20)
        assert answers.count(True) == 5
        assert RateLimitState.objects.count() == 1

    def test_who_rolls_back_leaves_room_for_who_waits(self) -> None:
        config = limit_of(BUCKET, 5, DAY)
        turn = iter(range(100))

        def take() -> bool:
            with transaction.atomic():
                taken = limit("limit", config=config).ok
                if next(turn) % 2:
                    transaction.set_rollback(True)
                    return False
            return taken

        answers = at_once(take, 20)
        assert answers.count(True) == 5
        assert RateLimitState.objects.get().value == pytest.approx(0, abs=0.01)

    def test_takers_of_many_shards_do_not_lock_each_other_up(self) -> None:
        config = limit_of(BUCKET, 40, DAY, shards=5)

        def take() -> int:
            return sum(limit("limit", count=2, config=config).ok for _ in range(10))

        taken = sum(at_once(take, 8)) * 2
        left = sum(values())
        assert taken + left == pytest.approx(40, abs=0.1)
        assert all(value >= 0 for value in values())

    def test_a_reset_in_between_breaks_nothing(self) -> None:
        config = limit_of(BUCKET, 1000, DAY, shards=4)
        turn = iter(range(1000))

        def take() -> None:
            for _ in range(10):
                if next(turn) % 5 == 0:
                    reset("limit")
                limit("limit", config=config)

        at_once(take, 8)
        assert RateLimitState.objects.count() in {0, 4}
