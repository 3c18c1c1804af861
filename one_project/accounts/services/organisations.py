"""Organisations and who belongs to them."""

from django.db import transaction
from django.utils.text import slugify

from one_project.accounts.models import Membership, Organisation, Role, User
from one_project.accounts.services.events import record_event
from one_project.common.ids import new_id
from one_project.common.text import clean_line


@transaction.atomic
def create_organisation(*, name: str, owner: User, slug: str | None = None) -> Organisation:
    """A new organisation with ``owner`` as its owner. The slug is made unique where not given."""
    name = clean_line(name, 120) or "Organisation"
    slug = slug or f"{slugify(name)[:60] or 'organisation'}-{new_id().hex[-6:]}"
    organisation = Organisation.objects.create(name=name, slug=slug)
    add_member(organisation, user=owner, role=Role.OWNER)
    record_event(organisation, "organisation_created", actor=owner)
    return organisation


@transaction.atomic
def add_member(organisation: Organisation, *, user: User, role: str = Role.MEMBER) -> Membership:
    """Make ``user`` a member in ``role``; a person who had left is let in again."""
    membership, _ = Membership.objects.update_or_create(
        organisation=organisation, user=user, defaults={"role": role, "is_active": True}
    )
    record_event(
        organisation, "member_added", actor=user, target=f"user:{user.pk}", data={"role": role}
    )
    return membership
