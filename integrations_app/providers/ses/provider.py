"""Amazon SES: letters through its interface v2; bounces come over an SNS topic."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from anymail.exceptions import AnymailError
from botocore.exceptions import BotoCoreError, ClientError
from django.core.mail import EmailMultiAlternatives

from integrations_app.errors import (
    AddressRefused,
    AuthFailed,
    BadAddress,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    RequestFailed,
    SendError,
    Transient,
)
from integrations_app.providers.base import Accepted, Account, Request, StatusEvent, register
from integrations_app.providers.mail import tracking
from integrations_app.providers.mail.attempt import Attempt, within
from integrations_app.providers.mail.family import (
    TEST_SECONDS,
    MailProvider,
    accepted,
)
from integrations_app.providers.mail.refusals import meaning
from integrations_app.providers.mail.session import was_not_connected
from integrations_app.providers.mail.signatures import loaded
from integrations_app.providers.ses import sns
from integrations_app.providers.ses.forms import SesCredentials, SesSettings
from integrations_app.providers.sync_http import GuardedSession

T = TypeVar("T")
_NOT_ALLOWED = ("AccessDeniedException", "AccessDenied")
_AUTH = frozenset(
    (*_NOT_ALLOWED, "InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException",
     "IncompleteSignature", "MissingAuthenticationToken", "InvalidAccessKeyId",
     "ExpiredTokenException")
)  # fmt: skip
_RATE = frozenset(
    ("TooManyRequestsException", "ThrottlingException", "Throttling", "LimitExceededException")
)
_WORDS: Mapping[str, str] = {
    "MessageRejected": "SES refused it: the sender (in the sandbox the receiver) is not verified.",
    "MailFromDomainNotVerifiedException": "SES has not verified the domain of the sender.",
    "AccountSuspendedException": "The account may not send any more.",
    "SendingPausedException": "Sending is paused in this account.",
}


@register
class Ses(MailProvider):
    slug = "ses"
    title = "Amazon SES"
    description = "E-mail through Amazon Simple Email Service."
    settings_model = SesSettings
    credentials_model = SesCredentials
    has_webhook = True

    async def test_connection(self, account: Account) -> str:
        sender = account.settings.from_email

        def ask(client: Any) -> str:
            about = client.get_email_identity(EmailIdentity=sender.rpartition("@")[2])
            known = "verified" if about.get("VerifiedForSendingStatus") else "not verified yet"
            return f"Amazon accepts the keys; the domain of the sender is {known}."

        def call(attempt: Attempt) -> str:
            try:
                return _through(account, attempt, ask)
            except AuthFailed as error:
                if error.code not in _NOT_ALLOWED:
                    raise
            except OutcomeUnknown as error:
                raise Transient(code=error.code) from None
            except Permanent as error:
                if error.code != "NotFoundException":
                    raise
                return "Amazon accepts the keys; the sender's domain is no identity there."
            return "Amazon accepts the keys; they may not read the sender's state."

        return await within(TEST_SECONDS, call, sends=False)

    def hand_over(
        self, account: Account, made: EmailMultiAlternatives, attempt: Attempt, key: str
    ) -> Accepted:
        def post(client: Any) -> Accepted:
            from integrations_app.providers.ses.door import SesBackend

            SesBackend(client, account.settings.configuration_set).send_messages([made])
            taken = accepted(made)
            if taken is None:
                raise Permanent
            return taken

        return _through(account, attempt, post)

    def verify_webhook(self, account: Account, request: Request) -> None:
        """May ask Amazon for its certificate, and confirms the subscription of the topic that was
        set: not inside of a transaction."""
        topic = account.settings.topic_arn
        message = sns.verify(topic, request)
        if message.get("Type") == "SubscriptionConfirmation":
            sns.confirm(topic, message)

    def parse_status(self, account: Account, request: Request) -> list[StatusEvent]:
        message = loaded(request.body)
        if message.get("Type") != "Notification":
            return []
        text = str(message.get("Message", ""))
        if text.startswith("Successfully validated SNS topic"):
            return []
        from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView

        view = object.__new__(AmazonSESTrackingWebhookView)
        return tracking.read(
            lambda: view.esp_to_anymail_events(json.loads(text), message), _is_soft
        )


def _is_soft(event: Mapping[str, Any]) -> bool:
    bounce = event.get("bounce")
    return isinstance(bounce, Mapping) and bounce.get("bounceType") != "Permanent"


def _through(account: Account, attempt: Attempt, ask: Callable[[Any], T]) -> T:
    """What ``ask`` does with a client, its errors as ours."""
    # boto3 takes half a second to load: only where it is used.
    from integrations_app.providers.ses.door import client_of

    failed: SendError
    session = GuardedSession(timeout=attempt.left)
    try:
        return ask(client_of(account, attempt, session))
    except SendError as error:
        failed = error
    except (AddressRefused, BadAddress) as error:
        failed = Permanent(error.user_message, code=error.code)
    except ClientError as error:
        failed = _refusal(error.response)
    except AnymailError as error:
        answer = getattr(error, "response", None)
        is_answer = isinstance(answer, dict) and "Error" in answer
        failed = _refusal(answer) if is_answer else OutcomeUnknown(code="bad_answer")
    except (RequestFailed, BotoCoreError, *tracking.UNREADABLE) as error:
        kind = Transient if was_not_connected(error) else OutcomeUnknown
        failed = kind(code=type(error).__name__)
    finally:
        session.close()
    # Outside of the except: their errors and frames hold the letter and the keys.
    raise failed


def _refusal(answer: Any) -> SendError:
    code = str(answer["Error"].get("Code", ""))[:60]
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    if code in _AUTH:
        return AuthFailed(code=code, http_status=status)
    if code in _RATE:
        return RateLimited(None, code=code, http_status=status)
    if code in _WORDS:
        return Permanent(_WORDS[code], code=code, http_status=status)
    return meaning(status, code=code)
