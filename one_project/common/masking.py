"""Values as they may be shown: without what looks like a secret, and cut where too long.

By name (a key of a dict), or by form (keys of providers within texts, see ``secrets_log``).
"""

import json
import re
from typing import Any

from one_project.common.secrets_log import HIDDEN, without_keys

SHOWN_CHARS = 100_000
_SECRET = re.compile(
    r"password|passwd|secret|credential|authorization|cookie"
    r"|api[_-]?key|private[_-]?key|(^|[_-])token$",
    re.IGNORECASE,
)


def shown(value: Any) -> Any:
    """``value`` without what looks like a secret, and cut where it is too long."""
    value = _without_secrets(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) <= SHOWN_CHARS:
        return value
    return {
        "cut": f"The first {SHOWN_CHARS:,} of {len(text):,} characters",
        "text": without_keys(text[:SHOWN_CHARS]),
    }


def is_secret(name: str) -> bool:
    """Whether a key names something nobody should read."""
    return bool(_SECRET.search(name))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: HIDDEN if is_secret(str(key)) and item else _without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    # Longer ones are cut, and looked through then.
    is_whole = isinstance(value, str) and len(value) <= SHOWN_CHARS
    return without_keys(value) if is_whole else value
