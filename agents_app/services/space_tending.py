"""Looking after embedding spaces, every other minute: another model in the settings, a space that
nobody fills any more, items that were left without a vector."""

from typing import Final
from uuid import UUID

from django.db import transaction

from agents_app.models import EmbeddingSpace, SpaceState
from agents_app.providers.embeddings import EmbeddingModel
from agents_app.providers.registry import resolve_embedding_model
from agents_app.search.kinds import all_kinds
from agents_app.search.spaces import active_space, model_of
from agents_app.search.texts import TEXT_FORM
from agents_app.search.vectors import missing_ids
from agents_app.services import embedding
from agents_app.services.embedding import embed_items, length_of, request_embedding
from agents_app.services.space_building import (
    POOL,
    begin_space,
    open_work,
    organisations,
    take_up,
)
from agents_app.services.spaces import open_space
from one_project.common.database import in_thread
from one_project.common.tenancy import in_tenant
from one_project.workflows.definitions import step
from one_project.workflows.models import WorkItem
from one_project.workflows.services.work import enqueue

# Items without a vector that a look finds in one organisation; the next look finds the rest.
MOST_MISSING: Final = 1_000


def request_tending() -> None:
    """Have a worker look after the spaces, unless that is waiting for one already."""
    if not open_work(tend_spaces.name):
        enqueue(tend_spaces)


@step(name="agents_app.tend_spaces", pool=POOL, timeout=600.0)
async def tend_spaces() -> None:
    """Begin a space when another model has been configured, go on with those nobody fills any
    more, and have embedded what was left out. Raises ModelError where its length is not known."""
    model = resolve_embedding_model()
    if model is None:
        return
    active = await in_thread(active_space)
    is_same = active is not None and _names(active) == (model.provider, model.model)
    if active is not None and is_same and model.dimensions is None:
        dimensions = active.dimensions
    else:
        dimensions = await length_of(model)
    if active is None:
        await in_thread(
            open_space, model.provider, model.model, dimensions, state=SpaceState.ACTIVE
        )
    elif not is_same or (active.dimensions, active.text_form) != (dimensions, TEXT_FORM):
        await in_thread(_begin_once, model, dimensions)
    await in_thread(_take_up_all)
    await in_thread(request_missing)


def request_missing() -> int:
    """Have items embedded that the active space lacks, of all organisations; how many.

    Not where texts of the same kind are waiting for it already: they may be the same ones.
    """
    space = active_space()
    if space is None or model_of(space) is None:
        return 0
    asked, waiting = 0, _waiting()
    for organisation_id in organisations():
        for kind in all_kinds():
            if (organisation_id, kind.name) in waiting:
                continue
            with in_tenant(organisation_id):
                ids = missing_ids(kind, space.pk, organisation_id, None, MOST_MISSING)
            with transaction.atomic():
                request_embedding(kind, organisation_id, ids)
            asked += len(ids)
    return asked


def _waiting() -> set[tuple[UUID | None, str]]:
    rows = WorkItem.objects.filter(pool=embedding.POOL, function=embed_items.name, finished_at=None)
    return set(rows.values_list("organisation_id", "arguments__kind"))


def _take_up_all() -> None:
    for space in EmbeddingSpace.objects.filter(state=SpaceState.BUILDING):
        if model_of(space) is not None:
            take_up(space)


def _begin_once(model: EmbeddingModel, dimensions: int) -> None:
    """One that is on its way, or was paused by somebody, is theirs."""
    if not EmbeddingSpace.objects.filter(
        provider=model.provider,
        model=model.model,
        dimensions=dimensions,
        text_form=TEXT_FORM,
        state__in=[SpaceState.BUILDING, SpaceState.PAUSED],
    ).exists():
        begin_space(model, dimensions)


def _names(space: EmbeddingSpace) -> tuple[str, str]:
    return space.provider, space.model
