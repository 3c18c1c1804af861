"""One answer from a model: deadlines on every wait, transient failures asked again.

Not a loop over tools and not storage: yields the provider's events as they come, and ``Restarted``
where what came so far no longer counts.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

from agents_app.providers.base import ChatModel, ChatRequest
from agents_app.providers.errors import ModelError
from agents_app.providers.events import StreamEvent
from agents_app.providers.openai import close_clients
from agents_app.providers.registry import resolve_chat_model

logger = logging.getLogger(__name__)
T = TypeVar("T")

# Longer than this is not worth a person's wait; the error says when to try again instead.
MAX_RETRY_AFTER = 30.0


@dataclass(frozen=True, slots=True)
class Restarted:
    """The model is asked again from the start; drop what it said before."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to wait: to the first event, between events, and before each further try."""

    first: float = 60.0
    idle: float = 600.0
    retries: Sequence[float] = (1.0, 2.0, 4.0)


async def ask(
    model: ChatModel,
    request: ChatRequest,
    patience: Patience,
    *,
    begun: Callable[[], None] = lambda: None,
    failed: Callable[[ModelError], None] = lambda error: None,
) -> AsyncIterator[list[StreamEvent] | Restarted]:
    """Stream the answer. Raises ModelError once it cannot be had.

    429, 5xx, connection errors and answers that were cut off are asked again as often as
    ``patience.retries`` has waits (plus up to half of jitter), honouring Retry-After; others fail
    at once. A model that stays silent too long is a time-out, which is not asked again. ``begun``
    is told of each attempt, ``failed`` of each failure after which it is asked again.
    """
    for attempt in range(len(patience.retries) + 1):
        silence = _Silence(patience)
        begun()
        try:
            async with aclosing(model.stream(request)) as events:
                while (batch := await silence.limited(anext(events, None))) is not None:
                    yield batch
            return
        except TimeoutError as error:
            raise ModelError(
                "timeout", detail=f"silent for {silence.limit:g} s", retryable=False
            ) from error
        except ModelError as error:
            wait = _wait_before_retry(error, attempt, patience.retries)
            if wait is None:
                raise
            failed(error)
            logger.warning(
                "model %s/%s: %r; asking again in %.1f s",
                model.provider, model.model, error, wait,
            )  # fmt: skip
        finally:
            silence.end()
        await asyncio.sleep(wait)
        if silence.broken:
            yield Restarted(attempt + 1)


class _Silence:
    """The limit on the silence of a model, with a timer that is not moved for every word.

    ``asyncio.timeout`` around each word costs more than reading it, and around the whole answer
    it would also end whoever the words are given to.
    """

    def __init__(self, patience: Patience) -> None:
        self.broken = False
        self.limit = patience.first
        self._idle = patience.idle
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._since = self._loop.time()
        self._listening = self._expired = False
        self._timer = self._loop.call_later(self.limit, self._look)

    async def limited(self, word: Awaitable[T]) -> T:
        """Await the next word. Raises TimeoutError when the limit passes first."""
        self._listening, self._since = True, self._loop.time()
        try:
            heard = await word
        except asyncio.CancelledError as error:
            if self._expired and self._task and self._task.uncancel() <= 0:
                raise TimeoutError from error
            raise
        finally:
            self._listening = False
        if not self.broken:
            self.broken, self.limit = True, self._idle
            self._timer.cancel()
            self._timer = self._loop.call_later(self.limit, self._look)
        return heard

    def end(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        passed = self._loop.time() - self._since if self._listening else 0.0
        if passed >= self.limit and self._task:
            self._expired = True
            self._task.cancel()
        else:
            self._timer = self._loop.call_later(self.limit - passed, self._look)


def warm_up() -> None:
    """Make the default model's client now (0.1 s of TLS set-up) and not in the first answer."""
    with suppress(ImproperlyConfigured):
        resolve_chat_model().prepare()


async def close_models() -> None:
    """Close the running loop's connections to models (at its end)."""
    await close_clients()


def _wait_before_retry(error: ModelError, attempt: int, retries: Sequence[float]) -> float | None:
    if not error.retryable or attempt >= len(retries):
        return None
    asked = error.retry_after or 0.0
    if asked > MAX_RETRY_AFTER:
        return None
    # Jitter, so that a crowd that failed together does not come back together.
    return max(asked, retries[attempt]) * (1 + random.random() / 2)  # noqa: S311
