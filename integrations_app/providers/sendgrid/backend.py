"""Anymail's backend for SendGrid."""

from anymail.backends.base_requests import AnymailRequestsBackend
from anymail.backends.sendgrid import EmailBackend


class SendGridBackend(EmailBackend):  # type: ignore[misc]
    """Anymail's, without its warning at each message that nobody tests it any more: we do."""

    def __init__(self, *, api_key: str, api_url: str) -> None:
        self.api_key = api_key
        self.generate_message_id = True
        self.merge_field_format = None
        AnymailRequestsBackend.__init__(self, api_url)
