"""People who keep asking while things are killed: they send again, and their pages reconnect."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from benchmarks.http_client import HttpClient
from benchmarks.paced_server import script
from benchmarks.page_view import Article
from benchmarks.people import Room
from benchmarks.socket_clients import Viewer

SEND_AGAIN = 0.3  # seconds
ANSWERED_WITHIN = 120.0  # seconds; later means stuck
INTERRUPTED = 0.25  # seconds without a token after a kill
TOKENS = (150, 250)  # at 50 tokens/s: 3 to 5 s


@dataclass(slots=True)
class Asked:
    """One question. ``accepted`` is when the server said so (monotonic seconds)."""

    thread_id: str
    key: UUID
    text: str
    accepted: float = 0.0
    tries: int = 0


@dataclass(slots=True)
class Kill:
    """When what was killed, and how long each stream it interrupted stood still (seconds).

    ``alone``: those of ``waits`` in which nothing else was killed.
    """

    name: str
    at: float
    waits: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)


class Seat:
    """One person asking one question after the other in one thread."""

    def __init__(self, host: str, room: Room, seed: int) -> None:
        self.room = room
        self.chance = random.Random(seed)
        self.viewer = Viewer(host, room, room.people[0])
        self.viewer.page.on_body = self._said
        self.client = HttpClient(host, room.people[0])
        self.asked: list[Asked] = []
        self.over = asyncio.Event()
        self._next_seed = seed * 100_000
        self._enough = self._streaming = False
        self._waiting: list[Kill] = []

    async def keep_asking(self, end: asyncio.Event) -> None:
        """Ask, wait for the end of the answer, ask again; then keep the page open until ``end``."""
        staying = asyncio.create_task(self.viewer.stay(self.chance))
        try:
            while not self._enough:
                await self._ask()
            self.over.set()
            await end.wait()
        finally:
            staying.cancel()

    def stop_asking(self) -> None:
        """``over`` is set when the present question has its answer."""
        self._enough = True

    def note(self, kill: Kill) -> None:
        """Something was killed; from now on a stream that is open may stand still."""
        if self._streaming:
            self._waiting.append(kill)

    def close(self) -> None:
        self.viewer.close()
        self.client.close()

    async def _ask(self) -> None:
        self._next_seed += 1
        tokens = self.chance.randint(*TOKENS)
        asked = Asked(self.room.thread_id, uuid4(), f"script {self._next_seed} {tokens}")
        self.asked.append(asked)
        finals = self._finals()
        deadline = time.monotonic() + ANSWERED_WITHIN
        while not asked.accepted and time.monotonic() < deadline:
            asked.tries += 1
            await self._post(asked)
        while self._finals() <= finals and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        self._streaming = False
        self._waiting.clear()

    async def _post(self, asked: Asked) -> None:
        """Send with the same key until it is taken: a person who presses Send again."""
        path = f"/chat/{asked.thread_id}/messages/"
        try:
            async with asyncio.timeout(15):
                fields = {"text": asked.text, "client_key": str(asked.key)}
                answer = await self.client.post(path, fields)
        except (OSError, TimeoutError):
            await asyncio.sleep(SEND_AGAIN)
            return
        if answer.status == 200:
            asked.accepted = time.monotonic()
            self.viewer.page.upsert(answer.body.decode())
        else:
            await asyncio.sleep(SEND_AGAIN)

    def _finals(self) -> int:
        articles = self.viewer.page.articles.values()
        return sum(article.kind == "agent" and article.is_final for article in articles)

    def _said(self, article: Article, kind: str, body: str) -> None:
        """More of the answer is on the page: whoever waited since a kill has been helped."""
        if article.kind != "agent":
            return
        self._streaming = not article.is_final
        if not body.strip() and not article.is_final:
            return
        if self._waiting:
            # One outage, however many kills were in it, counts once and from its beginning.
            kill, several = self._waiting[0], len(self._waiting) > 1
            wait = time.monotonic() - kill.at
            if wait >= INTERRUPTED:
                kill.waits.append(wait)
                kill.alone += [] if several else [wait]
            self._waiting.clear()


def expected(text: str) -> str:
    """The answer to ``script <seed> <tokens>``, white space folded."""
    _, seed, tokens = text.split()
    return " ".join("".join(script(int(seed), int(tokens))).split())
