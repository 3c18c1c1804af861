"""A bare Redis connection for the two hot paths: the worker's writer and the web's subscriber.

redis-py's asyncio client spends more on each command and each message than the rest of a frame's
way costs; here commands are packed and replies parsed by hiredis, and nothing waits for a reply.
Rare commands use redis-py.
"""

import asyncio
import ssl
from typing import Any

import hiredis
from redis.asyncio.connection import parse_url
from redis.exceptions import ConnectionError as RedisConnectionError

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
TIMEOUT = 2.0


def pack(*words: str | bytes | int) -> bytes:
    """One command in Redis' wire format."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return packed


async def open_link(url: str) -> tuple[Reader, Writer]:
    """Connect, authenticate and select the database of ``url`` (redis, rediss or unix).

    Raises OSError or redis' ConnectionError when the server is away or refuses.
    """
    parts: dict[str, Any] = dict(parse_url(url))
    async with asyncio.timeout(TIMEOUT):
        if path := parts.get("path"):
            reader, writer = await asyncio.open_unix_connection(path)
        else:
            secure = ssl.create_default_context() if url.startswith("rediss:") else None
            reader, writer = await asyncio.open_connection(
                parts.get("host", "localhost"), parts.get("port", 6379), ssl=secure
            )
        greeting = _greeting(parts)
        writer.write(b"".join(greeting))
        try:
            await _expect_ok(reader, len(greeting))
        except BaseException:
            writer.close()
            raise
    return reader, writer


def _greeting(parts: dict[str, Any]) -> list[bytes]:
    commands = []
    if password := parts.get("password"):
        user = parts.get("username")
        commands.append(pack("AUTH", user, password) if user else pack("AUTH", password))
    if database := parts.get("db"):
        commands.append(pack("SELECT", database))
    return commands or [pack("PING")]


async def _expect_ok(reader: Reader, count: int) -> None:
    parser = hiredis.Reader()
    while count:
        data = await reader.read(4096)
        if not data:
            raise RedisConnectionError("closed while greeting")
        parser.feed(data)
        while (reply := parser.gets()) is not False:
            if isinstance(reply, Exception):
                raise RedisConnectionError(str(reply))
            count -= 1
