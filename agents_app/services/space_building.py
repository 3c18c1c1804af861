"""A new embedding space is filled beside the one in use, takes its place, and the old one goes.

Searches stay with the active space all the time; what is new is embedded into both. Filling is
work in slices, so that a pause holds soon and a lost worker costs one batch.
"""

import logging
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import connections, transaction
from django.db.models import F
from django.utils import timezone

from agents_app.errors import SpaceNotReady
from agents_app.models import EmbeddingSpace, SpaceState
from agents_app.providers.embeddings import EmbeddingModel
from agents_app.providers.errors import ModelError
from agents_app.providers.registry import resolve_embedding_model
from agents_app.search.kinds import EmbeddedKind, all_kinds
from agents_app.search.spaces import active_space, model_of
from agents_app.search.texts import TEXT_FORM
from agents_app.search.vectors import count_items, missing_ids
from agents_app.services.embedding import embed_into, request_embedding
from agents_app.services.spaces import open_space, owner_alias
from one_project.accounts.models import Organisation
from one_project.common.database import in_thread
from one_project.common.tenancy import in_tenant
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

POOL = declare_pool("embedding spaces", 1)
PAGE: Final = 256
SLICE_SECONDS: Final = 30.0
# Items without a vector that a look finds in one organisation; the next look finds the rest.
MOST_MISSING: Final = 1_000

logger = logging.getLogger(__name__)


@step(
    name="agents_app.build_space",
    pool=POOL,
    timeout=600.0,
    retry=Retry(attempts=8, initial=2.0, base=3.0),
)
async def build_space(space_id: int, after: UUID | None = None, made: int = 0) -> None:
    """A slice of filling the space, from the organisation ``after`` on; queues the next one.

    made: vectors in this pass so far. A pass that had nothing to do ends it: the space takes over.
    Raises ModelError while the embedder fails.
    """
    until = time.monotonic() + SLICE_SECONDS
    for organisation_id in await in_thread(_organisations, after):
        for kind in all_kinds():
            while ids := await in_thread(_missing, kind, space_id, organisation_id):
                space = await in_thread(_being_built, space_id)
                if space is None:
                    return
                made += await _filled(space, kind, organisation_id, ids)
                if time.monotonic() > until:
                    await in_thread(_go_on, space_id, after, made)
                    return
        after = organisation_id
    if await in_thread(_being_built, space_id) is None:
        return
    if made:
        # What was written meanwhile: once more from the beginning.
        await in_thread(_go_on, space_id, None, 0)
    else:
        await in_thread(switch_over, space_id)


async def _filled(
    space: EmbeddingSpace, kind: EmbeddedKind, organisation_id: UUID, ids: Sequence[UUID]
) -> int:
    try:
        made = await embed_into(space, kind, organisation_id, ids)
    except ModelError as error:
        await in_thread(_note, space.pk, error.message_for_person)
        raise
    if not made and not await in_thread(_known, space, kind, organisation_id, ids):
        # Nothing can embed them (the model is not configured any more): no use in going on.
        await in_thread(_note, space.pk, "Its embedding model is not configured any more.")
        raise ModelError("not_found", detail="the space's model is not configured")
    await in_thread(_progress, space.pk, len(ids))
    return max(made, 1)


def begin_space(model: EmbeddingModel, dimensions: int) -> EmbeddingSpace:
    """Begin to fill a space for this model beside the active one; one that is there goes on."""
    space = open_space(model.provider, model.model, dimensions)
    if space.state == SpaceState.BUILDING:
        total = _count_all()
        EmbeddingSpace.objects.filter(pk=space.pk).update(items_total=total, error="")
        enqueue(build_space, space.pk)
    return space


def pause_space(space: EmbeddingSpace) -> None:
    """Stop filling it. Raises SpaceNotReady when it is not being built."""
    _move(space, SpaceState.BUILDING, SpaceState.PAUSED)


@transaction.atomic
def resume_space(space: EmbeddingSpace) -> None:
    """Go on filling it, what was written meanwhile included. Raises SpaceNotReady."""
    _move(space, SpaceState.PAUSED, SpaceState.BUILDING)
    enqueue(build_space, space.pk)


def switch_over(space_id: int) -> EmbeddingSpace:
    """Have searches use this space from now on; the one before is retired.

    Raises SpaceNotReady while an item that the old one has is missing in it.
    """
    missing = sum(_missing_count(kind, space_id) for kind in all_kinds())
    if missing:
        raise SpaceNotReady(f"At least {missing:,} items have no vector in it yet.")
    with transaction.atomic():
        spaces = EmbeddingSpace.objects.select_for_update().order_by("pk")
        found = {space.pk: space for space in spaces.exclude(state=SpaceState.RETIRED)}
        space = found.get(space_id)
        if space is None or space.state == SpaceState.PAUSED:
            raise SpaceNotReady("It is paused or retired.")
        if space.state == SpaceState.ACTIVE:
            return space
        EmbeddingSpace.objects.filter(state=SpaceState.ACTIVE).update(state=SpaceState.RETIRED)
        space.state, space.activated_at, space.error = SpaceState.ACTIVE, timezone.now(), ""
        space.save(update_fields=["state", "activated_at", "error"])
    logger.info("searches use the embedding space %s now", space)
    return space


