"""Files of messages: attached, counted, told to models, and served to those who may see them."""

import base64
import json
import re
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient, Client

from agents_app.errors import StoredFileNotFound
from agents_app.models import StoredFile
from agents_app.providers.parts import ChatMessage, FilePart, Part, TextPart
from agents_app.providers.scripted import ScriptedModel
from agents_app.services.files import get_file, store_file
from chat_app.models import Message, Thread, Turn
from chat_app.runtime.context import build_request
from chat_app.services.attachments import INLINE_BYTES
from chat_app.services.conversation import continue_thread, send_agent_message
from chat_app.services.messages import (
    delete_by_order,
    delete_messages,
    save_messages,
    update_message,
)
from chat_app.services.revising import edit_message
from chat_app.services.threads import delete_thread, purge_thread
from chat_app.types import MessageDraft
from one_project.accounts.services.organisations import add_member
from one_project.common.tenancy import in_tenant
from tests.agents.test_files import PNG
from tests.chat.test_engine import ended, running_engine, wait_until
from tests.people import World

HTMX = {"HX-Request": "true"}
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.fixture
def alice(world: World, client: Client) -> Client:
    client.force_login(world.alice)
    return client


def keep(world: World, data: bytes = b"tea", name: str = "a.txt", by: Any = None) -> StoredFile:
    return store_file(world.organisation, data, filename=name, created_by=by or world.alice)


def uses(world: World) -> dict[str, int]:
    with in_tenant(world.organisation.pk):
        return dict(StoredFile.objects.values_list("filename", "refcount"))


def say(thread: Thread, world: World, *files: StoredFile, text: str = "Look") -> Message:
    message, _ = send_agent_message(
        thread, content=text, author=world.alice, answer=False, files=[row.pk for row in files]
    )
    return message


def upload(name: str, data: bytes = b"tea") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type="text/html")


# The composer


def test_chosen_files_become_chips_and_go_with_the_message(world: World, alice: Client) -> None:
    thread = world.thread()
    assert 'name="upload"' in alice.get(f"/chat/{thread.pk}/").content.decode()
    form = {"upload": [upload("my <b>.txt"), upload("b.png", PNG)]}
    html = alice.post(f"/chat/{thread.pk}/files/", form, headers=HTMX).content.decode()
    assert "my &lt;b&gt;.txt" in html
    assert 'hx-swap-oob="true"' in html
    ids = re.findall(r'name="file" value="([^"]+)"', html)
    assert len(ids) == 2
    assert uses(world) == {"my <b>.txt": 0, "b.png": 0}
    said = {"text": "Look", "file": ids}
    html = alice.post(f"/chat/{thread.pk}/messages/", said, headers=HTMX).content.decode()
    # The list of the composer is empty again.
    assert re.search(r'<ul id="attached"[^>]*>\s*</ul>', html)
    assert 'loading="lazy"' in html
    assert 'alt="b.png"' in html
    message = Message.objects.get(kind="user")
    assert [part["type"] for part in message.content] == ["text", "file", "file"]
    assert message.text == "Look"
    assert uses(world) == {"my <b>.txt": 1, "b.png": 1}


def test_a_thread_begins_with_files_and_programs_get_ids(world: World, alice: Client) -> None:
    answer = alice.post(
        "/chat/files/", {"upload": upload("a.txt")}, headers={"Accept": "application/json"}
    )
    [file] = answer.json()["files"]
    form = {"text": "Hi", "agent": str(world.agent.pk), "file": file["file_id"]}
    assert alice.post("/chat/", form).status_code == 303
    assert uses(world) == {"a.txt": 1}


def test_what_was_attached_stays_when_sending_is_refused(world: World, alice: Client) -> None:
    thread = world.thread()
    row = keep(world)
    for path in (f"/chat/{thread.pk}/messages/", "/chat/"):
        form = {"text": "", "file": str(row.pk), "agent": str(world.agent.pk)}
        refused = alice.post(path, form)
        assert refused.status_code == 422
        assert f'name="file" value="{row.pk}"' in refused.content.decode()
        # The page that asked by itself keeps its own: only a notice comes.
        notice = alice.post(path, form, headers=HTMX).content.decode()
        assert 'id="attached"' not in notice
    assert uses(world) == {"a.txt": 0}


def test_without_javascript_the_form_brings_the_files(world: World, alice: Client) -> None:
    thread = world.thread()
    form = {"text": "Look", "upload": [upload("a.txt"), upload("b.txt", b"two")]}
    assert alice.post(f"/chat/{thread.pk}/messages/", form).status_code == 303
    assert uses(world) == {"a.txt": 1, "b.txt": 1}


