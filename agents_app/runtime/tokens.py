"""How many tokens a text has, and how many a model takes.

The exact count needs the model's vocabulary. It is used where it lies on this machine already, and
never fetched: a request must not wait for a download. Elsewhere the estimate errs upwards.
"""

import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import tiktoken
from django.conf import settings
from tiktoken import registry

from agents_app.providers.base import (
    BINARY_CHARS,
    ChatMessage,
    ChatRequest,
    FilePart,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from agents_app.providers.events import tokens_of

logger = logging.getLogger(__name__)

# What providers put around a message, a call, a tool, and before the answer.
MESSAGE_TOKENS, CALL_TOKENS, TOOL_TOKENS, ANSWER_TOKENS = 4, 8, 12, 3
# A tokeniser may take quadratic time for one unbroken word, so it is given pieces.
PIECE = 4_000

# The smallest window of a model that is in use today and that this table does not know.
UNKNOWN_WINDOW = 32_000
# By the beginning of the name, the longest that fits; tokens of input.
WINDOWS = {
    "one-demo": 100_000,
    "gpt-5": 272_000,
    "gpt-4.1": 1_047_576,
    "gpt-4.5": 128_000,
    "gpt-4o": 128_000,
    "chatgpt-4o": 128_000,
    "gpt-4-turbo": 128_000,
    "gpt-4-1106": 128_000,
    "gpt-4-0125": 128_000,
    "gpt-4-32k": 32_768,
    "gpt-4": 8_192,
    "gpt-3.5-turbo": 16_385,
    "gpt-oss": 131_072,
    "o1": 128_000,
    "o3": 200_000,
    "o4-mini": 200_000,
    "claude": 200_000,
    "gemini-1.0": 32_760,
    "gemini": 1_048_576,
    "llama-3.": 128_000,
    "llama3.": 128_000,
    "llama-3": 8_192,
    "llama3": 8_192,
    "mistral-large": 128_000,
    "mistral-small": 32_000,
    "mixtral": 32_000,
    "deepseek": 64_000,
    "qwen2": 32_768,
    "qwen3": 32_768,
    "gemma": 8_192,
    "phi-2": 2_048,
}


def context_window(model: str) -> int:
    """Tokens of input that ``model`` takes. ONE_CONTEXT_TOKENS, where set, wins over the table."""
    told = int(getattr(settings, "ONE_CONTEXT_TOKENS", 0) or 0)
    if told > 0:
        return told
    name = _family(model)
    known = max((key for key in WINDOWS if name.startswith(key)), key=len, default="")
    return WINDOWS.get(known, UNKNOWN_WINDOW)


def count_tokens(text: str, model: str = "") -> int:
    """Tokens of ``text``: exact where the vocabulary is at hand, else not less than the truth."""
    encoding = _encoding_of(model)
    if encoding is None:
        return estimate_tokens(text)
    pieces = (text[start : start + PIECE] for start in range(0, len(text), PIECE))
    return sum(len(encoding.encode_ordinary(piece)) for piece in pieces)


def count_message(message: ChatMessage, model: str = "") -> int:
    """Tokens of one message with all that is sent of it."""
    return MESSAGE_TOKENS + sum(_part_tokens(part, model) for part in message.parts)


def most_tokens(message: ChatMessage) -> int:
    """What ``count_message`` cannot exceed, told from lengths alone; costs next to nothing."""
    return MESSAGE_TOKENS + sum(_most_tokens(part) for part in message.parts)


def count_tools(tools: Iterable[ToolSpec], model: str = "") -> int:
    """Tokens of the descriptions of tools."""
    return sum(
        TOOL_TOKENS + count_tokens(orjson.dumps(tool.to_json()).decode(), model) for tool in tools
    )


def count_request(request: ChatRequest, model: str = "") -> int:
    """Tokens of input of one model call. ``model``: who answers, where the request names nobody."""
    name = request.model or model
    messages = sum(count_message(message, name) for message in request.messages)
    shape = count_tokens(orjson.dumps(request.response_format or {}).decode(), name)
    return ANSWER_TOKENS + messages + count_tools(request.tools, name) + shape


def _part_tokens(part: Part, model: str) -> int:
    if isinstance(part, TextPart):
        return count_tokens(part.text, model)
    if isinstance(part, ToolCallPart):
        return CALL_TOKENS + count_tokens(f"{part.name} {_as_text(part.arguments)}", model)
    if isinstance(part, ToolResultPart):
        return CALL_TOKENS + count_tokens(_as_text(part.output), model)
    if isinstance(part, FilePart):
        if part.data is not None and part.media_type.startswith("text/"):
            return CALL_TOKENS + count_tokens(part.data.decode("utf-8", "replace"), model)
        return tokens_of(BINARY_CHARS) + count_tokens(part.filename or "", model)
    return 0  # reasoning and sources are not sent


def _most_tokens(part: Part) -> int:
    if isinstance(part, TextPart):
        return _bytes(part.text)
    if isinstance(part, ToolCallPart):
        return CALL_TOKENS + _bytes(part.name) + 1 + _bytes(_as_text(part.arguments))
    if isinstance(part, ToolResultPart):
        return CALL_TOKENS + _bytes(_as_text(part.output))
    if isinstance(part, FilePart):
        # What is no text in it was replaced by characters of three bytes.
        return tokens_of(BINARY_CHARS) + _bytes(part.filename or "") + 3 * len(part.data or b"")
    return 0


def _bytes(text: str) -> int:
    """At least its bytes in UTF-8; no tokeniser that works on bytes makes more tokens of it."""
    return len(text) * (1 if text.isascii() else 4)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


# One match is one token of the estimate. Letters by three: a known English word is one token
# whatever its length, but words of other languages, names and identifiers come in pieces of three
# to four letters, and capitals in pieces of two. Digits count one by one, as many models read them;
# a blank belongs to the word behind it, but not to a number.
_ASCII = re.compile(
    r"[A-Z]?[a-z]{1,3}|[A-Z]{1,2}|[0-9]|\n|\t|[ ]{2,4}|[ ](?=[0-9])"
    r"|[!-/:-@\[-`{-~]|[\x00-\x08\x0b-\x1f\x7f]"
)
# Endless lower case is no word: keys, sequences. There pieces have two letters.
_ENDLESS = re.compile(r"[a-z]{17,}")
# Bytes that become tokens, by the length of a character in UTF-8. Scripts that have words of their
# own in the vocabularies count less than their bytes; all others count each byte, which is the
# most a tokeniser that works on bytes can make of them.
_ONE = re.compile("[\u00a0-\u052f\u0590-\u06ff\u2010-\u2027\u3000-\u3002]")
_TWO = re.compile(
    "[\u0530-\u058f\u0700-\u07ff\u0900-\u0e7f\u3003-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
)
_REST = re.compile(
    "[^\x00-\x7f\u00a0-\u07ff\u0900-\u0e7f\u2010-\u2027\u3000-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
)


def estimate_tokens(text: str) -> int:
    """Tokens of ``text`` without a vocabulary: not less than the truth for what people write.

    English and code come out at about 1.5 to 2 times the truth, Chinese at 1.5 to 2.5; never at
    more than the bytes of the text.
    """
    count = len(_ASCII.findall(text))
    count += sum(len(found) // 6 for found in _ENDLESS.findall(text))
    if text.isascii():
        return min(count, len(text))
    count += len(_ONE.findall(text)) + 2 * len(_TWO.findall(text))
    count += sum(len(found.encode("utf-8", "replace")) for found in _REST.findall(text))
    return min(count, len(text.encode("utf-8", "replace")))


def _family(model: str) -> str:
    """The name without who serves it ("openai/…") and what it was tuned from ("ft:…")."""
    return model.lower().rpartition("/")[2].removeprefix("ft:")


@lru_cache(maxsize=256)
def _encoding_of(model: str) -> tiktoken.Encoding | None:
    try:
        name = tiktoken.encoding_name_for_model(_family(model))
    except KeyError:
        return None
    return _encoding(name)


@lru_cache(maxsize=16)
def _encoding(name: str) -> tiktoken.Encoding | None:
    """The vocabulary, if it is on this machine whole; looked for once in a process."""
    try:
        return tiktoken.get_encoding(name) if _is_at_hand(name) else None
    except Exception:
        # An estimate is better than no answer.
        logger.exception("the vocabulary %s cannot be read; its tokens are estimated", name)
        return None


def _is_at_hand(name: str) -> bool:
    """Whether the library would find the vocabulary in its cache, so that it downloads nothing.

    Its constructors hold the address of each file and its checksum as constants; the cache names
    a file by the hash of its address. A file that does not fit its checksum would be fetched anew,
    so it counts as missing.
    """
    directory = _cache_directory()
    if directory is None:
        return False
    tiktoken.list_encoding_names()  # fills the registry
    constructor = (registry.ENCODING_CONSTRUCTORS or {}).get(name)
    code = getattr(constructor, "__code__", None)
    constants = [value for value in getattr(code, "co_consts", ()) if isinstance(value, str)]
    addresses = [value for value in constants if "://" in value]
    if not addresses:
        return False
    sums = {value for value in constants if re.fullmatch(r"[0-9a-f]{64}", value)}
    for address in addresses:
        file = directory / hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() not in sums:
            return False
    return True


def _cache_directory() -> Path | None:
    """Where the library keeps vocabularies; None where it has been told to keep none."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return Path(os.environ[variable]) if os.environ[variable] else None
    return Path(tempfile.gettempdir()) / "data-gym-cache"
