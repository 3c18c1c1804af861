"""The sockets: who may open one, what it is sent, and that nothing missed stays missing."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.test import override_settings

from agents_app.providers.parts import TextPart
from chat_app.live import hub as hub_module
from chat_app.live import records
from chat_app.models import Thread, Turn
from chat_app.services.conversation import continue_thread, send_agent_message
from chat_app.services.threads import delete_thread, mark_read, remove_participant
from chat_app.services.turns import Checkpoint, Outcome, checkpoint_turns, finish_turn
from one_project.accounts.models import Membership, User
from one_project.asgi import application
from tests.chat.answering import begin
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)

ORIGIN = "http://testserver"


@pytest.fixture(autouse=True)
async def hub() -> AsyncIterator[None]:
    """Each test has an event loop, and so a hub, of its own."""
    yield
    await hub_module.get_hub().close()


def session_of(user: User) -> SessionStore:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return session


def socket(
    path: str, user: User | None, origin: str | None = ORIGIN, host: str = "testserver"
) -> WebsocketCommunicator:
    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    if user is not None:
        cookie = f"{settings.SESSION_COOKIE_NAME}={session_of(user).session_key}"
        headers.append((b"cookie", cookie.encode()))
    return WebsocketCommunicator(application, path, headers=headers)


async def open_socket(path: str, user: User) -> WebsocketCommunicator:
    communicator = await sync_to_async(socket)(path, user)
    connected, _ = await communicator.connect(timeout=5)
    assert connected
    return communicator


async def refused(communicator: WebsocketCommunicator) -> bool:
    connected, _ = await communicator.connect(timeout=5)
    return not connected


async def received(communicator: WebsocketCommunicator, kind: str) -> tuple[list[str], str]:
    """The next record of ``kind``; others are passed over."""
    while True:
        text = await communicator.receive_from(timeout=5)
        for record in text.split("\x1e"):
            header, _, body = record.partition("\n")
            if header.split()[0] == kind:
                return header.split(), body


def path_of(thread: Thread) -> str:
    return f"/ws/threads/{thread.pk}/"


async def test_anonymous_people_and_outsiders_get_no_socket(committed_world: World) -> None:
    world = committed_world
    thread = await sync_to_async(world.thread)()
    assert await refused(socket(path_of(thread), None))
    assert await refused(socket("/ws/inbox/", None))
    for person in (world.charlie, world.bob, world.adam):
        assert await refused(await sync_to_async(socket)(path_of(thread), person))
    missing = await sync_to_async(socket)(f"/ws/threads/{uuid4()}/", world.alice)
    assert await refused(missing)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.test", "testserver"),
        (None, "testserver"),
        ("null", "testserver"),
        ("http://testserver.evil.test", "testserver"),
        ("http://testserver:81", "testserver"),
        ("http://evil.test", "evil.test"),
        ("file://testserver", "testserver"),
        ("http://[", "testserver"),
    ],
)
async def test_pages_of_other_sites_get_no_socket(
    committed_world: World, origin: str | None, host: str
) -> None:
    world = committed_world
    assert await refused(await sync_to_async(socket)("/ws/inbox/", world.alice, origin, host))


async def test_a_durable_change_reaches_every_viewer_once(committed_world: World) -> None:
    world = committed_world
    thread = await sync_to_async(world.thread)(world.bob)
    first = await open_socket(path_of(thread), world.alice)
    second = await open_socket(path_of(thread), world.bob)
    await sync_to_async(send_agent_message)(thread, content="Hello there", author=world.alice)
    for viewer in (first, second):
        header, body = await received(viewer, "s")
        assert header == ["s", str(thread.seq + 1), str(thread.seq)]
        assert "Hello there" in body
        await viewer.disconnect()


async def test_a_viewer_is_given_what_it_missed(committed_world: World) -> None:
    world = committed_world
    thread = await sync_to_async(world.thread)()
    await sync_to_async(send_agent_message)(thread, content="While away", author=world.alice)
    viewer = await open_socket(path_of(thread), world.alice)
    await viewer.send_to(json.dumps({"type": "sync", "seq": thread.seq, "streams": {}}))
    header, body = await received(viewer, "s")
    assert header == ["s", str(thread.seq + 1), str(thread.seq)]
    assert "While away" in body
    await viewer.disconnect()


async def test_a_lost_message_is_noticed_without_a_following_one(
    committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = committed_world
    monkeypatch.setattr(hub_module, "COMPARE_EVERY", 0.05)
    thread = await sync_to_async(world.thread)()
    viewer = await open_socket(path_of(thread), world.alice)
    await viewer.send_to(json.dumps({"type": "sync", "seq": thread.seq, "streams": {}}))
    monkeypatch.setattr("one_project.common.publish.publish", lambda channel, payload: None)
    await sync_to_async(send_agent_message)(thread, content="Unheard", author=world.alice)
    _, body = await received(viewer, "s")
    assert "Unheard" in body
    await viewer.disconnect()


def running_turn(world: World, partial: str, number: int) -> Turn:
    turn = continue_thread(world.thread(), user=world.alice, message="Hi")
    begun, _ = begin(turn)
    checkpoint_turns([Checkpoint(turn.pk, 1, partial, number)])
    return begun


async def test_a_late_viewer_is_given_the_checkpoint_when_the_replay_is_gone(
    committed_world: World,
) -> None:
    turn = await sync_to_async(running_turn)(committed_world, "Half an **answer**", 7)
    viewer = await open_socket(path_of(turn.thread), committed_world.alice)
    await viewer.send_to(json.dumps({"type": "sync", "seq": 99, "streams": {"0-1": [1, 3]}}))
    header, body = await received(viewer, "r")
    assert header == ["r", "0-1", "1", "7"]
    assert "<strong>answer</strong>" in body
    await viewer.disconnect()


async def test_a_viewer_is_given_only_the_records_after_its_own(committed_world: World) -> None:
    import redis.asyncio

    turn = await sync_to_async(running_turn)(committed_world, "one two", 2)
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    for number, text in enumerate(["one", " two", " three", " four"], start=1):
        payload = records.streaming("d", "0-1", 1, number, text)
        await client.xadd(records.replay_key(turn.pk, 1), {"p": payload}, id=f"{number}-0")
    await client.aclose()
    viewer = await open_socket(path_of(turn.thread), committed_world.alice)
    await viewer.send_to(json.dumps({"type": "sync", "seq": 99, "streams": {"0-1": [1, 3]}}))
    text = await viewer.receive_from(timeout=5)
    assert text == "d 0-1 1 4\n four"
    await viewer.disconnect()


async def test_the_finished_answer_is_sent_as_the_page_shows_it(committed_world: World) -> None:
    turn = await sync_to_async(running_turn)(committed_world, "Half", 2)
    viewer = await open_socket(path_of(turn.thread), committed_world.alice)
    outcome = Outcome(parts=[TextPart("Whole *answer*")])
    await sync_to_async(finish_turn)(turn, outcome)
    _, body = await received(viewer, "s")
    assert "<em>answer</em>" in body
    assert 'data-status="success"' in body
    await viewer.disconnect()


@pytest.mark.parametrize("end", ["participant", "membership", "thread", "session"])
async def test_a_socket_closes_when_its_rights_end(
    committed_world: World, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = committed_world
    monkeypatch.setattr("chat_app.consumers.RECHECK_EVERY", 0.05)
    thread = await sync_to_async(world.thread)(world.bob)
    viewer = await open_socket(path_of(thread), world.bob)

    def take_away() -> None:
        match end:
            case "participant":
                remove_participant(thread, user=world.alice, person=world.bob)
            case "membership":
                Membership.objects.filter(user=world.bob).update(is_active=False)
            case "thread":
                delete_thread(thread, user=world.alice)
            case "session":
                SessionStore.get_model_class().objects.all().delete()

    await sync_to_async(take_away)()
    header, _ = await received(viewer, "x")
    assert header == ["x", "gone"]
    closed = await viewer.receive_output(timeout=5)
    assert (closed["type"], closed["code"]) == ("websocket.close", 4404)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "null",
        '"x"',
        "{",
        '{"type": "sync"}',
        '{"type": "sync", "seq": -1, "streams": []}',
        '{"type": "sync", "seq": 1e400, "streams": {"a": [1]}}',
        '{"type": "sync", "seq": "1", "streams": {"a": ["x", null]}}',
        '{"type": "read", "seq": 99999999999999999999999999}',
        '{"type": "ack", "bytes": {}}',
        '{"type": "ack", "bytes": NaN}',
        '{"type": 3}',
        "x" * 70_000,
        "nested",
    ],
)
async def test_nothing_a_client_sends_breaks_the_socket(committed_world: World, text: str) -> None:
    world = committed_world
    thread = await sync_to_async(world.thread)()
    viewer = await open_socket(path_of(thread), world.alice)
    # Made here: pytest trips over a parameter like it.
    await viewer.send_to("[" * 60_000 if text == "nested" else text)
    await sync_to_async(send_agent_message)(thread, content="Still here", author=world.alice)
    _, body = await received(viewer, "s")
    assert "Still here" in body
    await viewer.disconnect()


async def test_reading_is_kept_and_tells_only_the_reader(committed_world: World) -> None:
    world = committed_world
    thread = await sync_to_async(world.thread)(world.bob)
    await sync_to_async(send_agent_message)(thread, content="News", author=world.alice)
    inbox = await open_socket("/ws/inbox/", world.bob)
    viewer = await open_socket(path_of(thread), world.bob)
    await viewer.send_to(json.dumps({"type": "read", "seq": thread.seq + 1}))
    await received(inbox, "i")
    participant = await thread.participants.aget(user=world.bob)
    assert participant.read_seq == thread.seq + 1
    await sync_to_async(mark_read)(thread, user=world.bob, seq=0)
    await participant.arefresh_from_db()
    assert participant.read_seq == thread.seq + 1
    await viewer.disconnect()
    await inbox.disconnect()


@override_settings(REDIS_URL="redis://127.0.0.1:1/0")
async def test_without_redis_viewers_are_brought_up_to_date_from_the_rows(
    committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "COMPARE_EVERY_WITHOUT_REDIS", 0.05)
    monkeypatch.setattr("one_project.common.publish.publish", lambda channel, payload: None)
    turn = await sync_to_async(running_turn)(committed_world, "From the row", 3)
    viewer = await open_socket(path_of(turn.thread), committed_world.alice)
    header, body = await received(viewer, "r")
    assert (header[3], "From the row" in body) == ("3", True)
    await viewer.disconnect()


class SlowSocket:
    """A socket whose network takes nothing until it is released."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.changed = asyncio.Event()
        self.texts: list[str] = []

    async def send(self, text: str) -> None:
        await self.released.wait()
        self.texts.append(text)
        if "kept" in text:
            self.changed.set()


async def nothing(*_: Any) -> None:
    return None


async def test_a_viewer_that_does_not_keep_up_loses_deltas_but_no_change() -> None:
    slow = SlowSocket()
    viewer = hub_module.Viewer(slow.send, nothing, nothing)
    pump = asyncio.create_task(viewer.pump())
    big = records.streaming("d", "0-1", 1, 1, "x" * 100_000)
    for _ in range(50):
        viewer.give(big)
    viewer.give(records.durable(5, 4, "<p>kept</p>"))
    slow.released.set()
    await asyncio.wait_for(slow.changed.wait(), timeout=5)
    pump.cancel()
    assert sum(map(len, slow.texts)) < 10 * len(big)
