"""Abstract bases of every entity: UUIDv7 key, timestamps, ``meta`` (a JSON object)."""

from django.db import models
from django.db.models import Q

from one_project.common.ids import new_id


class Entity(models.Model):
    """A row with a UUIDv7 primary key, a creation time (UTC) and free-form ``meta``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    meta = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True


class ChangingEntity(Entity):
    """An entity that changes after it was made."""

    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


def choice_check(
    name: str, field: str, choices: type[models.TextChoices]
) -> models.CheckConstraint:
    """Make the database refuse what ``choices`` does not list (choices alone check only forms)."""
    return models.CheckConstraint(name=name, condition=Q(**{f"{field}__in": choices.values}))
