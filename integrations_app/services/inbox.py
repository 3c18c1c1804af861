"""The inbox behind the bell: what is shown to a person, and what they did with it.

Everything that is told is a ``Notification``; it is in the inbox from ``shown_at`` on, which lies
ahead while it is snoozed. Apps above that show things of their own here (``show_many``) hear of
what was read through ``on_read``.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations_app.models import Notification
from integrations_app.runtime.notification_steps import next_moment
from integrations_app.runtime.step_kinds import Timed
from integrations_app.services.preferences import who_want
from integrations_app.types import ChannelType
from one_project.accounts.models import Membership, Organisation, User
from one_project.common.errors import InvalidInput, NotFound
from one_project.common.ids import new_id
from one_project.common.publish import publish_on_commit
from one_project.common.text import clean_line, clean_text

WAKE: Final = b"i\n"
# More are not woken one by one: their pages look by themselves.
MAX_WOKEN: Final = 200
TITLE, BODY, URL = 200, 4_000, 500

Follower = Callable[[UUID, UUID, list[UUID]], None]
_followers: dict[str, Follower] = {}


def on_read(follower: Follower) -> Follower:
    """``follower(user_id, organisation_id, ids)`` in the transaction in which these were read."""
    _followers[f"{follower.__module__}.{follower.__qualname__}"] = follower
    return follower


def wake(user_ids: Iterable[UUID]) -> None:
    """Have the pages of these people look again, after commit."""
    people = set(user_ids)
    for user_id in people if len(people) <= MAX_WOKEN else ():
        publish_on_commit(f"one:u:{user_id}", WAKE)


def path_of(url: str) -> str:
    """``url``, if it is a path of ours; else ""."""
    is_ours = url.startswith("/") and not url.startswith("//") and "\\" not in url
    return url if is_ours and url.isprintable() and len(url) <= URL else ""


# --- Showing --------------------------------------------------------------------------------------


@transaction.atomic
def show(notification: Notification, *, title: str, body: str = "", url: str = "") -> None:
    """Put it into its person's inbox, as new."""
    notification.title, notification.body = clean_line(title, TITLE), clean_text(body)[:BODY]
    notification.url, notification.shown_at = path_of(url), timezone.now()
    notification.seen_at = notification.read_at = notification.archived_at = None
    notification.snoozed_until = None
    notification.save()
    if notification.user_id is not None:
        wake([notification.user_id])


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something of an app above, for the inbox of one person; ``key`` is the id it gets."""

    user_id: UUID
    title: str
    url: str
    body: str = ""
    key: UUID = field(default_factory=new_id)


@transaction.atomic
def show_many(
    organisation_id: UUID, lines: Sequence[Line], *, workflow: str, category: str
) -> None:
    """Put lines into inboxes, but for people who have switched that off. Two statements, whatever
    the number; the caller has seen to it that they belong to the organisation, and wakes them."""
    now = timezone.now()
    told = who_want({one.user_id for one in lines}, organisation_id, category, ChannelType.IN_APP)
    Notification.objects.bulk_create(
        Notification(
            pk=one.key,
            organisation_id=organisation_id,
            user_id=one.user_id,
            workflow=workflow,
            category=category,
            transaction_id=str(one.key),
            title=clean_line(one.title, TITLE),
            body=clean_text(one.body)[:BODY],
            url=path_of(one.url),
            shown_at=now,
            ended_at=now,
        )
        for one in lines
        if one.user_id in told
    )


# --- What is there --------------------------------------------------------------------------------

VIEWS: Final = ("all", "unread", "snoozed", "archived")


def inbox_of(user: User, organisation: Organisation, view: str = "all") -> QuerySet[Notification]:
    """One of ``VIEWS``, newest first."""
    now = timezone.now()
    rows = Notification.objects.in_inbox().filter(user=user, organisation=organisation)
    if view == "archived":
        rows = rows.exclude(archived_at=None)
    elif view == "snoozed":
        rows = rows.filter(archived_at=None, shown_at__gt=now)
    else:
        rows = rows.filter(archived_at=None, shown_at__lte=now)
        rows = rows.filter(read_at=None) if view == "unread" else rows
    return rows.order_by("-shown_at", "-pk")


def after(rows: QuerySet[Notification], cursor: str) -> QuerySet[Notification]:
    """Those behind a cursor (``cursor_of`` the last one shown); an unreadable one is none."""
    moment, _, key = cursor.partition("_")
    try:
        at, last = datetime.fromtimestamp(int(moment) / 1e6, UTC), UUID(key)
    except (ValueError, OverflowError, OSError):
        return rows
    return rows.filter(Q(shown_at__lt=at) | Q(shown_at=at, pk__lt=last))


def cursor_of(row: Notification) -> str:
    assert row.shown_at is not None
    since = row.shown_at - datetime(1970, 1, 1, tzinfo=UTC)
    return f"{since // timedelta(microseconds=1)}_{row.pk}"


def unread_count(user: User, organisation: Organisation) -> int:
    """What the bell shows."""
    return inbox_of(user, organisation, "unread").order_by().count()


def access_own(user: User, notification_id: UUID) -> Notification:
    """One that the person was told, in the inbox or not, of an organisation they belong to now.
    Raises NotFound."""
    members = Membership.objects.active().filter(user=user)
    rows = Notification.objects.filter(user=user, organisation__memberships__in=members)
    found = rows.filter(pk=notification_id).select_related("organisation").first()
    if found is None:
        raise NotFound
    return found


# --- What people do -------------------------------------------------------------------------------


def _own(
    user: User, organisation: Organisation, ids: Collection[UUID] | None
) -> QuerySet[Notification]:
    rows = Notification.objects.filter(user=user, organisation=organisation)
    return rows if ids is None else rows.filter(pk__in=ids)


@transaction.atomic
def mark_seen(user: User, organisation: Organisation, ids: Collection[UUID]) -> int:
    """They have been listed; how many for the first time. Nobody is woken by it."""
    rows = _own(user, organisation, ids).filter(seen_at=None)
    return rows.update(seen_at=timezone.now())


@transaction.atomic
def mark_read(user: User, organisation: Organisation, ids: Collection[UUID] | None = None) -> int:
    """These, or all that the bell counts; how many were unread."""
    now = timezone.now()
    rows = _own(user, organisation, ids).filter(read_at=None)
    if ids is None:
        rows = rows.filter(shown_at__lte=now, archived_at=None)
    changed = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
    if not changed:
        return 0
    done = Notification.objects.filter(pk__in=changed)
    done.update(read_at=now, updated_at=now)
    done.filter(seen_at=None).update(seen_at=now)
    for follower in _followers.values():
        follower(user.pk, organisation.pk, changed)
    wake([user.pk])
    return len(changed)


@transaction.atomic
def mark_unread(user: User, organisation: Organisation, ids: Collection[UUID]) -> int:
    """As if they had not been read; how many had been."""
    rows = _own(user, organisation, ids).exclude(read_at=None)
    return _changed(user, rows.update(read_at=None, updated_at=timezone.now()))


@transaction.atomic
def archive(
    user: User, organisation: Organisation, ids: Collection[UUID], *, back: bool = False
) -> int:
    """Put them away (read or not), or ``back`` into the inbox."""
    rows = _own(user, organisation, ids).filter(archived_at__isnull=not back)
    now = timezone.now()
    return _changed(user, rows.update(archived_at=None if back else now, updated_at=now))


SNOOZES: Final = {"hour": "In an hour", "tomorrow": "Tomorrow at 8"}


@transaction.atomic
def snooze(
    user: User, organisation: Organisation, notification: Notification, until: str | datetime
) -> datetime:
    """Take it out until then (a word of ``SNOOZES``, or a moment within a year): it comes back as
    new, at the top. Raises InvalidInput."""
    now = timezone.now()
    if until == "hour":
        moment = now + timedelta(hours=1)
    elif until == "tomorrow":
        tomorrow = next_moment(Timed(hour=0), user.timezone, now)
        moment = next_moment(Timed(hour=8), user.timezone, tomorrow)
    elif isinstance(until, datetime) and now < until < now + timedelta(days=366):
        moment = until
    else:
        raise InvalidInput("Please choose when it comes back.")
    rows = _own(user, organisation, [notification.pk])
    _changed(
        user,
        rows.update(
            shown_at=moment, snoozed_until=moment, read_at=None, archived_at=None, updated_at=now
        ),
    )
    return moment


def _changed(user: User, number: int) -> int:
    if number:
        wake([user.pk])
    return number
