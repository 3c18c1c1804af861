"""Search of messages: who finds what, in which order, and what stands around it."""

from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.db import connection

from agents_app.providers.parts import TextPart
from agents_app.providers.registry import use_embedding_model
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from agents_app.search.fusion import Candidate, fuse
from agents_app.search.query_vectors import QueryVector
from agents_app.services.embedding import keep_vectors, live_spaces, texts_to_embed
from agents_app.services.spaces import ensure_space
from agents_app.types import AgentOptions, ContextOptions, SearchOptions
from chat_app.models import EntryEmbedding, Message, SearchEntry, Thread
from chat_app.runtime.context import fetch_context, tellable
from chat_app.search.entries import ENTRIES
from chat_app.search.finding import Found, Where, find_entries
from chat_app.search.ranges import with_ranges
from chat_app.services.canvas import Editor, create_canvas
from chat_app.services.messages import save_messages, update_message
from chat_app.services.searching import search_messages, snippets
from chat_app.types import MessageDraft
from one_project.accounts.models import User
from one_project.common.errors import InvalidInput, NotFound
from one_project.common.ids import new_id
from one_project.common.tenancy import in_tenant
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(world: World) -> Thread:
    return world.thread(title="Here")


@pytest.fixture
def embedder() -> Iterator[ScriptedEmbeddingModel]:
    with use_embedding_model(ScriptedEmbeddingModel(dimensions=64)) as model:
        assert isinstance(model, ScriptedEmbeddingModel)
        assert ensure_space()
        yield model


def say(thread: Thread, *texts: str, **fields: Any) -> list[Message]:
    drafts = [MessageDraft(kind="user", parts=[TextPart(text)], **fields) for text in texts]
    return save_messages(thread, drafts)


def where(world: World, user: User, thread: Thread | None = None, **values: Any) -> Where:
    return Where(
        organisation=world.organisation,
        threads=Thread.objects.visible_to(user),
        thread_id=thread.pk if thread else None,
        **values,
    )


def texts(found: list[Found]) -> list[str]:
    return [one.message.text for one in found if one.message]


def embed_all(world: World) -> int:
    """What the worker does, without one."""
    made = 0
    for space in live_spaces():
        with in_tenant(world.organisation.pk):
            ids = list(SearchEntry.objects.values_list("pk", flat=True))
        todo = texts_to_embed(space, ENTRIES, world.organisation.pk, ids)
        if todo:
            vectors = async_to_sync(ScriptedEmbeddingModel(dimensions=64).embed)(
                [one.text for one in todo]
            ).vectors
            keep_vectors(space, ENTRIES, world.organisation.pk, todo, vectors)
        made += len(todo)
    return made


def query(text: str) -> QueryVector:
    vector = async_to_sync(ScriptedEmbeddingModel(dimensions=64).embed)([text]).vectors[0]
    return QueryVector(live_spaces()[0].pk, vector)


def test_any_word_of_a_question_finds_and_rare_words_count_more(
    world: World, thread: Thread
) -> None:
    say(thread, "The meeting is about the garden", "The meeting is on Thursday", "The meeting")
    say(thread, *["The meeting again"] * 5)
    found = find_entries(where(world, world.alice), "when was the meeting about a garden held?")
    assert texts(found)[0] == "The meeting is about the garden"


def test_outsiders_and_people_of_other_threads_find_nothing(world: World, thread: Thread) -> None:
    say(thread, "The code word is pelican")
    assert texts(find_entries(where(world, world.alice), "pelican"))
    assert find_entries(where(world, world.bob), "pelican") == []
    elsewhere = Where(
        organisation=world.elsewhere, threads=Thread.objects.visible_to(world.charlie)
    )
    assert find_entries(elsewhere, "pelican") == []
    # Even with the wrong threads: the tenant is part of every statement.
    every = Where(organisation=world.elsewhere, threads=Thread.objects.all())
    assert find_entries(every, "pelican") == []


