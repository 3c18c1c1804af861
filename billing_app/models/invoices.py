"""One period's bill: invoices and credit notes, their lines, files and payments."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing_app.types.money import CURRENCY
from one_project.accounts.models import Organisation
from one_project.common.models import ChangingEntity, Entity, choice_check


class InvoiceKind(models.TextChoices):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class InvoiceStatus(models.TextChoices):
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    VOID = "void"


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def counted(self) -> "InvoiceQuerySet":
        """Those whose lines say what has been billed: all but those that were made anew. One that
        is void and was not made anew is written off; its usage is not billed again."""
        return self.filter(kind=InvoiceKind.INVOICE, replaced_by=None)

    def standing(self) -> "InvoiceQuerySet":
        return self.exclude(status=InvoiceStatus.VOID)


class Invoice(ChangingEntity):
    """A draft until ``finalized_at``; after that a trigger lets only payment, sending and voiding
    change it, and never lets it be deleted. ``user_id`` none: the organisation's own.

    ``status`` pending (drafts too), paid, failed or void. ``number`` is gapless for its kind and
    ``year``, given when it is finalised. ``customer`` and ``issuer`` are snapshots: ``name``,
    ``email``, ``address``, ``tax_number``. ``content_hash``: SHA-256 of what was finalised.
    A credit note's amounts are negative, and ``credits`` is the invoice they belong to.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="invoices", db_index=False
    )
    user_id = models.UUIDField(null=True, blank=True)
    kind = models.CharField(max_length=11, choices=InvoiceKind.choices, default=InvoiceKind.INVOICE)
    period = models.DateField()
    status = models.CharField(
        max_length=7, choices=InvoiceStatus.choices, default=InvoiceStatus.PENDING
    )
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    number = models.PositiveIntegerField(null=True, blank=True)
    finalized_at = models.DateTimeField(null=True, blank=True)
    due_on = models.DateField(null=True, blank=True)
    currency = models.CharField(max_length=3, default=CURRENCY)
    subtotal = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    tax_label = models.CharField(max_length=40, blank=True)
    tax_percent = models.DecimalField(max_digits=5, decimal_places=2, default=0)
    tax = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    total = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    customer = models.JSONField(default=dict)
    issuer = models.JSONField(default=dict)
    content_hash = models.CharField(max_length=64, blank=True)
    credits = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="credit_notes"
    )
    replaced_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="replaces"
    )
    reason = models.TextField(blank=True)  # why it was voided, failed or credited
    paid_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("invoice_kind_known", "kind", InvoiceKind),
            choice_check("invoice_status_known", "status", InvoiceStatus),
            # Two runs make one invoice. Also the index of an organisation's list.
            models.UniqueConstraint(
                fields=["organisation", "period", "user_id"],
                condition=Q(kind="invoice") & ~Q(status="void"),
                nulls_distinct=False,
                name="invoice_once",
            ),
            models.UniqueConstraint(fields=["kind", "year", "number"], name="invoice_number_once"),
            models.CheckConstraint(name="invoice_period_is_a_month", condition=Q(period__day=1)),
            models.CheckConstraint(
                name="invoice_total_is_the_sum", condition=Q(total=F("subtotal") + F("tax"))
            ),
            models.CheckConstraint(
                name="invoice_finalised_has_number",
                condition=Q(finalized_at=None, number=None, year=None, content_hash="")
                | (
                    Q(finalized_at__isnull=False, number__isnull=False, year__isnull=False)
                    & ~Q(content_hash="")
                ),
            ),
            models.CheckConstraint(
                name="invoice_void_has_reason", condition=~Q(status="void") | ~Q(reason="")
            ),
            models.CheckConstraint(
                name="invoice_credit_note_credits",
                condition=Q(kind="invoice", credits=None)
                | Q(kind="credit_note", credits__isnull=False),
            ),
            models.CheckConstraint(name="invoice_in_dollars", condition=Q(currency=CURRENCY)),
        ]
        indexes = [
            # Lists of an organisation and of a person, newest month first.
            models.Index(fields=["organisation", "-period"], name="invoice_of_organisation"),
            models.Index(
                fields=["user_id", "-period"],
                name="invoice_of_person",
                condition=Q(user_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """``2026-000012``, ``CN-2026-000003``, or ``draft``."""
        if self.number is None:
            return "draft"
        prefix = "CN-" if self.kind == InvoiceKind.CREDIT_NOTE else ""
        return f"{prefix}{self.year}-{self.number:06}"

    @property
    def is_final(self) -> bool:
        return self.finalized_at is not None


class LineKind(models.TextChoices):
    USAGE = "usage"
    ADJUSTMENT = "adjustment"  # usage of an earlier month that came late
    CREDIT = "credit"


class InvoiceLine(Entity):
    """``quantity`` tokens of one kind at ``unit_price`` a million; ``exact`` is their product,
    ``amount`` that, rounded once. ``period``: the month of the usage. The user is the invoice's."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=LineKind.choices, default=LineKind.USAGE)
    period = models.DateField()
    provider = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=120, blank=True)
    token_type = models.CharField(max_length=12, blank=True)
    description = models.CharField(max_length=300)
    is_estimated = models.BooleanField(default=False)
    quantity = models.BigIntegerField(default=0)
    unit_price = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    exact = models.DecimalField(max_digits=28, decimal_places=12)
    amount = models.DecimalField(max_digits=14, decimal_places=2)

    class Meta:
        ordering = ["position"]
        constraints = [
            choice_check("invoice_line_kind_known", "kind", LineKind),
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position"),
        ]
        indexes = [
            # What of a month has been billed.
            models.Index(fields=["organisation", "period"], name="invoice_line_of_month"),
        ]

    def __str__(self) -> str:
        return self.description


class InvoiceNumber(models.Model):
    """The last number given for a kind and year; its row is locked until the invoice is there, so
    that a rolled back one leaves no gap."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=11)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "year"], name="invoice_number_series")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.year}: {self.last}"


class InvoiceFile(Entity):
    """The PDF of a finalised invoice; made once."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    invoice = models.OneToOneField(Invoice, on_delete=models.CASCADE, related_name="file")
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"PDF of {self.invoice_id}"


class PaymentStatus(models.TextChoices):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Payment(ChangingEntity):
    """Money for an invoice, by hand or through a provider, whose ``provider_ref`` counts once."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    provider = models.CharField(max_length=40)
    provider_ref = models.CharField(max_length=200)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    status = models.CharField(
        max_length=9, choices=PaymentStatus.choices, default=PaymentStatus.PENDING
    )
    url = models.URLField(max_length=1000, blank=True)
    by_id = models.UUIDField(null=True, blank=True)

    class Meta:
        constraints = [
            choice_check("payment_status_known", "status", PaymentStatus),
            models.UniqueConstraint(fields=["provider", "provider_ref"], name="payment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.status}"
