"""Giving people and teams access to a thing, and taking it back.

Whoever calls has made sure that ``by`` may do so: the apps above own the things.
"""

from uuid import UUID

from django.db import transaction

from one_project.accounts.access import find_membership
from one_project.accounts.models import Grant, GrantLevel, Organisation, Team, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import InvalidInput


@transaction.atomic
def grant(
    organisation: Organisation,
    object_type: str,
    object_id: UUID,
    *,
    by: User | None,
    user: User | None = None,
    team: Team | None = None,
    level: str = GrantLevel.USE,
) -> Grant:
    """Let a person, a team, or everybody (neither given) use or manage the thing.

    A grant that is there gets the new level. Raises InvalidInput for an unknown level, and for a
    person or team of another organisation.
    """
    if level not in GrantLevel.values:
        raise InvalidInput(f"Access is one of: {', '.join(GrantLevel.values)}.")
    if user is not None and team is not None:
        raise InvalidInput("Give access to a person or to a team, not to both at once.")
    if user is not None and find_membership(user, organisation.pk) is None:
        raise InvalidInput("This person does not belong to the organisation.")
    if team is not None and team.organisation_id != organisation.pk:
        raise InvalidInput("This team does not belong to the organisation.")
    row, is_new = Grant.objects.get_or_create(
        object_type=object_type,
        object_id=object_id,
        user=user,
        team=team,
        defaults={"organisation": organisation, "level": level, "granted_by": by},
    )
    if row.organisation_id != organisation.pk:
        raise InvalidInput("This belongs to another organisation.")
    if is_new or row.level != level:
        Grant.objects.filter(pk=row.pk).update(level=level, granted_by=by)
        row.level = level
        _record("access_granted", row, organisation, by)
    return row


@transaction.atomic
def revoke(
    organisation: Organisation,
    object_type: str,
    object_id: UUID,
    *,
    by: User | None,
    user: User | None = None,
    team: Team | None = None,
) -> bool:
    """Take back what a person, a team, or everybody (neither given) has; whether they had it."""
    row = Grant.objects.filter(
        organisation=organisation,
        object_type=object_type,
        object_id=object_id,
        user=user,
        team=team,
    ).first()
    if row is None:
        return False
    _record("access_revoked", row, organisation, by)
    row.delete()
    return True


@transaction.atomic
def revoke_all(
    organisation: Organisation, object_type: str, object_id: UUID, *, by: User | None
) -> int:
    """Make the thing private again; returns how many had access."""
    rows = Grant.objects.filter(
        organisation=organisation, object_type=object_type, object_id=object_id
    )
    found = list(rows)
    for row in found:
        _record("access_revoked", row, organisation, by)
    rows.delete()
    return len(found)


def _record(kind: str, row: Grant, organisation: Organisation, by: User | None) -> None:
    whom = f"user:{row.user_id}" if row.user_id else f"team:{row.team_id}" if row.team_id else "all"
    record_event(
        organisation,
        kind,
        actor=by,
        target=f"{row.object_type}:{row.object_id}",
        data={"to": whom, "level": row.level},
    )
