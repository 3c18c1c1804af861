"""What Amazon SES needs."""

from pydantic import Field, SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field


class SesSettings(MailSettings):
    region: str = Field(
        title="Region",
        description="Where the sender is verified, such as eu-central-1.",
        pattern=r"^[a-z]{2}(-[a-z]{2,12}){1,2}-[0-9]$",
    )
    configuration_set: str = Field(
        default="",
        title="Configuration set",
        description="The one whose events are published to the topic.",
        pattern=r"^[A-Za-z0-9_-]{0,64}$",
    )
    topic_arn: str = Field(
        default="",
        title="SNS topic",
        description="The ARN of the topic that tells of bounces. Without it, webhooks are refused.",
        pattern=r"^(arn:aws(-[a-z]+)*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256})?$",
    )


class SesCredentials(Form):
    access_key_id: Key = key_field("Access key ID", "Of a user who may do ses:SendEmail only.")
    secret_access_key: SecretStr = key_field("Secret access key")
