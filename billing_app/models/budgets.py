"""What may be spent: budgets, the wallets they are counted in, reservations, credits."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from one_project.accounts.models import Organisation
from one_project.common.models import ChangingEntity, Entity, choice_check


class BudgetScope(models.TextChoices):
    ORGANISATION = "organisation"
    TEAM = "team"
    USER = "user"
    AGENT = "agent"


class BudgetWindow(models.TextChoices):
    """UTC days or months."""

    DAY = "day"
    MONTH = "month"


class Budget(ChangingEntity):
    """A limit in US dollars. ``subject_id``: whose it is; none: each one of the scope by itself.

    From ``soft_limit`` on people are warned, at ``hard_limit`` nothing more is begun. One of them
    is set at least.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="budgets")
    scope = models.CharField(max_length=12, choices=BudgetScope.choices)
    subject_id = models.UUIDField(null=True, blank=True)
    window = models.CharField(
        max_length=5, choices=BudgetWindow.choices, default=BudgetWindow.MONTH
    )
    soft_limit = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    hard_limit = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            choice_check("budget_scope_known", "scope", BudgetScope),
            choice_check("budget_window_known", "window", BudgetWindow),
            models.UniqueConstraint(
                fields=["organisation", "scope", "subject_id", "window"],
                nulls_distinct=False,
                name="budget_once",
            ),
            models.CheckConstraint(
                name="budget_of_organisation_has_no_subject",
                condition=~Q(scope="organisation") | Q(subject_id=None),
            ),
            models.CheckConstraint(
                name="budget_has_a_limit",
                condition=Q(soft_limit__isnull=False) | Q(hard_limit__isnull=False),
            ),
            models.CheckConstraint(
                name="budget_limits_not_negative",
                condition=(Q(soft_limit=None) | Q(soft_limit__gte=0))
                & (Q(hard_limit=None) | Q(hard_limit__gte=0)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} by {self.window}"


class Wallet(ChangingEntity):
    """What is spent and reserved of a budget by one subject in one window; or the credits of an
    organisation (no budget), of which ``granted`` were ever given.

    Whoever reserves or settles locks the rows of all wallets concerned, in the order of their keys,
    and only then looks at what is left: no check that another could overtake.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="wallets", db_index=False
    )
    budget = models.ForeignKey(
        Budget, on_delete=models.CASCADE, null=True, blank=True, related_name="wallets"
    )
    subject_id = models.UUIDField(null=True, blank=True)
    window_start = models.DateField(null=True, blank=True)
    granted = models.DecimalField(max_digits=28, decimal_places=12, default=0)
    spent = models.DecimalField(max_digits=28, decimal_places=12, default=0)
    reserved = models.DecimalField(max_digits=28, decimal_places=12, default=0)
    warned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # Also the index of every call.
            models.UniqueConstraint(
                fields=["organisation", "budget", "subject_id", "window_start"],
                nulls_distinct=False,
                name="wallet_once",
            ),
            models.CheckConstraint(
                name="wallet_not_negative",
                condition=Q(spent__gte=0) & Q(reserved__gte=0) & Q(granted__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return "credits" if self.budget_id is None else f"wallet of {self.window_start}"


class ReservationStatus(models.TextChoices):
    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class Reservation(Entity):
    """What a call may cost at most, held back in ``wallet_ids`` until it ends or ``expires_at``."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="reservations"
    )
    wallet_ids = ArrayField(models.UUIDField())
    amount = models.DecimalField(max_digits=28, decimal_places=12)
    status = models.CharField(
        max_length=8, choices=ReservationStatus.choices, default=ReservationStatus.OPEN
    )
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            choice_check("reservation_status_known", "status", ReservationStatus),
            models.CheckConstraint(name="reservation_not_negative", condition=Q(amount__gte=0)),
        ]
        indexes = [
            # The sweeper: those nobody has ended.
            models.Index(
                fields=["expires_at"], name="reservation_open", condition=Q(status="open")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.status}"


class CreditKind(models.TextChoices):
    GRANT = "grant"
    REFILL = "refill"
    SETTLE = "settle"
    ADJUST = "adjust"


class CreditEntry(Entity):
    """One movement of an organisation's credits; append only. ``amount`` is signed; their sum is
    the wallet's balance. The same ``ref`` counts once for each kind."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="credit_entries", db_index=False
    )
    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, related_name="entries", db_index=False
    )
    kind = models.CharField(max_length=6, choices=CreditKind.choices)
    amount = models.DecimalField(max_digits=28, decimal_places=12)
    balance_after = models.DecimalField(max_digits=28, decimal_places=12)
    ref = models.CharField(max_length=120)
    note = models.CharField(max_length=200, blank=True)
    by_id = models.UUIDField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "credit entries"
        constraints = [
            choice_check("credit_kind_known", "kind", CreditKind),
            models.UniqueConstraint(fields=["wallet", "kind", "ref"], name="credit_entry_once"),
        ]
        indexes = [
            # The admin's list, newest first.
            models.Index(fields=["organisation", "-created_at"], name="credit_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"