def test_other_threads_are_searched_whatever_their_numbers(world: World, thread: Thread) -> None:
    other = world.thread(title="There")
    say(other, "one", "two", "three", "the harbour opens at nine")
    [prompt] = say(thread, "when does the harbour open?")
    say(thread, "the harbour, once more")
    found = find_entries(where(world, world.alice, thread, before_order=prompt.order), prompt.text)
    assert texts(found) == ["the harbour opens at nine"]  # T-S1


def test_failed_pending_and_replaced_messages_are_not_found(world: World, thread: Thread) -> None:
    say(thread, "walrus", status="pending")
    failed = say(thread, "walrus", status="failed")
    [kept] = say(thread, "walrus tooth")
    found = find_entries(where(world, world.alice), "walrus")
    assert texts(found) == ["walrus tooth"]  # T-S12
    update_message(thread, kept.pk, status="failed")
    assert find_entries(where(world, world.alice), "walrus") == []
    assert failed


def test_a_hidden_message_is_found_in_its_own_thread_only(world: World, thread: Thread) -> None:
    [hidden] = say(thread, "the hidden lighthouse")
    hidden.meta["hidden"] = True
    hidden.save()
    update_message(thread, hidden.pk, parts=[TextPart("the hidden lighthouse!")])
    assert find_entries(where(world, world.alice), "lighthouse") == []  # T-S14
    assert texts(find_entries(where(world, world.alice, thread), "lighthouse"))


def test_a_hit_in_both_lists_comes_before_one_that_only_vectors_have() -> None:
    a, b, c = new_id(), new_id(), new_id()
    found = fuse(
        [
            Candidate(item_id=a, text_rank=0, vector_rank=0),
            Candidate(item_id=b, vector_rank=1),
            Candidate(item_id=c, vector_rank=2),
        ],
        limit=3,
    )
    assert [hit.item_id for hit in found] == [a, b, c]  # T-S10
    assert [round(hit.score, 4) for hit in found] == [0.2, 0.0909, 0.0833]


def test_few_of_the_words_are_no_match_for_a_near_meaning_and_all_of_them_are() -> None:
    near, far = new_id(), new_id()

    def order(coverage: float) -> list[UUID]:
        found = fuse(
            [
                Candidate(item_id=far, text_rank=0, similarity=0.1, coverage=coverage),
                Candidate(item_id=near, vector_rank=0, similarity=0.5),
            ],
            limit=2,
        )
        return [hit.item_id for hit in found]

    assert order(coverage=0.2) == [near, far]
    assert order(coverage=1.0) == [far, near]


def test_what_has_no_vector_yet_can_be_the_first_by_its_words() -> None:
    said_now, near, far = new_id(), new_id(), new_id()
    found = fuse(
        [
            Candidate(item_id=said_now, text_rank=0, coverage=1.0),
            Candidate(item_id=near, vector_rank=0, similarity=0.7),
            Candidate(item_id=far, vector_rank=1, similarity=0.5),
        ],
        limit=3,
    )
    assert [hit.item_id for hit in found] == [said_now, near, far]


def test_a_vector_of_zeros_is_near_to_nothing() -> None:
    [hit] = fuse([Candidate(item_id=new_id(), vector_rank=0, similarity=float("nan"))], limit=1)
    assert hit.relevance == 0.0


def test_the_best_survive_the_limit_not_the_oldest(world: World, thread: Thread) -> None:
    say(thread, *["a boat"] * 12, "the blue boat with the torn sail")
    found = find_entries(where(world, world.alice), "torn sail of the blue boat", limit=1)
    assert texts(found) == ["the blue boat with the torn sail"]  # T-S11


def test_short_answers_are_found_by_what_they_answer(world: World, thread: Thread) -> None:
    say(thread, "Which day suits the beekeepers?", "Thursday, the second one.")
    found = find_entries(where(world, world.alice), "beekeepers")
    assert texts(found) == ["Which day suits the beekeepers?", "Thursday, the second one."]


def test_vectors_find_what_shares_no_word_and_the_threshold_holds(
    world: World, thread: Thread, embedder: ScriptedEmbeddingModel
) -> None:
    say(thread, "canoe")
    assert embed_all(world) == 1
    assert embed_all(world) == 0  # the same text again costs nothing
    asked = query("canoe")
    found = find_entries(where(world, world.alice), "canoe", vector=asked, text_search=False)
    assert texts(found) == ["canoe"]
    assert found[0].hit.relevance > 0.99
    assert find_entries(where(world, world.alice), "x", vector=asked, threshold=1.0) == []


