"""Rows of the kind ``mcp``: tools of MCP servers."""

from agents_app.models import Tool, ToolKind
from agents_app.tools.catalogue import register_kind
from agents_app.tools.definitions import ToolDefinition
from agents_app.tools.remote import remote_definition


def mcp_definition(row: Tool) -> ToolDefinition | None:
    return remote_definition(row, of_server=True)


register_kind(ToolKind.MCP, mcp_definition)
