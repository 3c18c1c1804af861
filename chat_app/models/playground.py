"""The playground's own rows: what was tried, what came of it, and inputs to try again."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from agents_app.models import Agent
from chat_app.models.threads import Thread
from chat_app.models.turns import Turn
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, Entity, choice_check
from one_project.workflows.models import WorkItem


class Check(models.TextChoices):
    """How an answer is compared with what was expected of it."""

    NONE = "none", "Not checked"
    CONTAINS = "contains", "Contains"
    EXACT = "exact", "Is exactly"
    REGEX = "regex", "Matches the pattern"


class InputSet(ChangingEntity):
    """A named list of inputs of an organisation."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="input_sets"
    )
    name = models.CharField(max_length=120)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="input_sets"
    )

    class Meta:
        constraints = [
            # Also the index of the list.
            models.UniqueConstraint(
                fields=["organisation", "name"], name="input_set_name_unique_in_organisation"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SavedInput(Entity):
    """One input of a list; replaced with the whole list, never changed."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="saved_inputs"
    )
    input_set = models.ForeignKey(InputSet, on_delete=models.CASCADE, related_name="inputs")
    position = models.PositiveIntegerField()
    text = models.TextField()
    expected = models.TextField(blank=True)
    check_by = models.CharField(max_length=8, choices=Check.choices, default=Check.NONE)

    class Meta:
        constraints = [
            choice_check("saved_input_check_known", "check_by", Check),
            # Also the index that reads a list in its order.
            models.UniqueConstraint(fields=["input_set", "position"], name="saved_input_place"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class TrialKind(models.TextChoices):
    RUN = "run", "Run"
    COMPARISON = "comparison", "Comparison"


class Trial(ChangingEntity):
    """What was asked for: one question for one or several models, or a comparison.

    ``options`` are the AgentOptions of the call. ``turn``: the past turn that is run again.
    ``code_name``: an agent defined in Python that has no row. ``versions`` of a comparison: two
    objects ``{"label", "text"}``, the system prompts. It goes with the thread it is about.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="trials")
    kind = models.CharField(max_length=10, choices=TrialKind.choices, default=TrialKind.RUN)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="trials"
    )
    thread = models.ForeignKey(
        Thread, on_delete=models.CASCADE, null=True, blank=True, related_name="trials"
    )
    turn = models.ForeignKey(
        Turn, on_delete=models.SET_NULL, null=True, blank=True, related_name="trials"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="trials"
    )
    code_name = models.CharField(max_length=120, blank=True)
    agent_name = models.CharField(max_length=120, blank=True)
    prompt = models.TextField(blank=True)
    options = models.JSONField(default=dict, blank=True)
    input_set = models.ForeignKey(
        InputSet, on_delete=models.SET_NULL, null=True, blank=True, related_name="trials"
    )
    versions = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [choice_check("trial_kind_known", "kind", TrialKind)]
        indexes = [
            # The latest of each kind in an organisation.
            models.Index(fields=["organisation", "kind", "-created_at"], name="trial_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.agent_name}"

    @property
    def is_comparison(self) -> bool:
        return self.kind == TrialKind.COMPARISON


class TrialStatus(models.TextChoices):
    QUEUED = "queued", "Waits"
    RUNNING = "running", "Is being answered"
    SUCCESS = "success", "Done"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


OPEN_TRIALS = (TrialStatus.QUEUED, TrialStatus.RUNNING)


class TrialAnswerQuerySet(models.QuerySet["TrialAnswer"]):
    def open(self) -> "TrialAnswerQuerySet":
        return self.filter(status__in=OPEN_TRIALS)


class TrialAnswer(ChangingEntity):
    """One answer of a trial: of one model, to one input, by one side (version) of a comparison.

    Times in ms, tokens as the provider counts them; ``cost_micros`` None: no price is known.
    ``tools``: the uses of tools, each ``{"name", "arguments", "told", "is_error"}``.
    ``calls``: ids of its model calls in the ledger. ``passed`` None: nothing was expected.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="trial_answers"
    )
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="answers")
    position = models.PositiveIntegerField()
    side = models.PositiveSmallIntegerField(default=0)
    model = models.CharField(max_length=120, blank=True)
    prompt = models.TextField(blank=True)
    expected = models.TextField(blank=True)
    check_by = models.CharField(max_length=8, choices=Check.choices, default=Check.NONE)
    status = models.CharField(max_length=7, choices=TrialStatus.choices, default=TrialStatus.QUEUED)
    work = models.OneToOneField(
        WorkItem, on_delete=models.SET_NULL, null=True, blank=True, related_name="trial_answer"
    )
    text = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    tools = models.JSONField(default=list, blank=True)
    answered_by = models.CharField(max_length=120, blank=True)
    finish_reason = models.CharField(max_length=32, blank=True)
    error = models.TextField(blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    steps = models.PositiveIntegerField(default=0)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost_micros = models.BigIntegerField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    first_token_ms = models.PositiveIntegerField(null=True, blank=True)
    calls = ArrayField(models.UUIDField(), default=list, blank=True)
    passed = models.BooleanField(null=True, blank=True)

    objects = TrialAnswerQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("trial_answer_status_known", "status", TrialStatus),
            choice_check("trial_answer_check_known", "check_by", Check),
            # Also the index that reads a trial in its order.
            models.UniqueConstraint(fields=["trial", "position", "side"], name="trial_place"),
        ]

    def __str__(self) -> str:
        return f"{self.status} answer {self.position}.{self.side} of {self.trial_id}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_TRIALS

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens
