"""A linear history and who takes part in it."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from agents_app.models import Agent
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, Entity, choice_check


class ThreadStatus(models.TextChoices):
    ACTIVE = "active"
    ARCHIVED = "archived"


class Routing(models.TextChoices):
    """Who answers a message that names nobody."""

    ASSIGNED = "assigned", "The thread's agent"
    ROUTER = "router", "A router model chooses"
    SIMILARITY = "similarity", "The agent whose description is nearest"


class TitleBy(models.TextChoices):
    """Who gave the thread its title: the first message's only stands in for a model's."""

    MESSAGE = "message"
    AGENT = "agent"
    PERSON = "person"


class ThreadQuerySet(models.QuerySet["Thread"]):
    def present(self) -> "ThreadQuerySet":
        """Not deleted (a deleted thread waits a moment to be taken back, then is purged)."""
        return self.filter(deleted_at=None)

    def visible_to(self, user: User) -> "ThreadQuerySet":
        """Threads the person takes part in, in organisations they belong to now."""
        takes_part = ThreadParticipant.objects.filter(thread=OuterRef("pk"), user=user)
        return self.present().filter(
            Exists(takes_part),
            organisation__memberships__user=user,
            organisation__memberships__is_active=True,
        )

    def latest_first(self) -> "ThreadQuerySet":
        return self.order_by("-last_activity_at", "-pk")


class Thread(ChangingEntity):
    """A conversation. Any agent may answer in it; ``agent`` is the one asked unless told otherwise.

    ``seq`` counts the durable changes of the thread (a message added or changed, a new title);
    rows carry the number of their last change, so "what changed after n" is one query.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="threads")
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="created_threads"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="threads"
    )
    title = models.CharField(max_length=120, blank=True)
    title_by = models.CharField(max_length=7, choices=TitleBy.choices, default=TitleBy.PERSON)
    summary = models.TextField(blank=True)
    # The order up to which ``summary`` tells what was said.
    summary_order = models.BigIntegerField(default=-1)
    routing = models.CharField(max_length=10, choices=Routing.choices, default=Routing.ASSIGNED)
    # A person who has taken the thread over: agents do not answer until it is handed back.
    handled_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="handled_threads"
    )
    # A delegation's thread belongs to the one whose agent asked.
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="children"
    )
    depth = models.PositiveSmallIntegerField(default=0)
    status = models.CharField(
        max_length=8, choices=ThreadStatus.choices, default=ThreadStatus.ACTIVE
    )
    seq = models.BigIntegerField(default=0)
    title_seq = models.BigIntegerField(default=0)
    message_seq = models.BigIntegerField(default=0)
    # Said here so that a thread without a canvas costs no query to know it.
    has_canvas = models.BooleanField(default=False)
    last_activity_at = models.DateTimeField(db_default=Now())
    last_message = models.CharField(max_length=160, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = ThreadQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("thread_status_known", "status", ThreadStatus),
            choice_check("thread_routing_known", "routing", Routing),
            choice_check("thread_title_by_known", "title_by", TitleBy),
        ]
        indexes = [
            # list_threads of an organisation by last activity.
            models.Index(fields=["organisation", "-last_activity_at"], name="thread_by_activity"),
            # The purge of deleted threads.
            models.Index(
                fields=["deleted_at"], name="thread_to_purge", condition=Q(deleted_at__isnull=False)
            ),
            # The sidebar's search box: words of titles.
            GinIndex(SearchVector("title", config="simple"), name="thread_title_words"),
        ]

    def __str__(self) -> str:
        return self.display_title

    @property
    def display_title(self) -> str:
        return self.title or "New conversation"


class ThreadParticipant(Entity):
    """A person or an agent that takes part. People among them are who may see the thread.

    ``read_seq``: the thread's ``message_seq`` the person has seen; lower means unread.
    """

    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="participants")
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="thread_participations"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.CASCADE, null=True, blank=True, related_name="thread_participations"
    )
    read_seq = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            # Also the index of every access check and of a person's thread list.
            models.UniqueConstraint(fields=["user", "thread"], name="participant_user_once"),
            models.UniqueConstraint(fields=["agent", "thread"], name="participant_agent_once"),
            models.CheckConstraint(
                name="participant_is_user_or_agent",
                condition=Q(user__isnull=False, agent__isnull=True)
                | Q(user__isnull=True, agent__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.agent} in {self.thread_id}"