def test_too_large_and_too_many_are_said(world: World, alice: Client, settings: Any) -> None:
    settings.ONE_FILE_MAX_BYTES = 3
    form = {"upload": [upload("a.txt"), upload("big.txt", b"four")]}
    html = alice.post("/chat/files/", form, headers=HTMX).content.decode()
    assert html.count('name="file"') == 1
    assert "big.txt: This file is too large" in html
    many = {"upload": upload("a.txt"), "file": [str(uuid4())] * 10}
    assert alice.post("/chat/files/", many, headers=HTMX).status_code == 422
    said = {"text": "x", "upload": upload("big.txt", b"four")}
    assert alice.post(f"/chat/{world.thread().pk}/messages/", said).status_code == 422
    eleven = [uuid4() for _ in range(11)]
    with pytest.raises(Exception, match="10 files at most"):
        send_agent_message(world.thread(), content="x", author=world.alice, files=eleven)


def test_only_own_files_and_those_of_seen_threads_can_be_attached(
    world: World, client: Client
) -> None:
    row, foreign = keep(world), store_file(world.elsewhere, b"x", filename="x")
    thread = world.thread(world.bob)
    client.force_login(world.bob)
    for wanted in (row.pk, foreign.pk, uuid4(), "../../x"):
        form = {"text": "Look", "file": str(wanted)}
        assert client.post(f"/chat/{thread.pk}/messages/", form).status_code == 404
    say(world.thread(), world, row)  # a thread that Bob does not see
    with pytest.raises(StoredFileNotFound):
        continue_thread(thread, user=world.bob, message="Look", files=[row.pk])
    say(thread, world, row)
    continue_thread(thread, user=world.bob, message="Look", files=[row.pk])
    assert uses(world) == {"a.txt": 3}
    assert Message.objects.filter(author=world.bob).count() == 1


def test_a_thread_of_another_organisation_of_mine_takes_its_own_files(
    world: World, alice: Client
) -> None:
    add_member(world.elsewhere, user=world.alice)
    thread = world.thread()
    row = store_file(world.elsewhere, b"x", filename="x", created_by=world.alice)
    form = {"text": "Look", "file": str(row.pk)}
    assert alice.post(f"/chat/{thread.pk}/messages/", form).status_code == 404


# Large data of programs


def test_large_inline_data_is_stored_and_the_limit_itself_stays(world: World) -> None:
    thread = world.thread()
    fits, large = b"\xff" * INLINE_BYTES, b"\xff" * (INLINE_BYTES + 1)
    url = "data:image/png;base64," + base64.b64encode(PNG + large).decode()
    parts: list[Part] = [
        TextPart("See"),
        FilePart("audio/mpeg", data=fits, filename="fits.mp3"),
        FilePart("audio/mpeg", data=large, filename="large.mp3"),
        FilePart("image/png", url=url, filename="cat.png"),
        FilePart("image/png", url="https://x.test/a.png"),
    ]
    draft = MessageDraft(kind="user", author=world.alice, parts=parts)
    [message] = save_messages(thread, [draft])
    kept = [part for part in message.parts if isinstance(part, FilePart)]
    assert [(part.data is not None, part.file_id is not None) for part in kept] == [
        (True, False), (False, True), (False, True), (False, False),
    ]  # fmt: skip
    assert [part.size for part in kept[1:3]] == [len(large), len(PNG + large)]
    assert kept[2].media_type == "image/png"
    assert get_file(world.organisation.pk, kept[1].file_id or "", inline=True).data == large
    assert uses(world) == {"large.mp3": 1, "cat.png": 1}
    other = world.elsewhere
    foreign = str(store_file(other, b"x", filename="x").pk)
    for wanted in (foreign, (kept[1].file_id or "").upper(), "no id"):
        odd = FilePart("text/plain", file_id=wanted)
        with pytest.raises(StoredFileNotFound):
            save_messages(thread, [MessageDraft(kind="user", parts=[odd])])


# Counting


def test_each_message_is_one_use_and_gives_it_back(world: World) -> None:
    row, thread = keep(world), world.thread()
    first, second, third = (say(thread, world, row) for _ in range(3))
    assert uses(world) == {"a.txt": 3}
    delete_messages(thread, [first.pk])
    delete_messages(thread, [first.pk])
    assert uses(world) == {"a.txt": 2}
    update_message(thread, second.pk, parts=[TextPart("without")])
    assert uses(world) == {"a.txt": 1}
    delete_by_order(thread, start=(third.order, 0), end=(third.order + 1, 0))
    assert uses(world) == {"a.txt": 0}


def test_a_changed_question_keeps_its_files_and_the_purge_releases_all(world: World) -> None:
    row, thread = keep(world), world.thread()
    message = say(thread, world, row)
    edit_message(thread, message, user=world.alice, text="Look again")
    new = Message.objects.get(supersedes=message)
    assert [part.file_id for part in new.parts if isinstance(part, FilePart)] == [str(row.pk)]
    assert uses(world) == {"a.txt": 2}
    delete_thread(thread, user=world.alice)
    assert uses(world) == {"a.txt": 2}
    purge_thread(thread.pk)
    assert uses(world) == {"a.txt": 0}


