"""The sockets: a thread of another organisation, and what one hears while things happen there."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID, uuid4

from benchmarks.tenancy.ledger import Ledger
from benchmarks.tenancy.side import Side

WAY: Final = "sockets"
HOST: Final = "127.0.0.1"
WITHIN: Final = 10.0  # seconds
LISTENING: Final = 0.1  # share of the probes


class BySocket:
    def __init__(self, sides: list[Side]) -> None:
        from benchmarks.people import sign_in

        self.sides = sides
        self.sessions = {
            (side.marker, role): sign_in(user).session
            for side in sides
            for role, user in side.people.items()
        }

    def probe_all(self, ledger: Ledger, rng: random.Random, pairs: list[tuple[Side, Side]]) -> None:
        """All in one event loop, which the hub of the sockets belongs to."""
        asyncio.run(self._probe_all(ledger, rng, pairs))

    async def _probe_all(
        self, ledger: Ledger, rng: random.Random, pairs: list[tuple[Side, Side]]
    ) -> None:
        from chat_app.live.hub import get_hub

        try:
            for mine, other in pairs:
                role = rng.choice(list(mine.people))
                if rng.random() < LISTENING:
                    leak = await self._listen(mine, other)
                    ledger.probe(WAY, "what happens in its thread", leak)
                else:
                    leak = await self._knock(mine, role, other)
                    ledger.probe(WAY, f"its thread as {role}", leak)
            for side in self.sides:
                seen = await self._is_shown(side)
                ledger.control(WAY, "its own thread", seen=seen)
        finally:
            await get_hub().close()

    async def _knock(self, mine: Side, role: str, other: Side) -> str:
        found = await self._refusal(mine, role, other.thread.pk)
        missing = await self._refusal(mine, role, uuid4())
        if found is None:
            return "the socket was opened"
        told = f"closed with {found}, what does not exist with {missing}"
        return "" if found == missing else told

    async def _refusal(self, side: Side, role: str, thread_id: UUID) -> Any:
        """The code it is closed with; None: it was opened."""
        communicator = self._communicator(side, role, f"/ws/threads/{thread_id}/")
        connected, code = await communicator.connect(timeout=WITHIN)
        await communicator.disconnect()
        return None if connected else code

    async def _listen(self, mine: Side, other: Side) -> str:
        """Both threads are renamed; what came until one's own new title came has none of it."""
        from chat_app.services.threads import rename_thread
        from one_project.common.database import in_thread

        title = f"Again {random.getrandbits(40)}"
        async with self._open(mine, "owner", f"/ws/threads/{mine.thread.pk}/") as own:
            heard = await self._shown(own)
            for side in (other, mine):
                owner, new = side.people["owner"], f"{side.marker} {title}"
                await in_thread(rename_thread, side.thread, user=owner, title=new)
            while f"{mine.marker} {title}" not in heard:
                heard += await own.receive_from(timeout=WITHIN)
        return "its marker was sent" if other.marker in heard.lower() else ""

    async def _is_shown(self, side: Side) -> bool:
        async with self._open(side, "owner", f"/ws/threads/{side.thread.pk}/") as own:
            return side.marker in (await self._shown(own)).lower()

    async def _shown(self, communicator: Any) -> str:
        """All of the thread, as a page that has nothing is given it."""
        await communicator.send_to(json.dumps({"type": "sync", "seq": 0, "streams": {}}))
        return str(await communicator.receive_from(timeout=WITHIN))

    @asynccontextmanager
    async def _open(self, side: Side, role: str, path: str) -> AsyncIterator[Any]:
        communicator = self._communicator(side, role, path)
        connected, code = await communicator.connect(timeout=WITHIN)
        if not connected:
            raise RuntimeError(f"one's own thread is closed with {code}")
        try:
            yield communicator
        finally:
            await communicator.disconnect()

    def _communicator(self, side: Side, role: str, path: str) -> Any:
        from channels.testing import WebsocketCommunicator
        from django.conf import settings

        from one_project.asgi import application

        cookie = f"{settings.SESSION_COOKIE_NAME}={self.sessions[side.marker, role]}"
        headers = [
            (b"host", HOST.encode()),
            (b"origin", f"http://{HOST}".encode()),
            (b"cookie", cookie.encode()),
        ]
        return WebsocketCommunicator(application, path, headers=headers)
