"""Plain values: the words of integrations, deliveries and notifications."""

from django.db.models import TextChoices


class ChannelType(TextChoices):
    """The way something reaches a person or a place."""

    EMAIL = "email", "E-mail"
    SMS = "sms", "SMS"
    CHAT = "chat", "Chat"
    PUSH = "push", "Push"
    IN_APP = "in_app", "In the app"
    WEBHOOK = "webhook", "Webhook"
    # Not ways to people: services whose content agents read, and those that take money.
    KNOWLEDGE = "knowledge", "Knowledge"
    PAYMENTS = "payments", "Payments"

    @property
    def reaches_people(self) -> bool:
        return self not in (ChannelType.KNOWLEDGE, ChannelType.PAYMENTS)


class IntegrationStatus(TextChoices):
    """``draft`` has not been tested; ``error`` was switched off after repeated failures."""

    DRAFT = "draft", "Not tested"
    ACTIVE = "active", "Active"
    INACTIVE = "inactive", "Paused"
    ERROR = "error", "Error"


class ConnectionStatus(TextChoices):
    PENDING = "pending", "Waiting for consent"
    ACTIVE = "active", "Connected"
    EXPIRED = "expired", "Expired"
    REVOKED = "revoked", "Revoked"
    ERROR = "error", "Error"


class EndpointType(TextChoices):
    """What an address is; those marked secret hold it sealed."""

    EMAIL = "email", "E-mail address"
    PHONE = "phone", "Phone number"
    WHATSAPP = "whatsapp", "WhatsApp number"
    SLACK_CHANNEL = "slack_channel", "Slack channel"
    SLACK_USER = "slack_user", "Slack person"
    DISCORD_WEBHOOK = "discord_webhook", "Discord webhook"
    TEAMS_WEBHOOK = "teams_webhook", "Teams workflow"
    TELEGRAM_CHAT = "telegram_chat", "Telegram chat"
    WEB_PUSH = "web_push", "Browser"
    WEBHOOK = "webhook", "Webhook"
    APPRISE = "apprise", "Service"


class EndpointStatus(TextChoices):
    ACTIVE = "active", "Active"
    UNVERIFIED = "unverified", "Not verified"
    # Nothing is sent to these two any more.
    BOUNCED = "bounced", "Refused by its server"
    UNSUBSCRIBED = "unsubscribed", "Unsubscribed"


class DeliveryStatus(TextChoices):
    """``accepted``: the provider has it; ``delivered``: it says that it arrived.

    ``unknown``: it may have been sent or not, since the process died between sending and recording;
    nobody sends it again, a person decides.
    """

    QUEUED = "queued", "Waiting"
    SENDING = "sending", "Being sent"
    ACCEPTED = "accepted", "Accepted"
    DELIVERED = "delivered", "Delivered"
    BOUNCED = "bounced", "Bounced"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Unknown"
    SKIPPED = "skipped", "Not sent"
    CANCELED = "canceled", "Canceled"


# No attempt follows these by itself; statuses of the provider may still come after ``accepted``.
SETTLED = (
    DeliveryStatus.ACCEPTED,
    DeliveryStatus.DELIVERED,
    DeliveryStatus.BOUNCED,
    DeliveryStatus.FAILED,
    DeliveryStatus.UNKNOWN,
    DeliveryStatus.SKIPPED,
    DeliveryStatus.CANCELED,
)


class AttemptStatus(TextChoices):
    STARTED = "started", "Started"
    ACCEPTED = "accepted", "Accepted"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Unknown"


class Reason(TextChoices):
    """Why something was, or was not, sent: told to people in these words."""

    TRIGGERED = "triggered", "The notification was triggered."
    SENT = "sent", "The provider accepted it."
    DELIVERED = "delivered", "The provider says it arrived."
    OPENED = "opened", "It was opened."
    BOUNCED = "bounced", "The receiving server refused it for good."
    COMPLAINED = "complained", "The receiver marked it as spam."
    UNSUBSCRIBED = "unsubscribed", "The receiver has unsubscribed."
    RETRY = "retry", "It failed and is tried again."
    FAILED_OVER = "failed_over", "It failed and goes through another integration."
    PROVIDER_REFUSED = "provider_refused", "The provider refused it."
    AUTH_FAILED = "auth_failed", "The provider did not accept the credentials."
    RATE_LIMITED = "rate_limited", "The provider asked to wait."
    PROVIDER_DOWN = "provider_down", "The provider could not be reached."
    OUTCOME_UNKNOWN = "outcome_unknown", "It may have been sent or not; it is not sent again."
    NO_INTEGRATION = "no_integration", "No active integration for this channel."
    NO_ADDRESS = "no_address", "The person has no address for this channel."
    ADDRESS_BLOCKED = "address_blocked", "The address refused earlier messages."
    PREFERENCE = "preference", "The person has switched this off."
    CONDITION = "condition", "A condition of the step was not met."
    THROTTLED = "throttled", "Enough of these were sent already."
    DIGESTED = "digested", "It was joined with others."
    QUOTA = "quota", "The limit of messages was reached."
    CANCELED = "canceled", "It was canceled."
    SEEN = "seen", "The person has seen it."
    READ = "read", "The person has read it."
    STEP_FAILED = "step_failed", "A step of the notification failed."
    CONNECT_REQUIRED = "connect_required", "A connection has to be made first."
