"""One step of one notification: what it decides, and the line that says so.

The durable run (``worker.notification_run``) calls these in its own transactions: each happens
exactly once, and each writes one line of the notification's way about its step. What a delivery
becomes later is told by the deliveries themselves.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from pydantic import BaseModel

from integrations_app.models import Notification
from integrations_app.runtime.conditions import holds
from integrations_app.runtime.notification_steps import AnyStep, next_moment
from integrations_app.runtime.step_kinds import Delay, Digest, InApp, Throttle
from integrations_app.runtime.step_requests import HttpRequest
from integrations_app.runtime.templates import look_up, render
from integrations_app.services import collecting, inbox
from integrations_app.services.ending import locked
from integrations_app.services.facts import facts_of
from integrations_app.services.handing_over import hand_over
from integrations_app.services.preferences import wants
from integrations_app.services.topics import is_muted
from integrations_app.services.way import tell
from integrations_app.types import ChannelType, Reason
from one_project.accounts.models import Membership
from one_project.common.errors import AppError
from one_project.common.sealing import SealBroken
from one_project.workflows.definitions import step

MAX_DELAY = timedelta(days=366)


class Outcome(BaseModel):
    """What the run does next.

    go: the next step. wait: until ``until``, then the next step. collect: until then, and then
    collect the digest. ask: call the address. sent: a delivery is on its way, whose end comes as an
    event. failed: as go, unless the step stops on failure. stop: nothing after it happens, for
    ``reason``.
    """

    do: Literal["go", "wait", "collect", "ask", "sent", "failed", "stop"]
    until: datetime | None = None
    reason: str = ""


GO, FAILED = Outcome(do="go"), Outcome(do="failed")


@step(kind="transaction", name="integrations_app.notification_step")
def take_step(notification_id: UUID, one: AnyStep) -> Outcome:
    """Decide about one step and do what can be done at once."""
    row = locked(notification_id)
    if row is None or row.ended_at is not None:
        return Outcome(do="stop", reason=Reason.CANCELED)
    if not _belongs(row):
        tell(row, Reason.CANCELED, step=one.id, text="The person does not belong here any more.")
        return Outcome(do="stop", reason=Reason.CANCELED)
    facts = facts_of(row)
    if one.skip and holds(one.skip, facts):
        tell(row, Reason.CONDITION, step=one.id, text="Left out: its condition holds.")
        return _noted(row, one.id, GO, status="skipped")
    if (refused := _unwanted(row, one)) is not None:
        tell(row, refused[0], step=one.id, text=refused[1])
        return _noted(row, one.id, GO, status="skipped")
    do: Callable[..., Outcome] = _DOERS.get(type(one), hand_over_step)
    return do(row, one, facts)


def _belongs(row: Notification) -> bool:
    members = Membership.objects.active().filter(organisation=row.organisation_id)
    return row.user is None or (row.user.is_active and members.filter(user=row.user).exists())


def _unwanted(row: Notification, one: AnyStep) -> tuple[Reason, str] | None:
    """Why the person is not told on this way, and in words where the reason's own do not do."""
    way = one.channel_type
    if way is None or row.user_id is None:
        return None
    ways = row.meta.get("ways")
    if ways is not None and way not in ways:
        return Reason.CONDITION, "Left out: whoever triggered it chose other ways."
    if row.is_critical or way == ChannelType.WEBHOOK:
        return None
    if not wants(row.user_id, row.organisation_id, row.category, way):
        return Reason.PREFERENCE, ""
    topic = row.meta.get("topic")
    if topic and is_muted(row.user_id, topic, way):
        return Reason.PREFERENCE, "The person has muted this topic here."
    return None


def _noted(row: Notification, name: str, outcome: Outcome, **known: Any) -> Outcome:
    """Keep what later steps may ask about; ``outcome`` as it is."""
    row.meta = {**row.meta, "steps": {**row.meta.get("steps", {}), name: known}}
    row.save(update_fields=["meta", "updated_at"])
    return outcome


def _missing(names: list[str]) -> str:
    """A sentence about the places that stayed empty."""
    return f" Empty, since it is not there: {', '.join(names)}."[:200] if names else ""


# --- The kinds ------------------------------------------------------------------------------------


def show_step(row: Notification, one: InApp, facts: dict[str, Any]) -> Outcome:
    gone: list[str] = []
    title = render(one.title, facts, missing=gone)
    body = render(one.body, facts, missing=gone)
    inbox.show(
        row,
        title=title.strip() or row.workflow,
        body=body,
        url=render(one.url, facts) or row.url,
    )
    tell(row, Reason.DELIVERED, step=one.id, text=f"It is in the inbox.{_missing(gone)}")
    return _noted(row, one.id, GO, status="sent")


