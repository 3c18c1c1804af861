"""Who may see which run, and who may change it. Missing and forbidden look the same."""

from typing import TYPE_CHECKING
from uuid import UUID

from one_project.accounts.access import find_membership
from one_project.accounts.models import Membership, Organisation, Role, User
from one_project.common.errors import AccessDenied
from one_project.common.ids import parse_id
from one_project.workflows.errors import WorkflowNotFound
from one_project.workflows.models import WorkflowRun
from one_project.workflows.models.runs import WorkflowRunQuerySet

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

MANAGERS = {Role.STAFF, Role.ADMIN, Role.OWNER}


def access_run(
    user: "User | AnonymousUser", run_id: UUID | str, *, manage: bool = False
) -> WorkflowRun:
    """The run, if the person may see it; with ``manage``, only if they may change it, too.

    Staff of its organisation may do both. Whom it belongs to (``started_by``, still a member) may
    see it. The installation's own runs are for superusers.
    Raises WorkflowNotFound for missing and forbidden alike, and AccessDenied for who may only see.
    """
    wanted = parse_id(run_id)
    if wanted is None or not isinstance(user, User) or not user.is_active:
        raise WorkflowNotFound
    # What may be large is read when it is shown; a page that asks every two seconds shows little.
    run = (
        WorkflowRun.objects.select_related("organisation", "started_by")
        .defer("arguments", "result", "context")
        .filter(pk=wanted)
        .first()
    )
    if run is None:
        raise WorkflowNotFound
    manages = may_manage(user, run)
    if not manages and not _owns(user, run):
        raise WorkflowNotFound
    if manage and not manages:
        raise AccessDenied
    return run


def may_manage(user: User, run: WorkflowRun) -> bool:
    """Whether the person may cancel it, send it events, and read tracebacks."""
    if run.organisation_id is None:
        return user.is_active and user.is_superuser
    return manages_runs(find_membership(user, run.organisation_id))


def manages_runs(membership: Membership | None) -> bool:
    """Whether the role lets a person look after all runs of the organisation."""
    return membership is not None and membership.role in MANAGERS


def visible_runs(user: User, organisation: Organisation | None) -> WorkflowRunQuerySet:
    """The runs of one organisation the person may see; without one, the installation's own."""
    runs = WorkflowRun.objects.all()
    if organisation is None:
        allowed = user.is_active and user.is_superuser
        return runs.filter(organisation=None) if allowed else runs.none()
    membership = find_membership(user, organisation.pk)
    if membership is None:
        return runs.none()
    runs = runs.filter(organisation=organisation)
    return runs if manages_runs(membership) else runs.filter(started_by=user)


def _owns(user: User, run: WorkflowRun) -> bool:
    if run.organisation_id is None or run.started_by_id != user.pk:
        return False
    return find_membership(user, run.organisation_id) is not None
