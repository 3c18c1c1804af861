"""What people are told of: a row each, which their pages show and a mail may carry.

Everything is written as sets: a thousand people cost as many queries as two. Who does something is
not told of it, and only who belongs to the organisation is told anything.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from chat_app.live.announce import announce_people
from flows_app.models import (
    FlowProgress,
    FlowStep,
    Lesson,
    LessonTarget,
    Notice,
    NoticeKind,
    Status,
)
from flows_app.runtime.actors import Actor
from flows_app.runtime.transitions import DONE
from flows_app.services.following import on_assigned, on_moved
from flows_app.services.wishes import mail_time, wishes_of
from integrations_app.services.inbox import Line, on_read, show_many
from integrations_app.services.inbox import mark_read as mark_inbox_read
from integrations_app.services.notification_workflows import LESSONS
from one_project.accounts.models import Membership, Organisation, Role, User
from one_project.common.errors import NotFound
from one_project.common.ids import new_id
from one_project.common.text import clean_line

TEXT_LIMIT = 300
# More are not woken one by one: their pages look by themselves.
MAX_WOKEN = 200
MINE = "/lessons/"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one person is to be told; ``url`` is a path of ours, ``key`` the notice's."""

    key: UUID = field(default_factory=new_id)
    user_id: UUID
    kind: NoticeKind
    text: str
    url: str
    target_id: UUID | None = None


def address_of(target_id: UUID, step_key: UUID | None = None) -> str:
    """Of an assignment, or of one step of it."""
    step = f"steps/{step_key}/" if step_key else ""
    return f"{MINE}{target_id}/{step}"


def notify(
    organisation: Organisation,
    users: Iterable[User],
    *,
    kind: NoticeKind,
    text: str,
    url: str,
    target: LessonTarget | None = None,
    by: User | None = None,
) -> list[Notice]:
    """Tell people of this organisation the same thing, but for ``by``, who did it."""
    told = {user.pk for user in users if by is None or user.pk != by.pk}
    target_id = target.pk if target else None
    return post(
        organisation.pk,
        [
            News(user_id=key, kind=kind, text=text, url=url, target_id=target_id)
            for key in sorted(told)
        ],
    )


@transaction.atomic
def post(
    organisation_id: UUID, news: Sequence[News], *, now: datetime | None = None
) -> list[Notice]:
    """Write the notices, each with the time its mail may go by that person's wishes, and show them
    in the inbox under the same ids.

    Five queries, whatever the number; in the order of ``news``, without those for people who do
    not belong to the organisation. Pages are told after the commit.
    """
    if not news:
        return []
    now = now or timezone.now()
    wishes = wishes_of(organisation_id, (one.user_id for one in news))
    rows = [
        Notice(
            pk=one.key,
            organisation_id=organisation_id,
            user_id=one.user_id,
            target_id=one.target_id,
            kind=one.kind,
            text=clean_line(one.text, TEXT_LIMIT),
            url=one.url,
            mail_at=mail_time(wishes[one.user_id], now),
        )
        for one in news
        if one.user_id in wishes
    ]
    Notice.objects.bulk_create(rows)
    show_many(
        organisation_id,
        [Line(key=row.pk, user_id=row.user_id, title=row.text, url=row.url) for row in rows],
        workflow=LESSONS,
        category=LESSONS,
    )
    people = {row.user_id for row in rows}
    announce_people(people if len(people) <= MAX_WOKEN else ())
    return rows


# --- What is read --------------------------------------------------------------------------------


def access_notice(user: User, notice_id: UUID) -> Notice:
    """One of the person's own, of an organisation they belong to. Raises NotFound."""
    found = (
        Notice.objects.filter(pk=notice_id, user=user)
        .filter(organisation__memberships__in=Membership.objects.active().filter(user=user))
        .select_related("organisation")
        .first()
    )
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def mark_read(user: User, organisation: Organisation, ids: Collection[UUID] | None = None) -> int:
    """These of the person's, or all; how many were new. What has been read is not mailed, and is
    read in the inbox, too."""
    rows = Notice.objects.filter(user=user, organisation=organisation, read_at=None)
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    keys = list(rows.values_list("pk", flat=True))
    with transaction.atomic():
        # The inbox first, as it does itself: the same rows in the same order, in every tab.
        mark_inbox_read(user, organisation, keys)
        changed = len(keys)
        _read(rows.filter(pk__in=keys))
    if changed:
        announce_people([user.pk])
    return changed


