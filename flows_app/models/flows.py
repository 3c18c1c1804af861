"""What there is to do: flows, their revisions and the steps of each."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from agents_app.models import Agent
from flows_app.conf import NAME_LIMIT
from one_project.accounts.models import Organisation, User
from one_project.common.ids import new_id
from one_project.common.models import ChangingEntity, Entity, choice_check


class StepKind(models.TextChoices):
    READING = "reading", "Reading"
    CHECKLIST = "checklist", "Checklist"
    FORM = "form", "Form"
    FILE = "file", "File"
    CHAT = "chat", "Chat with an agent"
    AGENT_TASK = "agent_task", "Task for an agent"
    APPROVAL = "approval", "Approval"
    WORKFLOW = "workflow", "Workflow"


class FlowQuerySet(models.QuerySet["Flow"]):
    def active(self) -> "FlowQuerySet":
        return self.filter(archived_at=None)

    def assignable(self) -> "FlowQuerySet":
        return self.active().exclude(published=None)


class Flow(ChangingEntity):
    """A process that people or agents go through.

    ``published`` is the revision that new assignments get; ``draft`` what staff edit, if there is
    something unpublished. A flow that has never been published cannot be assigned.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="flows")
    name = models.CharField(max_length=NAME_LIMIT)
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="created_flows"
    )
    published = models.OneToOneField(
        "FlowRevision", on_delete=models.PROTECT, null=True, blank=True, related_name="published_of"
    )
    draft = models.OneToOneField(
        "FlowRevision", on_delete=models.SET_NULL, null=True, blank=True, related_name="draft_of"
    )
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = FlowQuerySet.as_manager()

    class Meta:
        constraints = [
            # Two flows of one name could not be told apart; also the list by name.
            models.UniqueConstraint(
                "organisation",
                Lower("name"),
                name="flow_name_once",
                condition=Q(archived_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class FlowRevision(ChangingEntity):
    """The steps of a flow at one time. Published, it never changes again (a trigger sees to it).

    ``version`` counts the saves of a draft: a form about an older one is refused.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="flow_revisions"
    )
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    version = models.PositiveIntegerField(default=1)
    # Shown when all is done.
    completion_message = models.TextField(blank=True)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["flow", "number"], name="flow_revision_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.flow} {self.number}"


class FlowStep(Entity):
    """One step of a revision. ``key`` is the same in every revision; ``name`` is unique in one.

    ``prerequisites``: keys of steps that have to be Completed or Skipped before. ``due_days``: days
    after the assignment. ``settings`` by kind: checklist ``{"items": [{"id", "text"}]}``; form
    ``{"fields": [{"id", "label", "type": text|long|number|date|choice|check, "required",
    "choices"}]}``; file ``{"accept": [".pdf"], "max_files"}``; chat ``{"opening"}``; agent_task
    ``{"task"}``; workflow ``{"workflow", "input"}``. ``agent``: of chat and agent_task.
    ``needs_review``: staff approve before it counts as Completed; always so for agent_task and
    approval. ``four_eyes``: not who made it, nor the owner of the agent that did.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="flow_steps"
    )
    revision = models.ForeignKey(FlowRevision, on_delete=models.CASCADE, related_name="steps")
    key = models.UUIDField(default=new_id)
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=StepKind.choices)
    name = models.CharField(max_length=NAME_LIMIT)
    content = models.TextField(blank=True)
    is_required = models.BooleanField(default=True)
    prerequisites = ArrayField(models.UUIDField(), default=list, blank=True)
    due_days = models.PositiveIntegerField(null=True, blank=True)
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="flow_steps"
    )
    needs_review = models.BooleanField(default=False)
    four_eyes = models.BooleanField(default=False)
    review_hours = models.PositiveIntegerField(null=True, blank=True)
    settings = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            choice_check("flow_step_kind_known", "kind", StepKind),
            models.UniqueConstraint(fields=["revision", "key"], name="flow_step_key_once"),
            # Deferred, so that steps can change places in one transaction.
            models.UniqueConstraint(
                fields=["revision", "position"],
                name="flow_step_position_once",
                deferrable=models.Deferrable.DEFERRED,
            ),
            # Lessons and programs name a step by its name.
            models.UniqueConstraint("revision", Lower("name"), name="flow_step_name_once"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_reviewed(self) -> bool:
        """Whether only a review makes it Completed."""
        return self.needs_review or self.kind in {StepKind.AGENT_TASK, StepKind.APPROVAL}

    @property
    def items(self) -> list[dict[str, Any]]:
        """Of a checklist."""
        return list(self.settings.get("items", []))

    @property
    def fields(self) -> list[dict[str, Any]]:
        """Of a form."""
        return list(self.settings.get("fields", []))


class CourseQuerySet(models.QuerySet["Course"]):
    def active(self) -> "CourseQuerySet":
        return self.filter(archived_at=None)


class Course(ChangingEntity):
    """Flows in an order. ``in_order``: a flow opens when the one before it is complete."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="courses")
    name = models.CharField(max_length=NAME_LIMIT)
    description = models.TextField(blank=True)
    in_order = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="created_courses"
    )
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = CourseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "organisation",
                Lower("name"),
                name="course_name_once",
                condition=Q(archived_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CourseFlow(Entity):
    """One flow in a course."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="course_flows"
    )
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="course_flows")
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="in_courses")
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["course", "flow"], name="course_flow_once"),
            models.UniqueConstraint(
                fields=["course", "position"],
                name="course_position_once",
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.flow_id}"
