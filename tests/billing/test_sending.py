"""What the chat asks: messages, threads and tokens of people and organisations (RL-17, RL-18)."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing_app.apps import BillingConfig
from billing_app.conf import SETTINGS, parse_limit
from billing_app.errors import RateLimited
from billing_app.models import RateLimitState
from billing_app.services.sending import (
    check_tokens,
    estimate_tokens,
    next_send_in,
    settle_tokens,
    take_message,
    take_thread,
)
from billing_app.types.rate_limits import HOUR, RateLimit
from tests.billing.clock import BUCKET, WINDOW
from tests.people import World


@pytest.fixture(autouse=True)
def defaults(settings: Any) -> None:
    """The limits as they are where nothing is set."""
    for each in SETTINGS:
        setattr(settings, each.setting, each.default)


def left(name: str) -> dict[str, float]:
    return dict(RateLimitState.objects.filter(name=name).values_list("key", "value"))


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("off", None),
        (" OFF ", None),
        ("bucket 20000/60s burst 100000", RateLimit(BUCKET, 20_000, 60, 100_000)),
        ("bucket 20_000/min burst 100_000", RateLimit(BUCKET, 20_000, 60, 100_000)),
        ("window 1/5s burst 2", RateLimit(WINDOW, 1, 5, 2)),
        ("Window  0.5/2h", RateLimit(WINDOW, 0.5, 2 * HOUR)),
        ("bucket 10/500ms", RateLimit(BUCKET, 10, 0.5)),
        ("window 1/w", RateLimit(WINDOW, 1, 7 * 24 * HOUR)),
        ("bucket 8/d shards 4 reserve 3 burst 9", RateLimit(BUCKET, 8, 24 * HOUR, 9, 3, 4)),
        ("bucket 8/s reserve 0", RateLimit(BUCKET, 8, 1, max_reserved=0)),
    ],
)
def test_a_limit_is_one_line(text: str, limit: RateLimit | None) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "5/s",
        "bucket",
        "bucket 5",
        "bucket 5/",
        "bucket 0/s",
        "bucket -1/s",
        "bucket 5/0s",
        "bucket 5/fortnight",
        "bucket 5/s burst",
        "bucket 5/s burst 0",
        "bucket 5/s burst 5 burst 6",
        "bucket 5/s shards 1.5",
        "bucket 5/s shards 0",
        "bucket 5/s and more",
        "bucket 5__0/s",
    ],
)
def test_a_line_nobody_understands_names_the_setting(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="ONE_LIMIT_X"):
        parse_limit(text, "ONE_LIMIT_X")


def test_a_wrong_setting_stops_the_start(settings: Any) -> None:
    config = BillingConfig.create("billing_app")
    config.ready()
    settings.ONE_LIMIT_THREADS_PER_USER = "often"
    with pytest.raises(ImproperlyConfigured, match="ONE_LIMIT_THREADS_PER_USER is 'often'"):
        config.ready()


# --- messages and threads -------------------------------------------------------------------------


def test_a_person_sends_two_and_then_one_every_five_seconds(world: World) -> None:
    assert next_send_in(world.organisation, world.bob) == 0
    take_message(world.organisation, world.bob)
    take_message(world.organisation, world.bob)
    with pytest.raises(RateLimited, match=r"You send messages faster.*Please wait \d s") as error:
        take_message(world.organisation, world.bob)
    assert error.value.name == "messages_per_user"
    assert 0 < error.value.retry_after <= 5
    assert 0 < next_send_in(world.organisation, world.bob) <= 5
    take_message(world.organisation, world.alice)
    assert next_send_in(world.organisation, world.alice) == 0
    take_message(world.elsewhere, world.bob)


@pytest.mark.parametrize("setting", ["MESSAGES_PER_USER", "MESSAGES_PER_ORGANISATION"])
def test_of_a_message_both_limits_are_taken_or_none(
    world: World, settings: Any, setting: str
) -> None:
    settings.ONE_LIMIT_MESSAGES_PER_USER = "window 1/d burst 5"
    settings.ONE_LIMIT_MESSAGES_PER_ORGANISATION = "window 1/d burst 5"
    setattr(settings, f"ONE_LIMIT_{setting}", "window 1/d burst 2")
    take_message(world.organisation, world.bob)
    take_message(world.organisation, world.bob)
    before = left("messages_per_user"), left("messages_per_organisation")
    with pytest.raises(RateLimited) as error:
        take_message(world.organisation, world.bob)
    assert error.value.name == setting.lower()
    assert (left("messages_per_user"), left("messages_per_organisation")) == before
    assert next_send_in(world.organisation, world.bob) > 0


def test_an_organisation_has_its_own_limit(world: World, settings: Any) -> None:
    settings.ONE_LIMIT_MESSAGES_PER_ORGANISATION = "bucket 1/d burst 1"
    take_message(world.organisation, world.alice)
    with pytest.raises(RateLimited, match="Your organisation"):
        take_message(world.organisation, world.bob)
    take_message(world.elsewhere, world.charlie)


def test_threads_have_a_limit(world: World, settings: Any) -> None:
    settings.ONE_LIMIT_THREADS_PER_USER = "bucket 1/h burst 3"
    for _ in range(3):
        take_thread(world.organisation, world.bob)
    with pytest.raises(RateLimited, match="threads"):
        take_thread(world.organisation, world.bob)
    take_thread(world.organisation, world.alice)


def test_what_is_off_is_not_counted(world: World, settings: Any) -> None:
    for each in SETTINGS:
        setattr(settings, each.setting, "off")
    for _ in range(50):
        take_message(world.organisation, world.bob)
        take_thread(world.organisation, world.bob)
        settle_tokens(world.organisation, world.bob, 10**9)
        check_tokens(world.organisation, world.bob, 10**9)
    assert next_send_in(world.organisation, world.bob) == 0
    assert not RateLimitState.objects.exists()


# --- tokens ---------------------------------------------------------------------------------------


def test_the_estimate_is_the_last_total_the_prompt_and_thrice_the_prompt() -> None:
    assert estimate_tokens("") == 2
    assert estimate_tokens("x" * 400) == 1 + 100 + 300 + 1
    assert estimate_tokens("x" * 400, last_total=1000) == 1000 + 100 + 300 + 1
    assert estimate_tokens("x" * 5) == 7


def test_who_used_more_than_estimated_waits_until_the_debt_is_paid(
    world: World, settings: Any
) -> None:
    settings.ONE_LIMIT_TOKENS_PER_USER = "bucket 600/min burst 500"
    check_tokens(world.organisation, world.bob, 400)
    assert not RateLimitState.objects.exists(), "the check takes nothing"
    settle_tokens(world.organisation, world.bob, 1000)
    assert left("tokens_per_user") == {str(world.bob.pk): -500}
    with pytest.raises(RateLimited, match="may use of the models") as error:
        check_tokens(world.organisation, world.bob, 400)
    assert error.value.name == "tokens_per_user"
    assert 85 < error.value.retry_after <= 90
    assert 45 < next_send_in(world.organisation, world.bob) <= 50.1
    row = RateLimitState.objects.get(name="tokens_per_user")
    row.at -= timedelta(seconds=90)
    row.save()
    check_tokens(world.organisation, world.bob, 400)
    assert next_send_in(world.organisation, world.bob) == 0


def test_a_debt_of_the_organisation_stops_all_its_people(world: World, settings: Any) -> None:
    settings.ONE_LIMIT_TOKENS_PER_ORGANISATION = "bucket 10/h burst 100"
    settle_tokens(world.organisation, world.bob, 150)
    with pytest.raises(RateLimited, match="Your organisation"):
        check_tokens(world.organisation, world.alice, 1)
    assert next_send_in(world.organisation, world.alice) > 0
    check_tokens(world.elsewhere, world.charlie, 1)


def test_an_estimate_above_every_limit_is_let_through_when_the_limit_is_full(
    world: World, settings: Any
) -> None:
    settings.ONE_LIMIT_TOKENS_PER_USER = "bucket 1/h burst 500 reserve 10"
    check_tokens(world.organisation, world.bob, 10_000)
    settle_tokens(world.organisation, world.bob, 0)
    settle_tokens(world.organisation, world.bob, 10_000)
    assert left("tokens_per_user")[str(world.bob.pk)] == -9500, "the bound is no bound for facts"
    with pytest.raises(RateLimited):
        check_tokens(world.organisation, world.bob, 10_000)
