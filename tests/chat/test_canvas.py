"""The canvas: what agents' tools and people do to it, its versions, its edits, what models see."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents_app.providers.parts import ToolCallPart
from agents_app.providers.scripted import ScriptedModel
from agents_app.tools.definitions import ToolContext, ToolError
from chat_app.builtins.canvas import READ_LIMIT, edit_canvas, read_canvas, rewrite_canvas
from chat_app.conf import CANVAS_LIMIT
from chat_app.errors import CanvasNotFound, CanvasTooLong
from chat_app.models import Canvas, CanvasVersion, Thread, ThreadEdit
from chat_app.runtime.canvas_text import LIMIT
from chat_app.runtime.context import fetch_context
from chat_app.services import canvas as services
from chat_app.services.canvas import Editor, MovedOn, content_of, create_canvas, restore_version
from chat_app.services.canvas_reading import get_difference, get_history
from chat_app.services.canvas_saving import CanvasConflict, save_canvas
from chat_app.services.changes import changing
from chat_app.services.conversation import continue_thread
from chat_app.services.threads import purge_thread
from one_project.common.errors import Conflict, InvalidInput
from tests.chat.test_tools_in_turns import answered
from tests.chat.tools import calls_of, give_tools
from tests.people import World

pytestmark = pytest.mark.django_db

BASE = "# Plan\n\nBuy milk\n\nCall the bank\n\nEnd"


@pytest.fixture
def thread(world: World) -> Thread:
    return world.thread(world.bob)


def begun(thread: Thread, world: World, text: str = BASE) -> Canvas:
    return create_canvas(thread.pk, by=Editor(user=world.alice), text=text, title="Plan")


def of_agent(world: World, thread: Thread) -> ToolContext:
    return ToolContext(
        organisation=world.organisation, user=world.alice, agent=world.agent, thread_id=thread.pk
    )


def use(tool: Any, world: World, thread: Thread, **arguments: Any) -> Any:
    return tool.run(of_agent(world, thread), arguments)


def test_an_agent_begins_reads_and_changes_the_canvas(committed_world: World) -> None:
    world = committed_world
    give_tools(world, "read_canvas", "edit_canvas", "rewrite_canvas")
    whole = ToolCallPart("c1", "rewrite_canvas", {"text": "Buy milk\nCall Bo", "title": "To do"})
    part = ToolCallPart("c3", "edit_canvas", {"old_text": "Bo", "new_text": "the bank"})
    model = ScriptedModel([[whole], [ToolCallPart("c2", "read_canvas", {})], [part], "Done."])

    turn = answered(world, model, "Write a plan")

    assert [(call.name, call.status) for call in calls_of(turn)] == [
        ("rewrite_canvas", "succeeded"),
        ("read_canvas", "succeeded"),
        ("edit_canvas", "succeeded"),
    ]
    canvas = Canvas.objects.get(thread=turn.thread_id)
    assert (canvas.text, canvas.title, canvas.version) == ("Buy milk\nCall the bank", "To do", 2)
    assert [one.author_name for one in canvas.versions.order_by("number")] == ["Guide", "Guide"]
    first, second = canvas.edits.order_by("version")
    assert (first.kind, first.agent, first.message) == ("create", world.agent, turn.prompt)
    assert (second.kind, second.before, second.after, second.position, second.length) == (
        "edit",
        "Buy milk\nCall Bo",
        "Buy milk\nCall the bank",
        len("Buy milk\nCall "),
        len("the bank"),
    )
    told = str(model.requests[-1].messages[0])
    assert "version 2" in told
    assert "Buy milk" in told


@pytest.mark.parametrize(("old", "times"), [("milk!", "not occur"), ("a", "4 times")])
def test_a_passage_must_stand_there_exactly_once(
    world: World, thread: Thread, old: str, times: str
) -> None:
    begun(thread, world, "a bank, a band")
    with pytest.raises(ToolError, match=times):
        use(edit_canvas, world, thread, old_text=old, new_text="x")
    assert Canvas.objects.get().version == 1


def test_tools_say_what_is_wrong(world: World, thread: Thread) -> None:
    with pytest.raises(ToolError, match="no canvas yet"):
        use(read_canvas, world, thread)
    with pytest.raises(ToolError, match="no canvas yet"):
        use(edit_canvas, world, thread, old_text="a", new_text="b")
    nowhere = ToolContext(organisation=world.organisation, user=world.alice)
    with pytest.raises(ToolError, match="no conversation"):
        rewrite_canvas.run(nowhere, {"text": "x"})


def test_a_long_canvas_is_read_in_parts(world: World, thread: Thread) -> None:
    text = "word " * 5_000
    begun(thread, world, text)
    first = use(read_canvas, world, thread)
    second = use(read_canvas, world, thread, start=first["next_start"])
    assert first["next_start"] == READ_LIMIT
    assert second["next_start"] is None
    assert first["text"] + second["text"] == text


def test_the_limit_is_said_and_nothing_is_cut(world: World, thread: Thread) -> None:
    begun(thread, world, "x" * CANVAS_LIMIT)
    by = Editor(user=world.alice)
    with pytest.raises(CanvasTooLong, match="200,000"):
        services.rewrite_canvas(thread.pk, text="x" * (CANVAS_LIMIT + 1), by=by)
    with pytest.raises(CanvasTooLong):
        save_canvas(thread.pk, by=by, text="x" * (CANVAS_LIMIT + 1), base_version=1)
    with pytest.raises(InvalidInput):
        services.rewrite_canvas(thread.pk, text="x", kind="picture", by=by)
    assert Canvas.objects.get().version == 1


def test_every_edit_is_one_change_one_version_and_one_row(world: World, thread: Thread) -> None:
    by = Editor(user=world.bob)
    canvas = begun(thread, world)
    services.edit_canvas(thread.pk, old="milk", new="tea", by=by)
    services.rewrite_canvas(thread.pk, text="print(1)", kind="code", language="Python", by=by)
    restored = restore_version(thread.pk, 1, by=by)

    assert (restored.text, restored.kind, restored.language) == (BASE, "markdown", "")
    versions = list(canvas.versions.order_by("number"))
    assert [one.number for one in versions] == [1, 2, 3, 4]
    assert (versions[2].kind, versions[2].language) == ("code", "python")
    assert versions[3].restored_from == 1
    kinds = list(ThreadEdit.objects.order_by("version").values_list("kind", "actor_name"))
    assert kinds == [("create", "Alice"), ("edit", "Bob"), ("rewrite", "Bob"), ("restore", "Bob")]
    before = thread.seq
    thread.refresh_from_db()
    assert (thread.seq, thread.has_canvas, restored.seq) == (before + 4, True, before + 4)
    assert all(one.organisation_id == world.organisation.pk for one in versions)
    with pytest.raises(Conflict):
        restore_version(thread.pk, 1, by=by)
    with pytest.raises(CanvasNotFound):
        restore_version(thread.pk, 9, by=by)
    with pytest.raises(Conflict):
        begun(thread, world)


def test_a_version_is_written_only_over_the_newest(world: World, thread: Thread) -> None:
    canvas = begun(thread, world)
    stale = Canvas.objects.get()
    services.edit_canvas(thread.pk, old="milk", new="tea", by=Editor(user=world.bob))
    with changing(thread.pk) as change, pytest.raises(MovedOn):
        services.write_version(
            change, stale, content_of(stale), by=Editor(user=world.bob), kind="edit"
        )
    assert canvas.versions.count() == 2


def test_changes_of_different_passages_are_merged(world: World, thread: Thread) -> None:
    begun(thread, world)
    theirs = BASE.replace("milk", "tea")
    save_canvas(thread.pk, by=Editor(user=world.bob), text=theirs, base_version=1, title="Plan")

    mine = BASE.replace("bank", "garage")
    saved = save_canvas(thread.pk, by=Editor(user=world.alice), text=mine, base_version=1,
                        title="Our plan")  # fmt: skip

    assert saved.merged_with == ("Bob",)
    assert saved.canvas.text == theirs.replace("bank", "garage")
    assert (saved.canvas.version, saved.canvas.title) == (3, "Our plan")
    again = save_canvas(
        thread.pk, by=Editor(user=world.bob), text=saved.canvas.text, base_version=3,
        title="Our plan",
    )  # fmt: skip
    assert not again.is_new
    assert CanvasVersion.objects.count() == 3


def test_a_conflict_saves_nothing_and_gives_both_texts(world: World, thread: Thread) -> None:
    begun(thread, world)
    bob, alice = Editor(user=world.bob), Editor(user=world.alice)
    theirs = BASE.replace("milk", "tea")
    save_canvas(thread.pk, by=bob, text=theirs, base_version=1)
    mine = BASE.replace("milk", "coffee").replace("End", "The end")

    with pytest.raises(CanvasConflict) as caught:
        save_canvas(thread.pk, by=alice, text=mine, base_version=1)

    conflict = caught.value
    [passage] = conflict.passages
    assert (passage.mine, passage.theirs) == ("Buy coffee", "Buy tea")
    assert conflict.mine.text == mine
    assert conflict.canvas.text == theirs
    assert Canvas.objects.get().version == 2
    # Theirs in the passage, mine elsewhere.
    taken = save_canvas(thread.pk, by=alice, text=conflict.mine.text, base_version=1,
                        prefer_theirs=True)  # fmt: skip
    assert taken.canvas.text == theirs.replace("End", "The end")
    with pytest.raises(Conflict, match="too old"):
        save_canvas(thread.pk, by=alice, text="x", base_version=77)


def test_two_who_begin_at_once_both_keep_what_they_wrote(world: World, thread: Thread) -> None:
    begun(thread, world, "Mine")
    with pytest.raises(CanvasConflict) as caught:
        save_canvas(thread.pk, by=Editor(user=world.bob), text="Other", base_version=0)
    assert caught.value.mine.text == "Other"


def test_the_history_comes_in_pages_and_tells_differences(world: World, thread: Thread) -> None:
    canvas = begun(thread, world, "0")
    by = Editor(user=world.bob)
    for number in range(1, 40):
        services.rewrite_canvas(thread.pk, text=f"{number}", by=by)
    page = get_history(canvas)
    assert [page.versions[0].number, page.before] == [40, 11]
    rest = get_history(canvas, before=page.before)
    assert [rest.versions[-1].number, rest.before] == [1, None]
    compared = get_difference(canvas, old=1, new=40)
    assert [row.kind for row in compared.difference.rows] == ["old", "new"]
    with pytest.raises(CanvasNotFound):
        get_difference(canvas, old=1, new=41)


def test_recent_edits_are_told_to_the_model_within_bounds(world: World, thread: Thread) -> None:
    asked = fetch_context(thread, agent=None, prompt="Hi")
    assert "canvas" not in str(asked)
    begun(thread, world, "z" * 5_000)
    for number in range(14):
        services.rewrite_canvas(
            thread.pk, text=f"{number}\n" * 2_000, by=Editor(user=world.bob), title="t" * 120
        )
    thread.refresh_from_db()

    [system, *_] = fetch_context(thread, agent=None, prompt="Hi")

    told = str(system)
    assert "version 15" in told
    assert "Version 15, Bob wrote it anew" in told
    assert "Version 5," not in told
    assert len(told) < LIMIT + 200


def test_a_thread_without_a_canvas_costs_no_query_more(world: World, thread: Thread) -> None:
    def asked() -> int:
        fresh = Thread.objects.get(pk=thread.pk)
        with CaptureQueriesContext(connection) as queries:
            fetch_context(fresh, agent=None, prompt="Hi")
        return len(queries)

    without = asked()
    begun(thread, world)
    assert asked() == without + 1


def test_the_canvas_goes_with_its_thread(world: World, thread: Thread) -> None:
    continue_thread(thread, user=world.alice, message="Hi")
    begun(thread, world)
    purge_thread(thread.pk)
    assert not Canvas.objects.exists()
    assert not CanvasVersion.objects.exists()
    assert not ThreadEdit.objects.exists()
