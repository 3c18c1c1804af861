"""Embedding spaces: the first one, moving to another beside it, and vectors by hand."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from agents_app.errors import SpaceNotReady
from agents_app.models import AICall, EmbeddingSpace, Purpose, SpaceState
from agents_app.providers.embeddings import Embeddings
from agents_app.providers.errors import ModelError
from agents_app.providers.parts import TextPart
from agents_app.providers.registry import use_embedding_model
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from agents_app.search.query_vectors import NO_EMBEDDER, UNAVAILABLE, known_vector, query_vector
from agents_app.search.spaces import active_space
from agents_app.services.embedding import embed_items
from agents_app.services.embedding_batches import (
    delete_embeddings,
    generate_embeddings,
    insert_embeddings,
    paginate_embeddings,
    update_embeddings,
)
from agents_app.services.query_vectors import embed_query, wait_for_vector
from agents_app.services.space_building import (
    begin_space,
    build_space,
    drop_space,
    drop_space_work,
    pause_space,
    request_drop,
    resume_space,
    switch_over,
)
from agents_app.services.space_tending import request_missing, request_tending, tend_spaces
from chat_app.models import SearchEntry
from chat_app.services.messages import save_messages
from chat_app.types import MessageDraft
from one_project.common.errors import InvalidInput
from one_project.common.tenancy import in_tenant
from one_project.workflows.models import WorkItem
from tests.people import World, make_world

# Steps run on threads of their own, which see what is committed only.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def small() -> Iterator[ScriptedEmbeddingModel]:
    with use_embedding_model(ScriptedEmbeddingModel(dimensions=8, model="small")) as model:
        assert isinstance(model, ScriptedEmbeddingModel)
        yield model


@pytest.fixture(autouse=True)
def _no_partitions_left() -> Iterator[None]:
    yield
    for space in EmbeddingSpace.objects.all():
        EmbeddingSpace.objects.filter(pk=space.pk).update(state=SpaceState.RETIRED)
        space.refresh_from_db()
        drop_space(space)


def said(world: World, *texts: str) -> list[Any]:
    thread = world.thread()
    save_messages(thread, [MessageDraft(kind="user", parts=[TextPart(text)]) for text in texts])
    with in_tenant(world.organisation.pk):
        return list(SearchEntry.objects.order_by("pk").values_list("pk", flat=True))


def run(step: Any, *arguments: Any) -> Any:
    async def call() -> Any:
        return await step(*arguments)

    return async_to_sync(call)()


def asked_of(world: World) -> list[AICall]:
    rows = AICall.objects.filter(organisation=world.organisation, purpose=Purpose.EMBEDDING)
    return list(rows.order_by("pk"))


def work(function: str) -> int:
    return WorkItem.objects.open().filter(function=function).count()


def end_work(status: str) -> None:
    WorkItem.objects.update(status=status, finished_at=timezone.now())


def embed(world: World, ids: list[Any]) -> int:
    return run(embed_items, "entry", world.organisation.pk, ids)


def test_the_first_text_makes_the_first_space_and_only_changes_cost(
    world: World, small: ScriptedEmbeddingModel
) -> None:
    ids = said(world, "one", "two")
    assert embed(world, ids) == 2
    space = active_space()
    assert space is not None
    assert (space.model, space.dimensions) == ("small", 8)
    asked = len(small.requests)
    assert embed(world, ids) == 0
    assert len(small.requests) == asked
    assert len(paginate_embeddings(world.organisation, "entry").page) == 2
    assert paginate_embeddings(world.elsewhere, "entry").page == []


def test_a_new_space_is_filled_beside_the_old_one_and_takes_over(
    world: World, small: ScriptedEmbeddingModel
) -> None:
    ids = said(world, "one", "two", "three")
    embed(world, ids)
    old = active_space()
    assert old is not None
    large = ScriptedEmbeddingModel(dimensions=16, model="large")
    with use_embedding_model(large):
        new = begin_space(large, 16)
        assert active_space() == old  # searches stay with it
        with pytest.raises(SpaceNotReady, match="3 items"):
            switch_over(new.pk)
        pause_space(new)
        run(build_space, new.pk)
        assert paginate_embeddings(world.organisation, "entry", space=new).page == []
        resume_space(new)
        run(build_space, new.pk)
        new.refresh_from_db()
        assert (new.items_total, new.items_done) == (3, 3)
        # A message of the meantime, then the pass that finds nothing left to do.
        said(world, "four")
        run(build_space, new.pk)
        run(build_space, new.pk)
        assert active_space() == new
        assert len(paginate_embeddings(world.organisation, "entry").page) == 4
        old.refresh_from_db()
        assert old.state == SpaceState.RETIRED
        drop_space(old)
        with pytest.raises(SpaceNotReady):
            drop_space(new)
    assert not EmbeddingSpace.objects.filter(pk=old.pk).exists()


def test_another_model_in_the_settings_begins_a_space_by_itself(
    world: World, small: ScriptedEmbeddingModel
) -> None:
    embed(world, said(world, "one"))
    with use_embedding_model(ScriptedEmbeddingModel(dimensions=16, model="large")):
        run(tend_spaces)
        run(tend_spaces)
        assert list(EmbeddingSpace.objects.order_by("pk").values_list("model", "state")) == [
            ("small", "active"),
            ("large", "building"),
        ]


def test_an_embedder_that_fails_is_told_and_loses_nothing(
    world: World, small: ScriptedEmbeddingModel
) -> None:
    embed(world, said(world, "one"))
    ids = said(world, "two")
    small.fail = ModelError("connection")
    with pytest.raises(ModelError):
        embed(world, ids)
    space = active_space()
    assert space is not None
    assert "could not be reached" in space.error
    small.fail = None
    assert embed(world, ids) == 1
    space.refresh_from_db()
    assert space.error == ""
    assert [(call.status, call.error_code) for call in asked_of(world)] == [
        ("success", ""),
        ("failed", "connection"),
        ("success", ""),
    ]


def test_the_ledger_has_a_row_for_each_request_and_never_a_text(
    world: World, small: ScriptedEmbeddingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents_app.services.embedding.BATCH", 2)
    embed(world, said(world, "one secret", "two", "three"))
    assert len(small.requests) == 2
    calls = asked_of(world)
    assert [(each.model, each.provider, each.status) for each in calls] == [
        ("small", "scripted", "success")
    ] * 2
    assert all(each.input_tokens > 0 for each in calls)
    assert {(each.request, each.response) for each in calls} == {(None, None)}
    run(query_vector, world.organisation.pk, "canoe")
    assert len(asked_of(world)) == 3


class Picky(ScriptedEmbeddingModel):
    """Refuses texts of more than a thousand characters, and what it does not like."""

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        if any(len(text) > 1000 for text in texts):
            raise ModelError("context_too_long")
        if any("bad" in text for text in texts):
            raise ModelError("content_filter")
        return await super().embed(texts)


def test_a_text_that_is_refused_is_cut_or_left_out_and_stops_no_other(world: World) -> None:
    with use_embedding_model(Picky(dimensions=8, model="picky")):
        ids = said(world, "one", "long " * 900, "bad", "two")
        # A message is embedded with the one before it: "bad" is in two of them.
        assert embed(world, ids) == 2
        assert len(paginate_embeddings(world.organisation, "entry").page) == 2
        # Nobody asks again and again, and a new space is not held up by it.
        end_work("success")
        assert request_missing() == 0
    with use_embedding_model(Picky(dimensions=16, model="pickier")) as model:
        new = begin_space(model, 16)
        run(build_space, new.pk)
        run(build_space, new.pk)
        assert active_space() == new
        # Another text is another matter.
        with in_tenant(world.organisation.pk):
            SearchEntry.objects.filter(pk=ids[2]).update(content_hash="changed")
        assert request_missing() == 1


def test_a_model_that_refuses_everything_is_an_error_and_marks_nothing(
    world: World, small: ScriptedEmbeddingModel
) -> None:
    embed(world, said(world, "one"))
    ids = said(world, "two")
    small.fail = ModelError("bad_request")
    with pytest.raises(ModelError):
        embed(world, ids)
    small.fail = None
    assert embed(world, ids) == 1


def test_looking_after_spaces_does_not_pile_up(world: World, small: ScriptedEmbeddingModel) -> None:
    request_tending()
    request_tending()
    assert work("agents_app.tend_spaces") == 1
    embed(world, [])
    said(world, "one")
    waiting = work("agents_app.embed_items")
    # They are waiting for a worker; asking again would make the same vectors twice.
    assert request_missing() == 0
    assert work("agents_app.embed_items") == waiting


def test_a_space_that_nobody_fills_any_more_is_taken_up_again(
    world: World, small: ScriptedEmbeddingModel
) -> None:
    embed(world, said(world, "one"))
    large = ScriptedEmbeddingModel(dimensions=16, model="large")
    with use_embedding_model(large):
        new = begin_space(large, 16)
        assert work("agents_app.build_space") == 1
        end_work("error")
        run(tend_spaces)
        run(tend_spaces)
        assert work("agents_app.build_space") == 1
        # While it cannot be filled, nothing else fails for it.
        large.fail = ModelError("timeout")
        embed(world, said(world, "two"))
        new.refresh_from_db()
        assert "too long to answer" in new.error
        # Only what is not in use is removed, and by a worker, which may.
        with pytest.raises(SpaceNotReady):
            request_drop(new)
        pause_space(new)
        request_drop(new)
        request_drop(new)
        assert work("agents_app.drop_space") == 1
        run(drop_space_work, new.pk)
    assert not EmbeddingSpace.objects.filter(pk=new.pk).exists()


def test_a_search_waits_for_a_worker_for_a_moment_only(
    world: World, small: ScriptedEmbeddingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents_app.services.query_vectors.PATIENCE", 0.05)
    embed(world, said(world, "one"))
    for _ in range(2):
        assert wait_for_vector(world.organisation.pk, "canoe").degraded == UNAVAILABLE
    [item] = WorkItem.objects.filter(function="agents_app.embed_query")
    # The question is nowhere but in the cache, and is answered while somebody may wait.
    assert "canoe" not in str(item.arguments)
    run(embed_query, world.organisation.pk, item.arguments["key"])
    assert wait_for_vector(world.organisation.pk, "canoe").vector is not None
    asked = len(small.requests)
    run(embed_query, world.organisation.pk, "query-vector:of-long-ago")
    assert len(small.requests) == asked


def test_the_search_box_at_the_side_asks_no_model(
    world: World,
    small: ScriptedEmbeddingModel,
    client: Client,
    django_assert_max_num_queries: Any,
) -> None:
    embed(world, said(world, "canoe"))
    asked = len(small.requests)
    client.force_login(world.alice)
    assert "canoe" in client.get("/chat/sidebar/", {"q": "cano"}).content.decode()
    with django_assert_max_num_queries(1):
        known_vector(world.organisation.pk, "cano")
    assert len(small.requests) == asked
    assert work("agents_app.embed_query") == 0


def test_a_search_without_a_cache_goes_by_words_at_once(
    world: World, small: ScriptedEmbeddingModel, settings: Any
) -> None:
    embed(world, said(world, "one"))
    away = {**settings.CACHES["vectors"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {**settings.CACHES, "vectors": away}
    assert wait_for_vector(world.organisation.pk, "canoe").degraded == UNAVAILABLE
    assert known_vector(world.organisation.pk, "canoe").degraded == UNAVAILABLE
    assert work("agents_app.embed_query") == 0


def test_a_query_is_embedded_once_in_five_minutes_and_never_shared(
    world: World, small: ScriptedEmbeddingModel
) -> None:
    assert run(query_vector, world.organisation.pk, "canoe").degraded == NO_EMBEDDER
    embed(world, said(world, "one"))
    asked = len(small.requests)
    first = run(query_vector, world.organisation.pk, "canoe")
    assert first.vector is not None
    assert run(query_vector, world.organisation.pk, "canoe") == first or first.vector
    assert len(small.requests) == asked + 1
    assert known_vector(world.organisation.pk, "canoe").vector is not None
    assert known_vector(world.elsewhere.pk, "canoe").vector is None
    with use_embedding_model(ScriptedEmbeddingModel(dimensions=16, model="large")) as large:
        assert isinstance(large, ScriptedEmbeddingModel)
        new = begin_space(large, 16)
        run(build_space, new.pk)
        run(build_space, new.pk)
        # The key names the space: no vector of the model before is served.
        assert known_vector(world.organisation.pk, "canoe").vector is None


def test_vectors_by_hand(world: World, small: ScriptedEmbeddingModel) -> None:
    ids = said(world, "one", "two", "three")
    embed(world, ids)
    made = run(generate_embeddings, world.organisation, ["hello"]).vectors[0]
    assert asked_of(world)[-1].status == "success"
    assert update_embeddings(world.organisation, "entry", {ids[0]: made}) == 1
    page = paginate_embeddings(world.organisation, "entry", limit=2)
    assert (page.page, page.continue_cursor) == (ids[:2], ids[1])
    assert delete_embeddings(world.organisation, "entry", ids[:1]) == 1
    with pytest.raises(InvalidInput, match="no vector"):
        update_embeddings(world.organisation, "entry", {ids[0]: made})
    with pytest.raises(InvalidInput, match="does not fit"):
        insert_embeddings(world.organisation, "entry", {ids[0]: (1.0,)})
    with pytest.raises(InvalidInput, match="do not exist"):
        insert_embeddings(world.elsewhere, "entry", {ids[0]: made})
    assert insert_embeddings(world.organisation, "entry", {ids[0]: made}) == 1
    with pytest.raises(InvalidInput, match="has vectors"):
        delete_embeddings(world.organisation, "nothing", ids)


def test_the_command_lists_spaces(
    world: World, small: ScriptedEmbeddingModel, capsys: pytest.CaptureFixture[str]
) -> None:
    embed(world, said(world, "one"))
    call_command("embeddings", "list")
    assert "active" in capsys.readouterr().out
