"""Tools that send: e-mail, SMS, Slack, and a notice to a person of the organisation.

Whom they may reach and through what is the tool's config (see ``services.outgoing``); the model's
schema only has what is left to choose.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, Field

from agents_app.models import Effect
from agents_app.services.outgoing import (
    ASK,
    MEMBERS,
    PLACES,
    REQUESTER,
    Way,
    described,
    send,
)
from agents_app.services.recipients import member_of
from agents_app.tools.definitions import (
    Arguments,
    ToolContext,
    ToolDefinition,
    ToolError,
    schema_of,
    tool,
)
from integrations_app.providers.base import Content
from integrations_app.services.notifications import notify_user as notify
from integrations_app.types import ChannelType
from one_project.common.errors import AppError
from one_project.common.text import clean_line, clean_text

EMAIL: Final = Way(channel_type=ChannelType.EMAIL)
SMS: Final = Way(channel_type=ChannelType.SMS)
SLACK: Final = Way(channel_type=ChannelType.CHAT, provider="slack", policy=PLACES)

_WHOM: Final = {
    MEMBERS: "“me” for the person you work for, or the e-mail address or whole name of a member of"
    " their organisation.",
    PLACES: "The name of one of the channels that are set up.",
    ASK: "The address; “me” for the person you work for. A person is always asked.",
}


def by_target(model: type[BaseModel], way: Way) -> Callable[[ToolDefinition], ToolDefinition]:
    """The tool as its config makes it: ``to`` is only there where something can be chosen."""

    def made(definition: ToolDefinition) -> ToolDefinition:
        policy = definition.config.get("to") or way.policy
        parameters = schema_of(model)
        properties = parameters["properties"]
        is_fixed = bool(definition.config.get("endpoint_id")) or policy == REQUESTER
        if is_fixed or (isinstance(policy, list) and len(policy) == 1):
            properties.pop("to")
        elif isinstance(policy, list):
            properties["to"] = {"type": "string", "enum": [str(one) for one in policy[:50]]}
            parameters["required"] = ["to", *parameters.get("required", [])]
        else:
            properties["to"]["description"] = _WHOM.get(str(policy), _WHOM[MEMBERS])
        return replace(definition, parameters=parameters, always_asks=policy == ASK)

    return made


def telling(way: Way) -> Callable[[ToolContext, dict[str, Any]], dict[str, str]]:
    """What people are told of a use."""

    def told(context: ToolContext, arguments: dict[str, Any]) -> dict[str, str]:
        return described(context, way, str(arguments.get("to", "")))

    return told


class SendEmail(Arguments):
    to: str = Field("", max_length=320)
    subject: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=20_000, description="The whole message.")


@tool(
    name="send_email",
    title="Send an e-mail",
    effect=Effect.EXTERNAL,
    in_transaction=True,
    idempotent=True,
    describe=telling(EMAIL),
    by_config=by_target(SendEmail, EMAIL),
)
def send_email(arguments: SendEmail, context: ToolContext) -> Any:
    """Send an e-mail. Its sender is fixed. Say that it was sent only when the result says so."""
    content = Content(
        subject=clean_line(arguments.subject, 200), text=clean_text(arguments.text).strip()
    )
    return send(context, EMAIL, arguments.to, content)


class SendSms(Arguments):
    to: str = Field("", max_length=40)
    text: str = Field(min_length=1, max_length=1_000, description="Short: it is paid by length.")


@tool(
    name="send_sms",
    title="Send an SMS",
    effect=Effect.EXTERNAL,
    in_transaction=True,
    idempotent=True,
    describe=telling(SMS),
    by_config=by_target(SendSms, SMS),
)
def send_sms(arguments: SendSms, context: ToolContext) -> Any:
    """Send a short text message to a phone. Its sender is fixed."""
    return send(context, SMS, arguments.to, Content(text=clean_text(arguments.text).strip()))


class PostToSlack(Arguments):
    to: str = Field("", max_length=80)
    text: str = Field(min_length=1, max_length=8_000)


@tool(
    name="post_to_slack",
    title="Post to Slack",
    effect=Effect.EXTERNAL,
    in_transaction=True,
    idempotent=True,
    describe=telling(SLACK),
    by_config=by_target(PostToSlack, SLACK),
)
def post_to_slack(arguments: PostToSlack, context: ToolContext) -> Any:
    """Post a message to a Slack channel."""
    return send(context, SLACK, arguments.to, Content(text=clean_text(arguments.text).strip()))


class NotifyUser(Arguments):
    to: str = Field("", max_length=320)
    title: str = Field(min_length=1, max_length=120)
    text: str = Field("", max_length=2_000)


def _is_for_another(context: ToolContext, arguments: Any) -> bool:
    """Who asked may be told without being asked."""
    try:
        return context.user is None or member_of(context, arguments.to).pk != context.user.pk
    except ToolError:
        return True


def _notice(context: ToolContext, arguments: dict[str, Any]) -> dict[str, str]:
    try:
        person = member_of(context, str(arguments.get("to", "")))
    except ToolError as error:
        return {"problem": str(error)}
    return {"through": "notifications, as the person has set them up", "to": person.display_name}


@tool(
    name="notify_user",
    title="Notify a person",
    effect=Effect.EXTERNAL,
    approval=_is_for_another,
    in_transaction=True,
    idempotent=True,
    describe=_notice,
    by_config=by_target(NotifyUser, Way(channel_type=ChannelType.IN_APP)),
)
def notify_user(arguments: NotifyUser, context: ToolContext) -> dict[str, str]:
    """Notify a member of the organisation in the app, and on the ways they have chosen."""
    policy = context.config.get("to") or MEMBERS
    named = "" if policy == REQUESTER else arguments.to
    person = member_of(context, named)
    if isinstance(policy, list) and person.email.lower() not in {str(p).lower() for p in policy}:
        raise ToolError("This person may not be notified by this tool.", code="not_allowed")
    try:
        told = notify(
            context.organisation,
            person,
            title=clean_line(arguments.title, 120),
            body=clean_text(arguments.text).strip(),
            url=f"/chat/{context.thread_id}/" if context.thread_id else "",
            category="agents",
            by=context.user,
            transaction_id=str(context.key) if context.key else None,
        )
    except AppError as error:
        raise ToolError(error.user_message, code=error.code) from error
    if told is None:
        raise ToolError("Notifications of this kind are switched off here.", code="not_usable")
    return {"status": "notified", "to": person.display_name}
