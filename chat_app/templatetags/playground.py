"""What the playground's templates need: JSON to read, money, durations."""

import json
from decimal import Decimal
from typing import Any, Final

from django import template

from agents_app.services.ai_calls import in_micros
from chat_app.services.playground_reading import Figures
from one_project.common.masking import shown

register = template.Library()

SHOWN: Final = Decimal("0.000001")
LESS: Final = "<$0.000001"


@register.filter
def readable_json(value: Any) -> str:
    """Indented, without what looks like a secret by its name, cut where it is too long."""
    return json.dumps(shown(value), ensure_ascii=False, indent=2, default=str)


@register.filter
def money(micros: int | None) -> str:
    """Millionths of a dollar as dollars; ``free`` for what runs on this machine."""
    if micros is None:
        return "no price"
    return f"${micros // 1_000_000}.{micros % 1_000_000:06d}" if micros else "free"


@register.filter
def dollars(cost: Decimal | None) -> str:
    """US dollars to a millionth; ``free`` for what runs on this machine."""
    if cost is not None and 0 < cost < SHOWN:
        return LESS
    return money(None if cost is None else in_micros(cost))


@register.filter
def duration(ms: int | None) -> str:
    """``340 ms`` or ``1.3 s``; empty for None."""
    if ms is None:
        return ""
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


@register.simple_tag
def figures_of(calls: Any) -> Figures:
    """Sums over model calls."""
    return Figures.of(calls)
