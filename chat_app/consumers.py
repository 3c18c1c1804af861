"""The sockets of the pages: parse, authorise, join the hub, bring up to date.

A socket never changes a conversation; it only reports what was read. What it may see is asked at
the handshake, every minute, and whenever somebody's rights changed.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any
from uuid import UUID

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError

from chat_app.access import access_thread
from chat_app.errors import ThreadNotFound
from chat_app.live import catch_up, records
from chat_app.live.hub import Viewer, get_hub
from chat_app.services.threads import mark_read
from one_project.accounts.models import User
from one_project.common.database import in_thread

RECHECK_EVERY = 60.0
MAX_INCOMING = 64 * 1024
# What an honest page never exceeds: a few reports a second.
INCOMING_PER_SECOND = 20
CLOSE_SIGNED_OUT = 4401
CLOSE_GONE = 4404


class InboxConsumer(AsyncWebsocketConsumer):
    """Tells a signed-in person's page that their list of threads changed."""

    viewer: Viewer | None = None
    channels: tuple[str, ...] = ()
    thread_id: UUID | None = None
    _pump: asyncio.Task[None] | None = None
    _watch: asyncio.Task[None] | None = None
    _budget = float(INCOMING_PER_SECOND)
    _budget_at = 0.0

    async def connect(self) -> None:
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(CLOSE_SIGNED_OUT)
            return
        kwargs = self.scope["url_route"]["kwargs"]
        self.thread_id = kwargs.get("thread_id")
        if not await self._may_see():
            await self.close(CLOSE_GONE)
            return
        await self.accept()
        self.viewer = Viewer(self._send_text, self._update, self._recheck, self.thread_id)
        self.channels = (records.user_channel(user.pk), *self._thread_channels())
        self._pump = asyncio.create_task(self.viewer.pump())
        self._watch = asyncio.create_task(self._watch_rights())
        await get_hub().join(self.viewer, *self.channels)

    def _thread_channels(self) -> tuple[str, ...]:
        return (records.thread_channel(self.thread_id),) if self.thread_id else ()

    async def disconnect(self, code: int) -> None:
        for task in (self._pump, self._watch):
            if task:
                task.cancel()
        if self.viewer:
            get_hub().leave(self.viewer, *self.channels)
            self.viewer.end()

    async def _send_text(self, text: str) -> None:
        # A socket that closes while we write is not an error of ours.
        with suppress(Exception):
            await self.base_send({"type": "websocket.send", "text": text})

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.viewer or not text_data or len(text_data) > MAX_INCOMING or self._too_many():
            return
        try:
            message = orjson.loads(text_data)  # also refuses nesting that would exhaust the stack
        except ValueError:
            return
        if isinstance(message, dict):
            await self.handle(message)

    async def handle(self, message: dict[str, Any]) -> None:
        """Act on one message of the page; unknown ones are ignored."""

    def _too_many(self) -> bool:
        now = time.monotonic()
        earned = (now - self._budget_at) * INCOMING_PER_SECOND
        self._budget = min(self._budget + earned, INCOMING_PER_SECOND) - 1
        self._budget_at = now
        if self._budget < 0:
            self._budget = 0
            return True
        return False

    async def _update(self) -> None:
        """Nothing to catch up with: the page reads its list again."""

    async def _watch_rights(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_EVERY)
            await self._recheck()

    async def _recheck(self) -> None:
        try:
            if await self._may_see():
                return
        except DatabaseError:
            return  # asked again in a minute
        await self._send_text(records.GONE.decode())
        await self.close(CLOSE_GONE)

    async def _may_see(self) -> bool:
        session = self.scope.get("session")
        key = session.session_key if session else None
        return await in_thread(_may_see, self.scope["user"].pk, key, self.thread_id)


def _may_see(user_id: UUID, session_key: str | None, thread_id: UUID | None) -> bool:
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or not (session_key and SessionStore().exists(session_key)):
        return False
    if thread_id is None:
        return True
    try:
        access_thread(user, thread_id)
    except ThreadNotFound:
        return False
    return True


class ThreadConsumer(InboxConsumer):
    """Shows a thread live. The page says what it has; it is given what it misses."""

    _streams: dict[str, tuple[int, int]]

    async def connect(self) -> None:
        self._streams = {}
        await super().connect()

    async def handle(self, message: dict[str, Any]) -> None:
        if self.viewer is None or self.thread_id is None:
            return
        number = _whole(message.get("seq"))
        match message.get("type"):
            case "sync":
                self.viewer.seq = number
                self._streams = _streams(message.get("streams"))
                await self._catch_up(answers=True)
            case "read":
                await in_thread(_mark_read, self.scope["user"].pk, self.thread_id, number)
            case "ack":
                self.viewer.acknowledged = max(
                    self.viewer.acknowledged, _whole(message.get("bytes"))
                )

    async def _update(self) -> None:
        """Bring the page's durable changes to now (records of answers number themselves)."""
        await self._catch_up(answers=False)

    async def _catch_up(self, *, answers: bool) -> None:
        viewer = self.viewer
        if viewer is None or viewer.seq is None or self.thread_id is None:
            return
        try:
            missed = await in_thread(catch_up.missed_since, self.thread_id, viewer.seq)
        except DatabaseError:
            return  # the hub compares again in a moment
        if missed is None:
            await self._recheck()
            return
        if missed.record:
            viewer.give(missed.record)
        viewer.seq = max(viewer.seq, missed.seq)
        for answer in missed.answers if answers else []:
            if payload := await self._missed_records(answer):
                viewer.give(payload)

    async def _missed_records(self, answer: catch_up.OpenAnswer) -> bytes:
        attempt, known = self._streams.get(answer.position, (0, 0))
        if attempt != answer.attempt:
            known = 0
        start = min(known, answer.partial_seq)
        entries = await get_hub().replay(answer.replay, after=start)
        return catch_up.replay_records(entries, answer, known)


def _mark_read(user_id: UUID, thread_id: UUID, seq: int) -> None:
    user = User.objects.get(pk=user_id)
    with suppress(ThreadNotFound):
        mark_read(access_thread(user, thread_id), user=user, seq=seq)


def _whole(value: object) -> int:
    return value if type(value) is int and 0 <= value < 2**62 else 0


def _streams(value: object) -> dict[str, tuple[int, int]]:
    """``{"3-1": [attempt, n]}`` of a page, whatever else it may hold dropped."""
    found: dict[str, tuple[int, int]] = {}
    if isinstance(value, dict):
        for position, pair in list(value.items())[:100]:
            if isinstance(pair, list) and len(pair) == 2:
                found[str(position)] = (_whole(pair[0]), _whole(pair[1]))
    return found
