"""Agents, what they may do and what they did, in the Django admin."""

from agents_app.admin import agents, calls, grants, knowledge, limits, prompts, spaces, tools

__all__ = [
    "agents", "calls", "grants", "knowledge", "limits", "prompts", "spaces", "tools",
]  # fmt: skip
