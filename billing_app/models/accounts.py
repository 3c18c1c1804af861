"""How an organisation is billed, and which of its months have been."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from billing_app.types.money import CURRENCY
from one_project.accounts.models import Organisation
from one_project.common.models import ChangingEntity, choice_check


class InvoicePer(models.TextChoices):
    USER = "user"
    ORGANISATION = "organisation"


class BillingAccount(ChangingEntity):
    """Locked by whoever makes, changes or numbers invoices of the organisation.

    ``invoice_per`` "": as ONE_INVOICE_PER says. ``needs_review``: invoices wait as drafts until a
    person finalises them. ``is_prepaid``: calls are paid from credits, and stop with them.
    """

    organisation = models.OneToOneField(
        Organisation, on_delete=models.CASCADE, related_name="billing_account"
    )
    invoice_per = models.CharField(max_length=12, choices=InvoicePer.choices, blank=True)
    needs_review = models.BooleanField(default=False)
    is_prepaid = models.BooleanField(default=False)
    legal_name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    address = models.TextField(blank=True, max_length=1000)
    tax_number = models.CharField(max_length=64, blank=True)
    tax_label = models.CharField(max_length=40, blank=True)
    tax_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    payment_days = models.PositiveSmallIntegerField(default=14)
    currency = models.CharField(max_length=3, default=CURRENCY, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="billing_account_invoice_per_known",
                condition=Q(invoice_per__in=["", *InvoicePer.values]),
            ),
            models.CheckConstraint(
                name="billing_account_tax_is_percent",
                condition=Q(tax_percent__gte=0) & Q(tax_percent__lte=100),
            ),
            models.CheckConstraint(
                name="billing_account_in_dollars", condition=Q(currency=CURRENCY)
            ),
        ]

    def __str__(self) -> str:
        return f"Billing of {self.organisation}"


class BilledStatus(models.TextChoices):
    DONE = "done"
    BLOCKED = "blocked"


class BilledPeriod(ChangingEntity):
    """A month of an organisation that was billed, or could not be (``reason``, for an admin).

    ``invoice_per`` is what held when it was billed first: what comes late is compared with that.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="billed_periods", db_index=False
    )
    period = models.DateField()
    status = models.CharField(max_length=7, choices=BilledStatus.choices)
    invoice_per = models.CharField(max_length=12, choices=InvoicePer.choices)
    cutoff = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            choice_check("billed_period_status_known", "status", BilledStatus),
            choice_check("billed_period_invoice_per_known", "invoice_per", InvoicePer),
            models.UniqueConstraint(fields=["organisation", "period"], name="billed_period_once"),
            models.CheckConstraint(name="billed_period_is_a_month", condition=Q(period__day=1)),
        ]

    def __str__(self) -> str:
        return f"{self.period:%Y-%m} {self.status}"
