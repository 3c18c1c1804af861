"""What Slack needs: a bot's token, or an app through which people link their own accounts."""

from pydantic import Field, SecretStr, field_validator, model_validator

from integrations_app.providers.base import Form


class SlackSettings(Form):
    unfurl: bool = Field(
        default=False,
        title="Show previews of links",
        description="Slack fetches the linked pages to make them.",
    )


class SlackCredentials(Form):
    bot_token: SecretStr = Field(
        default=SecretStr(""),
        title="Bot token",
        description="Begins with xoxb-: your app, OAuth & Permissions. Scope: chat:write.",
        max_length=500,
    )
    client_id: str = Field(
        default="",
        title="Client ID",
        description="To let people link their own accounts; with the client secret.",
        max_length=300,
    )
    client_secret: SecretStr = Field(default=SecretStr(""), title="Client secret", max_length=500)
    signing_secret: SecretStr = Field(
        default=SecretStr(""),
        title="Signing secret",
        description="Only for events that Slack sends: your app, Basic Information.",
        max_length=200,
    )

    @field_validator("bot_token")
    @classmethod
    def _bots(cls, token: SecretStr) -> SecretStr:
        value = token.get_secret_value().strip()
        if value and not (value.startswith("xoxb-") and value.isascii() and value.isprintable()):
            raise ValueError("A bot's token begins with xoxb-.")
        return SecretStr(value)

    @model_validator(mode="after")
    def _either(self) -> "SlackCredentials":
        if not self.bot_token.get_secret_value() and not self.client_id:
            raise ValueError("Give a bot token, or the ID and secret of your app.")
        if bool(self.client_id) != bool(self.client_secret.get_secret_value()):
            raise ValueError("Client ID and client secret belong together.")
        return self
