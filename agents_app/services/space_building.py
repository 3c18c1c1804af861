"""A new embedding space is filled beside the one in use, takes its place, and the old one goes.

Searches stay with the active space all the time; what is new is embedded into both. Filling is
work in slices, so that a pause holds soon and a lost worker costs one batch. Making and dropping
the tables of a space needs the role that owns them: web processes have it done (``request_…``).
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
from agents_app.providers.registry import require_embedding_model, resolve_embedding_model
from agents_app.search.kinds import EmbeddedKind, all_kinds
from agents_app.search.vectors import count_items, missing_ids
from agents_app.services.embedding import embed_into, length_of
from agents_app.services.spaces import NO_LONG_WAIT, note_error, open_space, owner_alias
from one_project.accounts.models import Organisation
from one_project.common.database import in_thread
from one_project.common.tenancy import in_tenant
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.models import WorkItem
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

POOL = declare_pool("embedding spaces", 1)
PAGE: Final = 256
SLICE_SECONDS: Final = 30.0
REMOVABLE: Final = (SpaceState.RETIRED, SpaceState.PAUSED)

_NOT_REMOVABLE: Final = "It is in use or being built: only a retired or paused one is removed."

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
    for organisation_id in await in_thread(organisations, after):
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
    made = await embed_into(space, kind, organisation_id, ids)
    if not made and not await in_thread(_known, space, kind, organisation_id, ids):
        # Nothing can embed them (the model is not configured any more): no use in going on.
        await in_thread(note_error, space.pk, "Its embedding model is not configured any more.")
        raise ModelError("not_found", detail="the space's model is not configured")
    await in_thread(_progress, space.pk, len(ids))
    return max(made, 1)


def request_space() -> None:
    """Have a space for the configured model begun. Raises SpaceNotReady where none is."""
    if resolve_embedding_model() is None:
        raise SpaceNotReady("No embedding model is configured.")
    if not open_work(begin_configured_space.name):
        enqueue(begin_configured_space)


@step(
    name="agents_app.begin_space",
    pool=POOL,
    timeout=300.0,
    retry=Retry(attempts=4, initial=5.0, base=3.0),
)
async def begin_configured_space() -> None:
    """Begin a space for the configured model, unless it is in use already. Raises ModelError."""
    model = require_embedding_model()
    await in_thread(begin_space, model, await length_of(model))


def begin_space(model: EmbeddingModel, dimensions: int) -> EmbeddingSpace:
    """Begin to fill a space for this model beside the active one; one that is there goes on.

    Needs the role that owns the tables: for workers and commands.
    """
    space = open_space(model.provider, model.model, dimensions)
    if space.state == SpaceState.BUILDING:
        total = _count_all()
        EmbeddingSpace.objects.filter(pk=space.pk).update(items_total=total, error="")
        take_up(space)
    return space


def take_up(space: EmbeddingSpace) -> None:
    """Have a space that is being built filled, unless somebody is at it."""
    if not open_work(build_space.name, space_id=space.pk):
        enqueue(build_space, space.pk)


def open_work(function: str, **arguments: object) -> int:
    """How many pieces of this work have not ended."""
    named = {f"arguments__{name}": value for name, value in arguments.items()}
    rows = WorkItem.objects.filter(pool=POOL, function=function, finished_at=None, **named)
    return rows.count()


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


def request_drop(space: EmbeddingSpace) -> None:
    """Have a space that is retired or paused removed. Raises SpaceNotReady for one in use."""
    if space.state not in REMOVABLE:
        raise SpaceNotReady(_NOT_REMOVABLE)
    if not open_work(drop_space_work.name, space_id=space.pk):
        enqueue(drop_space_work, space.pk)


@step(
    name="agents_app.drop_space",
    pool=POOL,
    timeout=300.0,
    retry=Retry(attempts=4, initial=5.0, base=3.0),
)
async def drop_space_work(space_id: int) -> None:
    """Remove the space, unless it is in use meanwhile or gone."""
    await in_thread(_drop, space_id)


def _drop(space_id: int) -> None:
    space = EmbeddingSpace.objects.filter(pk=space_id, state__in=REMOVABLE).first()
    if space is not None:
        drop_space(space)


def drop_space(space: EmbeddingSpace) -> None:
    """Remove a space that is retired or paused, with all its vectors.

    Needs the role that owns the tables: for workers and commands. Raises SpaceNotReady, and
    OperationalError where the tables are in use for too long.
    """
    if space.state not in REMOVABLE:
        raise SpaceNotReady(_NOT_REMOVABLE)
    owner = owner_alias()
    with transaction.atomic(using=owner), connections[owner].cursor() as cursor:
        cursor.execute(NO_LONG_WAIT)
        for kind in all_kinds():
            partition = f"{kind.vectors}_{space.pk}"
            cursor.execute(f"DROP TABLE IF EXISTS {partition}")
        EmbeddingSpace.objects.using(owner).filter(pk=space.pk).delete()


def _move(space: EmbeddingSpace, before: str, after: str) -> None:
    if not EmbeddingSpace.objects.filter(pk=space.pk, state=before).update(state=after):
        raise SpaceNotReady(f"It is not {before}.")
    space.state = after


def organisations(after: UUID | None = None) -> list[UUID]:
    """Ids of all organisations in order, or of those behind ``after``."""
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
    return sum(len(_missing(kind, space_id, pk)) for pk in organisations())


def _known(
    space: EmbeddingSpace, kind: EmbeddedKind, organisation_id: UUID, ids: Sequence[UUID]
) -> bool:
    """Whether these have a vector now, without any having been made (copied from the same text)."""
    still = set(_missing(kind, space.pk, organisation_id))
    return not still.issuperset(ids)


def _count_all() -> int:
    total = 0
    for organisation_id in organisations():
        with in_tenant(organisation_id):
            total += sum(count_items(kind, organisation_id) for kind in all_kinds())
    return total


def _progress(space_id: int, count: int) -> None:
    EmbeddingSpace.objects.filter(pk=space_id).update(items_done=F("items_done") + count)


def _go_on(space_id: int, after: UUID | None, made: int) -> None:
    # More than this one: it was paused and resumed meanwhile, and the other carries it on.
    if open_work(build_space.name, space_id=space_id) < 2:
        enqueue(build_space, space_id, after, made)
