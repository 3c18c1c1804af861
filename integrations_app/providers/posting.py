"""One request to a provider; what goes wrong with it, as the errors of sending.

What providers write is never kept: only the status and their one-word code.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from integrations_app.errors import (
    AddressRefused,
    AuthFailed,
    BadAddress,
    NotReached,
    OutcomeUnknown,
    Permanent,
    RequestFailed,
    Transient,
)
from integrations_app.providers.http import Fetched, fetch
from integrations_app.providers.mail.refusals import code_of, meaning, wait_of

MAX_ANSWER: Final = 256 * 1024


async def asked(url: str, *, deadline: float, is_read: bool = False, **request: Any) -> Fetched:
    """``fetch`` with its failures as those of sending.

    deadline: seconds for all of it. is_read: it sends nothing, so that silence is no riddle. Raises
    Transient (nothing was sent), OutcomeUnknown, Permanent (the address is refused).
    """
    try:
        return await fetch(url, timeout=deadline, max_bytes=MAX_ANSWER, cut=True, **request)
    except NotReached:
        raise Transient from None
    except (AddressRefused, BadAddress) as error:
        raise Permanent(error.user_message, code=error.code) from None
    except RequestFailed as error:
        if is_read:
            raise Transient(code=error.code) from None
        raise OutcomeUnknown(code=error.code) from None


def answer_of(found: Fetched) -> dict[str, Any]:
    """The JSON object of an answer; empty where there is none."""
    try:
        value = orjson.loads(found.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def check_answer(found: Fetched, *, key_in_url: bool = False) -> None:
    """Raise what the status of an answer means, unless it is good.

    key_in_url: the address is the key, so that "unknown" and "forbidden" are about the address.
    """
    if found.is_ok:
        return
    is_target = key_in_url and found.status in (401, 403, 404, 410)
    raise meaning(
        found.status,
        code=code_of(answer_of(found)),
        retry_after=wait_of(found.headers),
        is_target=is_target,
    )


def secret_url(secret: Mapping[str, Any]) -> str:
    """The address of a place whose address is its key. Raises AuthFailed: it was taken away."""
    url = secret.get("url")
    if not isinstance(url, str) or not url:
        raise AuthFailed("The address of this place is missing.", code="no_address")
    return url


def with_link(text: str, url: str) -> str:
    """A text with the link below it, for channels that know no other place for one."""
    return f"{text}\n{url}" if url and url not in text else text


def cut(text: str, most: int) -> str:
    """The text, ``most`` characters at most."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def titled(subject: str, text: str) -> str:
    """Subject and text, for channels without a subject."""
    return "\n".join(one for one in (subject.strip(), text.strip()) if one)
