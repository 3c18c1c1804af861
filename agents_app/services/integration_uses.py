"""Which tools use an integration: said on its page, and before it is removed."""

from collections.abc import Collection
from uuid import UUID

from agents_app.models import Tool
from integrations_app.runtime.uses import Use, register_finder

MOST = 500


def tools_using(ids: Collection[UUID]) -> dict[UUID, list[Use]]:
    """Active tools by the integration they act through; one query. Those that are somebody's own
    are named, too: who removes the integration stops them."""
    rows = Tool.objects.filter(integration_id__in=ids, is_active=True).order_by("name")
    found: dict[UUID, list[Use]] = {}
    for row in rows.only("name", "integration_id")[:MOST]:
        if row.integration_id is not None:
            found.setdefault(row.integration_id, []).append(Use("Tool", row.name))
    return found


register_finder("tools", tools_using)
