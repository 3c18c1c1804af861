"""Uses of models as tests hand them in."""

from datetime import UTC, datetime
from typing import Any

from billing_app.types.usage import Use
from one_project.common.ids import new_id

MAY = datetime(2026, 5, 10, 12, tzinfo=UTC)


def use(model: str = "m", provider: str = "openai", **fields: Any) -> Use:
    """A use in May of 100 tokens in and 10 out, unless told otherwise."""
    base: dict[str, Any] = {
        "id": new_id(),
        "occurred_at": MAY,
        "input_tokens": 100,
        "output_tokens": 10,
    }
    return Use(**base | {"provider": provider, "model_requested": model} | fields)
