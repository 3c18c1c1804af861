"""Raw usage: one row for each call of a provider, never changed; and its sums by day."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing_app.types.money import CURRENCY
from one_project.accounts.models import Organisation
from one_project.common.models import Entity, choice_check


class Pricing(models.TextChoices):
    """How a use got its cost."""

    LISTED = "listed"
    FLAT = "flat"  # the model is unknown: estimated
    FREE = "free"  # it runs on our own machines
    MISSING = "missing"  # the model is known, but no price holds for that moment: no cost


class UsageRecord(Entity):
    """One metered call. Its key is that of the attempt, so that it is recorded once.

    ``model`` is the one whose price it has, and what lines of invoices name. Ids of people, teams,
    agents and threads are opaque: usage outlives them. Append only (a trigger refuses changes and
    deletions; only a missing price may be filled in, once). ``price``: where the four snapshots
    ``price_*`` (US dollars a million) come from. ``cost`` is exact.
    """

    organisation = models.ForeignKey(
        Organisation,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="usage_records",
        db_index=False,  # usage_of_organisation begins with it
    )
    user_id = models.UUIDField(null=True, blank=True)
    team_id = models.UUIDField(null=True, blank=True)
    agent_id = models.UUIDField(null=True, blank=True)
    agent_name = models.CharField(max_length=120, blank=True)
    thread_id = models.UUIDField(null=True, blank=True)
    turn_id = models.UUIDField(null=True, blank=True)
    message_id = models.UUIDField(null=True, blank=True)
    purpose = models.CharField(max_length=10)
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=120)
    model_requested = models.CharField(max_length=120, blank=True)
    model_returned = models.CharField(max_length=120, blank=True)
    service_tier = models.CharField(max_length=16, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    billing_period = models.DateField()
    input_tokens = models.BigIntegerField(default=0)
    cached_input_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    is_estimated = models.BooleanField(default=False)
    is_aborted = models.BooleanField(default=False)
    pricing = models.CharField(max_length=7, choices=Pricing.choices)
    price_input = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    price_cached_input = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    price_cache_write = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    price_output = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    price = models.JSONField(default=dict, blank=True)
    cost = models.DecimalField(max_digits=28, decimal_places=12, null=True)
    currency = models.CharField(max_length=3, default=CURRENCY)

    class Meta:
        verbose_name = "raw usage"
        verbose_name_plural = "raw usage"
        constraints = [
            choice_check("usage_pricing_known", "pricing", Pricing),
            models.CheckConstraint(
                name="usage_counts_not_negative",
                condition=Q(input_tokens__gte=0)
                & Q(cached_input_tokens__gte=0)
                & Q(cache_write_tokens__gte=0)
                & Q(output_tokens__gte=0)
                & Q(reasoning_tokens__gte=0),
            ),
            models.CheckConstraint(
                name="usage_cached_is_part_of_input",
                condition=Q(input_tokens__gte=F("cached_input_tokens") + F("cache_write_tokens")),
            ),
            models.CheckConstraint(
                name="usage_reasoning_is_part_of_output",
                condition=Q(output_tokens__gte=F("reasoning_tokens")),
            ),
            models.CheckConstraint(
                name="usage_without_price_has_no_cost",
                condition=Q(pricing="missing", cost__isnull=True)
                | (~Q(pricing="missing") & Q(cost__isnull=False, cost__gte=0)),
            ),
        ]
        indexes = [
            # An organisation's month: pages, invoices, exports.
            models.Index(fields=["organisation", "occurred_at"], name="usage_of_organisation"),
            # A person's own month.
            models.Index(
                fields=["organisation", "user_id", "occurred_at"],
                name="usage_of_user",
                condition=Q(user_id__isnull=False),
            ),
            # What a thread, and each message in it, has cost.
            models.Index(
                fields=["thread_id"], name="usage_of_thread", condition=Q(thread_id__isnull=False)
            ),
            # What blocks invoices.
            models.Index(
                fields=["organisation", "billing_period"],
                name="usage_unpriced",
                condition=Q(pricing="missing"),
            ),
            # recorded_at has a BRIN index (in the migration): what has come in since.
        ]

    def __str__(self) -> str:
        return f"{self.model} at {self.occurred_at:%Y-%m-%d %H:%M}"

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class BegunCall(Entity):
    """A call that a provider has been asked, until it is recorded: of one whose process is killed
    this is all that is known. Its key is that of the attempt.

    ``use``: a ``types.usage.Use`` with an estimate of the input; ``seen_at``: when its process was
    heard of last; ``output_tokens``: estimated of what had come by then.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    use = models.JSONField()
    output_tokens = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = "call under way"
        verbose_name_plural = "calls under way"
        indexes = [models.Index(fields=["seen_at"], name="begun_call_seen")]

    def __str__(self) -> str:
        return f"begun at {self.created_at:%Y-%m-%d %H:%M}"


class DaySums(models.Model):
    """Sums of one UTC day over raw usage. Base of the two roll-ups."""

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=120)
    calls = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cached_input_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    estimated_calls = models.BigIntegerField(default=0)  # tokens or price are estimated
    unpriced_calls = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=28, decimal_places=12, default=0)

    class Meta:
        abstract = True


class UsageDaily(DaySums):
    """By model and agent."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    agent_id = models.UUIDField(null=True)
    agent_name = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            # Also the index of pages: an organisation's days.
            models.UniqueConstraint(
                fields=["organisation", "day", "provider", "model", "agent_id", "agent_name"],
                nulls_distinct=False,
                name="usage_daily_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.model} {self.agent_name}"


class UsageDailyByPerson(DaySums):
    """By model, person and team."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    user_id = models.UUIDField(null=True)
    team_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "day", "provider", "model", "user_id", "team_id"],
                nulls_distinct=False,
                name="usage_by_person_once",
            ),
        ]
        indexes = [
            # A person's own page.
            models.Index(fields=["organisation", "user_id", "day"], name="usage_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.model} {self.user_id}"


class RollUpMark(models.Model):
    """How far usage has been summed up: days before ``through``, of what was recorded before
    ``seen_at``. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    through = models.DateField(null=True)
    seen_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"summed up through {self.through}"
