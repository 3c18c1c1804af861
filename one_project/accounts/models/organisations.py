"""The tenant, who belongs to it and in which role, and the teams inside it."""

from django.db import models

from one_project.accounts.models.users import User
from one_project.common.models import ChangingEntity, Entity, choice_check


class Organisation(ChangingEntity):
    """The tenant ("group" in some documents). Every tenant row carries it."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=80, unique=True)

    def __str__(self) -> str:
        return self.name


class MembershipQuerySet(models.QuerySet["Membership"]):
    def active(self) -> "MembershipQuerySet":
        return self.filter(is_active=True, user__is_active=True)


class Role(models.TextChoices):
    """What a member may do; each includes what stands below it."""

    OWNER = "owner"
    ADMIN = "admin"
    STAFF = "staff"
    MEMBER = "member"


class Membership(ChangingEntity):
    """A person's place in an organisation. Leaving keeps the row, inactive."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="memberships"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.MEMBER)
    is_active = models.BooleanField(default=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            # Also the index of every access check: (user, organisation).
            models.UniqueConstraint(
                fields=["user", "organisation"], name="membership_once_per_organisation"
            ),
            choice_check("membership_role_known", "role", Role),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"

    @property
    def is_admin(self) -> bool:
        """Whether the role may manage the organisation's agents and settings."""
        return self.role in {Role.OWNER, Role.ADMIN}


class Team(ChangingEntity):
    """People inside an organisation that things can be shared with."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="teams")
    name = models.CharField(max_length=120)
    members = models.ManyToManyField(User, through="TeamMember", related_name="teams")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "name"], name="team_name_unique_in_organisation"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TeamMember(Entity):
    """One person in one team."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="team_members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="team_memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], name="team_member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"
