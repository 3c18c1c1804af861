"""The canvas in the browser, without JavaScript and as fragments; and who may see it."""

import pytest
from django.test import Client

from chat_app.conf import CANVAS_LIMIT
from chat_app.models import Canvas, Thread
from chat_app.services.canvas import Editor, create_canvas, rewrite_canvas
from chat_app.services.threads import delete_thread
from tests.people import World

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def thread(world: World) -> Thread:
    return world.thread(world.bob)


@pytest.fixture
def path(thread: Thread) -> str:
    return f"/chat/{thread.pk}/canvas/"


def signed_in(user: object) -> Client:
    client = Client()
    client.force_login(user)  # type: ignore[arg-type]
    return client


def test_a_canvas_is_written_read_and_restored_without_javascript(
    world: World, thread: Thread, path: str
) -> None:
    client = signed_in(world.alice)
    assert "Start writing" in client.get(path).content.decode()
    form = client.get(f"{path}edit/").content.decode()
    assert "hx-post" not in form.split('id="canvas-form"')[1].split("</form>")[0]
    said = {
        "title": "Plan",
        "kind": "markdown",
        "text": "\r\n# Aim\r\n\r\n**Bold** <script>",
        "base_version": "0",
    }
    saved = client.post(f"{path}edit/", said, follow=True)
    assert saved.redirect_chain == [(path, 303)]
    page = saved.content.decode()
    assert "<strong>Bold</strong>" in page
    assert "&lt;script&gt;" in page
    assert "Saved as version 1" in page
    assert Canvas.objects.get().text == "\n# Aim\n\n**Bold** <script>"
    # Browsers drop the first newline of a textarea: there is one more.
    assert ">\n\n# Aim" in client.get(f"{path}edit/").content.decode()

    client.post(f"{path}edit/", {**said, "text": "Gone", "base_version": "1"})
    history = client.get(f"{path}history/").content.decode()
    assert "Version 2" in history
    assert "Version 1" in history
    difference = client.get(f"{path}difference/?old=1&new=2").content.decode()
    assert "<ins>Gone</ins>" in difference
    assert "Taken out, line" in difference
    back = client.post(f"{path}restore/", {"version": "1"}, follow=True).content.decode()
    assert "Version 1 is back, as version 3" in back
    assert Canvas.objects.get().version == 3


def test_code_is_shown_as_code_whatever_is_in_it(world: World, thread: Thread, path: str) -> None:
    text = "def a():\n    return '''```'''\n\n```\n<b>"
    create_canvas(thread.pk, by=Editor(user=world.alice), text=text, kind="code", language="python")
    page = signed_in(world.bob).get(f"/chat/{thread.pk}/").content.decode()
    canvas = page.split('id="canvas"')[1].split("</article>")[0]
    assert '<span class="k">def' in canvas
    assert "<b>" not in canvas
    assert canvas.count("<pre") == 1


def test_a_conflict_keeps_what_was_typed_and_offers_a_choice(
    world: World, thread: Thread, path: str
) -> None:
    create_canvas(thread.pk, by=Editor(user=world.alice), text="Milk\n\nEnd")
    rewrite_canvas(thread.pk, text="Tea\n\nEnd", by=Editor(user=world.bob))
    client = signed_in(world.alice)
    typed = {"text": "Coffee\n\nThe end", "kind": "markdown", "base_version": "1"}

    response = client.post(f"{path}edit/", typed)
    page = response.content.decode()
    assert response.status_code == 409
    assert ">\nCoffee\n\nThe end</textarea>" in page
    assert ">Coffee</ins>" in page
    assert ">Tea</del>" in page
    assert 'name="base_version"\n         value="2"' in page
    fragment = client.post(f"{path}edit/", typed, headers=HTMX)
    assert fragment.status_code == 200
    assert 'id="canvas-desk"' in fragment.content.decode()
    assert Canvas.objects.get().text == "Tea\n\nEnd"

    again = {**typed, "base_version": "2", "conflict_base": "1"}
    client.post(f"{path}edit/", {**again, "theirs": "1"})
    assert Canvas.objects.get().text == "Tea\n\nThe end"
    client.post(f"{path}edit/", {**again, "base_version": "3"})
    assert Canvas.objects.get().text == "Coffee\n\nThe end"
    assert Canvas.objects.get().version == 4


def test_a_merge_is_said(world: World, thread: Thread, path: str) -> None:
    create_canvas(thread.pk, by=Editor(user=world.alice), text="Milk\n\nEnd")
    rewrite_canvas(thread.pk, text="Tea\n\nEnd", by=Editor(user=world.bob))
    typed = {"text": "Milk\n\nThe end", "kind": "markdown", "base_version": "1"}
    page = signed_in(world.alice).post(f"{path}edit/", typed, headers=HTMX).content.decode()
    assert "Saved as version 3, merged with the changes of" in page
    assert "Bob" in page
    assert 'data-version="3"' in page
    assert ">Tea</p>" in page
    assert ">The end</p>" in page


def test_what_is_too_long_stays_in_the_box(world: World, path: str) -> None:
    typed = {"text": "x" * (CANVAS_LIMIT + 1), "kind": "markdown", "base_version": "0"}
    client = signed_in(world.alice)
    page = client.post(f"{path}edit/", typed)
    assert page.status_code == 413
    assert typed["text"] in page.content.decode()
    assert "200,000" in page.content.decode()
    notice = client.post(f"{path}edit/", typed, headers=HTMX)
    assert notice["HX-Retarget"] == "#notices"


def test_a_download_is_a_file_and_nothing_else(world: World, thread: Thread, path: str) -> None:
    by = Editor(user=world.alice)
    create_canvas(thread.pk, by=by, text="<script>1</script>", title='Plan "A"/..\\b')
    client = signed_in(world.bob)
    file = client.get(f"{path}download/")
    assert file["Content-Disposition"] == 'attachment; filename="Plan-A-b.md"'
    assert file["X-Content-Type-Options"] == "nosniff"
    assert file.content == b"<script>1</script>"
    rewrite_canvas(thread.pk, text="x", kind="code", by=by)
    assert client.get(f"{path}download/")["Content-Type"] == "text/plain; charset=utf-8"
    assert client.get(f"{path}download/?version=1").content == b"<script>1</script>"


@pytest.mark.parametrize("part", ["", "edit/", "history/", "difference/", "download/"])
def test_outsiders_and_deleted_threads_get_nothing(
    world: World, thread: Thread, path: str, part: str
) -> None:
    create_canvas(thread.pk, by=Editor(user=world.alice), text="Secret")
    for person in (world.charlie, world.stella):
        assert signed_in(person).get(f"{path}{part}").status_code == 404
    delete_thread(thread, user=world.alice)
    assert signed_in(world.alice).get(f"{path}{part}").status_code == 404


def test_a_canvas_of_another_thread_is_none_of_this(
    world: World, thread: Thread, path: str
) -> None:
    other = world.thread()
    create_canvas(other.pk, by=Editor(user=world.alice), text="Elsewhere")
    client = signed_in(world.bob)
    assert client.get(f"{path}history/").status_code == 404
    assert client.post(f"{path}restore/", {"version": "1"}).status_code == 404
