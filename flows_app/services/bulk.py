"""Assigning to many at once: previewed without a trace, written in batches, each a transaction.

What was asked for is a row; a batch writes its assignments and how far it is together, so that
whoever carries on after an interruption repeats nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone as clock

from chat_app.access import is_staff_of
from flows_app.conf import MAX_BULK
from flows_app.live.announce import announce_flows
from flows_app.models import BulkAssignment, BulkStatus, Lesson, LessonTarget
from flows_app.runtime.actors import SYSTEM, Actor
from flows_app.runtime.bulk_rows import BulkRow, rows_of_json
from flows_app.services.assigning import checked_zone
from flows_app.services.bulk_planning import (
    CREATED,
    ERROR,
    SKIPPED,
    BulkOptions,
    Plan,
    existing,
    plans_of,
    would_credit,
)
from flows_app.services.bulk_results import BulkResult, result_of, result_of_plans
from flows_app.services.crediting import credit_prior, since_days
from flows_app.services.ending import end_targets
from flows_app.services.rights import require_staff_actor
from flows_app.services.targets import last_attempts, rows_of, store_targets
from one_project.accounts.models import Organisation
from one_project.accounts.services.events import record_event
from one_project.common.errors import InvalidInput
from one_project.workflows.definitions import step
from one_project.workflows.errors import NonRetryable
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import POOL_RETRY, Result

# More rows than these are done by a worker.
AT_ONCE: Final = 500
BATCH: Final = 1000
# Crediting prior work moves each step by itself.
CREDIT_BATCH: Final = 100
REQUEST_LIMIT: Final = 64
NO_RESULT: Final = "This row could not be assigned. Please try it again."


def assign_lessons(
    organisation: Organisation,
    rows: Sequence[BulkRow],
    *,
    by: Actor,
    preview: bool = False,
    request_id: str | None = None,
    options: BulkOptions | None = None,
) -> BulkResult:
    """Assign each row to whom it names; one that fails stops no other.

    ``preview`` writes nothing. ``request_id``: the same again changes nothing and returns the same
    counts. More than ``AT_ONCE`` rows are done by a worker: the result then says how far it is.

    Raises AccessDenied for who is not staff, InvalidInput for no rows, too many, or options that
    cannot be; what is wrong with a row is in its result.
    """
    require_staff_actor(by, organisation)
    options = options or BulkOptions()
    _check(rows, request_id, options)
    if preview:
        plans = plans_of(organisation, rows, by=by, options=options)
        credited = would_credit(plans, options.credit_days) if options.credit_days else 0
        return result_of_plans(plans, credited)
    bulk = _requested(organisation, rows, by, request_id, options)
    if bulk.total <= AT_ONCE:
        while not _next_batch(bulk.pk):
            pass
        bulk.refresh_from_db()
    return result_of(bulk)


@step(name="flows_app.assign_many", retry=POOL_RETRY)
def assign_many(bulk_id: UUID) -> None:
    """All batches that are left; repeated when its worker is lost."""
    while not _next_batch(bulk_id):
        pass


@step(name="flows_app.assign_many_over", kind="transaction")
def assign_many_over(result: Result, context: dict[str, Any]) -> None:
    """The work has ended: what no batch has done is told to have failed."""
    bulk = BulkAssignment.objects.select_for_update().filter(pk=context["bulk"]).first()
    if bulk is None or bulk.status == BulkStatus.DONE:
        return
    left = rows_of_json(bulk.rows[bulk.done :])
    bulk.results = [*bulk.results, *([row.line, ERROR, NO_RESULT, row.who] for row in left)]
    bulk.failed += len(left)
    _finish(bulk)
    bulk.save()


def _check(rows: Sequence[BulkRow], request_id: str | None, options: BulkOptions) -> None:
    checked_zone(options.timezone)
    if options.credit_days is not None:
        since_days(options.credit_days)
    if not rows:
        raise InvalidInput("Please choose at least one person, agent, role or team.")
    if len(rows) > MAX_BULK:
        raise InvalidInput(f"At most {MAX_BULK:,} rows at a time, please: these are {len(rows):,}.")
    if request_id and len(request_id) > REQUEST_LIMIT:
        raise InvalidInput(f"A request id has at most {REQUEST_LIMIT} characters.")


def _requested(
    organisation: Organisation,
    rows: Sequence[BulkRow],
    by: Actor,
    request_id: str | None,
    options: BulkOptions,
) -> BulkAssignment:
    """The row of this request: a new one with its work, or the first one's."""
    bulk = BulkAssignment(
        organisation=organisation,
        requested_by=by.user,
        request_id=request_id or None,
        rows=[row.to_json() for row in rows],
        options=asdict(options),
        total=len(rows),
    )
    try:
        with transaction.atomic():
            bulk.save(force_insert=True)
            if bulk.total > AT_ONCE:
                enqueue(
                    assign_many,
                    bulk.pk,
                    organisation=organisation,
                    on_complete=assign_many_over,
                    context={"bulk": str(bulk.pk)},
                )
    except IntegrityError:
        known = BulkAssignment.objects.filter(organisation=organisation, request_id=request_id)
        if request_id and (found := known.first()):
            return found
        raise
    return bulk


