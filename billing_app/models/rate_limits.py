"""How much of each rate limit is left, and since when."""

from django.db import models

from billing_app.types.rate_limits import State
from one_project.accounts.models import Organisation
from one_project.common.models import ChangingEntity


class RateLimitStateQuerySet(models.QuerySet["RateLimitState"]):
    def of(
        self, name: str, *, key: str, organisation: Organisation | None
    ) -> "RateLimitStateQuerySet":
        """All shards of one limit."""
        return self.filter(organisation=organisation, name=name, key=key)


class RateLimitState(ChangingEntity):
    """``value`` tokens were there at ``at``: for a bucket when last used, for a window its start.

    A row that is missing is full, so that deleting one forgives. Without an organisation the limit
    is the whole installation's. The row stays locked until the transaction that took from it ends.
    """

    organisation = models.ForeignKey(
        Organisation,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="rate_limits",
        db_index=False,  # the constraint below begins with it
    )
    name = models.CharField(max_length=100)
    key = models.CharField(max_length=200, blank=True)
    shard = models.PositiveSmallIntegerField(default=0)
    value = models.FloatField()
    at = models.DateTimeField()

    objects = RateLimitStateQuerySet.as_manager()

    class Meta:
        constraints = [
            # Also the index of every call. No other index holds value or at, so that taking tokens
            # rewrites no index.
            models.UniqueConstraint(
                fields=["organisation", "name", "key", "shard"],
                nulls_distinct=False,
                name="rate_limit_once_per_shard",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.key} {self.shard}".strip()

    @property
    def state(self) -> State:
        return State(self.value, self.at)