@on_read
def follow_inbox(user_id: UUID, organisation_id: UUID, ids: list[UUID]) -> None:
    """What was read in the inbox has been read here."""
    _read(Notice.objects.filter(pk__in=ids, user=user_id, organisation=organisation_id))


def _read(rows: QuerySet[Notice]) -> int:
    return rows.filter(read_at=None).update(read_at=timezone.now(), mail_at=None)


def count_unread(user: User, organisation: Organisation) -> int:
    return Notice.objects.filter(user=user, organisation=organisation, read_at=None).count()


def list_notices(user: User, organisation: Organisation, limit: int) -> list[Notice]:
    """Of the newest, those not read first; one more than the limit says that there are others."""
    rows = Notice.objects.filter(user=user, organisation=organisation)
    unread = list(rows.filter(read_at=None).order_by("-created_at", "-pk")[:limit])
    read = rows.exclude(read_at=None).order_by("-created_at", "-pk")
    return unread + list(read[: max(0, limit - len(unread))])


# --- What happens to work ------------------------------------------------------------------------


@on_assigned
def tell_assignees(lesson: Lesson, targets: Sequence[LessonTarget], by: Actor) -> None:
    """Each person once for an assignment, whatever the number of its flows; of a queue everybody
    who may take it. Agents are told by being run, and their owners of what comes of it."""
    first: dict[UUID, LessonTarget] = {}
    queues: dict[tuple[str, UUID | None], Lesson] = {}
    for target in sorted(targets, key=lambda one: one.position):
        if target.user_id is not None:
            first.setdefault(target.user_id, target)
        elif target.agent_id is None:
            queues.setdefault((target.lesson.role, target.lesson.team_id), target.lesson)
    what = _what(lesson)
    kind = NoticeKind.ASSIGNED
    news = [
        News(user_id=who, kind=kind, text=f"New for you: {what}", url=url, target_id=key)
        for who, url, key in ((who, address_of(one.pk), one.pk) for who, one in first.items())
    ]
    news += [
        News(user_id=who, kind=kind, text=f"{what} waits for one of you to take it", url=MINE)
        for queue in queues.values()
        for who in _of_queue(queue)
    ]
    post(lesson.organisation_id, [one for one in news if not by.user or one.user_id != by.user.pk])


@on_moved
def tell_of_moves(target: LessonTarget, step: FlowStep, entry: FlowProgress, by: Actor) -> None:
    """Of what is stuck, who assigned it (else the staff); of what staff open again, who did it."""
    where = f"“{step.name}” of “{target.flow.name}”"
    url = address_of(target.pk, step.key)
    if entry.status == Status.BLOCKED:
        text = f"{target.assignee_name} is blocked at {where}: {entry.reason}"
        told = _responsible(target)
        kind = NoticeKind.BLOCKED
    elif entry.from_status in DONE and target.user is not None:
        text = f"{by.name} has opened {where} again: {entry.reason}"
        told, kind = [target.user], NoticeKind.REJECTED
    else:
        return
    notify(target.organisation, told, kind=kind, text=text, url=url, target=target, by=by.user)


def staff_of(organisation_id: UUID) -> list[User]:
    """Staff, admins and owners who belong to it now."""
    members = Membership.objects.active().filter(organisation_id=organisation_id)
    rows = members.exclude(role=Role.MEMBER).select_related("user").order_by("created_at")
    return [row.user for row in rows]


def _responsible(target: LessonTarget) -> list[User]:
    staff = staff_of(target.organisation_id)
    return [one for one in staff if one.pk == target.lesson.assigned_by_id] or staff


def _what(lesson: Lesson) -> str:
    if lesson.course is not None:
        return f"“{lesson.course.name}”"
    assert lesson.flow is not None
    of = f"“{lesson.flow.name}”"
    return f"“{lesson.step_name}” of {of}" if lesson.step_name else of


def _of_queue(lesson: Lesson) -> list[UUID]:
    members = Membership.objects.active().filter(organisation_id=lesson.organisation_id)
    if lesson.team_id is not None:
        members = members.filter(user__team_memberships__team_id=lesson.team_id)
    else:
        members = members.filter(role=lesson.role)
    return list(members.values_list("user_id", flat=True))
