"""What happens at the same moment: searches, new versions, deletions, vectors being stored."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from django.db import connection, connections

from agents_app.models import Chunk, Collection, Document, DocumentVersion
from agents_app.search import chunk_texts
from agents_app.services import knowledge
from agents_app.services.citations import offer_passages, offered_passages
from agents_app.services.documents import cancel_version, delete_document
from agents_app.services.embedding import keep_vectors, live_spaces, texts_to_embed
from agents_app.services.knowledge import search_knowledge
from one_project.common.ids import new_id
from one_project.common.tenancy import in_tenant
from tests.knowledge.chunks import (
    embedding,
    make_collection,
    make_document,
    new_version,
    vectors_of,
)
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf(world: World) -> Collection:
    return make_collection(world.organisation, world.alice, shared=True)


def test_what_a_new_version_took_since_the_search_can_be_cited(
    world: World, shelf: Collection
) -> None:
    document = make_document(shelf, "Prices", "refund one", "refund two")
    gone = make_document(shelf, "Gone", "refund three")
    found = search_knowledge(world.organisation, user=world.bob, query="refund")
    new_version(document, "another text")
    delete_document(gone, user=world.alice)
    turn = new_id()
    numbers = offer_passages(world.organisation.pk, turn, found)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    told = dict(zip([one.text for one in found], numbers, strict=True))
    assert told.pop("refund three") is None
    offered = offered_passages(world.organisation.pk, turn)
    assert {number: offered[number].quote for number in offered} == {
        number: text for text, number in told.items()
    }


def test_a_version_that_comes_between_is_found_instead(
    world: World, shelf: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = make_document(shelf, "Prices", "refund one", "refund two")
    find, changes = knowledge.find_chunks, iter([("refund three",)])

    def find_and_change(*args: object, **more: object) -> object:
        hits = find(*args, **more)  # type: ignore[arg-type]
        for texts in changes:
            new_version(document, *texts)
        return hits

    monkeypatch.setattr(knowledge, "find_chunks", find_and_change)
    found = search_knowledge(world.organisation, user=world.bob, query="refund", neighbours=1)
    assert [one.text for one in found] == ["refund three"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_nobody_waits_in_a_circle_for_vectors_that_are_stored(
    committed_world: World, how: str
) -> None:
    world = committed_world
    place = world.organisation.pk
    stored, ended = threading.Event(), threading.Event()
    errors: list[Exception] = []

    def after(organisation_id: UUID, ids: Sequence[UUID]) -> None:
        stored.set()
        ended.wait(0.3)  # for whoever wants the passages to hold the version
        chunk_texts.vectors_stored(organisation_id, ids)

    def store() -> None:
        try:
            kind = replace(chunk_texts.CHUNKS, after=after)
            todo = texts_to_embed(space, kind, place, ids)
            keep_vectors(space, kind, place, todo, vectors_of([one.text for one in todo]))
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    with embedding():
        shelf = make_collection(world.organisation, world.alice)
        document = make_document(shelf, "Prices", "one", "two")
        version = document.current
        assert version is not None
        with in_tenant(place):
            on_its_way = {"status": "embedding", "updated_at": "2020-01-01T00:00Z"}
            DocumentVersion.objects.filter(pk=version.pk).update(**on_its_way)
            ids = list(Chunk.objects.values_list("pk", flat=True))
        [space] = live_spaces()
        thread = threading.Thread(target=store)
        thread.start()
        assert stored.wait(10)
        begun = time.monotonic()
        if how == "cancel":
            cancel_version(version, user=world.alice)
        else:
            delete_document(document, user=world.alice)
        assert time.monotonic() - begun < 10
        thread.join()
    assert errors == []
    with in_tenant(place):
        assert not Chunk.objects.exists()
        assert Document.objects.exists() == (how == "cancel")
