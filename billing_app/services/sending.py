"""What sending costs: messages, threads and tokens, of a person and of an organisation.

The chat calls ``take_thread`` or ``take_message`` in the transaction that saves what is sent,
``check_tokens`` before a model is asked and ``settle_tokens`` when it has answered. A person's
limits are counted in each organisation by itself. Locks are taken in one order: the person's row,
then the organisation's.
"""

import math
from typing import Final

from django.db import transaction

from billing_app.conf import (
    MESSAGES_PER_ORGANISATION,
    MESSAGES_PER_USER,
    THREADS_PER_USER,
    TOKENS_PER_ORGANISATION,
    TOKENS_PER_USER,
    Setting,
)
from billing_app.errors import RateLimited
from billing_app.services.rate_limits import charge, check, limit
from billing_app.types.rate_limits import RateLimit
from one_project.accounts.models import Organisation, User

REASONS: Final = {
    MESSAGES_PER_USER.name: "You send messages faster than is allowed.",
    MESSAGES_PER_ORGANISATION.name: "Your organisation sends more messages than is allowed.",
    TOKENS_PER_USER.name: "You have used what you may use of the models for now.",
    TOKENS_PER_ORGANISATION.name: (
        "Your organisation has used what it may use of the models for now."
    ),
    THREADS_PER_USER.name: "You start threads faster than is allowed.",
}
MESSAGES: Final = (MESSAGES_PER_USER, MESSAGES_PER_ORGANISATION)
TOKENS: Final = (TOKENS_PER_USER, TOKENS_PER_ORGANISATION)
CHARACTERS_PER_TOKEN: Final = 4
ANSWER_PER_PROMPT: Final = 3


def take_message(organisation: Organisation, user: User) -> None:
    """One message of the person and of the organisation: both are taken, or RateLimited."""
    with transaction.atomic():
        for setting in MESSAGES:
            _take(setting, organisation, user)


def take_thread(organisation: Organisation, user: User) -> None:
    """One new thread of the person, or RateLimited."""
    _take(THREADS_PER_USER, organisation, user)


def estimate_tokens(prompt: str, *, last_total: int | None = None) -> int:
    """What answering ``prompt`` may use: the last answer's total, the prompt, thrice that again.

    ``last_total`` is the total usage of the newest of the thread's last two messages that has one.
    """
    asked = len(prompt) / CHARACTERS_PER_TOKEN
    return math.ceil((last_total or 1) + asked + asked * ANSWER_PER_PROMPT + 1)


def check_tokens(organisation: Organisation, user: User, estimate: float) -> None:
    """RateLimited when the person or the organisation is in debt or has too little left.

    Nothing is taken. More than a limit can hold is let through when that limit is full, so that a
    long thread waits but is never shut for good.
    """
    for setting in TOKENS:
        wait = _wait(setting, organisation, user, estimate)
        if wait:
            raise RateLimited(setting.name, wait, REASONS[setting.name])


def settle_tokens(organisation: Organisation, user: User, real: float) -> None:
    """Take what was really used. It may leave a debt, which the next ``check_tokens`` sees."""
    with transaction.atomic():
        for setting in TOKENS:
            found = setting.limit
            if found is not None and real > 0:
                key = _key(setting, user)
                charge(setting.name, real, key=key, organisation=organisation, config=found)


def next_send_in(organisation: Organisation, user: User, *, estimate: float = 1) -> float:
    """Seconds until the person may send a message; 0 when it is now (RL-13, RL-19).

    Seconds and not a moment: the clock of the person's computer does not matter.
    """
    waits = [_wait(setting, organisation, user, 1) for setting in MESSAGES]
    waits += [_wait(setting, organisation, user, estimate) for setting in TOKENS]
    return max(waits)


def _key(setting: Setting, user: User) -> str:
    """Whose row it is: made here, never taken from a request."""
    return "" if setting in (MESSAGES_PER_ORGANISATION, TOKENS_PER_ORGANISATION) else str(user.pk)


def _take(setting: Setting, organisation: Organisation, user: User) -> None:
    found = setting.limit
    if found is None:
        return
    key = _key(setting, user)
    verdict = limit(setting.name, key=key, organisation=organisation, config=found)
    if not verdict.ok:
        raise RateLimited(setting.name, verdict.retry_after or 0.0, REASONS[setting.name])


def _wait(setting: Setting, organisation: Organisation, user: User, count: float) -> float:
    found = setting.limit
    if found is None:
        return 0.0
    key, count = _key(setting, user), _possible(found, count)
    verdict = check(setting.name, key=key, organisation=organisation, count=count, config=found)
    return 0.0 if verdict.ok else verdict.retry_after or 0.0


def _possible(found: RateLimit, count: float) -> float:
    """What of ``count`` a full limit can give."""
    return min(max(count, 0.0), found.most)
