"""Rows of the kind ``http``: operations of HTTP interfaces."""

from agents_app.models import Tool, ToolKind
from agents_app.tools.catalogue import register_kind
from agents_app.tools.definitions import ToolDefinition
from agents_app.tools.remote import remote_definition


def http_definition(row: Tool) -> ToolDefinition | None:
    return remote_definition(row, of_server=False)


register_kind(ToolKind.HTTP, http_definition)
