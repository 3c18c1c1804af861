"""An OpenAI-compatible model server that speaks at an exact pace: ``python -m ... PORT``.

Token ``k`` of an answer is ``<k in base 36>.<CLOCK_MONOTONIC microseconds in base 36> ``, so that
whoever receives it knows how old it is. A prompt that ends in ``script <seed> <tokens>`` is
answered with the fixed text of ``script`` instead. One timer serves all streams, and everything
but the token itself is encoded beforehand, so 25,000 tokens/s cost a quarter of a core.
"""

import argparse
import asyncio
import random
import re
import time
from itertools import count
from typing import ClassVar

import uvloop

TICK = 0.001  # seconds
FIRST_TOKEN = 0.2  # seconds from request to first token
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
WORDS = ("river", "stone", "light", "paper", "cloud", "seven", "window", "garden", "copper", "map")

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
DONE = b"data: [DONE]\n\n"
SCRIPT = re.compile(rb"script (\d+) (\d+)")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def base36(value: int) -> str:
    """``value`` (not negative) in base 36."""
    digits = ""
    while value >= 36:
        value, rest = divmod(value, 36)
        digits = DIGITS[rest] + digits
    return DIGITS[value] + digits


def script(seed: int, tokens: int) -> list[str]:
    """The words of a fixed answer; the same for the same arguments, unlike any other seed's."""
    chance = random.Random(seed)
    return [f"{seed}-{place} {chance.choice(WORDS)} " for place in range(tokens)]


class Answer:
    """One stream: its pre-encoded frame and how far it is."""

    __slots__ = ("at", "before", "last", "left", "transport", "words")
    serial: ClassVar = count(1)

    def __init__(self, transport: asyncio.Transport, tokens: int, words: list[str] | None) -> None:
        self.transport = transport
        self.words = words
        self.at, self.left = 0, tokens
        shared = (
            f'data: {{"id":"chatcmpl-{next(self.serial):08d}","object":"chat.completion.chunk",'
            f'"created":{int(time.time())},"model":"paced","system_fingerprint":"fp_0",'
        )
        self.before = f'{shared}"choices":[{{"index":0,"delta":{{"content":"'.encode()
        usage = (
            f'"usage":{{"prompt_tokens":20,"completion_tokens":{tokens},'
            f'"total_tokens":{tokens + 20}}}'
        )
        end = f'{shared}"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}]}}\n\n'
        self.last = f'{end}{shared}"choices":[],{usage}}}\n\n'.encode() + DONE

    def opening(self) -> bytes:
        """The chunk that names the role."""
        return self.before.replace(b'"content":"', b'"role":"assistant","content":"') + AFTER

    def next(self, stamp: str) -> bytes:
        """The next token's chunk."""
        word = f"{base36(self.at)}.{stamp} " if self.words is None else self.words[self.at]
        self.at += 1
        self.left -= 1
        return self.before + word.encode() + AFTER


AFTER = b'"},"finish_reason":null}]}\n\n'


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Pace:
    """All open answers in slots of one tick each; slot after slot says its next token."""

    def __init__(self, rate: int) -> None:
        self.slots: list[set[Answer]] = [set() for _ in range(max(round(1 / rate / TICK), 1))]
        self.open = 0
        self.tick = 0
        self.running = False

    def add(self, answer: Answer) -> None:
        """Say the first token now."""
        loop = asyncio.get_running_loop()
        if not self.running:
            self.running, self.tick = True, int(loop.time() / TICK)
            loop.call_soon(self.run)
        self.open += 1
        self.say(answer, stamp())
        self.slots[self.tick % len(self.slots)].add(answer)

    def run(self) -> None:
        """Catch up with the clock, slot by slot."""
        loop = asyncio.get_running_loop()
        now = int(loop.time() / TICK)
        while self.tick < now:
            self.tick += 1
            slot = self.slots[self.tick % len(self.slots)]
            if not slot:
                continue
            said = stamp()
            ended = [answer for answer in slot if not self.say(answer, said)]
            slot.difference_update(ended)
            self.open -= len(ended)
        self.running = self.open > 0
        if self.running:
            loop.call_at((self.tick + 1) * TICK, self.run)

    def say(self, answer: Answer, said: str) -> bool:
        """Write one token; False when the answer is over or nobody listens."""
        if answer.transport.is_closing():
            return False
        if not answer.left:
            answer.transport.write(chunked(answer.last) + b"0\r\n\r\n")
            return False
        opening = b"" if answer.at else answer.opening()
        answer.transport.write(chunked(opening + answer.next(said)))
        return True


def stamp() -> str:
    return base36(time.monotonic_ns() // 1000)


class Connection(asyncio.Protocol):
    """Reads requests, one after the other, and has the pace answer them."""

    def __init__(self, pace: Pace, tokens: int) -> None:
        self.pace, self.tokens = pace, tokens
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.received, 0, end + 2)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < whole:
                return
            body, self.received = self.received[end + 4 : whole], self.received[whole:]
            self.answer(body)

    def answer(self, body: bytes) -> None:
        """Headers now, the first token in ``FIRST_TOKEN`` seconds."""
        asked = SCRIPT.findall(body)
        words = script(int(asked[-1][0]), min(int(asked[-1][1]), 10_000)) if asked else None
        answer = Answer(self.transport, len(words) if words else self.tokens, words)
        self.transport.write(HEAD)
        asyncio.get_running_loop().call_later(FIRST_TOKEN, self.pace.add, answer)


async def serve(port: int, tokens: int, rate: int) -> None:
    """Serve on loopback until ended."""
    pace = Pace(rate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(pace, tokens), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--tokens", type=int, default=400, help="tokens of an answer")
    parser.add_argument("--rate", type=int, default=50, help="tokens a second of a stream")
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.tokens, given.rate))


if __name__ == "__main__":
    main()
