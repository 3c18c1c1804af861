"""Who belongs where. Missing and forbidden look the same."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from one_project.accounts.models import (
    Grant,
    GrantLevel,
    Membership,
    Organisation,
    Role,
    User,
)
from one_project.common.errors import AccessDenied, NotFound

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

ROLES = [Role.MEMBER, Role.STAFF, Role.ADMIN, Role.OWNER]


def find_membership(
    user: "User | AnonymousUser", organisation_id: UUID | str | None = None
) -> Membership | None:
    """The person's active membership of that organisation, or of their first one; else None."""
    if not user.is_authenticated or not user.is_active:
        return None
    memberships = Membership.objects.active().filter(user=user).select_related("organisation")
    if organisation_id is not None:
        memberships = memberships.filter(organisation_id=organisation_id)
    return memberships.order_by("created_at").first()


def access_membership(
    user: "User | AnonymousUser", organisation: Organisation | UUID, role: str = Role.MEMBER
) -> Membership:
    """The membership, if it is active and at least of ``role``.

    Raises NotFound for outsiders and AccessDenied for a member of too low a role.
    """
    organisation_id = organisation.pk if isinstance(organisation, Organisation) else organisation
    membership = find_membership(user, organisation_id)
    if membership is None:
        raise NotFound
    if ROLES.index(Role(membership.role)) < ROLES.index(Role(role)):
        raise AccessDenied
    return membership


def managed_ids(user: User, organisation: Organisation, object_type: str) -> Any:
    """Ids of the things of one type that the person may change by a grant, as a subquery."""
    found = Grant.objects.for_person(user, organisation).on(object_type)
    return found.filter(level=GrantLevel.MANAGE).values_list("object_id", flat=True)
