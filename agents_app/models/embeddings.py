"""Embedding spaces, and the shape of the tables that hold vectors.

A space is one model with one length of vectors and one form of the embedded text; vectors of two
spaces are never compared. Every table of vectors is partitioned by space: a partition refuses
another length, and a retired space goes with one ``DROP``.
"""

from django.db import models
from django.db.models import Q
from pgvector.django import HalfVectorField

from one_project.accounts.models import Organisation
from one_project.common.models import choice_check

# HNSW takes half-precision vectors up to this length.
MAX_DIMENSIONS = 4000


class SpaceState(models.TextChoices):
    BUILDING = "building"
    PAUSED = "paused"
    ACTIVE = "active"
    RETIRED = "retired"


class EmbeddingSpace(models.Model):
    """``building`` ⇄ ``paused`` → ``active`` → ``retired``. One at most is active.

    Searches use the active one; what is new is embedded into it and into the one being built.
    ``text_form`` is the version of how texts are made ready for embedding.
    """

    id = models.SmallAutoField(primary_key=True)
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=120)
    dimensions = models.PositiveSmallIntegerField()
    text_form = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=8, choices=SpaceState.choices, default=SpaceState.BUILDING)
    items_total = models.PositiveBigIntegerField(default=0)
    items_done = models.PositiveBigIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            choice_check("space_state_known", "state", SpaceState),
            models.UniqueConstraint(
                fields=["state"], name="space_one_active", condition=Q(state="active")
            ),
            models.UniqueConstraint(
                fields=["provider", "model", "dimensions", "text_form"],
                name="space_once",
                condition=~Q(state="retired"),
            ),
            models.CheckConstraint(
                name="space_dimensions_sane",
                condition=Q(dimensions__gte=1, dimensions__lte=MAX_DIMENSIONS),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} ({self.dimensions})"


class EmbeddingRow(models.Model):
    """One vector of one item in one space. Partitioned, so made by SQL (``VectorTable``).

    ``content_hash`` is that of the text it was made from: another one at the item means that the
    vector is out of date.
    """

    pk = models.CompositePrimaryKey("space_id", "organisation_id", "item_id")
    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="+")
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    content_hash = models.CharField(max_length=64)
    v = HalfVectorField()

    class Meta:
        abstract = True
