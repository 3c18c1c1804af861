"""Bytes of unknown origin as text."""

import codecs
import re
from typing import Final

from charset_normalizer import from_bytes

# What a guess looks at: it tries every encoding on all of it.
_SAMPLE: Final = 64 * 1024
_GUESSED: Final = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "koi8_r",
    "shift_jis", "euc_jp", "euc_kr", "gb18030", "big5",
)  # fmt: skip
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?([A-Za-z0-9_:-]{2,40})", re.IGNORECASE)


def decode(data: bytes) -> str:
    """Text by byte order mark, UTF-8, what an HTML page says of itself, or an educated guess.

    Raises nothing: letters that do not fit become U+FFFD.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    wide = wide_encoding(data)
    if wide:
        return data.decode(wide, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(_declared(data) or _guess(data[:_SAMPLE]), "replace")


def wide_encoding(data: bytes) -> str:
    """UTF-16 without a mark, by where the zero bytes are; empty for anything else."""
    sample = data[: min(len(data), 4096) & ~1]
    if len(sample) < 4 or b"\0" not in sample:
        return ""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.05 * half:
        return "utf-16-be"
    return ""


def _declared(data: bytes) -> str:
    found = _META.search(data, 0, 4096)
    if found is None:
        return ""
    try:
        codec = codecs.lookup(found[1].decode("ascii"))
    except (LookupError, OSError):
        return ""
    # Text encodings only: Python also has codecs for other things.
    return codec.name if codec._is_text_encoding else ""


def _guess(sample: bytes) -> str:
    matches = list(from_bytes(sample, cp_isolation=list(_GUESSED)))
    if not matches:
        return "cp1252"
    # Short texts leave Western and Central European apart by nothing: the commoner one then.
    best = max(matches, key=lambda one: (-one.chaos, one.coherence, one.encoding == "cp1252"))
    return str(best.encoding)
