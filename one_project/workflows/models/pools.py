"""Named pools: how much work of a kind runs at once, over all workers."""

from django.db import models
from django.db.models import Q

from one_project.common.models import ChangingEntity
from one_project.workflows.conf import DEFAULT_PARALLELISM, MAX_PARALLELISM


class Pool(ChangingEntity):
    """``parallelism`` 0 pauses the pool; none means as much as the workers have room for.

    Its row is locked for the moment in which a worker counts what runs and takes more.
    """

    name = models.CharField(max_length=64, unique=True)
    parallelism = models.PositiveSmallIntegerField(
        null=True, blank=True, default=DEFAULT_PARALLELISM
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="pool_parallelism_at_most_100",
                condition=Q(parallelism=None) | Q(parallelism__lte=MAX_PARALLELISM),
            )
        ]

    def __str__(self) -> str:
        return self.name
