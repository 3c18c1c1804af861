"""Money and counts of tokens as people read them."""

from decimal import Decimal

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from billing_app.runtime.usage_reading import Sums
from billing_app.types.money import spoken, to_cents

register = template.Library()


@register.filter
def money(amount: Decimal | None) -> str:
    """``$1,388.41``; ``<$0.01`` for what is not quite nothing; a dash for what is not known."""
    return "–" if amount is None else spoken(amount)


@register.filter
def exact(amount: Decimal | None) -> str:
    """All digits that count, two at least: ``$0.0125``."""
    if amount is None:
        return "–"
    plain = abs(amount).normalize()
    if plain == to_cents(plain):
        plain = to_cents(plain)
    return f"{'-' if amount < 0 else ''}${plain:,f}"


@register.filter
def tokens(count: int | None) -> str:
    """``950``, ``12.4k``, ``3.1M``, ``2.0B``."""
    if count is None:
        return "–"
    for unit, size in (("B", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)):
        # What would be rounded up to the next unit is said in it.
        if abs(count) >= size - size // 20_000:
            return f"{Decimal(count) / size:,.1f}{unit}"
    return f"{count}"


@register.filter
def whole(count: int | None) -> str:
    """With all its digits: ``1,234,567``."""
    return "–" if count is None else f"{count:,}"


@register.simple_tag
def sum_cells(sums: Sums) -> SafeString:
    """Cells of a table: cost, calls, tokens in, cached, out, reasoning. One tag, since there are
    hundreds of them on a page."""
    counts = (
        sums.calls,
        sums.input_tokens,
        sums.cached_input_tokens,
        sums.output_tokens,
        sums.reasoning_tokens,
    )
    return format_html_join(
        "", "<td>{}</td>", ((text,) for text in (exact(sums.cost), *map(whole, counts)))
    )
