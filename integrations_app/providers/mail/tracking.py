"""What providers tell of letters later, as status events.

django-anymail knows the forms of their webhooks; here its events become ours. Of an event only
plain facts are kept: no address, no words of a server.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Any, Final

from anymail.exceptions import AnymailError
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIRequest

from integrations_app.providers.base import Request, StatusEvent
from integrations_app.types import DeliveryStatus, Reason
from one_project.common.errors import InvalidInput

MAX_EVENTS: Final = 1000
# What anymail's readers raise for a body that is not what they expect.
UNREADABLE: Final = (
    AnymailError,
    ImproperlyConfigured,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    RecursionError,
)
_SOFT = "The receiving server did not take it this time; the address may still be good."
_MEANING: Final[Mapping[str, tuple[DeliveryStatus | None, Reason, str]]] = {
    EventType.DELIVERED: (DeliveryStatus.DELIVERED, Reason.DELIVERED, ""),
    EventType.BOUNCED: (DeliveryStatus.BOUNCED, Reason.BOUNCED, ""),
    EventType.DEFERRED: (
        None,
        Reason.RETRY,
        "The receiving server asks to wait; the provider tries again.",
    ),
    EventType.FAILED: (
        DeliveryStatus.FAILED,
        Reason.PROVIDER_REFUSED,
        "The provider could not send it.",
    ),
    EventType.COMPLAINED: (None, Reason.COMPLAINED, ""),
    EventType.UNSUBSCRIBED: (None, Reason.UNSUBSCRIBED, ""),
    EventType.OPENED: (None, Reason.OPENED, ""),
    EventType.CLICKED: (None, Reason.OPENED, "A link in it was opened."),
}
# A provider that did not even try says why.
_REJECTED: Final[Mapping[str, tuple[DeliveryStatus, Reason, str]]] = {
    RejectReason.BOUNCED: (DeliveryStatus.BOUNCED, Reason.BOUNCED, ""),
    RejectReason.INVALID: (DeliveryStatus.BOUNCED, Reason.BOUNCED, ""),
    RejectReason.UNSUBSCRIBED: (DeliveryStatus.FAILED, Reason.UNSUBSCRIBED, ""),
    RejectReason.SPAM: (DeliveryStatus.FAILED, Reason.COMPLAINED, ""),
}


def django_request(request: Request) -> WSGIRequest:
    """The webhook as anymail's readers take it."""
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()
    }
    return WSGIRequest(
        {
            **headers,
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": request.headers.get("content-type", "application/json"),
            "CONTENT_LENGTH": str(len(request.body)),
            "wsgi.input": BytesIO(request.body),
        }
    )


def read(
    parse: Callable[[], Iterable[AnymailTrackingEvent]],
    is_soft: Callable[[Mapping[str, Any]], bool],
) -> list[StatusEvent]:
    """The events of a verified webhook. is_soft: whether a bounce is one for now only. Raises
    InvalidInput."""
    try:
        events = list(parse())[:MAX_EVENTS]
        found = [_event(one, is_soft) for one in events]
    except UNREADABLE as error:
        kind = type(error).__name__
    else:
        return [one for one in found if one is not None]
    # Outside of the except: what the reader raised holds the body.
    raise InvalidInput("This webhook cannot be read.", detail=kind)


def _event(
    event: AnymailTrackingEvent, is_soft: Callable[[Mapping[str, Any]], bool]
) -> StatusEvent | None:
    kind = str(event.event_type)
    if kind == EventType.REJECTED:
        meaning = _REJECTED.get(event.reject_reason or "", _MEANING[EventType.FAILED])
    elif kind in _MEANING:
        meaning = _MEANING[kind]
    else:
        return None  # queued, sent, answered by a machine: nothing new
    raw = event.esp_event if isinstance(event.esp_event, Mapping) else {}
    status, reason, text = meaning
    is_bounce = kind == EventType.BOUNCED
    if is_bounce and is_soft(raw):
        status, reason, text = DeliveryStatus.FAILED, Reason.PROVIDER_REFUSED, _SOFT
    body: dict[str, Any] = {"event": kind}
    if event.timestamp:
        body["at"] = event.timestamp.isoformat()
    if is_bounce:
        body["bounce"] = "hard" if status == DeliveryStatus.BOUNCED else "soft"
    return StatusEvent(
        external_id=_id_of(event, raw),
        message_id="".join(filter(str.isprintable, str(event.message_id or "")))[:300],
        status=status,
        reason=reason,
        text=text,
        body=body,
    )


def _id_of(event: AnymailTrackingEvent, raw: Mapping[str, Any]) -> str:
    """The provider's id where it has one, with the receiver; else a hash of all it says."""
    if event.event_id:
        parts: Any = [str(event.event_id), str(event.recipient or "").lower()]
    else:
        parts = raw
    said = json.dumps(parts, sort_keys=True, default=str)
    digest = hashlib.sha256(f"{event.event_type}\n{said}".encode()).hexdigest()
    return f"{event.event_type}-{digest}"
