"""Topics: named groups of people who are told something at once."""

import re
from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from integrations_app.errors import InvalidSettings
from integrations_app.models import Topic, TopicSubscription
from integrations_app.services.preferences import WAYS
from one_project.accounts.models import Membership, Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, InvalidInput, NotFound
from one_project.common.text import clean_line

KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def find_topic(organisation: Organisation, key: str) -> Topic:
    """Raises NotFound."""
    found = None
    if KEY.fullmatch(key):
        found = Topic.objects.filter(organisation=organisation, key=key).first()
    if found is None:
        raise NotFound("There is no such topic.")
    return found


@transaction.atomic
def create_topic(
    organisation: Organisation, *, key: str, name: str, by: User | None = None
) -> Topic:
    """Raises InvalidSettings, and Conflict when there is one of that key."""
    name = clean_line(name, 120)
    if not KEY.fullmatch(key):
        raise InvalidSettings({"key": "Small letters, digits, hyphens; at most 64."})
    if not name:
        raise InvalidSettings({"name": "Please give it a name."})
    try:
        with transaction.atomic():
            topic = Topic.objects.create(organisation=organisation, key=key, name=name)
    except IntegrityError:
        raise Conflict("There is a topic of this key already.") from None
    record_event(organisation, "topic_created", actor=by, target=f"topic:{topic.pk}")
    return topic


@transaction.atomic
def remove_topic(topic: Topic, *, by: User | None = None) -> None:
    """With its subscriptions; what was told stays."""
    record_event(topic.organisation, "topic_removed", actor=by, target=f"topic:{topic.pk}")
    topic.delete()


@transaction.atomic
def subscribe(topic: Topic, users: Iterable[User]) -> int:
    """Add people; how many are new. Who does not belong to the organisation is left out. Three
    statements, whatever the number."""
    wanted = {user.pk for user in users}
    members = Membership.objects.active().filter(organisation=topic.organisation_id)
    known = set(members.filter(user_id__in=wanted).values_list("user_id", flat=True))
    there = TopicSubscription.objects.filter(topic=topic, user_id__in=known)
    new = known - set(there.values_list("user_id", flat=True))
    TopicSubscription.objects.bulk_create(
        [
            TopicSubscription(organisation_id=topic.organisation_id, topic=topic, user_id=key)
            for key in sorted(new)
        ],
        ignore_conflicts=True,
    )
    return len(new)


@transaction.atomic
def unsubscribe(topic: Topic, users: Iterable[User]) -> int:
    """Take people out; how many were in."""
    rows = TopicSubscription.objects.filter(topic=topic, user__in=list(users))
    return rows.delete()[0]


@transaction.atomic
def mute(user: User, organisation: Organisation, key: str, ways: Collection[str]) -> None:
    """Have the topic's notifications left out on these ways, and on no others. Raises NotFound for
    a topic the person is not in, InvalidInput for a way that is none."""
    if not set(ways) <= set(WAYS):
        raise InvalidInput("There is no such way to be told.")
    rows = TopicSubscription.objects.filter(user=user, organisation=organisation, topic__key=key)
    if not rows.update(muted=sorted(set(ways))):
        raise NotFound


def subscribers(topic: Topic) -> QuerySet[User]:
    """Those who belong to the organisation now."""
    members = Membership.objects.active().filter(organisation=topic.organisation_id)
    return User.objects.filter(
        topic_subscriptions__topic=topic, memberships__in=members, is_active=True
    )


def subscriptions_of(user: User, organisation: Organisation) -> list[TopicSubscription]:
    """The person's, by name of the topic."""
    rows = TopicSubscription.objects.filter(user=user, organisation=organisation)
    return list(rows.select_related("topic").order_by("topic__name"))


def is_muted(user_id: UUID, topic_id: UUID | str, channel_type: str) -> bool:
    rows = TopicSubscription.objects.filter(topic_id=topic_id, user_id=user_id)
    return rows.filter(muted__contains=[channel_type]).exists()
