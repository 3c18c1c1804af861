"""What a stored file is, told by its bytes: its media type, and a picture's width and height."""

import re
import struct
from typing import IO, Final

from agents_app.knowledge.failures import ParseFailed
from agents_app.knowledge.media import sniff

UNKNOWN: Final = "application/octet-stream"
_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}")
# What somebody says of bytes that do not tell is believed where nothing acts on it but a model.
_BELIEVED: Final = ("audio/", "video/", "application/")
# JPEG: markers without a length, and those of a frame, which has the size.
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def media_type_of(file: IO[bytes], head: bytes, told: str = "") -> str:
    """By the bytes; only where they do not tell, what the sender says, if that is harmless."""
    data = head
    if head.startswith(b"PK"):
        # Which Office file it is stands at the end of a zip.
        file.seek(0)
        data = file.read()
    try:
        return sniff(data).value
    except ParseFailed:
        told = told.lower().partition(";")[0].strip()
        return told if told.startswith(_BELIEVED) and _TYPE.fullmatch(told) else UNKNOWN


def picture_size(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, GIF, JPEG or WebP; None where its head does not say."""
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack_from(">II", head, 16)
        if head[:6] in (b"GIF87a", b"GIF89a"):
            return struct.unpack_from("<HH", head, 6)
        if head.startswith(b"\xff\xd8"):
            return _jpeg(head)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(head)
    except (struct.error, IndexError):
        return None
    return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # filling
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        else:
            at += 2 + struct.unpack_from(">H", head, at + 2)[0]
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(head[24:27], "little") + 1
        return width, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", head, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
