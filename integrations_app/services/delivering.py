"""The work that carries a delivery: it is given its id and nothing else.

One pool for each organisation, so that whoever waits for slow providers waits alone.
"""

import asyncio
import logging
from typing import Final, TypeVar
from uuid import UUID

from django.db import OperationalError

from integrations_app.errors import (
    BadTarget,
    ConnectRequired,
    OutcomeUnknown,
    Permanent,
    SendError,
)
from integrations_app.providers.base import Accepted
from integrations_app.runtime.accounts import account_of
from integrations_app.services.attempts import begin
from integrations_app.services.outcomes import Begun, finish
from one_project.common.crash_points import crash_point
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.workflows.current import current_work
from one_project.workflows.definitions import step
from one_project.workflows.errors import TryLater
from one_project.workflows.types import Retry

logger = logging.getLogger(__name__)

T = TypeVar("T")

DEADLINE: Final = 30.0  # seconds a provider has for one message
STEP: Final = "integrations.deliver"
# What a provider's own deadline misses, this does not.
SURELY: Final = DEADLINE + 5.0
# A worker that is asked to stop gives what it sends so long to be recorded (its own grace is 3 s).
LAST_SECONDS: Final = 2.0
PATIENCE: Final = 60.0  # seconds a result is offered to a database that is away


def pool_of(organisation_id: UUID) -> str:
    """The organisation's own pool: it sends 10 messages at once unless an admin says otherwise."""
    return f"send:{organisation_id}"


# Repeated after a crash: the rows say whether anything may be sent again.
@step(name=STEP, retry=Retry(attempts=8, initial=1.0), timeout=600.0)
async def deliver(delivery_id: UUID) -> str:
    """Carry one delivery as far as it goes now."""
    carrier = str(current_work().claimed.id)
    while True:
        begun = await in_thread(begin, delivery_id, carrier)
        if begun is None:
            return "settled"
        if isinstance(begun, float):
            raise TryLater(begun, "not yet")
        wait = await _uninterrupted(asyncio.create_task(attempted(begun)))
        if wait is None:
            return "settled"
        if wait > 0:
            raise TryLater(wait, "again later")


async def _uninterrupted(task: "asyncio.Task[T]") -> T:
    """Its result, even if we are asked to stop meanwhile: what is sent must be recorded."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=LAST_SECONDS)
        raise


async def attempted(begun: Begun) -> float | None:
    """Send it and record what came of it; as ``finish``."""
    outcome = begun.problem or await _sent(begun)
    waited, pause = 0.0, 0.2
    while True:
        try:
            return await in_thread(finish, begun, outcome)
        except OperationalError as error:
            if waited > PATIENCE:
                raise
            logger.warning("delivery %s not recorded yet: %s", begun.delivery.pk, error)
        await asyncio.sleep(pause)
        waited, pause = waited + pause, min(pause * 2, 5.0)


async def _sent(begun: Begun) -> Accepted | SendError:
    """What the provider said. Whatever is raised, no text of it goes further than this."""
    try:
        async with asyncio.timeout(SURELY):
            return await _hand_over(begun)
    except SendError as error:
        return error
    except TimeoutError:
        return OutcomeUnknown(code="timed_out")
    except ConnectRequired as error:
        return Permanent(error.user_message, code="connect_required")
    except AppError as error:
        return _surely(error)
    except Exception as error:
        # Its text may hold what was sent, or with which key.
        logger.error("delivery %s: %s while it was sent", begun.delivery.pk, type(error).__name__)
        return OutcomeUnknown(code="internal")


_NOT_SENT: Final = ("address_refused", "bad_address", "unknown_provider", "invalid_settings")


def _surely(error: AppError) -> SendError:
    """An error of the doors that a provider did not translate."""
    if error.code in _NOT_SENT:
        return Permanent(error.user_message, code=error.code)
    return OutcomeUnknown(code=error.code)


async def _hand_over(begun: Begun) -> Accepted:
    provider, account, target, content = begun.provider, begun.account, begun.target, begun.content
    if provider is None or account is None or target is None or content is None:
        raise BadTarget("Its address was removed.", code="no_address")
    if begun.connection is not None:
        # Above this module in its own room.
        from integrations_app.services.connections import token_of

        assert begun.delivery.integration is not None
        token = await token_of(begun.connection)
        account = account_of(begun.delivery.integration, token)
    crash_point("delivery_started")
    accepted = await provider.send(
        account,
        content,
        target,
        idempotency_key=str(begun.delivery.pk),
        deadline=DEADLINE,
    )
    crash_point("delivery_sent")
    return accepted
