from one_project.accounts.models.events import Event
from one_project.accounts.models.grants import Grant, GrantLevel
from one_project.accounts.models.organisations import (
    Membership,
    Organisation,
    Role,
    Team,
    TeamMember,
)
from one_project.accounts.models.users import User

__all__ = [
    "Event",
    "Grant",
    "GrantLevel",
    "Membership",
    "Organisation",
    "Role",
    "Team",
    "TeamMember",
    "User",
]
