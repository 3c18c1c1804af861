"""What Unisender Go needs."""

from typing import Literal

from pydantic import Field

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field


class UnisenderGoSettings(MailSettings):
    data_centre: Literal["go1", "go2"] = Field(
        default="go1", title="Data centre", description="Where the account is kept."
    )


class UnisenderGoCredentials(Form):
    api_key: Key = key_field("API key", "Of the account or project; it also signs its webhooks.")
