"""From the `usage` object of OpenAI-compatible servers to our `Usage`.

Pure. Servers agree on two names and differ on the rest; what cannot be read counts as zero.
"""

from collections.abc import Mapping
from typing import Any, Final

from agents_app.providers.events import Usage

# A server that says more than this is mistaken; it must not fail a finished answer.
MOST: Final = 10**12


def read_usage(raw: object) -> Usage | None:
    """Usage as we keep it, with the server's object in `raw`; None when it counts nothing."""
    if not isinstance(raw, dict):
        return None
    prompt = _count(raw, "prompt_tokens", "input_tokens")
    output = _count(raw, "completion_tokens", "output_tokens")
    if not prompt and not output:
        return None  # an all-zero object on every chunk is a placeholder
    cached_beside = _beside(raw)
    input_details = _details(raw, "prompt_tokens_details", "input_tokens_details")
    output_details = _details(raw, "completion_tokens_details", "output_tokens_details")
    reasoning = _count(output_details, "reasoning_tokens") or _count(raw, "reasoning_tokens")
    if reasoning and _count(raw, "total_tokens") == prompt + output + reasoning:
        output += reasoning  # xAI and others count reasoning beside the answer, not inside it
    return Usage(
        input_tokens=min(prompt + cached_beside, MOST),
        output_tokens=min(output, MOST),
        cached_input_tokens=_count(input_details, "cached_tokens")
        or _count(raw, "prompt_cache_hit_tokens", "cache_read_input_tokens"),
        cache_write_tokens=_count(input_details, "cache_write_tokens", "cache_creation_tokens")
        or _count(raw, "cache_creation_input_tokens"),
        reasoning_tokens=reasoning,
        raw=raw,
    )


def _beside(raw: Mapping[str, Any]) -> int:
    """Cached tokens that are not part of the input: Anthropic's way of counting, which knows
    neither ``prompt_tokens`` nor details."""
    if "prompt_tokens" in raw or "input_tokens_details" in raw:
        return 0
    return _count(raw, "cache_read_input_tokens") + _count(raw, "cache_creation_input_tokens")


def _details(raw: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        value = raw.get(name)
        if isinstance(value, dict):
            return value
    return {}


def _count(raw: Mapping[str, Any], *names: str) -> int:
    """The first of these fields that holds a positive number."""
    for name in names:
        value = raw.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return min(int(value), MOST)
    return 0
