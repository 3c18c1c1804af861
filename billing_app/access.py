"""Who may see what was used and billed. Missing and forbidden look the same."""

from uuid import UUID

from billing_app.models import Invoice
from one_project.accounts.models import Membership, Role
from one_project.common.errors import NotFound


def sees_organisation(membership: Membership) -> bool:
    """Whether the person sees what everybody in the organisation has used, and its invoices."""
    return membership.role in {Role.OWNER, Role.ADMIN}


def access_invoice(membership: Membership, invoice_id: UUID) -> Invoice:
    """A finalised invoice of the person, or any of an organisation they administer (drafts too).

    Raises NotFound.
    """
    found = Invoice.objects.filter(organisation_id=membership.organisation_id, pk=invoice_id)
    if not sees_organisation(membership):
        found = found.filter(user_id=membership.user_id, finalized_at__isnull=False)
    invoice = found.first()
    if invoice is None:
        raise NotFound
    return invoice
