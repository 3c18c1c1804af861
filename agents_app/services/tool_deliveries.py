"""What became of a message is the result of the call that sent it."""

import contextlib
from typing import Any
from uuid import UUID

import orjson

from agents_app.models import CallStatus, ToolCall
from agents_app.runtime.tool_use import ToolOutcome
from agents_app.services.outgoing import SOURCE
from agents_app.services.tool_calls import end_call, holding, recalled_by
from integrations_app.models import Delivery
from integrations_app.providers.registry import provider_of
from integrations_app.services.deliveries import cancel, on_settled
from integrations_app.types import DeliveryStatus, Reason
from one_project.common.errors import Conflict
from one_project.workflows.definitions import step
from one_project.workflows.services.work import enqueue

_SENT = (DeliveryStatus.ACCEPTED, DeliveryStatus.DELIVERED)


@on_settled(SOURCE)
def delivery_settled(delivery: Delivery) -> None:
    """Have the call told. By work of its own: the thread is locked before anything else is, and
    here the delivery is locked already."""
    if delivery.source_id is not None:
        enqueue(give_result, delivery.pk, organisation_id=delivery.organisation_id)


@step(name="agents_app.tool_delivery_settled", kind="transaction")
def give_result(delivery_id: UUID) -> None:
    """End the call that waits for this delivery, once."""
    delivery = Delivery.objects.select_related("integration").filter(pk=delivery_id).first()
    if delivery is None or delivery.source_id is None:
        return
    call = ToolCall.objects.sending().filter(pk=delivery.source_id).first()
    if call is None:
        return
    with holding(call):
        end_call(call, outcome_of(delivery), [CallStatus.WAITING])


def outcome_of(delivery: Delivery) -> ToolOutcome:
    """A settled delivery as the result of a tool."""
    if delivery.status == DeliveryStatus.UNKNOWN:
        return ToolOutcome.unknown()
    integration = delivery.integration
    output: dict[str, Any] = {
        "status": delivery.status,
        "delivery_id": str(delivery.pk),
        "provider_message_id": delivery.provider_message_id,
        "to": delivery.to,
        "through": integration.name if integration else "",
        "reason": delivery.reason,
    }
    if delivery.status in _SENT:
        told = orjson.dumps(output).decode()
        return ToolOutcome(status=CallStatus.SUCCEEDED, output=output, told=told)
    if delivery.reason == Reason.CONNECT_REQUIRED and integration is not None:
        title = provider_of(integration.provider).title
        output["connect"] = {"integration_id": str(integration.pk), "title": title}
    status = (
        CallStatus.CANCELED if delivery.status == DeliveryStatus.CANCELED else CallStatus.FAILED
    )
    label = Reason(delivery.reason).label if delivery.reason else ""
    words = " ".join(dict.fromkeys(filter(None, ["It was not sent.", label, delivery.error])))
    return ToolOutcome.error(words, delivery.reason or "send_failed", status, output)


@recalled_by
def keep_back(call: ToolCall) -> None:
    """Keep the message back if it has not gone: nobody needs the call any more."""
    enqueue(cancel_message, call.meta["delivery"], organisation_id=call.organisation_id)


@step(name="agents_app.cancel_message", kind="transaction")
def cancel_message(delivery_id: str) -> None:
    """Cancel a message that waits; one that is being sent ends by itself."""
    delivery = Delivery.objects.filter(pk=delivery_id).first()
    if delivery is not None:
        with contextlib.suppress(Conflict):
            cancel(delivery, by=None)
