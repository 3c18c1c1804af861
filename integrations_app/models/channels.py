"""Routes: which integrations a channel goes through, and who wants to hear what on which way."""

from django.db import models
from django.db.models import Q

from integrations_app.models.integrations import Endpoint, Integration
from integrations_app.types import ChannelType
from one_project.accounts.models import Organisation, Team, User
from one_project.common.models import ChangingEntity, Entity, choice_check


class Channel(ChangingEntity):
    """A named route: ``key`` is what programs and workflows say. Without routes of its own it
    follows the defaults of the team and of the organisation."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="channels"
    )
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="channels"
    )
    key = models.SlugField(max_length=64)
    name = models.CharField(max_length=120)
    channel_type = models.CharField(max_length=9, choices=ChannelType.choices)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            choice_check("channel_type_known", "channel_type", ChannelType),
            # Also the index that finds a channel by what a program says.
            models.UniqueConstraint(fields=["organisation", "key"], name="channel_key_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class ChannelRoute(ChangingEntity):
    """One way of a channel. The first whose ``condition`` holds is taken, the next ones are for
    when it fails. ``condition``: see ``runtime.conditions``; empty always holds. ``endpoint``: a
    fixed place, for channels that reach one."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="channel_routes"
    )
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="routes")
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="routes")
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.SET_NULL, null=True, blank=True, related_name="routes"
    )
    condition = models.JSONField(default=dict, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            # Each integration once; also the index of a channel's routes.
            models.UniqueConstraint(fields=["channel", "integration"], name="channel_route_once"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} through {self.integration}"


class Topic(ChangingEntity):
    """A named group of people to notify at once."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="topics")
    key = models.SlugField(max_length=64)
    name = models.CharField(max_length=120)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "key"], name="topic_key_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class TopicSubscription(Entity):
    """One person in one topic. ``muted``: channel types this person does not want it on."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="topic_subscriptions"
    )
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="subscriptions")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="topic_subscriptions")
    muted = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            # Also the index of a topic's people.
            models.UniqueConstraint(fields=["topic", "user"], name="topic_subscription_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.topic}"


class Preference(ChangingEntity):
    """What a person switched on or off; no row means on.

    ``category`` "" is every category, ``channel_type`` "" every channel; the most specific row
    wins, the category before the channel. Critical notifications ask none of them.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="notification_preferences"
    )
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="notification_preferences"
    )
    category = models.SlugField(max_length=64, blank=True)
    channel_type = models.CharField(max_length=9, blank=True)
    is_on = models.BooleanField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="preference_channel_known",
                condition=Q(channel_type__in=["", *ChannelType.values]),
            ),
            # Also the index of "may this be sent".
            models.UniqueConstraint(
                fields=["organisation", "user", "category", "channel_type"],
                name="preference_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.category or 'everything'} by {self.channel_type or 'any channel'}"
