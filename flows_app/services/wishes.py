"""How a person wants to be told: what they wish, and when a mail may go out by it."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.db import transaction
from django.db.models import Prefetch

from flows_app.models import Mailing, Notice, ReminderWish
from one_project.accounts.models import Membership, Organisation, User
from one_project.common.errors import InvalidInput

HOURS = range(24)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name; UTC where there is none such."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def wish_of(user: User, organisation: Organisation) -> ReminderWish:
    """Theirs, or an unsaved one that says what is usual."""
    found = ReminderWish.objects.filter(user=user, organisation=organisation).first()
    return found or ReminderWish(user=user, organisation=organisation)


def wishes_of(organisation_id: UUID, user_ids: Iterable[UUID]) -> dict[UUID, ReminderWish]:
    """By person, each with ``user``; who does not belong to the organisation (any more) is not in
    it. Two queries."""
    stored = ReminderWish.objects.filter(organisation_id=organisation_id)
    people = User.objects.filter(
        pk__in=set(user_ids),
        is_active=True,
        memberships__in=Membership.objects.active().filter(organisation_id=organisation_id),
    ).prefetch_related(Prefetch("reminder_wishes", queryset=stored, to_attr="wished"))
    found = {}
    for person in people:
        wished: list[ReminderWish] = getattr(person, "wished", [])
        wish = wished[0] if wished else ReminderWish(organisation_id=organisation_id)
        wish.user = person
        found[person.pk] = wish
    return found


def mail_time(wish: ReminderWish, now: datetime) -> datetime | None:
    """When a mail about what happens ``now`` may be sent, in UTC; None: never.

    Hours are those of the person's clock, also on the days it is put forward or back.
    """
    if wish.mailing == Mailing.NEVER:
        return None
    zone = zone_of(wish.user.timezone)
    at = now.astimezone(UTC)
    if wish.mailing == Mailing.DIGEST:
        at = _next(wish.digest_hour, zone, at)
    if is_quiet(wish, at.astimezone(zone).hour):
        at = _next(wish.quiet_to, zone, at)
    return at


def is_quiet(wish: ReminderWish, hour: int) -> bool:
    """Whether nothing is sent in this hour; from 20 to 7 goes over midnight, 8 to 8 is never."""
    begin, end = wish.quiet_from, wish.quiet_to
    return begin <= hour < end if begin <= end else hour >= begin or hour < end


def _next(hour: int, zone: ZoneInfo, after: datetime) -> datetime:
    """The first moment not before ``after`` at which the clock shows this full hour.

    An hour that the clock leaves out on one day comes as much later as the clock was put forward.
    """
    day = after.astimezone(zone).date()
    while True:
        found = datetime.combine(day, time(hour), zone).astimezone(UTC)
        if found >= after:
            return found
        day += timedelta(days=1)


@transaction.atomic
def set_wishes(
    user: User,
    organisation: Organisation,
    *,
    reminders: bool,
    mailing: str,
    digest_hour: int,
    quiet_from: int,
    quiet_to: int,
    timezone: str,
    now: datetime,
) -> ReminderWish:
    """Store them, and the person's time zone; what waits to be mailed is put to its new time.

    Raises InvalidInput.
    """
    if mailing not in Mailing.values or not {digest_hour, quiet_from, quiet_to} <= set(HOURS):
        raise InvalidInput("Please choose when you want to be told.")
    if timezone not in available_timezones():
        raise InvalidInput("There is no such time zone.")
    if user.timezone != timezone:
        User.objects.filter(pk=user.pk).update(timezone=timezone)
        user.timezone = timezone
    wish, _ = ReminderWish.objects.update_or_create(
        organisation=organisation,
        user=user,
        defaults={
            "reminders": reminders,
            "mailing": mailing,
            "digest_hour": digest_hour,
            "quiet_from": quiet_from,
            "quiet_to": quiet_to,
        },
    )
    wish.user = user
    waiting = Notice.objects.filter(user=user, organisation=organisation, mailed_at=None)
    waiting.exclude(mail_at=None).update(mail_at=mail_time(wish, now))
    return wish
