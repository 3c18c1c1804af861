"""Tools of the kind "integration": an action through one integration that the row fixes."""

from dataclasses import replace
from typing import Final

from agents_app.models import Tool, ToolKind
from agents_app.tools.catalogue import register_kind
from agents_app.tools.definitions import ToolDefinition, builtin_tools

# What an integration does, by its channel type, or by its provider where that decides.
OF_CHANNEL: Final = {"email": ("send_email",), "sms": ("send_sms",)}
OF_PROVIDER: Final = {
    "slack": ("post_to_slack",),
    "google_drive": ("search_google_drive", "read_google_drive_file"),
    "notion": ("search_notion", "read_notion_page", "create_notion_page"),
    "onedrive": ("search_onedrive", "read_onedrive_file"),
}
_NAMED: Final = (*OF_CHANNEL.values(), *OF_PROVIDER.values())
ACTIONS: Final = frozenset(action for actions in _NAMED for action in actions)


def actions_of(provider: str, channel_type: str) -> tuple[str, ...]:
    """The names of what can be done through an integration."""
    return OF_PROVIDER.get(provider, OF_CHANNEL.get(channel_type, ()))


def define_integration_tool(row: Tool) -> ToolDefinition | None:
    """The action, bound to the row's integration; None where it names none."""
    base = builtin_tools().get(row.action) if row.action in ACTIONS else None
    if base is None or row.integration_id is None:
        return None
    return replace(
        base, config={**base.config, **row.config, "integration_id": str(row.integration_id)}
    )


register_kind(ToolKind.INTEGRATION, define_integration_tool)
