"""Who else may use a thing that is private by default."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Exists, Q

from one_project.accounts.models.organisations import Membership, Organisation, Team
from one_project.accounts.models.users import User
from one_project.common.models import Entity, choice_check


class GrantLevel(models.TextChoices):
    USE = "use"
    MANAGE = "manage"


class GrantQuerySet(models.QuerySet["Grant"]):
    def for_person(self, user: User, organisation: Organisation) -> "GrantQuerySet":
        """Given to the person, to a team of theirs, or to everybody, while they are a member."""
        member = Membership.objects.active().filter(user=user, organisation=organisation)
        return self.filter(
            Q(user=user) | Q(team__team_members__user=user) | Q(user=None, team=None),
            Exists(member),
            organisation=organisation,
        )

    def on(self, object_type: str) -> "GrantQuerySet":
        return self.filter(object_type=object_type)


class Grant(Entity):
    """``object_type`` and ``object_id`` name the thing (``agent``, ``tool``, ``prompt``): apps
    above this one own the things. Neither user nor team means everybody in the organisation.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="grants")
    object_type = models.CharField(max_length=32)
    object_id = models.UUIDField()
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="grants"
    )
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="grants"
    )
    level = models.CharField(max_length=6, choices=GrantLevel.choices, default=GrantLevel.USE)
    granted_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="given_grants"
    )

    objects = GrantQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("grant_level_known", "level", GrantLevel),
            # Once per thing and principal; also the index of "who may use this thing".
            models.UniqueConstraint(
                fields=["object_type", "object_id", "user", "team"],
                name="grant_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="grant_to_one_principal", condition=Q(user=None) | Q(team=None)
            ),
        ]
        indexes = [
            # What a person may use: their grants of one type.
            models.Index(fields=["organisation", "object_type", "user"], name="grant_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.level} {self.object_type} {self.object_id}"


def granted_ids(user: User, organisation: Organisation, object_type: str) -> Any:
    """Ids of the things of one type that the person has been granted, as a subquery."""
    found: models.QuerySet[Grant, UUID] = (
        Grant.objects.for_person(user, organisation)
        .on(object_type)
        .values_list("object_id", flat=True)
    )
    return found