def hand_over_step(row: Notification, one: Any, facts: dict[str, Any]) -> Outcome:
    """Route it and queue its delivery; what cannot be sent is told, never raised."""
    gone: list[str] = []
    try:
        with transaction.atomic():
            reason, words, delivery = hand_over(row, one, facts, gone)
            if delivery is None or delivery.settled_at is None:
                tell(row, reason, step=one.id, text=words + _missing(gone), delivery=delivery)
    except (AppError, SealBroken) as error:
        words = getattr(error, "user_message", "The address cannot be read: it is added again.")
        tell(row, Reason.STEP_FAILED, step=one.id, text=words)
        return _noted(row, one.id, FAILED, status="failed")
    if delivery is None:
        return _noted(row, one.id, FAILED, status="failed")
    return _noted(row, one.id, Outcome(do="sent"), status="waiting")


def delay_step(row: Notification, one: Delay, facts: dict[str, Any]) -> Outcome:
    now = timezone.now()
    try:
        until = _until(one, facts, now)
    except (ValueError, OverflowError):
        tell(row, Reason.STEP_FAILED, step=one.id, text="The payload does not say how long.")
        return _noted(row, one.id, FAILED, status="failed")
    until = min(until, now + MAX_DELAY)
    tell(row, Reason.TRIGGERED, step=one.id, text=f"Waits until {until:%Y-%m-%d %H:%M} UTC.")
    return _noted(row, one.id, Outcome(do="wait", until=until), status="done")


def _until(one: Delay, facts: dict[str, Any], now: datetime) -> datetime:
    """Raises ValueError, OverflowError for what the payload says."""
    if one.seconds is not None:
        return now + timedelta(seconds=one.seconds)
    if one.until is not None:
        return one.until
    if one.at is not None:
        return next_moment(one.at, facts["subscriber"]["timezone"], now)
    said = look_up(facts["payload"], one.path)
    if isinstance(said, bool):
        raise ValueError
    if isinstance(said, int | float):
        return now + timedelta(seconds=max(0.0, said))
    moment = datetime.fromisoformat(str(said))
    return moment if moment.tzinfo else timezone.make_aware(moment)


def digest_step(row: Notification, one: Digest, facts: dict[str, Any]) -> Outcome:
    until, is_leader = collecting.join(row, one, facts, timezone.now())
    if not is_leader:
        tell(row, Reason.DIGESTED, step=one.id)
        return _noted(row, one.id, Outcome(do="stop", reason=Reason.DIGESTED), status="done")
    if until is None:
        tell(row, Reason.DIGESTED, step=one.id, text="The first for a while: it is told at once.")
        known = collecting.collected(row, one, [row])
        return _noted(row, one.id, GO, status="done", **known)
    words = f"Collects until {until:%Y-%m-%d %H:%M} UTC."
    tell(row, Reason.DIGESTED, step=one.id, text=words)
    return _noted(row, one.id, Outcome(do="collect", until=until), status="waiting")


@step(kind="transaction", name="integrations_app.close_digest")
def close_digest(notification_id: UUID, one: Digest) -> Outcome:
    """The wait is over: later steps know all that came meanwhile."""
    row = locked(notification_id)
    if row is None or row.ended_at is not None:
        return Outcome(do="stop", reason=Reason.CANCELED)
    return _noted(row, one.id, GO, status="done", **collecting.close(row, one))


def throttle_step(row: Notification, one: Throttle, facts: dict[str, Any]) -> Outcome:
    if not collecting.passes(row, one, facts, timezone.now()):
        tell(row, Reason.THROTTLED, step=one.id)
        stop = Outcome(do="stop", reason=Reason.THROTTLED)
        return _noted(row, one.id, stop, status="skipped")
    tell(row, Reason.TRIGGERED, step=one.id, text="Few enough were sent: it goes on.")
    return _noted(row, one.id, GO, status="done")


def ask_step(row: Notification, one: HttpRequest, facts: dict[str, Any]) -> Outcome:
    """The address is called outside of this transaction, and told of there."""
    return Outcome(do="ask")


_DOERS: dict[type, Callable[..., Outcome]] = {
    InApp: show_step,
    Delay: delay_step,
    Digest: digest_step,
    Throttle: throttle_step,
    HttpRequest: ask_step,
}


@step(kind="transaction", name="integrations_app.record_request")
def record_request(
    notification_id: UUID, one: HttpRequest, status: int, data: Any, error: str
) -> Outcome:
    """Keep what an address answered (``error``: why that is of no use) for later steps."""
    row = locked(notification_id)
    if row is None:
        return Outcome(do="stop", reason=Reason.CANCELED)
    known = {"http_status": status, "data": data, "status": "failed" if error else "done"}
    if not error:
        tell(row, Reason.SENT, step=one.id, text=f"The address answered {status}.")
        return _noted(row, one.id, GO, **known)
    tell(row, Reason.STEP_FAILED, step=one.id, text=error)
    if one.continue_on_failure:
        return _noted(row, one.id, GO, **known)
    return _noted(row, one.id, Outcome(do="stop", reason=Reason.STEP_FAILED), **known)
