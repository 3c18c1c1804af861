"""Who may assign, hand over and begin: staff, also where an agent does it for them."""

from uuid import UUID

from chat_app.access import is_staff_of
from flows_app.access import require_staff
from flows_app.models import LessonTarget
from flows_app.runtime.actors import Actor
from one_project.accounts.models import Organisation
from one_project.common.errors import AccessDenied, AppError


def require_staff_actor(
    by: Actor, organisation: Organisation | UUID, error: type[AppError] = AccessDenied
) -> None:
    """Raises ``error`` for a person who is not staff, AccessDenied for an agent without a person;
    ONE itself may."""
    if by.user is not None:
        require_staff(by.user, organisation, error)
    elif by.agent is not None:
        raise AccessDenied("An agent assigns work for a person of the staff only.")


def may_begin(target: LessonTarget, by: Actor) -> bool:
    """Whether ``by`` may set an agent or a workflow to work on it: whose it is, staff, and ONE."""
    if by.user is None:
        return by.agent is None or by.agent.pk == target.agent_id
    return by.user.pk == target.user_id or is_staff_of(by.user, target.organisation_id)
