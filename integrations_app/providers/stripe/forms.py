"""What Stripe needs."""

from pydantic import Field, SecretStr, field_validator

from integrations_app.providers.base import Form


class StripeSettings(Form):
    pass


class StripeCredentials(Form):
    secret_key: SecretStr = Field(
        title="Secret key",
        description="Begins with sk_ or rk_: Developers, API keys. A restricted key needs to write "
        "Checkout Sessions only.",
        max_length=300,
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        title="Signing secret of the webhook",
        description="Begins with whsec_. Save first: the address for the webhook then stands on "
        "this page. Invoices can be paid once this is set.",
        max_length=300,
    )

    @field_validator("secret_key")
    @classmethod
    def _is_key(cls, secret: SecretStr) -> SecretStr:
        value = _plain(secret)
        if not value.startswith(("sk_", "rk_")):
            raise ValueError("A secret key begins with sk_ or rk_.")
        return SecretStr(value)

    @field_validator("webhook_secret")
    @classmethod
    def _is_webhooks(cls, secret: SecretStr) -> SecretStr:
        value = _plain(secret)
        if value and not value.startswith("whsec_"):
            raise ValueError("A webhook's signing secret begins with whsec_.")
        return SecretStr(value)


def _plain(secret: SecretStr) -> str:
    # Keys travel in headers; blanks at their ends come from copying.
    value = secret.get_secret_value().strip()
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("It must be one word of plain letters, digits and signs.")
    return value