def drop_space(space: EmbeddingSpace) -> None:
    """Remove a retired space with all its vectors. Raises SpaceNotReady for one in use."""
    if space.state == SpaceState.ACTIVE:
        raise SpaceNotReady("Searches use it.")
    owner = owner_alias()
    with transaction.atomic(using=owner), connections[owner].cursor() as cursor:
        for kind in all_kinds():
            partition = f"{kind.vectors}_{space.pk}"
            cursor.execute(f"DROP TABLE IF EXISTS {partition}")
        EmbeddingSpace.objects.using(owner).filter(pk=space.pk).delete()


@step(name="agents_app.tend_spaces", pool=POOL, timeout=600.0)
async def tend_spaces() -> None:
    """Begin a space when another model has been configured, and embed what was left out."""
    model = resolve_embedding_model()
    if model is None:
        return
    active = await in_thread(active_space)
    dimensions = model.dimensions
    if dimensions is None and (active is None or active.model != model.model):
        dimensions = len((await model.embed(["length"])).vectors[0])
    wanted = dimensions or (active.dimensions if active else 0)
    if active is None:
        await in_thread(open_space, model.provider, model.model, wanted, state=SpaceState.ACTIVE)
    elif _named(active) != (model.provider, model.model, wanted, TEXT_FORM):
        await in_thread(_begin_once, model, wanted)
    await in_thread(request_missing)


def request_missing() -> int:
    """Have items embedded that the active space lacks, of all organisations; how many."""
    space = active_space()
    if space is None or model_of(space) is None:
        return 0
    asked = 0
    for organisation_id in _organisations(None):
        for kind in all_kinds():
            with in_tenant(organisation_id):
                ids = missing_ids(kind, space.pk, organisation_id, None, MOST_MISSING)
            with transaction.atomic():
                request_embedding(kind, organisation_id, ids)
            asked += len(ids)
    return asked


def _named(space: EmbeddingSpace) -> tuple[str, str, int, int]:
    return space.provider, space.model, space.dimensions, space.text_form


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


def _move(space: EmbeddingSpace, before: str, after: str) -> None:
    if not EmbeddingSpace.objects.filter(pk=space.pk, state=before).update(state=after):
        raise SpaceNotReady(f"It is not {before}.")
    space.state = after


def _organisations(after: UUID | None) -> list[UUID]:
    rows = Organisation.objects.order_by("pk").values_list("pk", flat=True)
    return list(rows.filter(pk__gt=after) if after else rows)


def _being_built(space_id: int) -> EmbeddingSpace | None:
    return EmbeddingSpace.objects.filter(pk=space_id, state=SpaceState.BUILDING).first()


def _missing(kind: EmbeddedKind, space_id: int, organisation_id: UUID) -> list[UUID]:
    """The first page of items that lack a vector and have a text to make one from."""
    after: UUID | None = None
    with in_tenant(organisation_id):
        while ids := missing_ids(kind, space_id, organisation_id, after, PAGE):
            found = [one.item_id for one in kind.read(organisation_id, ids) if one.text]
            if found:
                return found
            after = ids[-1]
    return []


def _missing_count(kind: EmbeddedKind, space_id: int) -> int:
    """How many are missing at least: a page of each organisation is looked at."""
    return sum(len(_missing(kind, space_id, pk)) for pk in _organisations(None))


def _known(
    space: EmbeddingSpace, kind: EmbeddedKind, organisation_id: UUID, ids: Sequence[UUID]
) -> bool:
    """Whether these have a vector now, without any having been made (copied from the same text)."""
    still = set(_missing(kind, space.pk, organisation_id))
    return not still.issuperset(ids)


def _count_all() -> int:
    total = 0
    for organisation_id in _organisations(None):
        with in_tenant(organisation_id):
            total += sum(count_items(kind, organisation_id) for kind in all_kinds())
    return total


def _progress(space_id: int, count: int) -> None:
    EmbeddingSpace.objects.filter(pk=space_id).update(items_done=F("items_done") + count)


def _note(space_id: int, error: str) -> None:
    EmbeddingSpace.objects.filter(pk=space_id).update(error=error)


def _go_on(space_id: int, after: UUID | None, made: int) -> None:
    enqueue(build_space, space_id, after, made)
