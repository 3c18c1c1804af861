"""Embedding spaces in the admin: shown, moved, and their tables left to the workers."""

import pytest
from django.test import Client

from agents_app.models import EmbeddingSpace, SpaceState
from agents_app.providers.registry import use_embedding_model
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from one_project.workflows.models import WorkItem
from tests.admin.conftest import page
from tests.admin.rows import space
from tests.people import World


def act(root: Client, action: str, *spaces: EmbeddingSpace) -> str:
    form = {"action": action, "_selected_action": [str(one.pk) for one in spaces]}
    return root.post(page(EmbeddingSpace, "changelist"), form, follow=True).content.decode()


def made(world: World, state: str, **more: object) -> EmbeddingSpace:
    found = space(world.organisation)
    EmbeddingSpace.objects.filter(pk=found.pk).update(state=state, **more)
    found.refresh_from_db()
    return found


def test_progress_never_runs_past_its_end(root: Client, world: World) -> None:
    made(world, SpaceState.BUILDING, items_total=4000, items_done=1000, error="It is away.")
    made(world, SpaceState.PAUSED, items_total=4, items_done=9)
    html = root.get(page(EmbeddingSpace, "changelist")).content.decode()
    assert "1,000 of 4,000 (25 %)" in html
    assert "4 of 4 (100 %)" in html
    assert "It is away." in html


def test_building_is_paused_and_resumed(root: Client, world: World) -> None:
    building = made(world, SpaceState.BUILDING)
    assert "is paused" in act(root, "pause", building)
    assert "It is not building" in act(root, "pause", building)
    assert "goes on" in act(root, "resume", building)
    assert WorkItem.objects.filter(function="agents_app.build_space").count() == 1
    assert "is used by searches" in act(root, "switch", building)
    building.refresh_from_db()
    assert building.state == SpaceState.ACTIVE


@pytest.mark.parametrize(
    ("action", "function"), [("remove", "drop_space"), ("build", "begin_space")]
)
def test_tables_are_made_and_dropped_by_workers(
    root: Client, world: World, action: str, function: str
) -> None:
    retired = made(world, SpaceState.RETIRED)
    with use_embedding_model(ScriptedEmbeddingModel(dimensions=8)):
        act(root, action, retired)
    assert WorkItem.objects.filter(function=f"agents_app.{function}").count() == 1
    assert EmbeddingSpace.objects.count() == 1


def test_what_cannot_be_done_is_said(root: Client, world: World) -> None:
    active = made(world, SpaceState.ACTIVE)
    assert "only a retired or paused one" in act(root, "remove", active)
    assert "No embedding model is configured" in act(root, "build", active)
    assert not WorkItem.objects.exists()
