"""The work pool for those who give it work: enqueue and cancel."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from one_project.accounts.models import Organisation
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.ids import new_id
from one_project.workflows.bell import ring_on_commit, tell_to_stop_on_commit
from one_project.workflows.conf import (
    CANCELED_TOLD,
    DEFAULT_POOL,
    MAX_ARGUMENTS,
    RETENTION_DAYS,
)
from one_project.workflows.definitions import Step
from one_project.workflows.models import Completion, WorkItem
from one_project.workflows.sizes import checked_size
from one_project.workflows.types import POOL_RETRY, Kind, Retry, Status

YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWork:
    """One call for ``enqueue_many``."""

    step: Step[..., Any]
    arguments: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    context: Any = None


def enqueue(
    step: Step[..., Any],
    *args: Any,
    organisation: Organisation | None = None,
    organisation_id: UUID | None = None,
    key: str | None = None,
    on_complete: Step[..., Any] | None = None,
    context: Any = None,
    **kwargs: Any,
) -> WorkItem:
    """Have ``step`` called by a worker, in the caller's transaction; returns its row.

    Options come from the step: ``step.options(pool=, retry=, run_after=, run_at=, priority=,
    timeout=)``. A ``key`` makes it once per organisation and step: the same key again returns the
    first row. ``on_complete(result, context)`` is a transaction step. Raises InvalidData, TooLarge.
    """
    owner = organisation.pk if organisation else organisation_id
    item = _new_item(step, step.signature.dump(args, kwargs), owner, key)
    _promise(item, on_complete, context)
    if key is None:
        item.save(force_insert=True)
    else:
        item = _once(item)
    if item.status == Status.READY:
        ring_on_commit()
    return item


def _once(item: WorkItem) -> WorkItem:
    """The row of this key: the first one, if there has been one."""
    if found := _of_key(item):
        return found
    try:
        with transaction.atomic():
            item.save(force_insert=True)
    except IntegrityError:
        if found := _of_key(item):
            return found
        raise
    return item


def enqueue_many(
    calls: Sequence[NewWork],
    *,
    organisation: Organisation | None = None,
    on_complete: Step[..., Any] | None = None,
) -> list[WorkItem]:
    """As ``enqueue``, for many at once; rows in the order of the calls, all of them or none."""
    items = []
    for call in calls:
        arguments = call.step.signature.dump((), call.arguments)
        owner = organisation.pk if organisation else None
        item = _new_item(call.step, arguments, owner, call.key)
        _promise(item, on_complete, call.context)
        items.append(item)
    with transaction.atomic():
        plain = [item for item in items if item.key is None]
        WorkItem.objects.bulk_create(plain, batch_size=500)
        made = [item if item.key is None else _once(item) for item in items]
        if made:
            ring_on_commit()
    return made


def _new_item(
    step: Step[..., Any],
    arguments: dict[str, Any],
    organisation_id: UUID | None,
    key: str | None,
) -> WorkItem:
    if step.kind not in {Kind.ACTION, Kind.TRANSACTION}:
        raise InvalidInput("Only actions and transactions can be enqueued.")
    checked_size(arguments, MAX_ARGUMENTS, f"The arguments of {step.name}")
    options = step.call_options
    retry = POOL_RETRY if options.retry is True else Retry.of(options.retry)
    due = due_at(options.run_after, options.run_at)
    return WorkItem(
        organisation_id=organisation_id,
        kind=step.kind,
        name=options.name or step.name.rsplit(".", 1)[-1],
        function=step.name,
        arguments=arguments,
        key=key,
        pool=options.pool or DEFAULT_POOL,
        priority=options.priority or 0,
        status=Status.WAITING if due else Status.READY,
        poke_at=due,
        retry=retry.to_json() if retry else None,
        timeout=options.timeout,
        lease=step.lease,
    )


def _promise(item: WorkItem, on_complete: Step[..., Any] | None, context: Any) -> None:
    if on_complete is not None:
        if on_complete.kind != Kind.TRANSACTION:
            raise InvalidInput("on_complete is a step of kind transaction.")
        checked_size(context, MAX_ARGUMENTS, "The context")
        item.on_complete, item.context = on_complete.name, context


def _of_key(item: WorkItem) -> WorkItem | None:
    return WorkItem.objects.filter(
        organisation=item.organisation_id, function=item.function, key=item.key
    ).first()


def due_at(
    after: float | timedelta | None, at: datetime | None, now: datetime | None = None
) -> datetime | None:
    """The moment in the future, or None for now (at most four years ahead)."""
    now = now or timezone.now()
    if at is None and after is None:
        return None
    if at is None:
        at = now + (after if isinstance(after, timedelta) else timedelta(seconds=after or 0))
    if timezone.is_naive(at):
        raise InvalidInput("run_at needs a time zone.")
    if at > now + 4 * YEAR:
        raise InvalidInput("Work can be put off for at most four years.")
    return at if at > now else None


def cancel_work(item: WorkItem) -> bool:
    """Cancel it: what has not begun never does, what runs is told; False when it has ended.

    The end is recorded at once, whatever a running worker still does (WP-8).
    """
    from one_project.workflows.services.completion import completed

    with transaction.atomic():
        row = WorkItem.objects.select_for_update().filter(pk=item.pk).first()
        if row is None or not row.is_open:
            return False
        if row.run_id is not None:
            raise Conflict("This is a step of a workflow. Please cancel the workflow.")
        if row.status == Status.RUNNING:
            tell_to_stop_on_commit(row.pk)
        row.status, row.finished_at = Status.CANCELED, timezone.now()
        row.token, row.poke_at = None, None
        row.cancel_requested_at = row.finished_at
        row.purge_at = row.finished_at + timedelta(days=RETENTION_DAYS)
        row.save()
        completed(row)
    return True


def ask_to_stop(item_id: UUID) -> bool:
    """Cancel what is not running, now (True); ask what runs to come to an end by itself (False).

    Unlike ``cancel_work`` this leaves the last word to a function that runs, and calls no
    ``on_complete`` for one that does not: the caller does what is to be done then.
    """
    with transaction.atomic():
        row = WorkItem.objects.select_for_update().filter(pk=item_id).first()
        if row is None or not row.is_open:
            return True
        now = timezone.now()
        row.cancel_requested_at = now
        if row.status == Status.RUNNING:
            row.save(update_fields=["cancel_requested_at"])
            tell_to_stop_on_commit(row.pk)
            return False
        row.status, row.finished_at, row.poke_at = Status.CANCELED, now, None
        row.completion = Completion.DONE if row.on_complete else Completion.NONE
        row.purge_at = now + timedelta(days=RETENTION_DAYS)
        row.save()
        return True


def cancel_all_work(*, pool: str, organisation: Organisation | None = None) -> int:
    """Cancel what is open in the pool now (of one organisation); not what comes later (WP-9)."""
    before = new_id()
    canceled = 0
    while True:
        rows = WorkItem.objects.open().filter(Q(pool=pool, pk__lt=before, run=None))
        if organisation is not None:
            rows = rows.filter(organisation=organisation)
        batch = list(rows.order_by("-pk")[:CANCELED_TOLD])
        if not batch:
            return canceled
        canceled += sum(cancel_work(item) for item in batch)
