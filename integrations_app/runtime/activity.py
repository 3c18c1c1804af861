"""What was sent and told, newest first, as people look at it. Reads rows, writes none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations_app.access import visible_deliveries, visible_notifications
from integrations_app.models import Delivery, Notification
from integrations_app.types import ChannelType, DeliveryStatus
from one_project.accounts.models import Organisation, User
from one_project.common.cursors import read_moment, write_cursor

PAGE: Final = 50
TIMES: Final = {
    "hour": ("Last hour", timedelta(hours=1)),
    "day": ("Last 24 hours", timedelta(days=1)),
    "week": ("Last 7 days", timedelta(days=7)),
    "month": ("Last 30 days", timedelta(days=30)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page is to show; empty is everything. What is not known narrows to nothing."""

    kind: str = ""  # "message" or "notification"
    channel: str = ""
    status: str = ""
    time: str = ""
    person: UUID | None = None
    integration: UUID | None = None

    @property
    def is_narrow(self) -> bool:
        return any((self.kind, self.channel, self.status, self.time, self.person, self.integration))

    @property
    def messages_only(self) -> bool:
        return self.kind == "message" or bool(self.channel or self.status or self.integration)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the page: a message, or a notification."""

    row: Delivery | Notification

    @property
    def is_message(self) -> bool:
        return isinstance(self.row, Delivery)

    @property
    def place(self) -> tuple[datetime, UUID]:
        return self.row.created_at, self.row.pk


@dataclass(frozen=True, slots=True)
class Page:
    """``older``: the cursor of the next page, if there is one. ``version``: of what is shown."""

    lines: Sequence[Line]
    older: str | None
    version: str


def activity(
    user: User, organisation: Organisation, asked: Asked, cursor: str | None = None
) -> Page:
    """A page of what the person may see. Raises InvalidInput for a cursor that is none of ours."""
    before = read_moment(cursor) if cursor else None
    lines: list[Line] = []
    if asked.kind != "notification":
        lines += [Line(row) for row in _deliveries(user, organisation, asked, before)]
    if not asked.messages_only:
        lines += [Line(row) for row in _notifications(user, organisation, asked, before)]
    lines.sort(key=lambda line: line.place, reverse=True)
    shown = lines[:PAGE]
    older = write_cursor(*shown[-1].place) if len(lines) > PAGE else None
    return Page(shown, older, _version(shown))


def _deliveries(
    user: User, organisation: Organisation, asked: Asked, before: tuple[datetime, UUID] | None
) -> list[Delivery]:
    rows = _within(visible_deliveries(user, organisation), asked, before)
    if asked.channel:
        rows = rows.filter(channel_type=asked.channel)
    if asked.status:
        rows = rows.filter(status=asked.status)
    if asked.integration:
        rows = rows.filter(integration=asked.integration)
    rows = rows.select_related("integration", "user", "by").defer("content", "meta")
    return list(rows.order_by("-created_at", "-pk")[: PAGE + 1])


def _notifications(
    user: User, organisation: Organisation, asked: Asked, before: tuple[datetime, UUID] | None
) -> list[Notification]:
    rows = _within(visible_notifications(user, organisation), asked, before)
    rows = rows.select_related("user", "by").defer("payload", "body")
    return list(rows.order_by("-created_at", "-pk")[: PAGE + 1])


def _within(rows: QuerySet[Any], asked: Asked, before: tuple[datetime, UUID] | None) -> Any:
    if asked.person:
        rows = rows.filter(user=asked.person)
    if asked.time:
        length = TIMES[asked.time][1] if asked.time in TIMES else timedelta(0)
        rows = rows.filter(created_at__gte=timezone.now() - length)
    if before:
        at, row_id = before
        rows = rows.filter(created_at__lte=at).exclude(Q(created_at=at, pk__gte=row_id))
    return rows


def _version(lines: Sequence[Line]) -> str:
    shown = [(str(one.row.pk), str(one.row.updated_at)) for one in lines]
    return sha256(repr(shown).encode()).hexdigest()[:16]


def version_of(delivery: Delivery, attempts: Sequence[Any], events: Sequence[Any]) -> str:
    """Of a delivery's page: what it shows, as a short text."""
    shown = [str(delivery.updated_at), delivery.status, len(events)]
    shown += [(one.number, one.status) for one in attempts]
    return sha256(repr(shown).encode()).hexdigest()[:16]


def reads_text(user: User, delivery: Delivery) -> bool:
    """Only who sent it and whom it is for read what it says; with neither, it is the house's.

    A code that proves an address is read there and nowhere else.
    """
    if (delivery.content.get("data") or {}).get("is_code"):
        return False
    if delivery.by_id is None and delivery.user_id is None:
        return True
    return user.pk in (delivery.by_id, delivery.user_id)


CHANNELS: Final = [(one.value, one.label) for one in ChannelType if one.reaches_people]
STATUSES: Final = DeliveryStatus.choices
