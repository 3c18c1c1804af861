"""For whom something may be set up: oneself, a team, the organisation."""

from typing import Any, Literal, TypeAlias

from one_project.accounts.access import access_membership, find_membership
from one_project.accounts.models import Organisation, Role, Team, User
from one_project.common.errors import AccessDenied, InvalidInput

Owner: TypeAlias = Literal["me", "organisation"] | Team


def may_own(user: User, organisation: Organisation, owner: Owner) -> bool:
    """Whether the person may set something up for this owner."""
    membership = find_membership(user, organisation.pk)
    if membership is None:
        return False
    if owner == "me" or membership.is_admin:
        return owner in ("me", "organisation") or _is_here(owner, organisation)
    if isinstance(owner, Team):
        return _is_here(owner, organisation) and owner.team_members.filter(user=user).exists()
    return False


def _is_here(owner: Owner, organisation: Organisation) -> bool:
    return isinstance(owner, Team) and owner.organisation_id == organisation.pk


def owner_fields(organisation: Organisation, by: User, owner: Owner) -> dict[str, Any]:
    """The columns that say whose it is. Raises InvalidInput, AccessDenied."""
    access_membership(by, organisation, Role.MEMBER)
    if not isinstance(owner, Team) and owner not in ("me", "organisation"):
        raise InvalidInput("Please choose whose it is.")
    if not may_own(by, organisation, owner):
        raise AccessDenied("You cannot set this up for them.")
    if isinstance(owner, Team):
        return {"team": owner}
    return {"user": by} if owner == "me" else {}
