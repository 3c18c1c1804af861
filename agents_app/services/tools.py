"""Tools as an organisation sets them up: rows of its people, and its policy for built-in ones."""

import json
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from agents_app.errors import InvalidFields, ToolNotFound
from agents_app.models import Approval, Effect, Tool, ToolKind
from agents_app.services.sharing import Sharing, share
from agents_app.tools.definitions import NAME, builtin_tools
from agents_app.tools.integration_kind import ACTIONS
from one_project.accounts.access import access_membership
from one_project.accounts.models import Membership, Organisation, Role, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_text, is_plain_json

DESCRIPTION_LIMIT = 4000
NAME_TAKEN = "A tool of this name exists already in the organisation."


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolValues:
    """What people decide of a tool. ``action`` names a built-in tool, ``config`` fixes what of its
    arguments and settings the model must not choose.
    """

    name: str
    action: str
    description: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    approval: str = Approval.DEFAULT
    is_active: bool = True


@transaction.atomic
def create_tool(
    organisation: Organisation,
    *,
    by: User,
    values: ToolValues,
    sharing: Sharing,
    integration_id: UUID | None = None,
) -> Tool:
    """A new tool of ``by``, made of a built-in one; one that acts through the integration, which
    ``by`` may use (``access_integration``). Raises InvalidFields, NotFound."""
    membership = access_membership(by, organisation)
    columns = _columns(values, membership)
    known = ACTIONS if integration_id else builtin_tools()
    if columns["action"] not in known:
        raise InvalidFields({"action": "Please choose what the tool does."})
    kind = ToolKind.INTEGRATION if integration_id else ToolKind.BUILTIN
    try:
        with transaction.atomic():
            tool = Tool.objects.create(
                organisation=organisation,
                created_by=by,
                kind=kind,
                integration_id=integration_id,
                **columns,
            )
    except IntegrityError:
        raise InvalidFields({"name": NAME_TAKEN}) from None
    share(tool, by=by, sharing=sharing)
    record_event(organisation, "tool_created", actor=by, target=f"tool:{tool.pk}")
    return tool


@transaction.atomic
def update_tool(
    tool: Tool, *, by: User, values: ToolValues, sharing: Sharing | None = None
) -> Tool:
    """Change the tool; what it does changes only where it is a built-in one.

    ``sharing`` None leaves who may use it. Raises InvalidFields, NotFound.
    """
    membership = access_membership(by, tool.organisation)
    row = Tool.objects.select_for_update().filter(pk=tool.pk).first()
    if row is None:
        raise ToolNotFound
    if row.approval == Approval.DENY and not membership.is_admin:
        values = replace(values, approval=Approval.DENY)
    columns = _columns(values, membership, row)
    if row.kind != ToolKind.BUILTIN:
        del columns["action"]
    for name, value in columns.items():
        setattr(row, name, value)
    try:
        with transaction.atomic():
            row.save(update_fields=[*columns, "updated_at"])
    except IntegrityError:
        raise InvalidFields({"name": NAME_TAKEN}) from None
    if sharing is not None:
        share(row, by=by, sharing=sharing)
    record_event(row.organisation, "tool_updated", actor=by, target=f"tool:{row.pk}")
    return row


@transaction.atomic
def delete_tool(tool: Tool, *, by: User) -> None:
    """Delete the tool; its calls stay, and agents that have its name go on without it."""
    record_event(
        tool.organisation,
        "tool_deleted",
        actor=by,
        target=f"tool:{tool.pk}",
        data={"name": tool.name},
    )
    share(tool, by=by, sharing=Sharing())
    tool.delete()


@transaction.atomic
def set_tool_policy(organisation: Organisation, *, by: User, name: str, approval: str) -> None:
    """How the whole organisation uses a built-in tool: ask, do not ask, or not at all.

    Raises ToolNotFound for an unknown tool, InvalidInput for an unknown policy, AccessDenied for
    whoever is no admin.
    """
    access_membership(by, organisation, Role.ADMIN)
    definition = builtin_tools().get(name)
    if definition is None:
        raise ToolNotFound
    if approval not in Approval.values:
        raise InvalidInput("Please choose whether to ask.")
    if approval == Approval.NEVER and definition.effect == Effect.DESTRUCTIVE:
        raise InvalidInput("What destroys always asks.")
    Tool.objects.update_or_create(
        organisation=organisation,
        name=name,
        defaults={"approval": approval},
        create_defaults={"approval": approval, "created_by": None, "kind": ToolKind.BUILTIN},
    )
    record_event(
        organisation,
        "tool_policy_set",
        actor=by,
        target=f"tool:{name}",
        data={"approval": approval},
    )


def _columns(values: ToolValues, membership: Membership, row: Tool | None = None) -> dict[str, Any]:
    """The values as the table takes them. Raises InvalidFields."""
    problems: dict[str, str] = {}
    is_own_name = row is not None and row.name == values.name
    if not NAME.match(values.name):
        problems["name"] = "Letters without accents, digits, _ and -, at most 64 of them."
    elif values.name in builtin_tools() and not is_own_name:
        # A private row of this name would take the built-in tool away from everybody else.
        problems["name"] = "A built-in tool has this name."
    if row is not None and row.kind != ToolKind.BUILTIN:
        definition = None
    else:
        definition = builtin_tools().get(values.action or values.name)
    if values.approval not in Approval.values:
        problems["approval"] = "Please choose whether to ask."
    elif values.approval == Approval.DENY and not (
        membership.is_admin or (row is not None and row.approval == Approval.DENY)
    ):
        problems["approval"] = "Only an admin can forbid a tool."
    elif (
        values.approval == Approval.NEVER
        and definition is not None
        and definition.effect == Effect.DESTRUCTIVE
    ):
        problems["approval"] = "What destroys always asks."
    if problem := _config_problem(values.config):
        problems["config"] = problem
    if problems:
        raise InvalidFields(problems)
    return {
        "name": values.name,
        "action": values.action[:128],
        "description": clean_text(values.description).strip()[:DESCRIPTION_LIMIT],
        "config": values.config,
        "approval": values.approval,
        "is_active": values.is_active,
    }


def _config_problem(config: dict[str, Any]) -> str:
    """Postgres takes neither NUL nor what JSON does not know (NaN, endless nesting)."""
    try:
        if "\\u0000" in json.dumps(config, allow_nan=False):
            return "This contains a NUL character."
    except (ValueError, TypeError, RecursionError):
        return "This is no JSON that can be stored."
    return "" if is_plain_json(config) else "This is no JSON that can be stored."
