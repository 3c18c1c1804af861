"""Search of documents: who finds what, in which order, and the same however much there is."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from agents_app.models import Agent, Chunk, Citation, Collection, Knowledge
from agents_app.search import large
from agents_app.search.query_vectors import QueryVector
from agents_app.services.embedding import live_spaces
from agents_app.services.knowledge import Passage, remove_document, search_knowledge
from agents_app.services.tenant_indexes import (
    build_tenant_index,
    drop_tenant_index,
    request_tenant_index,
    sweep_tenant_indexes,
)
from one_project.accounts.models import Membership, User
from one_project.common.errors import AccessDenied, Conflict, NotFound
from one_project.common.tenancy import in_tenant
from one_project.workflows.models import WorkItem
from tests.knowledge.chunks import (
    embed_all,
    embedding,
    make_collection,
    make_document,
    new_version,
    share,
    vector_of,
)
from tests.people import World

pytestmark = pytest.mark.django_db

TOPICS = (
    "refund",
    "parental leave",
    "fire drill",
    "travel booking",
    "garden",
    "payroll",
    "canteen",
)


def titles(world: World, user: User | None, query: str, **options: Any) -> list[str]:
    found = search_knowledge(world.organisation, user=user, query=query, **options)
    return [one.title for one in found]


@pytest.fixture
def shelf(world: World) -> Collection:
    return make_collection(world.organisation, world.alice, shared=True)


def test_any_word_finds_and_the_passage_says_where_it_stands(
    world: World, shelf: Collection
) -> None:
    text = "Refunds are paid within five days."
    make_document(shelf, "Refund policy", "Nothing to see here.", text, folder="money")
    make_document(shelf, "Shipping", "We ship to Germany. A refund of shipping is rare.")
    found = search_knowledge(
        world.organisation, user=world.bob, query="How are refunds being paid?"
    )
    assert [one.title for one in found][:2] == ["Refund policy", "Shipping"]
    best: Passage = found[0]
    assert (best.text, best.page, best.page_label) == (text, 2, 2)
    assert (best.version, best.source) == (1, "money/Refund policy")
    assert text[best.char_start : best.char_end] == text
    assert 0 < best.relevance <= 1


def test_private_shared_and_foreign_documents_stay_with_who_may_see_them(world: World) -> None:
    own = make_collection(world.organisation, world.bob)
    make_document(own, "Bob's notes", "Refunds annoy me.")
    theirs = make_collection(world.elsewhere, world.charlie, shared=True)
    make_document(theirs, "Theirs", "Refunds elsewhere.")
    assert titles(world, world.bob, "refunds") == ["Bob's notes"]
    assert titles(world, world.alice, "refunds") == []  # also not an owner or admin
    assert titles(world, world.charlie, "refunds") == []
    assert titles(world, None, "refunds") == []
    share(own, world.alice)
    assert titles(world, world.alice, "refunds") == ["Bob's notes"]
    assert titles(world, None, "refunds") == []
    # The ids of another organisation's collections open nothing.
    assert titles(world, world.bob, "refunds", collections=[theirs.pk]) == []
    Membership.objects.filter(user=world.bob).update(is_active=False)
    assert titles(world, world.bob, "refunds") == []


def test_what_one_of_the_readers_may_not_see_is_not_found(world: World, shelf: Collection) -> None:
    make_document(shelf, "For all", "Bonuses are paid in May.")
    own = make_collection(world.organisation, world.alice)
    make_document(own, "Alice's", "Bonuses: the secret list.")
    assert set(titles(world, world.alice, "bonuses")) == {"For all", "Alice's"}
    assert titles(world, world.alice, "bonuses", audience=[world.bob]) == ["For all"]
    assert titles(world, world.alice, "bonuses", audience=[world.charlie]) == []


def test_an_agent_looks_no_further_than_it_may(world: World, shelf: Collection) -> None:
    other = make_collection(world.organisation, world.alice, name="Other")
    make_document(shelf, "One", "tea")
    make_document(other, "Two", "tea")
    agent = world.agent
    assert set(titles(world, world.alice, "tea", agent=agent)) == {"One", "Two"}
    agent.knowledge = Knowledge.GRANTED
    agent.save()
    assert titles(world, world.alice, "tea", agent=agent) == []
    with in_tenant(world.organisation.pk):
        agent.collections.add(other)
    assert titles(world, world.alice, "tea", agent=agent) == ["Two"]
    # Within the rights of the person: Bob may not read it, whatever the agent may.
    assert titles(world, world.bob, "tea", agent=agent) == []
    agent.knowledge = Knowledge.NONE
    assert titles(world, world.alice, "tea", agent=agent) == []


def test_only_the_current_version_is_found(world: World, shelf: Collection) -> None:
    document = make_document(shelf, "Prices", "A cup costs two coins.")
    new_version(document, "A cup costs three coins.")
    [found] = search_knowledge(world.organisation, user=world.alice, query="cup coins")
    assert (found.text, found.version) == ("A cup costs three coins.", 2)


def test_importance_filters_and_neighbours(world: World, shelf: Collection) -> None:
    make_document(shelf, "Plain", "tea and cake")
    make_document(shelf, "Weighty", "cake, then tea", importance=3.0, media_type="text/markdown")
    never = make_document(shelf, "Never", "tea", importance=0.0)
    assert titles(world, world.alice, "tea cake")[0] == "Weighty"
    assert "Never" not in titles(world, world.alice, "tea")
    assert "Never" in titles(world, world.alice, "tea", importance=False)
    assert titles(world, world.alice, "tea", media_type="text") == ["Weighty"]
    assert titles(world, world.alice, "tea", documents=[never.pk], importance=False) == ["Never"]
    future = timezone.now() + timedelta(days=1)
    assert titles(world, world.alice, "tea", created_after=future) == []
    make_document(shelf, "Story", *[f"part{number} of it" for number in range(6)])
    [found] = search_knowledge(
        world.organisation, user=world.alice, query="part3", limit=1, neighbours=2
    )
    assert found.before == "part1 of it\npart2 of it"
    assert found.after == "part4 of it\npart5 of it"


def test_each_collection_is_searched_in_its_language(world: World, shelf: Collection) -> None:
    german = make_collection(world.organisation, world.alice, language="german", name="Buch")
    make_document(german, "Urlaub", "Die Urlaubstage werden im Mai genommen.")
    make_document(shelf, "Holiday", "The holidays are taken in May.")
    assert titles(world, world.alice, "Urlaubstag") == ["Urlaub"]
    assert set(titles(world, world.alice, "Urlaubstag holiday")) == {"Urlaub", "Holiday"}


@pytest.mark.parametrize(
    "query", ["", "???", "the of and", "' or 1=1 --", '"', "a & | ! <-> b", "-", "%s %(x)s", "\x00"]
)
def test_odd_queries_find_nothing_and_break_nothing(
    world: World, shelf: Collection, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_document(shelf, "Tea", "green tea")
    assert titles(world, world.alice, query) == []
    monkeypatch.setattr(large, "LARGE", 0)
    assert titles(world, world.alice, query) == []


def test_a_large_tenant_has_conditions_and_rights_before_the_cut(
    world: World, shelf: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = make_collection(world.organisation, world.alice, name="Private")
    make_document(private, "Private", *[f"zebra {number}" for number in range(8)])
    with embedding():
        make_document(shelf, "Rules", *[f"refund rule number {number}" for number in range(20)])
        make_document(shelf, "Drafts", "refund draft", "refund of a draft")
        embed_all(world.organisation)
        vector = vector_of("refund draft")
        options: dict[str, Any] = {"strict": True, "limit": 30}
        small = titles(world, world.bob, "refund -draft", **options)
        assert small == ["Rules"] * 20
        monkeypatch.setattr(large, "LARGE", 5)
        monkeypatch.setattr(large, "MOST_RANKED", 20)
        assert titles(world, world.bob, "refund -draft", **options) == small
        by_vectors = titles(world, world.bob, "refund -draft", vector=vector, **options)
        assert set(by_vectors) == {"Rules"}
        # The rarest word stands only where Bob may not look.
        assert titles(world, world.bob, "zebra refund number") == ["Rules"] * 5


def test_documents_are_deleted_by_who_may_change_their_collection(
    world: World, shelf: Collection
) -> None:
    document = make_document(shelf, "Refund policy", "Refunds are paid.")
    own = make_collection(world.organisation, world.bob, name="Bob's")
    make_document(own, "Notes", "mine")

    def delete(user: User | None, named: str, agent: Agent | None = None) -> str:
        return remove_document(world.organisation, user=user, named=named, agent=agent)

    with pytest.raises(AccessDenied):
        delete(world.bob, "refund policy")
    for user, named in (
        (world.alice, "Notes"), (world.charlie, "Refund policy"), (None, "Refund policy"),
        (world.alice, "No such"),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            delete(user, named)
    # Nor for an agent that may not look there.
    world.agent.knowledge = Knowledge.GRANTED
    with pytest.raises(NotFound):
        delete(world.alice, "refund policy", world.agent)
    share(own, world.alice, "manage")
    assert delete(world.alice, "notes") == "Notes"
    make_document(
        make_collection(world.organisation, world.alice, name="Two"), "Refund policy", "x"
    )
    with pytest.raises(Conflict):
        delete(world.alice, "Refund policy")
    assert delete(world.alice, str(document.pk)) == "Refund policy"
    with in_tenant(world.organisation.pk):
        assert not Chunk.objects.filter(document=document.pk).exists()
        assert not Citation.objects.exists()


def test_plans_depend_on_the_values() -> None:
    """A generic plan would use neither the index of the tenant nor its size."""
    options = connection.settings_dict["OPTIONS"]
    assert not options.get("server_side_binding")
    assert options.get("prepare_threshold") is None


def fill(collection: Collection, documents: int, *, seed: int = 0) -> None:
    """Ten passages a document about topics that every tenant shares."""
    for number in range(documents):
        topic = TOPICS[(number + seed) % len(TOPICS)]
        texts = [
            f"The {topic} rule {number}.{part} says code{(number * 10 + part) % 37} counts."
            for part in range(10)
        ]
        make_document(collection, f"{topic} {number}", *texts)


def keys(
    world: World, query: str, vector: QueryVector, **options: Any
) -> list[tuple[str, int, float]]:
    found = search_knowledge(
        world.organisation, user=world.alice, query=query, vector=vector, limit=10, **options
    )
    return [(one.title, one.page, round(one.relevance, 3)) for one in found]


def best(world: World, text: str) -> set[Any]:
    """Of the large path the best five are the same; behind them, how rare a word is in the whole
    tenant and not only in what the person may read decides between near ties."""
    return set(keys(world, text, vector_of(text))[:5])


@pytest.mark.django_db(transaction=True)
def test_a_large_tenant_among_others_finds_what_a_small_one_would(
    committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = committed_world
    with embedding():
        shelf = make_collection(world.organisation, world.alice, shared=True)
        hidden = make_collection(world.organisation, world.bob, name="Hidden")
        sea = make_collection(world.elsewhere, world.charlie, shared=True)
        fill(shelf, 14)
        fill(hidden, 7)
        fill(sea, 40, seed=3)
        embed_all(world.organisation)
        embed_all(world.elsewhere)
        asked = ["The refund rule 7.3 says code36 counts.", "parental code5", "garden rule payroll"]
        small = [best(world, text) for text in asked]
        by_words = [set(titles(world, world.alice, text, limit=10)) for text in asked]
        assert all(len(keys(world, text, vector_of(text))) == 10 for text in asked)

        monkeypatch.setattr(large, "LARGE", 20)
        assert [best(world, text) for text in asked] == small
        assert [set(titles(world, world.alice, text, limit=10)) for text in asked] == by_words

        # The tenant's own index; the others' vectors are not in it, the rights come after it.
        monkeypatch.setattr(large, "EXACT", 50)
        [space] = live_spaces()
        assert build_tenant_index(space, world.organisation.pk)
        assert not build_tenant_index(space, world.organisation.pk)
        assert large.has_tenant_index(space.pk, world.organisation.pk)
        assert not large.has_tenant_index(space.pk, world.elsewhere.pk)
        by_index = [best(world, text) for text in asked]
        assert by_index == small
        assert "Index Scan using emb_" in _plan(world, shelf, vector_of(asked[0]))

        # Fewer from the index than asked for: all are compared.
        monkeypatch.setattr(large, "NEAREST", 3)
        assert [best(world, text) for text in asked] == small
        only_vectors = keys(world, asked[0], vector_of(asked[0]), text_search=False)
        assert len(only_vectors) == 10

        request_tenant_index(space.pk, world.organisation.pk)
        assert not WorkItem.objects.filter(function__contains="build_tenant_index").exists()
        drop_tenant_index(space, world.organisation.pk)
        # 210 and 400 passages.
        assert sweep_tenant_indexes(threshold=300) == 1
        work = WorkItem.objects.get(function__contains="build_tenant_index")
        assert work.organisation_id == world.elsewhere.pk
        assert sweep_tenant_indexes(threshold=300) == 1
        assert WorkItem.objects.filter(function__contains="build_tenant_index").count() == 1


def _plan(world: World, shelf: Collection, vector: QueryVector) -> str:
    """How the nearest vectors are looked for."""
    sql = large._NEAREST.split("SELECT c.id")[0].format(
        dimensions=len(vector.vector or ()), vectors=f"{large.VECTORS}_{vector.space_id}"
    )
    values = {
        "vector": large.vector_text(vector.vector or ()),
        "organisation": world.organisation.pk,
        "nearest": 20,
    }
    with in_tenant(world.organisation.pk), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {sql} SELECT * FROM nearest", values)
        return "\n".join(row[0] for row in cursor.fetchall())
