"""What is said about work, and what people are told: comments, notices, reminders, wishes."""

from django.db import models
from django.db.models import Q

from agents_app.models import Agent
from flows_app.models.lessons import LessonTarget
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, Entity, choice_check


class Comment(ChangingEntity):
    """Said about a target, or about one step of it. Markdown. Earlier texts are in ``edits``:
    ``[{"text", "at"}]``, oldest first."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="lesson_comments"
    )
    target = models.ForeignKey(LessonTarget, on_delete=models.CASCADE, related_name="comments")
    step_key = models.UUIDField(null=True, blank=True)
    author = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="lesson_comments"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="lesson_comments"
    )
    text = models.TextField()
    edits = models.JSONField(default=list, blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    mentions = models.ManyToManyField(User, related_name="mentioned_in_comments", blank=True)
    request_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  (unique)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["target", "request_id"], name="comment_request_once"),
        ]
        indexes = [
            models.Index(fields=["target", "created_at"], name="comment_of_target"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class NoticeKind(models.TextChoices):
    ASSIGNED = "assigned", "New for you"
    REASSIGNED = "reassigned", "Given to somebody else"
    MENTION = "mention", "You were mentioned"
    REVIEW = "review", "Waiting for your review"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Sent back"
    BLOCKED = "blocked", "Blocked"
    REMINDER = "reminder", "Reminder"
    DIGEST = "digest", "Your work"


class Notice(Entity):
    """Something a person is told, in the app; and by e-mail, if ``mail_at`` says when.

    ``mailed_at`` is set by whoever sends it, by compare-and-set. ``url`` is a path of ours.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="lesson_notices"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="lesson_notices")
    target = models.ForeignKey(
        LessonTarget, on_delete=models.CASCADE, null=True, blank=True, related_name="notices"
    )
    kind = models.CharField(max_length=10, choices=NoticeKind.choices)
    text = models.CharField(max_length=300)
    url = models.CharField(max_length=200)
    read_at = models.DateTimeField(null=True, blank=True)
    mail_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [choice_check("notice_kind_known", "kind", NoticeKind)]
        indexes = [
            models.Index(fields=["user", "organisation", "-created_at"], name="notice_newest"),
            models.Index(fields=["mail_at"], name="notice_to_mail", condition=Q(mailed_at=None)),
        ]

    def __str__(self) -> str:
        return self.text


class ReminderKind(models.TextChoices):
    WEEK_BEFORE = "week_before", "A week before"
    DAY_BEFORE = "day_before", "The day before"
    DUE = "due", "On the day"
    OVERDUE = "overdue", "Three days after"
    FOLLOW_UP = "follow_up", "On the follow-up day"


class Reminder(Entity):
    """Somebody has been reminded: the row is the promise that it happens once."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="reminders"
    )
    target = models.ForeignKey(LessonTarget, on_delete=models.CASCADE, related_name="reminders")
    step_key = models.UUIDField(null=True, blank=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="reminders")
    kind = models.CharField(max_length=11, choices=ReminderKind.choices)
    due_at = models.DateTimeField()
    notice = models.ForeignKey(
        Notice, on_delete=models.SET_NULL, null=True, blank=True, related_name="reminders"
    )

    class Meta:
        constraints = [
            choice_check("reminder_kind_known", "kind", ReminderKind),
            # Once for this person and this date, however often somebody looks.
            models.UniqueConstraint(
                fields=["target", "step_key", "user", "kind", "due_at"],
                name="reminder_once",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.due_at:%Y-%m-%d}"


class Mailing(models.TextChoices):
    AT_ONCE = "at_once", "At once"
    DIGEST = "digest", "Once a day, together"
    NEVER = "never", "Never"


class ReminderWish(ChangingEntity):
    """How a person wants to be told in one organisation; hours are of their own time zone.

    Between ``quiet_from`` and ``quiet_to`` (which may lie on the next day) nothing is sent; it
    waits. ``reminders`` False: no reminders at all, only what others do.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="reminder_wishes"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="reminder_wishes")
    reminders = models.BooleanField(default=True)
    mailing = models.CharField(max_length=7, choices=Mailing.choices, default=Mailing.AT_ONCE)
    digest_hour = models.PositiveSmallIntegerField(default=8)
    quiet_from = models.PositiveSmallIntegerField(default=20)
    quiet_to = models.PositiveSmallIntegerField(default=7)

    class Meta:
        constraints = [
            choice_check("reminder_wish_mailing_known", "mailing", Mailing),
            models.CheckConstraint(
                name="reminder_wish_hours",
                condition=Q(digest_hour__lt=24, quiet_from__lt=24, quiet_to__lt=24),
            ),
            models.UniqueConstraint(fields=["organisation", "user"], name="reminder_wish_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.mailing}"
