"""Workflows of agents to copy. ``docs/patterns.md`` tells of each; each is one short module.

Importing this package registers all of them.
"""

from flows_app.patterns import (
    approval,
    chaining,
    fan_out,
    network,
    orchestrator,
    react,
    routing,
    support,
)

__all__ = [
    "approval", "chaining", "fan_out", "network", "orchestrator", "react", "routing", "support",
]  # fmt: skip
