"""A trigger: for whom, one row each, and the run of each."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import transaction
from django.db.models import Q

from integrations_app.models import Notification, NotificationEvent, Topic
from integrations_app.runtime.notification_steps import dump_steps, parse_steps
from integrations_app.services.ending import run_over
from integrations_app.services.notification_workflows import Definition
from integrations_app.services.topics import find_topic, subscribers
from integrations_app.types import Reason
from one_project.accounts.models import Membership, Organisation, User
from one_project.common.errors import InvalidInput
from one_project.common.ids import parse_id
from one_project.common.text import clean_json, clean_line, is_plain_json
from one_project.workflows.definitions import find_workflow, step
from one_project.workflows.services.runs import start
from one_project.workflows.services.work import enqueue

WORKFLOW: Final = "integrations_app.notification"
TOPIC: Final = "topic:"
MAX_PEOPLE: Final = 10_000
MAX_PAYLOAD: Final = 64 * 1024
# More runs than these are begun by workers, so many in one transaction.
AT_ONCE: Final = 20
BATCH: Final = 100

Recipient = User | Topic | UUID | str
Recipients = Recipient | Iterable[Recipient]


def recipients_of(organisation: Organisation, to: Recipients) -> dict[UUID, UUID | None]:
    """The people, each once, with the topic that brought them; only who belongs here.

    ``to``: people, their ids or e-mail addresses, topics or ``topic:key``, or a list of these. A
    few statements, whatever the number. Raises InvalidInput for somebody or a topic that is not
    there, and for too many.
    """
    ids: dict[UUID, UUID | None] = {}
    addresses: set[str] = set()
    single = isinstance(to, User | Topic | UUID | str)
    for one in [to] if single else list(to):  # type: ignore[arg-type]
        if isinstance(one, str) and one.startswith(TOPIC):
            one = find_topic(organisation, one.removeprefix(TOPIC))
        if isinstance(one, Topic):
            if one.organisation_id != organisation.pk:
                raise InvalidInput("There is no such topic.")
            # Who is named is told, whatever they have muted for a topic.
            there = subscribers(one).values_list("pk", flat=True)
            ids = {**dict.fromkeys(there, one.pk), **ids}
        elif isinstance(one, User):
            ids[one.pk] = None
        elif (key := parse_id(one)) is not None:
            ids[key] = None
        elif isinstance(one, str) and "@" in one:
            addresses.add(clean_line(one, 254).lower())
        else:
            raise InvalidInput("Somebody is an id, an e-mail address, or topic: and a key.")
    if len(ids) + len(addresses) > MAX_PEOPLE:
        raise InvalidInput(f"At most {MAX_PEOPLE:,} people are told at once.")
    known = _members(organisation, ids, addresses)
    missing = [key for key, topic in ids.items() if topic is None and key not in known]
    if missing or len(addresses - set(known.values())):
        raise InvalidInput("Somebody of these does not belong to the organisation.")
    return {key: None if email in addresses else ids.get(key) for key, email in known.items()}


def _members(
    organisation: Organisation, ids: Collection[UUID], addresses: Collection[str]
) -> dict[UUID, str]:
    members = Membership.objects.active().filter(organisation=organisation)
    people = Q(user_id__in=list(ids))
    for address in addresses:
        people |= Q(user__email__iexact=address)
    rows = members.filter(people, user__is_active=True).order_by("user_id")
    return {key: email.lower() for key, email in rows.values_list("user_id", "user__email")}


def checked_payload(payload: Any) -> dict[str, Any]:
    """What can be stored and told. Raises InvalidInput."""
    if not isinstance(payload, dict):
        raise InvalidInput("The payload is a JSON object.")
    if not is_plain_json(payload):
        raise InvalidInput("The payload is nested too deeply, or its numbers are too large.")
    found: dict[str, Any] = clean_json(payload)
    try:
        size = len(orjson.dumps(found))
    except (TypeError, ValueError):
        raise InvalidInput("The payload is a JSON object.") from None
    if size > MAX_PAYLOAD:
        raise InvalidInput("The payload is at most 64 KB of JSON.")
    return found


def write_rows(
    organisation: Organisation,
    definition: Definition,
    people: dict[UUID, UUID | None],
    *,
    payload: dict[str, Any],
    by: User | None,
    transaction_id: str,
    category: str,
    critical: bool,
    ways: Sequence[str] | None,
) -> tuple[list[Notification], list[Notification]]:
    """A row for each: (all of this transaction, those that are new). A few statements."""
    common: dict[str, Any] = {
        "organisation": organisation,
        "workflow": definition.key,
        "transaction_id": transaction_id,
    }
    meta: dict[str, Any] = {} if ways is None else {"ways": list(ways)}
    made = [
        Notification(
            **common,
            user_id=user_id,
            by=by,
            category=category,
            is_critical=critical,
            payload=payload,
            meta={**meta, **({"topic": str(topic)} if topic else {})},
        )
        for user_id, topic in people.items()
    ]
    Notification.objects.bulk_create(made, batch_size=1_000, ignore_conflicts=True)
    rows = list(
        Notification.objects.filter(**common, user_id__in=list(people)).order_by("created_at", "pk")
    )
    own = {row.pk for row in made}
    new = [row for row in rows if row.pk in own]
    NotificationEvent.objects.bulk_create(
        (
            NotificationEvent(organisation=organisation, notification=row, reason=Reason.TRIGGERED)
            for row in new
        ),
        batch_size=1_000,
    )
    return rows, new


def begin(organisation: Organisation, definition: Definition, new: Sequence[Notification]) -> None:
    """The run of each, in the caller's transaction; of many, by workers."""
    steps = dump_steps(definition.steps)
    if len(new) <= AT_ONCE:
        _start(organisation, new, steps)
        return
    for place in range(0, len(new), BATCH):
        keys = [row.pk for row in new[place : place + BATCH]]
        enqueue(begin_runs, organisation.pk, keys, steps, organisation=organisation)


def begin_from(row: Notification, steps: list[dict[str, Any]], name: str) -> None:
    """A run of its steps from one on, in place of the run it had."""
    place = next(number for number, one in enumerate(steps) if one["id"] == name)
    _start(row.organisation, [row], steps[place:])


@step(kind="transaction", name="integrations_app.begin_notifications")
def begin_runs(organisation_id: UUID, keys: list[UUID], steps: list[dict[str, Any]]) -> int:
    """Begin the runs of a batch; how many. Those canceled meanwhile have ended."""
    organisation = Organisation.objects.get(pk=organisation_id)
    rows = Notification.objects.filter(pk__in=keys, run_id=None, ended_at=None)
    found = list(rows.select_for_update().order_by("pk"))
    _start(organisation, found, steps)
    return len(found)


@transaction.atomic
def _start(
    organisation: Organisation, rows: Sequence[Notification], steps: list[dict[str, Any]]
) -> None:
    workflow, parsed = find_workflow(WORKFLOW), parse_steps(steps)
    for row in rows:
        run = start(
            workflow,
            row.pk,
            parsed,
            organisation=organisation,
            on_complete=run_over,
            context={"notification": str(row.pk)},
        )
        row.run_id = run.pk
    Notification.objects.bulk_update(rows, ["run_id"], batch_size=500)
