"""Who has to do what by when: assignments, and one row for each who got one."""

from django.db import models
from django.db.models import Exists, OuterRef, Q

from agents_app.models import Agent
from flows_app.conf import NAME_LIMIT
from flows_app.models.flows import Course, Flow, FlowRevision
from one_project.accounts.models import Membership, Organisation, Role, Team, User
from one_project.common.models import ChangingEntity, choice_check


class Resolution(models.TextChoices):
    """How a role or a team becomes people."""

    SNAPSHOT = "snapshot", "Who belongs to it now"
    LIVE = "live", "Who belongs to it, also later"
    QUEUE = "queue", "One of them takes it"


class Lesson(ChangingEntity):
    """One assignment of a flow, of one step of it, or of a course; to one principal.

    ``role`` means everybody of exactly this role. ``due_at`` and ``follow_up_at`` are UTC;
    ``timezone`` is where the day was meant. ``request_id`` makes a repeated request the same one.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="lessons")
    flow = models.ForeignKey(
        Flow, on_delete=models.PROTECT, null=True, blank=True, related_name="lessons"
    )
    course = models.ForeignKey(
        Course, on_delete=models.PROTECT, null=True, blank=True, related_name="lessons"
    )
    step_name = models.CharField(max_length=NAME_LIMIT, blank=True)
    step_key = models.UUIDField(null=True, blank=True)
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="lessons"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="lessons"
    )
    role = models.CharField(max_length=8, choices=Role.choices, blank=True)
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, null=True, blank=True, related_name="lessons"
    )
    resolution = models.CharField(
        max_length=8, choices=Resolution.choices, default=Resolution.SNAPSHOT
    )
    assigned_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="assigned_lessons"
    )
    assigned_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    follow_up_at = models.DateTimeField(null=True, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    note = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  (unique)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="lesson_of_flow_or_course",
                condition=Q(flow__isnull=False, course__isnull=True)
                | Q(flow__isnull=True, course__isnull=False, step_key__isnull=True),
            ),
            models.CheckConstraint(
                name="lesson_to_one_principal",
                condition=Q(user__isnull=False, agent__isnull=True, role="", team__isnull=True)
                | Q(user__isnull=True, agent__isnull=False, role="", team__isnull=True)
                | Q(user__isnull=True, agent__isnull=True, team__isnull=True, role__in=Role.values)
                | Q(user__isnull=True, agent__isnull=True, team__isnull=False, role=""),
            ),
            choice_check("lesson_resolution_known", "resolution", Resolution),
            # A repeated request finds the first one's row.
            models.UniqueConstraint(
                fields=["organisation", "request_id"], name="lesson_request_once"
            ),
        ]
        indexes = [
            # Staff's list, newest first.
            models.Index(fields=["organisation", "-assigned_at"], name="lesson_newest"),
            # Live roles and teams, when somebody joins.
            models.Index(
                fields=["organisation", "role", "team"],
                name="lesson_live",
                condition=Q(resolution="live", withdrawn_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flow or self.course} for {self.user or self.agent or self.team or self.role}"


class LessonTargetQuerySet(models.QuerySet["LessonTarget"]):
    def active(self) -> "LessonTargetQuerySet":
        """Not withdrawn, restarted or left; whether all is done is asked of the steps."""
        return self.filter(ended_at=None)

    def of_queues_of(self, user: User) -> "LessonTargetQuerySet":
        """Of queues of a role or a team the person belongs to now, taken or not."""
        member = Membership.objects.active().filter(
            user=user, organisation=OuterRef("organisation")
        )
        of_role = Exists(member.filter(role=OuterRef("lesson__role")))
        of_team = Exists(member) & Q(lesson__team__team_members__user=user)
        return self.filter(of_role | of_team, lesson__resolution=Resolution.QUEUE)

    def claimable_by(self, user: User) -> "LessonTargetQuerySet":
        """Of these queues, what nobody has taken."""
        return self.active().of_queues_of(user).filter(user=None, agent=None)


class LessonTarget(ChangingEntity):
    """What one person or one agent has to do because of a lesson: one flow, at one revision.

    Of a course there is one for each flow, in ``position``. Neither person nor agent: it lies in a
    queue until somebody takes it. ``seq`` numbers its log without gaps. ``attempt`` counts from 1:
    a restart ends this one and begins the next. ``ended_at`` with ``ended`` why: withdrawn,
    restarted, reassigned.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="lesson_targets"
    )
    lesson = models.ForeignKey(Lesson, on_delete=models.PROTECT, related_name="targets")
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="targets")
    revision = models.ForeignKey(FlowRevision, on_delete=models.PROTECT, related_name="targets")
    step_key = models.UUIDField(null=True, blank=True)
    position = models.PositiveIntegerField(default=0)
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="lesson_targets"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="lesson_targets"
    )
    attempt = models.PositiveIntegerField(default=1)
    seq = models.PositiveIntegerField(default=0)
    assigned_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    follow_up_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended = models.CharField(max_length=20, blank=True)

    objects = LessonTargetQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="lesson_target_one_assignee", condition=Q(user=None) | Q(agent=None)
            ),
            # The same work is never assigned twice at a time; also "what has this person to do".
            models.UniqueConstraint(
                fields=["user", "flow", "step_key"],
                name="lesson_target_of_user_once",
                condition=Q(ended_at=None, user__isnull=False),
                nulls_distinct=False,
            ),
            models.UniqueConstraint(
                fields=["agent", "flow", "step_key"],
                name="lesson_target_of_agent_once",
                condition=Q(ended_at=None, agent__isnull=False),
                nulls_distinct=False,
            ),
        ]
        indexes = [
            # Matrix and board of a flow.
            models.Index(fields=["flow", "ended_at"], name="lesson_target_of_flow"),
            # Due soon, overdue and reminders of an organisation.
            models.Index(
                fields=["organisation", "due_at"],
                name="lesson_target_due",
                condition=Q(ended_at=None, due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flow_id} for {self.user_id or self.agent_id or 'whoever takes it'}"

    @property
    def assignee_name(self) -> str:
        if self.user is not None:
            return self.user.display_name
        return self.agent.name if self.agent is not None else "Nobody yet"