@transaction.atomic
def _next_batch(bulk_id: UUID) -> bool:
    """Write the next rows and how far it is; whether all is done."""
    bulk = (
        BulkAssignment.objects.select_for_update(of=("self",))
        .select_related("organisation", "requested_by")
        .get(pk=bulk_id)
    )
    if bulk.status == BulkStatus.DONE:
        return True
    asker = bulk.requested_by
    if asker is not None and not is_staff_of(asker, bulk.organisation_id):
        raise NonRetryable("Who has asked for this is not of the staff any more.")
    options = BulkOptions(**bulk.options)
    size = CREDIT_BATCH if options.credit_days else BATCH
    rows = rows_of_json(bulk.rows[bulk.done : bulk.done + size])
    by = Actor(user=bulk.requested_by)
    plans = plans_of(bulk.organisation, rows, by=by, options=options)
    made = _write(plans, by, options)
    if options.credit_days:
        credited = len(credit_prior(made, options.credit_days, by=SYSTEM))
        bulk.meta["credited"] = bulk.meta.get("credited", 0) + credited
    done = result_of_plans(plans)
    bulk.results = [*bulk.results, *([r.line, r.outcome, r.text, r.who] for r in done.results)]
    bulk.created += done.created
    bulk.skipped += done.skipped
    bulk.failed += done.unknown + done.failed
    bulk.done += len(rows)
    if bulk.done >= bulk.total:
        _finish(bulk)
    bulk.save()
    announce_flows(bulk.organisation_id, [bulk.requested_by_id])
    return bulk.status == BulkStatus.DONE


def _write(plans: Sequence[Plan], by: Actor, options: BulkOptions) -> list[LessonTarget]:
    """Lessons and targets of one batch, as sets; the plans then say what really came of them."""
    wanted = [one for one in plans if one.outcome == CREATED and one.lesson is not None]
    keys = {key for one in wanted for key in one.keys}
    if options.restart:
        rows = LessonTarget.objects.filter(pk__in=list(existing(keys).values()))
        end_targets(rows, "restarted", by=by)
    people = list({key for one in wanted for key in one.people})
    agents = list({key for one in wanted for key in one.agents})
    attempts = last_attempts({flow for _, flow, _ in keys}, people, agents)
    lessons = [one.lesson for one in wanted if one.lesson is not None]
    Lesson.objects.bulk_create(lessons)
    made = store_targets(
        [
            target
            for one in wanted
            if one.lesson is not None
            for target in rows_of(
                one.lesson, one.parts, one.people, one.agents, attempts, in_queue=one.is_queue
            )
        ],
        by,
    )
    count: dict[UUID, int] = {}
    for target in made:
        count[target.lesson_id] = count.get(target.lesson_id, 0) + 1
    for one in wanted:
        assert one.lesson is not None
        created = count.get(one.lesson.pk, 0)
        one.count(created, 0 if one.is_queue else len(one.keys) - created)
    # Another was quicker: an assignment of nobody is none.
    empty = [one.lesson.pk for one in wanted if one.outcome == SKIPPED and one.lesson]
    if empty:
        Lesson.objects.filter(pk__in=empty).delete()
    return made


def _finish(bulk: BulkAssignment) -> None:
    bulk.status, bulk.finished_at, bulk.done = BulkStatus.DONE, clock.now(), bulk.total
    record_event(
        bulk.organisation,
        "lessons_assigned",
        actor=bulk.requested_by,
        target=f"bulk:{bulk.pk}",
        data={"created": bulk.created, "skipped": bulk.skipped, "failed": bulk.failed},
    )
