"""What a question wants in the document beside the conversation, the canvas.

"Write a packing list into the canvas", "replace "Monday" with "Friday" in the canvas".
"""

import re
from typing import Final

# Which of its tools is meant.
SIGNS: Final = {
    "rewrite_canvas": r"\b(?:write|put|draft|create|make|save|note)\b.{0,4000}?"
    r"\b(?:in|into|on|onto|to)\s+(?:the|a|this)\s+canvas\b",
    "edit_canvas": r"\b(?:replace|change)\b.{1,4000}?\b(?:with|by|to)\b.{1,4000}?\bcanvas\b",
    "read_canvas": r"\b(?:read|show|look at|what(?:'s| is| does))\b.{0,60}\bcanvas\b",
}
_WRITTEN = re.compile(
    r"\b(?:write|put|draft|create|make|save|note)\s+(?:me\s+|down\s+)?(?P<what>.+?)\s+"
    r"(?:in|into|on|onto|to)\s+(?:the|a|this)\s+canvas\b",
    re.IGNORECASE | re.DOTALL,
)
_REPLACED = re.compile(
    r"\b(?:replace|change)\s+(?P<old>\"[^\"]+\"|“[^”]+”|.+?)\s+(?:with|by|to)\s+"
    r"(?P<new>\"[^\"]*\"|“[^”]*”|.+?)\s+(?:in|on)\s+(?:the|this)\s+canvas\b",
    re.IGNORECASE | re.DOTALL,
)
_QUOTES = '"“”'


def written(question: str) -> str:
    """The text for the canvas: what is quoted, or a draft about what is named."""
    found = _WRITTEN.search(question)
    if found is None:
        return ""
    what = found["what"].strip()
    if what[:1] in _QUOTES and what[-1:] in _QUOTES and len(what) > 2:
        return what.strip(_QUOTES)
    topic = re.sub(r"^(?:a|an|the|some)\s+", "", what, flags=re.IGNORECASE)
    title = topic[:1].upper() + topic[1:]
    return (
        f"# {title}\n\n"
        f"A first draft of {what}, made up by the demo model.\n\n"
        "## Points\n\n- What it is for\n- Who takes part\n- What comes first\n\n"
        "## Next\n\n1. Read it together\n2. Change what is wrong\n"
    )


def replaced(question: str) -> str:
    """The passage that is to go."""
    found = _REPLACED.search(question)
    return found["old"].strip(_QUOTES) if found else ""


def replacement(question: str) -> str:
    """What is to take its place."""
    found = _REPLACED.search(question)
    return found["new"].strip(_QUOTES) if found else ""
