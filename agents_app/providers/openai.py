"""Chat models behind any OpenAI-compatible server; the only module that imports `openai`.

The client makes the request and knows about keys, proxies and HTTP errors. The answer is read as
bytes by `sse` and `openai_stream`, because the client's own object per chunk costs more than all
the rest. Nothing is retried here: how often and how long is decided one level up, where a half
answer can be taken back.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx2
import openai

from agents_app.providers.base import (
    ChatRequest,
    Completion,
    Finished,
    ModelError,
    StreamEvent,
    collect,
    estimate_usage,
)
from agents_app.providers.errors import CUT_OFF
from agents_app.providers.openai_errors import detail_for_log, error_from_response
from agents_app.providers.openai_stream import ChunkReader
from agents_app.providers.openai_wire import request_body
from agents_app.providers.sse import EventTooLongError, SseReader

OPENAI_URL: Final = "https://api.openai.com/v1"

CONNECT_SECONDS: Final = 10.0
POOL_SECONDS: Final = 30.0  # waiting for a free connection and opening it, name look-up included
READ_SECONDS: Final = 300.0  # a backstop; the limits people feel are enforced by the agent loop
DRAIN_SECONDS: Final = 0.1
MAX_CONNECTIONS: Final = 1000

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

# An aiohttp session belongs to the loop it was made on, hence one client per loop. Loops run in
# several threads (one per worker process, more in tests), hence the lock.
_Clients = dict[tuple[str, str], openai.AsyncOpenAI]
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, _Clients] = WeakKeyDictionary()
_clients_lock = threading.Lock()


class OpenAIChatModel:
    """One model of one server. Cheap to make: connections are shared by all of them.

    base_url: ends in /v1 as a rule. read_timeout: longest silence between two network reads, in
    seconds; None for no limit, which saves about a tenth of the CPU. provider: the name under
    which usage is priced.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str,
        base_url: str = OPENAI_URL,
        provider: str = "openai",
        read_timeout: float | None = READ_SECONDS,
    ) -> None:
        self.provider = provider
        self.model = model
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")
        self._timeout = openai.Timeout(
            None, connect=CONNECT_SECONDS, read=read_timeout, pool=POOL_SECONDS
        )
        # OpenAI's newer models refuse max_tokens, most other servers know nothing else.
        is_openai = urlsplit(self._base_url).hostname == "api.openai.com"
        self._limit_field = "max_completion_tokens" if is_openai else "max_tokens"

    def __repr__(self) -> str:
        return f"OpenAIChatModel({self.model!r}, provider={self.provider!r})"

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[StreamEvent], None]:
        """See `ChatModel.stream`. Usage is estimated when the server reports none."""
        reader = ChunkReader(self._api_key)
        sse = SseReader()
        async with (
            errors_translated(self._api_key, reader),
            self._post(request) as response,
            aclosing(_body_of(response)) as body,
        ):
            if _is_json(response):
                events = reader.read([b"".join([chunk async for chunk in body])])
            else:
                try:
                    async for chunk in body:
                        events = reader.read(sse.feed(chunk))
                        if events:
                            yield events
                        if reader.done:
                            break
                except httpx2.TransportError:
                    if not reader.finish_seen:
                        raise
                events = _last_events(reader, sse)
            yield [*events, self._finished(request, reader)]
            # Reading the end of the body, if it is there, lets the connection be used again.
            with suppress(TimeoutError, httpx2.TransportError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    async for _ in body:
                        pass

    async def complete(self, request: ChatRequest) -> Completion:
        """Return the whole answer; streamed inside, so that both ways cost and fail alike."""
        return await collect(self.stream(request))

    async def list_models(self) -> list[str]:
        """Names of the server's models, sorted. Raises ModelError."""
        async with errors_translated(self._api_key):
            page = await self._client().models.list(timeout=self._timeout)
            return sorted(model.id for model in page.data or [])

    def prepare(self) -> None:
        """Make the running loop's client, whose TLS set-up would hold up the first answer."""
        self._client()

    def _client(self) -> openai.AsyncOpenAI:
        return shared_client(self._base_url, self._api_key)

    @asynccontextmanager
    async def _post(self, request: ChatRequest) -> AsyncIterator[httpx2.Response]:
        body = request_body(request, self.model, limit_field=self._limit_field)
        # The body goes in whole as `extra_body`: the client would otherwise walk every message of
        # the history to rename fields that already have their wire names.
        call = self._client().chat.completions.with_streaming_response.create(
            model=body["model"],
            messages=[],
            stream=True,
            extra_body=body,
            extra_headers={"Accept": "text/event-stream", "Accept-Encoding": "identity"},
            timeout=self._timeout,
        )
        async with call as response:
            yield response.http_response

    def _finished(self, request: ChatRequest, reader: ChunkReader) -> Finished:
        end = reader.end()
        if end.usage is not None:
            return end
        usage = estimate_usage(request, reader.text_chars, reader.reasoning_chars)
        return replace(end, usage=usage)


@asynccontextmanager
async def errors_translated(api_key: str, reader: ChunkReader | None = None) -> AsyncIterator[None]:
    """Turn what the client and the network raise into ModelError."""
    try:
        yield
    except openai.APIStatusError as error:
        headers = {name.lower(): value for name, value in error.response.headers.items()}
        raise error_from_response(error.status_code, error.body, headers, api_key) from error
    except (openai.APIConnectionError, httpx2.TransportError) as error:
        raise _network_error(error, reader) from error
    except EventTooLongError as error:
        raise ModelError("invalid_response", detail=str(error)) from error
    except (openai.OpenAIError, httpx2.DecodingError, httpx2.InvalidURL) as error:
        detail = detail_for_log(type(error).__name__, str(error), api_key)
        raise ModelError("invalid_response", detail=detail) from error
    except UnicodeError as error:
        # Half a surrogate pair in a text, or a key that no header can carry.
        raise ModelError("bad_request", detail=type(error).__name__) from error


def shared_client(base_url: str, api_key: str) -> openai.AsyncOpenAI:
    """The running loop's client for this server and key, made on first use."""
    loop = asyncio.get_running_loop()
    with _clients_lock:
        clients = _clients.setdefault(loop, {})
        client = clients.get((base_url, api_key))
        if client is None:
            client = clients[base_url, api_key] = _new_client(base_url, api_key)
        return client


async def close_clients() -> None:
    """Close the running loop's clients and their connections; later calls make new ones."""
    with _clients_lock:
        clients = _clients.pop(asyncio.get_running_loop(), {})
    for client in clients.values():
        await client.close()


def _new_client(base_url: str, api_key: str) -> openai.AsyncOpenAI:
    http_client = openai.DefaultAioHttpClient(
        limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=100),
        # A proxy cannot reach this machine's own demo model.
        trust_env=urlsplit(base_url).hostname not in _LOOPBACK,
    )
    return openai.AsyncOpenAI(
        api_key=api_key, base_url=base_url, max_retries=0, http_client=http_client
    )


