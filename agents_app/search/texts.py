"""How texts are made ready for search. Pure.

A change here is a new form: raise ``TEXT_FORM``, so that new vectors stand beside the old ones.
"""

import hashlib
import re
import unicodedata
from typing import Final

TEXT_FORM: Final = 1
# A ``tsvector`` of more than 1 MB is refused by Postgres, with all that is written beside it.
INDEXED_CHARS: Final = 200_000
# The limit is one of bytes, and of a compound Postgres keeps the parts besides the whole.
INDEXED_BYTES: Final = 300_000
EMBEDDED_CHARS: Final = 10_000  # CX-9

_MARKS = re.compile(r"[\u0300-\u036f]+")
# Letters with a stroke do not fall apart into letter and accent.
_STROKES = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L",
     "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th", "ı": "i"}
)  # fmt: skip
# Postgres takes a run of these for one word; each is found by itself instead.
_IDEOGRAPHS = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af])")


def folded(text: str) -> str:
    """The text as its words are indexed: without accents, ideographs apart, of bounded length.

    Postgres' own ``unaccent`` is an extension that not every server has.
    """
    text = text[:INDEXED_CHARS].replace("\x00", " ").translate(_STROKES)
    if not text.isascii():
        text = _MARKS.sub("", unicodedata.normalize("NFKD", text))
        text = unicodedata.normalize("NFC", text)
        text = text.encode(errors="replace")[:INDEXED_BYTES].decode(errors="ignore")
        text = _IDEOGRAPHS.sub(r" \1 ", text)
    return text


def embedded(text: str) -> str:
    """The text as it is embedded: of bounded length, its blanks made one."""
    return " ".join(text[:EMBEDDED_CHARS].split())


def with_previous(previous: str, text: str) -> str:
    """A message as it is embedded: short answers mean something after what they answer.

    The message itself is kept whole before its predecessor is.
    """
    room = EMBEDDED_CHARS - len(text) - 1
    before = embedded(previous)[-min(room, 1000) :] if room > 0 else ""
    return embedded(f"{before}\n{text}" if before else text)


def content_hash(text: str) -> str:
    """Names what is embedded; the same name, the same vector."""
    return hashlib.sha256(f"{TEXT_FORM}\n{text}".encode(errors="surrogatepass")).hexdigest()
