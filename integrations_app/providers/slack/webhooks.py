"""What Slack sends: signed over time and body, five minutes at most on its way."""

from slack_sdk.signature import Clock, SignatureVerifier

from integrations_app.errors import SignatureInvalid
from integrations_app.providers.base import Request


class _At(Clock):
    """The moment the request came in."""

    def __init__(self, moment: float) -> None:
        self._moment = moment

    def now(self) -> float:
        return self._moment


def verify(secret: str, request: Request) -> None:
    """Raises SignatureInvalid."""
    if not secret:
        raise SignatureInvalid("No signing secret is set.")
    stamp = request.headers.get("x-slack-request-timestamp", "")
    given = request.headers.get("x-slack-signature", "")
    verifier = SignatureVerifier(secret, _At(request.received_at.timestamp()))
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12 or not given.isascii():
        raise SignatureInvalid
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        raise SignatureInvalid from None
    if not verifier.is_valid(body=text, timestamp=stamp, signature=given):
        raise SignatureInvalid
