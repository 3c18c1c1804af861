"""Answers that cite: what is kept of their numbers, how the page shows them, who sees what."""

import pytest

from agents_app.models import Citation
from agents_app.providers.events import Usage
from agents_app.providers.parts import TextPart, ToolCallPart
from agents_app.providers.scripted import ScriptedModel
from agents_app.services.citations import offer_passages
from agents_app.services.knowledge import search_knowledge
from agents_app.tools.audience import audience_of
from agents_app.tools.definitions import ToolContext
from chat_app.live.announce import render_message
from chat_app.models import Message, Turn
from chat_app.runtime.context import fetch_context
from chat_app.runtime.markers import checked_markers
from chat_app.services.conversation import continue_thread
from chat_app.services.messages import delete_messages, save_messages
from chat_app.services.threads import delete_thread, purge_deleted_threads
from chat_app.services.turns import Outcome, finish_turn
from chat_app.types import MessageDraft
from one_project.common.tenancy import in_tenant
from tests.chat.answering import begin
from tests.chat.test_engine import ask, ended, running_engine, wait_until
from tests.chat.tools import calls_of, give_tools
from tests.knowledge.chunks import make_collection, make_document
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "kept", "used"),
    [
        ("Five days [1].", "Five days [1].", [1]),
        ("Five days[2][1], [1, 2].", "Five days[2][1], [1, 2].", [2, 1]),
        ("Five days [7]. Or [1, 7; 2]", "Five days. Or [1, 2]", [1, 2]),
        ("According to [1]: **so [2]**", "According to [1]: **so [2]**", [1, 2]),
        ("`a[7]` and\n\n```\nb[9] = a[1]\n```\n[7]", "`a[7]` and\n\n```\nb[9] = a[1]\n```\n", []),
        ("\n    indented[7]\n\ntext [7]", "\n    indented[7]\n\ntext", []),
        ("[7](https://a.test/) ![8](https://a.test/x.png)",
         "[7](https://a.test/) ![8](https://a.test/x.png)", []),
        ("| a [1] | b [9] |\n|---|---|\n| `[9]` | |",
         "| a [1] | b |\n|---|---|\n| `[9]` | |", [1]),
        ("- [ ] do\n- [x] done [0]", "- [ ] do\n- [x] done", []),
    ],
)  # fmt: skip
def test_only_offered_numbers_outside_of_code_are_kept(
    text: str, kept: str, used: list[int]
) -> None:
    assert checked_markers(text, {1, 2}) == (kept, used)


@pytest.fixture
def turn(world: World) -> Turn:
    thread = world.thread(world.bob)
    return continue_thread(thread, user=world.alice, message="How are refunds paid?")


def offer(world: World, turn: Turn, query: str = "refunds") -> list[int]:
    found = search_knowledge(world.organisation, user=world.alice, query=query)
    return offer_passages(world.organisation.pk, turn.pk, found)


def answer(turn: Turn, text: str) -> Message:
    held, work = begin(turn)
    assert finish_turn(held, Outcome(parts=[TextPart(text)], usage=Usage()), work)
    return Message.objects.get(pk=turn.message_id)


def test_an_answer_keeps_its_sources_and_the_page_opens_them(world: World, turn: Turn) -> None:
    shelf = make_collection(world.organisation, world.alice, shared=True)
    title = 'Refunds <b>"& more"'
    document = make_document(shelf, title, "Nothing.", "Refunds take five days.")
    assert offer(world, turn)[0] == 1
    message = answer(turn, "Five days [1], surely [3]. `x[1]`")
    assert message.text == "Five days [1], surely. `x[1]`"
    [source] = message.sources
    assert source["document_id"] == str(document.pk)
    assert (source["n"], source["version"], source["page"]) == (1, 1, 2)
    assert source["quote"] == "Refunds take five days."
    html = render_message(message)
    place = f"/knowledge/documents/{document.pk}/?version=1&amp;page=2&amp;from=0&amp;to=23#passage"
    # One in the text, one in the list; none in the code.
    assert html.count(f'href="{place}"') == 2
    assert 'aria-label="Source 1: Refunds &lt;b&gt;&quot;&amp; more&quot;, page 2"' in html
    assert ">[1]</a>" in html
    assert "<code>x[1]</code>" in html
    assert "<b>" not in html
    assert "Sources (1)" in html


