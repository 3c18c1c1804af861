"""A canvas that is written reaches everybody who looks, at once or when they come back."""

import json

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from chat_app.models import Thread
from chat_app.services.canvas import Editor, create_canvas, edit_canvas
from chat_app.services.conversation import send_agent_message
from tests.chat.test_sockets import hub, open_socket, path_of, received  # noqa: F401
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)


def sheet(html: str) -> str:
    """The article of the canvas and its switch, as HTML."""
    return html[html.index('<article id="canvas"') : html.index("</article>")].strip()


def loaded(world: World, thread: Thread) -> str:
    client = Client()
    client.force_login(world.bob)
    return client.get(f"/chat/{thread.pk}/").content.decode().split('id="canvas-panel"')[1]


async def test_a_written_canvas_reaches_a_second_viewer_as_a_load_shows_it(
    committed_world: World,
) -> None:
    world = committed_world
    thread = await sync_to_async(world.thread)(world.bob)
    viewer = await open_socket(path_of(thread), world.bob)
    alice = Editor(user=world.alice)
    await sync_to_async(create_canvas)(thread.pk, by=alice, text="Buy *milk*", title="Plan")
    header, body = await received(viewer, "s")
    assert header == ["s", str(thread.seq + 1), str(thread.seq)]
    assert sheet(body) == sheet(await sync_to_async(loaded)(world, thread))
    assert "<em>milk</em>" in body
    assert 'id="canvas-switch"' in body
    await sync_to_async(edit_canvas)(thread.pk, old="*milk*", new="tea", by=alice)
    _, body = await received(viewer, "s")
    assert ">Buy tea</p>" in body
    assert 'id="canvas-news"' in body
    assert "saved version 2" in body
    await viewer.disconnect()


async def test_a_viewer_who_was_away_is_given_the_canvas_once(committed_world: World) -> None:
    world = committed_world
    thread = await sync_to_async(world.thread)(world.bob)
    alice = Editor(user=world.alice)
    await sync_to_async(create_canvas)(thread.pk, by=alice, text="First")
    await sync_to_async(edit_canvas)(thread.pk, old="First", new="Second", by=alice)
    viewer = await open_socket(path_of(thread), world.bob)
    await viewer.send_to(json.dumps({"type": "sync", "seq": thread.seq, "streams": {}}))
    header, body = await received(viewer, "s")
    assert header == ["s", str(thread.seq + 2), str(thread.seq)]
    assert "Second" in body
    assert "First" not in body
    await sync_to_async(send_agent_message)(thread, content="Hello", author=world.alice)
    _, body = await received(viewer, "s")
    assert "Hello" in body
    assert "canvas" not in body
    await viewer.disconnect()
