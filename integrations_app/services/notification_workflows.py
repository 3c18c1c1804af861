"""Which notifications there are: those defined in Python, and each organisation's own.

A row of ``NotificationWorkflow`` with the key of one in Python replaces it in its organisation.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db import IntegrityError, transaction
from pydantic import BaseModel, ValidationError

from integrations_app.errors import InvalidSettings
from integrations_app.models import Channel, NotificationWorkflow
from integrations_app.runtime.notification_steps import AnyStep, dump_steps, parse_steps
from integrations_app.runtime.step_kinds import CHANNEL_STEPS
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, NotFound
from one_project.common.text import clean_line

MAX_WORKFLOWS: Final = 500
GENERAL: Final = "general"
LESSONS: Final = "lessons"
_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

Payload = TypeVar("Payload", bound=type[BaseModel])


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What happens when ``key`` is triggered. ``payload``: what it must be given, if that is known;
    ``row``: the organisation's own one, which is None for those in Python."""

    key: str
    name: str
    steps: tuple[AnyStep, ...]
    category: str = GENERAL
    description: str = ""
    is_critical: bool = False
    is_active: bool = True
    payload: type[BaseModel] | None = None
    row: NotificationWorkflow | None = None

    def checked(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The payload, as its model has it. Raises InvalidSettings: problems by path."""
        if self.payload is None:
            return payload
        try:
            return self.payload.model_validate(payload).model_dump(mode="json")
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            raise InvalidSettings(
                {".".join(["payload", *map(str, one["loc"])]): one["msg"] for one in problems}
            ) from None


_defined: dict[str, Definition] = {}
# Kinds that apps above tell without a definition: slug and name.
_categories: dict[str, str] = {GENERAL: "General", LESSONS: "My work"}


def define_notification(
    *,
    key: str,
    name: str,
    steps: Sequence[Any],
    category: str = GENERAL,
    critical: bool = False,
    description: str = "",
    payload: type[BaseModel] | None = None,
) -> Definition:
    """Make a notification known to every organisation; call it while Django starts.

    Raises InvalidSettings for steps that cannot be, TypeError when the key is taken.
    """
    made = Definition(
        key=key,
        name=name,
        steps=tuple(parse_steps(list(steps))),
        category=category,
        is_critical=critical,
        description=description,
        payload=payload,
    )
    known = _defined.get(key)
    if not _KEY.fullmatch(key) or (known is not None and known.steps != made.steps):
        raise TypeError(f"the key of a notification is a slug of its own: {key}")
    _defined[key] = made
    return made


def notification(**options: Any) -> Callable[[Payload], Payload]:
    """``define_notification`` as a decorator of the model of its payload."""

    def define(model: Payload) -> Payload:
        define_notification(payload=model, **options)
        return model

    return define


def find_definition(organisation: Organisation, key: str) -> Definition:
    """The organisation's own, else that in Python. Raises NotFound."""
    found = None
    if _KEY.fullmatch(key):
        row = NotificationWorkflow.objects.filter(organisation=organisation, key=key).first()
        found = _of_row(row) if row else _defined.get(key)
    if found is None:
        raise NotFound("There is no such notification.")
    return found


def definitions(organisation: Organisation) -> list[Definition]:
    """All that can be triggered here, by name."""
    rows = NotificationWorkflow.objects.filter(organisation=organisation)
    found = {**_defined, **{row.key: _of_row(row) for row in rows}}
    return sorted(found.values(), key=lambda one: (one.name.lower(), one.key))


def categories(organisation: Organisation) -> list[tuple[str, str]]:
    """Slug and name of every kind, by name; those of critical notifications only are left out."""
    found = dict(_categories)
    for one in definitions(organisation):
        if not one.is_critical:
            found.setdefault(one.category, one.category.replace("-", " ").capitalize())
    return sorted(found.items(), key=lambda one: one[1].lower())


def name_of_category(slug: str) -> str:
    return _categories.get(slug) or slug.replace("-", " ").capitalize()


def is_defined(key: str) -> bool:
    """Whether there is one of this key in Python."""
    return key in _defined


def _of_row(row: NotificationWorkflow) -> Definition:
    """Raises InvalidSettings for a row that an older version has stored."""
    base = _defined.get(row.key)
    return Definition(
        key=row.key,
        name=row.name,
        steps=tuple(parse_steps(row.steps)) if row.steps else (),
        category=row.category,
        description=row.description,
        is_critical=row.is_critical,
        is_active=row.is_active,
        payload=base.payload if base else None,
        row=row,
    )


# --- The organisation's own ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an admin has written."""

    key: str
    name: str
    steps: Any
    description: str = ""
    category: str = GENERAL
    is_critical: bool = False
    is_active: bool = True


def check_draft(organisation: Organisation, draft: Draft) -> list[AnyStep]:
    """The steps, if all of it can be stored. Raises InvalidSettings: problems by path."""
    problems = {}
    if not _KEY.fullmatch(draft.key):
        problems["key"] = "Small letters, digits and hyphens; at most 64."
    if not clean_line(draft.name, 120):
        problems["name"] = "Please give it a name."
    if not _KEY.fullmatch(draft.category):
        problems["category"] = "Small letters, digits and hyphens; at most 64."
    steps: list[AnyStep] = []
    try:
        steps = parse_steps(draft.steps)
        problems |= _unknown_channels(organisation, steps)
    except InvalidSettings as error:
        problems |= error.problems
    if problems:
        raise InvalidSettings(problems)
    return steps


def _unknown_channels(organisation: Organisation, steps: Iterable[AnyStep]) -> dict[str, str]:
    asked = {
        place: (one.channel, one.channel_type)
        for place, one in enumerate(steps)
        if isinstance(one, CHANNEL_STEPS) and one.channel
    }
    if not asked:
        return {}
    rows = Channel.objects.filter(
        organisation=organisation, key__in={key for key, _ in asked.values()}
    )
    there = dict(rows.values_list("key", "channel_type"))
    return {
        f"steps.{place}.channel": f"There is no channel {key} of this kind."
        for place, (key, kind) in asked.items()
        if there.get(key) != kind
    }


@transaction.atomic
def create_workflow(organisation: Organisation, draft: Draft, *, by: User) -> NotificationWorkflow:
    """Raises InvalidSettings, and Conflict when the key is taken or there are too many."""
    steps = check_draft(organisation, draft)
    if NotificationWorkflow.objects.filter(organisation=organisation).count() >= MAX_WORKFLOWS:
        raise Conflict(f"There are {MAX_WORKFLOWS} already.")
    row = NotificationWorkflow(organisation=organisation, key=draft.key, created_by=by)
    _fill(row, draft, steps)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise Conflict("There is a notification of this key already.") from None
    _log(row, "notification_workflow_created", by)
    return row


@transaction.atomic
def change_workflow(
    row: NotificationWorkflow, draft: Draft, *, by: User, read_at: datetime | None = None
) -> NotificationWorkflow:
    """Runs that have begun keep the steps they began with. ``read_at``: ``updated_at`` of what the
    change was made of. Raises InvalidSettings, Conflict (somebody else was first, or the key)."""
    steps = check_draft(row.organisation, draft)
    row = NotificationWorkflow.objects.select_for_update().get(pk=row.pk)
    if read_at is not None and row.updated_at != read_at:
        raise Conflict
    if draft.key != row.key:
        raise InvalidSettings({"key": "The key stays: programs say it."})
    _fill(row, draft, steps)
    row.save()
    _log(row, "notification_workflow_changed", by)
    return row


@transaction.atomic
def remove_workflow(row: NotificationWorkflow, *, by: User) -> None:
    """One in Python of the same key is back then; what runs goes on."""
    _log(row, "notification_workflow_removed", by)
    row.delete()


def _fill(row: NotificationWorkflow, draft: Draft, steps: list[AnyStep]) -> None:
    row.name = clean_line(draft.name, 120)
    row.description = clean_line(draft.description, 300)
    row.category, row.steps = draft.category, dump_steps(steps)
    row.is_critical, row.is_active = draft.is_critical, draft.is_active


def _log(row: NotificationWorkflow, kind: str, by: User) -> None:
    record_event(
        row.organisation, kind, actor=by, target=f"workflow:{row.pk}", data={"key": row.key}
    )