def test_a_turn_without_offers_is_left_alone(world: World, turn: Turn) -> None:
    text = "See array[1] and a footnote [2]."
    message = answer(turn, text)
    assert (message.text, message.sources) == (text, [])
    assert 'class="cite"' not in render_message(message)


def test_sources_that_programs_store_can_do_no_harm(world: World) -> None:
    draft = MessageDraft(kind="agent", parts=[TextPart("Look [1] [2]")])
    draft.sources = [
        {"n": 1, "document_id": "javascript:alert(1)", "title": "x"},
        {"n": "2", "document_id": None},
        "text",
        {"n": 3, "document_id": "0" * 32, "title": "<script>", "page": "<i>", "quote": "<script>"},
    ]
    [message] = save_messages(world.thread(), [draft])
    html = render_message(message)
    assert "javascript:" not in html
    assert "<script>" not in html
    assert "<i>" not in html


def test_what_all_in_the_thread_may_read_is_what_counts(world: World, turn: Turn) -> None:
    context = ToolContext(
        organisation=world.organisation, user=world.alice, thread_id=turn.thread_id
    )
    assert audience_of(context) == [world.bob]
    own = make_collection(world.organisation, world.alice)
    make_document(own, "Secret", "Refunds for Alice.")
    query = {"user": world.alice, "query": "refunds"}
    assert search_knowledge(world.organisation, **query)  # type: ignore[arg-type]
    audience = audience_of(context)
    assert search_knowledge(world.organisation, **query, audience=audience) == []  # type: ignore[arg-type]


def test_offers_go_with_their_thread(world: World, turn: Turn) -> None:
    shelf = make_collection(world.organisation, world.alice, shared=True)
    make_document(shelf, "Refunds", "Refunds take five days.")
    offer(world, turn)
    answer(turn, "Five days [1].")
    delete_thread(turn.thread, user=world.alice)
    turn.thread.__class__.objects.filter(pk=turn.thread_id).update(deleted_at="2020-01-01T00:00Z")
    purge_deleted_threads()
    with in_tenant(world.organisation.pk):
        assert not Citation.objects.exists()


def test_numbers_of_an_answer_are_not_told_to_the_next_turn_and_go_with_it(
    world: World, turn: Turn
) -> None:
    shelf = make_collection(world.organisation, world.alice, shared=True)
    make_document(shelf, "Refunds", "Refunds take five days.")
    offer(world, turn)
    message = answer(turn, "Five days [1], as in `x[1]`.")
    told = str(fetch_context(turn.thread, agent=None, prompt="And now?"))
    assert "Five days, as in `x[1]`." in told
    delete_messages(turn.thread, [message.pk])
    with in_tenant(world.organisation.pk):
        assert not Citation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_turn_searches_cites_and_says_that_only_words_were_compared(
    committed_world: World,
) -> None:
    world = committed_world
    shelf = make_collection(world.organisation, world.alice, shared=True)
    make_document(shelf, "Handbook", "Refunds take five days.", "Leave takes thirty days.")
    give_tools(world, "search_knowledge")
    search = [
        ToolCallPart("1", "search_knowledge", {"query": "refunds"}),
        ToolCallPart("2", "search_knowledge", {"query": "leave days"}),
        ToolCallPart("3", "search_knowledge", {"query": "zebra"}),
    ]
    model = ScriptedModel([search, "Five days [1], or thirty [2, 3]. [9]"])
    with running_engine(model):
        turn = ask(world, "How long?")
        wait_until(ended(turn))
    outputs = [call.output for call in calls_of(turn)]
    cited = {entry["cite"]: entry["content"] for output in outputs for entry in output["passages"]}
    # Two calls at once: each passage has one number, no number two passages.
    assert sorted(cited) == [1, 2]
    assert len(set(cited.values())) == 2
    assert all("Only words were compared" in output["degraded"] for output in outputs)
    turn.refresh_from_db()
    message = Message.objects.get(pk=turn.message_id)
    assert message.text == "Five days [1], or thirty [2]."
    assert [source["n"] for source in message.sources] == [1, 2]