def test_a_changed_text_gets_a_new_vector_and_a_deleted_one_leaves_none(
    world: World, thread: Thread, embedder: ScriptedEmbeddingModel
) -> None:
    [message] = say(thread, "first")
    embed_all(world)
    update_message(thread, message.pk, parts=[TextPart("second")])
    assert embed_all(world) == 1
    with in_tenant(world.organisation.pk):
        assert EntryEmbedding.objects.count() == 1
    Message.objects.filter(pk=message.pk).delete()
    with in_tenant(world.organisation.pk):
        assert (EntryEmbedding.objects.count(), SearchEntry.objects.count()) == (0, 0)


def test_vectors_of_another_length_are_refused(
    world: World, thread: Thread, embedder: ScriptedEmbeddingModel
) -> None:
    say(thread, "words")
    [space] = live_spaces()
    with in_tenant(world.organisation.pk):
        ids = list(SearchEntry.objects.values_list("pk", flat=True))
    todo = texts_to_embed(space, ENTRIES, world.organisation.pk, ids)
    with pytest.raises(Exception, match="check constraint"):
        keep_vectors(space, ENTRIES, world.organisation.pk, todo, [(1.0, 0.0)])


def test_phrases_and_excluded_words_are_conditions(world: World, thread: Thread) -> None:
    say(thread, "red wine and cheese", "cheese and red cabbage", "wine red")
    assert texts(find_entries(where(world, world.alice), '"red wine"')) == ["red wine and cheese"]
    assert "cheese and red cabbage" not in texts(
        find_entries(where(world, world.alice), "red -cabbage")
    )
    # Only they: the words beside them need not all be there.
    wordy = 'who brought the "red wine" to the summer party?'
    assert texts(find_entries(where(world, world.alice), wordy)) == ["red wine and cheese"]


def test_accents_do_not_matter_and_hostile_queries_are_harmless(
    world: World, thread: Thread
) -> None:
    say(thread, "Le café près de la gare", r"back\slash 'quoted' & | ! :* <->")
    assert texts(find_entries(where(world, world.alice), "cafe gare"))[0].startswith("Le café")
    for hostile in (
        "'",
        "\\",
        "a & | !",
        ":*",
        "<->",
        '"',
        "-",
        "%s %(x)s",
        "(",
        "\x00",
        "x" * 9000,
    ):
        find_entries(where(world, world.alice), hostile)
        find_entries(where(world, world.alice), hostile, prefix=True)


@pytest.mark.parametrize("typed", ["the garde", "gardeners", "met decisions", "parties"])
def test_the_last_word_may_be_the_beginning_of_one_or_a_whole_one(
    world: World, thread: Thread, typed: str
) -> None:
    say(thread, "the gardeners met for decisions about parties")
    assert texts(find_entries(where(world, world.alice), typed, prefix=True))


def test_a_text_of_many_words_can_be_saved_and_found(world: World, thread: Thread) -> None:
    long = " ".join(f"word{number}" for number in range(150_000))  # more than 1 MB of lexemes
    say(thread, long)
    assert find_entries(where(world, world.alice), "word17")
    # Of a compound the whole and its parts are kept, here each in letters of three bytes.
    letters = [chr(code) for code in range(0x0905, 0x0939)]
    parts = ["".join(three) for three in product(letters, repeat=3)][:50_000]
    say(thread, " ".join(f"{one}-{two}" for one, two in zip(parts[::2], parts[1::2], strict=True)))
    assert find_entries(where(world, world.alice), parts[17])


def test_what_stands_around_a_hit_comes_once_in_order(world: World, thread: Thread) -> None:
    messages = say(thread, *[f"number {index}" for index in range(10)])
    hits = [messages[5], messages[6]]
    found = with_ranges(hits, tellable(thread), before=2, after=1)
    assert [message.order for message in found] == [3, 4, 5, 6, 7]
    found = with_ranges(
        hits, tellable(thread), before=2, after=1, thread_id=thread.pk, before_order=7,
        known=[messages[4].pk],
    )  # fmt: skip
    assert [message.order for message in found] == [3, 5, 6]