def _body_of(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    # We ask for no compression; `aiter_bytes` would cost a decoder per read for nothing.
    return (
        response.aiter_bytes() if "content-encoding" in response.headers else response.aiter_raw()
    )


def _is_json(response: httpx2.Response) -> bool:
    """Whether the server answered at once instead of streaming. Raises ModelError for a page."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/html":
        detail = "a web page instead of an answer; is the base URL right?"
        raise ModelError("invalid_response", retryable=False, detail=detail)
    return kind == "application/json"


def _last_events(reader: ChunkReader, sse: SseReader) -> list[StreamEvent]:
    """Events of a last block that has no blank line after it; half a block is no event."""
    try:
        return reader.read(sse.flush())
    except ModelError as error:
        if error.code == "invalid_response":
            return []
        raise


def _network_error(error: Exception, reader: ChunkReader | None) -> ModelError:
    detail = f"{type(error).__name__}: {_cause_name(error)}"
    if _is_timeout(error):
        return ModelError("timeout", detail=detail)
    was_answering = reader is not None and reader.text_chars > 0
    return ModelError("connection", CUT_OFF if was_answering else "", detail=detail)


def _is_timeout(error: BaseException | None) -> bool:
    """Whether time ran out somewhere below.

    Asked of the causes, because the aiohttp transport reports a server that hung up before its
    answer as a connect time-out, too.
    """
    while error is not None:
        if isinstance(error, TimeoutError):
            return True
        error = error.__cause__
    return False


def _cause_name(error: Exception) -> str:
    cause: Any = error.__cause__
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    return type(cause).__name__ if cause is not None else str(error)
