"""Tools of others become rows that agents can be given, once an administrator has approved them."""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from agents_app.models import Tool, ToolAllowance, ToolKind
from agents_app.tools.definitions import builtin_tools
from integrations_app.models import RemoteTool
from integrations_app.services.remote_tools import on_approved, on_removed, tool_name
from one_project.accounts.models import User


def offer_tool(remote: RemoteTool, by: User) -> Tool:
    """The row of the organisation for this tool, made or switched on; in the caller's transaction.

    A row that people have renamed or restricted stays as they left it.
    """
    kind = ToolKind.MCP if remote.server_id is not None else ToolKind.HTTP
    mine: dict[str, Any] = {
        "organisation": remote.organisation,
        "kind": kind,
        "action": str(remote.pk),
    }
    row = Tool.objects.filter(**mine, created_by=None).first()
    if row is None:
        name = _free_name(remote)
        row = Tool.objects.create(**mine, name=name, created_by=None)
    elif not row.is_active:
        row.is_active = True
        row.save(update_fields=["is_active", "updated_at"])
    # "Always allow" was said of what this name stood for before.
    ToolAllowance.objects.filter(organisation=row.organisation, tool_name=row.name).delete()
    return row


def _free_name(remote: RemoteTool) -> str:
    name = str(remote.meta.get("tool") or tool_name(remote))
    taken = Tool.objects.filter(organisation=remote.organisation, name=name).exists()
    if not taken and name not in builtin_tools():
        return name
    mark = hashlib.sha256(str(remote.pk).encode()).hexdigest()[:8]
    return f"{name[:55]}_{mark}"


def drop_tools(organisation_id: UUID, remote_ids: Sequence[UUID]) -> None:
    """Delete the rows of tools that are gone with their server; their calls stay."""
    Tool.objects.filter(
        organisation_id=organisation_id,
        kind__in=[ToolKind.MCP, ToolKind.HTTP],
        action__in=[str(one) for one in remote_ids],
    ).delete()


def _offered(remote: RemoteTool, by: User) -> None:
    offer_tool(remote, by)


on_approved(_offered)
on_removed(drop_tools)