def test_the_statement_costs_two_queries_more_than_its_tenant(
    world: World, thread: Thread, django_assert_max_num_queries: Any
) -> None:
    say(thread, *["a boat"] * 30)
    with django_assert_max_num_queries(4):
        find_entries(where(world, world.alice), "boat")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM chat_app_searchentry")
        assert cursor.fetchone() == (0,)  # no tenant, no rows


def asking(thread: Thread, **search: Any) -> AgentOptions:
    return AgentOptions(
        context=ContextOptions(
            recent_messages=search.pop("recent", 2),
            search_other_threads=search.pop("others", False),
            search_options=SearchOptions(**search),
        )
    )


def told(thread: Thread, prompt: str, user: User, options: AgentOptions) -> list[str]:
    messages = fetch_context(thread, agent=None, prompt=prompt, options=options, user=user)
    return [message.plain_text for message in messages]


def test_the_context_has_the_hits_with_their_surroundings_before_the_recent_ones(
    world: World, thread: Thread
) -> None:
    say(thread, "a", "b", "the password is heron", "c", "d", "e", "f", "g")
    options = asking(
        thread, text_search=True, limit=1, message_range_before=1, message_range_after=1
    )
    assert told(thread, "what is the heron password?", world.alice, options) == [
        "b", "the password is heron", "c", "f", "g", "what is the heron password?",
    ]  # fmt: skip


def test_quotes_and_dashes_of_a_question_are_no_conditions(world: World, thread: Thread) -> None:
    say(thread, "the heron costs 5 coins", "f", "g")
    options = asking(thread, text_search=True, recent=0)
    question = 'at "no time" was -5 "said" of the heron?'
    assert "the heron costs 5 coins" in told(thread, question, world.alice, options)


def test_search_is_off_unless_one_of_its_legs_is_on(world: World, thread: Thread) -> None:
    say(thread, "the password is heron", "f", "g")
    assert told(thread, "heron?", world.alice, asking(thread)) == ["f", "g", "heron?"]


def test_other_threads_are_told_only_where_everybody_here_takes_part(
    world: World, thread: Thread
) -> None:
    private = world.thread()
    say(private, "the password is heron")
    options = asking(thread, text_search=True, others=True, recent=0)
    assert told(thread, "heron?", world.alice, options) == ["the password is heron", "heron?"]
    shared = world.thread(world.bob)
    assert told(shared, "heron?", world.alice, options) == ["heron?"]
    assert told(thread, "heron?", world.alice, asking(thread, text_search=True, recent=0)) == [
        "heron?"
    ]


def test_an_embedder_that_is_away_leaves_the_words(world: World, thread: Thread) -> None:
    say(thread, "the password is heron", "f", "g", "h")
    options = asking(
        thread, vector_search=True, limit=1, message_range_before=0, message_range_after=0, recent=1
    )
    assert told(thread, "heron?", world.alice, options) == ["the password is heron", "h", "heron?"]


def test_a_search_needs_a_person_or_a_thread(world: World) -> None:
    with pytest.raises(InvalidInput):
        search_messages(world.organisation, text="x")  # T-S2
    with pytest.raises(NotFound):
        search_messages(world.organisation, text="x", user=world.charlie)


def test_snippets_mark_the_words_and_nothing_else(world: World, thread: Thread) -> None:
    say(thread, "<script>alert(1)</script> the heron stands in the water")
    found = search_messages(world.organisation, user=world.alice, text="herons")
    [snippet] = snippets(world.organisation, "herons", found)
    assert "<mark>heron</mark>" in snippet.html
    assert "<script>" not in snippet.html


def test_edits_of_the_canvas_are_found_by_what_they_say(world: World, thread: Thread) -> None:
    create_canvas(thread.pk, by=Editor(user=world.alice), text="The roof needs slate.")
    [found] = search_messages(world.organisation, user=world.alice, text="slates")
    assert found.edit is not None
    assert search_messages(world.organisation, user=world.bob, text="slates") == []
