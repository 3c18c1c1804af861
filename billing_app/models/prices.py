"""What models cost: dated rows, from a library or from a person."""

from django.db import models

from billing_app.types.money import CURRENCY
from one_project.common.models import ChangingEntity, choice_check


class TokenType(models.TextChoices):
    """Kinds of tokens that are priced. Reasoning is part of the output, and priced as it."""

    INPUT = "input"
    CACHED_INPUT = "cached_input"
    CACHE_WRITE = "cache_write"
    OUTPUT = "output"
    EMBEDDING = "embedding"


class PriceSource(models.TextChoices):
    LIBRARY = "genai-prices"
    PERSON = "person"


class ModelPrice(ChangingEntity):
    """US dollars for a million tokens of one kind, from ``valid_from`` to before ``valid_to``.

    ``context_from``: for calls with more input tokens than that. ``service_tier``: "" is the
    provider's default. Two rows for the same thing never overlap in time (the database sees to it:
    constraint ``model_price_no_overlap``, in the migration). The installation's, of no tenant.
    """

    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=120)
    token_type = models.CharField(max_length=12, choices=TokenType.choices)
    service_tier = models.CharField(max_length=16, blank=True)
    context_from = models.PositiveIntegerField(default=0)
    amount = models.DecimalField(max_digits=18, decimal_places=6)
    currency = models.CharField(max_length=3, default=CURRENCY)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    source = models.CharField(
        max_length=12, choices=PriceSource.choices, default=PriceSource.PERSON
    )
    source_version = models.CharField(max_length=32, blank=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = "price"
        constraints = [
            choice_check("model_price_token_type_known", "token_type", TokenType),
            choice_check("model_price_source_known", "source", PriceSource),
            models.CheckConstraint(
                name="model_price_not_negative", condition=models.Q(amount__gte=0)
            ),
            # Other currencies have other decimals; none but this is billed.
            models.CheckConstraint(
                name="model_price_in_dollars", condition=models.Q(currency=CURRENCY)
            ),
            models.CheckConstraint(
                name="model_price_ends_after_it_begins",
                condition=models.Q(valid_to=None) | models.Q(valid_to__gt=models.F("valid_from")),
            ),
        ]
        indexes = [
            # Every call: the prices of its model.
            models.Index(fields=["provider", "model"], name="model_price_of_model"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model} {self.token_type}"