# What the model is told


def test_the_request_has_pictures_and_the_text_of_files(world: World) -> None:
    thread = world.thread()
    picture, note = keep(world, PNG, "cat.png"), keep(world, b"Bring milk.", "note.txt")
    say(thread, world, picture, note, text="Before")
    turn = continue_thread(thread, user=world.alice, message="Now", files=[picture.pk])
    before, now = build_request(Turn.objects.get(pk=turn.pk)).messages[1:]
    assert before.parts[0] == TextPart("Before")
    assert isinstance(before.parts[1], FilePart)
    assert before.parts[2] == TextPart("\n\nFile note.txt: Bring milk.\n")
    assert [part.data for part in now.parts if isinstance(part, FilePart)] == [PNG]
    assert "data" not in json.dumps(now.to_json())


def test_of_earlier_pictures_the_newest_are_shown_again(world: World) -> None:
    thread = world.thread()
    for number in range(9):
        say(thread, world, keep(world, PNG + bytes([number]), f"{number}.png"))
    turn = continue_thread(thread, user=world.alice, message="Now")
    told = build_request(Turn.objects.get(pk=turn.pk)).messages[1:-1]
    shown = [any(isinstance(part, FilePart) for part in one.parts) for one in told]
    assert shown == [False] + [True] * 8


@pytest.mark.django_db(transaction=True)
def test_a_picture_reaches_the_model(committed_world: World) -> None:
    world = committed_world
    picture = keep(world, PNG, "cat.png")
    broken = keep(world, b"%PDF-1.7 nothing", "a.pdf")
    model = ScriptedModel(["A cat."])
    with running_engine(model):
        turn = continue_thread(
            world.thread(), user=world.alice, message="What?", files=[picture.pk, broken.pk]
        )
        wait_until(ended(turn))
    turn.refresh_from_db()
    assert turn.status == "success"
    question: ChatMessage = model.requests[0].messages[-1]
    [part] = [part for part in question.parts if isinstance(part, FilePart)]
    assert (part.is_image, part.data) == (True, PNG)
    assert "File a.pdf: it could not be read." in question.plain_text


# Serving


def served(world: World, data: bytes, name: str) -> tuple[str, Thread]:
    thread = world.thread(world.bob)
    message = say(thread, world, row := keep(world, data, name))
    return f"/chat/{thread.pk}/messages/{message.pk}/files/{row.pk}/", thread


def test_files_are_served_to_people_of_the_thread_as_attachments(
    world: World, client: Client
) -> None:
    path, _ = served(world, b"<script>alert(1)</script>", 'é "q"; x.html')
    client.force_login(world.bob)
    answer = client.get(path)
    assert answer.getvalue() == b"<script>alert(1)</script>"
    headers = answer.headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == (
        "attachment; filename*=utf-8''%C3%A9%20%22q%22%3B%20x.html"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"].startswith("private")
    assert client.get(f"{path}picture/").status_code == 404
    for person in (world.charlie, world.adam):
        client.force_login(person)
        assert client.get(path).status_code == 404
        assert client.get(f"{path}picture/").status_code == 404


def test_a_file_is_found_in_its_own_message_only(world: World, alice: Client) -> None:
    path, thread = served(world, b"tea", "a.txt")
    other = say(thread, world, text="nothing here")
    [_, _, _, _, message, _, file, _] = path.split("/")
    assert alice.get(path).getvalue() == b"tea"
    assert alice.get(path.replace(message, str(other.pk))).status_code == 404
    assert alice.get(path.replace(file, str(uuid4()))).status_code == 404


def test_pictures_are_shown_as_what_they_are_and_nothing_else_is(
    world: World, alice: Client
) -> None:
    path, _ = served(world, PNG, "evil.svg")
    answer = alice.get(f"{path}picture/")
    assert answer.getvalue() == PNG
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    path, thread = served(world, SVG, "a.png")
    assert alice.get(f"{path}picture/").status_code == 404
    page = alice.get(f"/chat/{thread.pk}/").content.decode()
    assert "<img" not in page
    assert f'href="{path}"' in page


@pytest.mark.django_db(transaction=True)
def test_the_server_streams_a_file(committed_world: World) -> None:
    data = b"0123456789" * 60_000
    path, _ = served(committed_world, data, "a.bin")

    async def fetch() -> bytes:
        client = AsyncClient()
        await client.aforce_login(committed_world.bob)
        answer: Any = await client.get(path)
        assert answer.headers["Content-Length"] == str(len(data))
        return b"".join([piece async for piece in answer.streaming_content])

    assert async_to_sync(fetch)() == data
