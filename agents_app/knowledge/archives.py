"""Zips of strangers: looked at before anything is unpacked, and counted while it is."""

import zipfile
import zlib
from io import BytesIO
from typing import IO, Final

from agents_app.knowledge.bounds import MB, ParseLimits
from agents_app.knowledge.failures import failed

CONTENT_TYPES: Final = "[Content_Types].xml"
# What a broken zip makes the standard library raise; RuntimeError: a way of packing it lacks.
BROKEN: Final = (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, RuntimeError)
_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PIECE: Final = MB
_ENTRY_MARK: Final = b"PK\x01\x02"
_MAX_CONTENT_TYPES: Final = 2 * MB
# Office files declare no document types; what does is after the parser ("billion laughs").
_DECLARATIONS: Final = tuple(
    word.encode(encoding)
    for word in ("<!DOCTYPE", "<!ENTITY")
    for encoding in ("utf-8", "utf-16-le", "utf-16-be")
)
_LONGEST: Final = max(map(len, _DECLARATIONS))


def open_archive(data: bytes, limits: ParseLimits) -> zipfile.ZipFile:
    """The zip, its directory within the limits. Raises ParseFailed."""
    if data.count(_ENTRY_MARK) > limits.entries:
        raise limits.failed("suspicious")
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except BROKEN as error:
        raise failed("damaged", detail=repr(error)) from error
    entries = archive.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        raise failed("password")
    if any(entry.compress_type not in _PACKED for entry in entries):
        raise failed("damaged", detail="packed in an unusual way")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limits.unpacked_mb * MB:
        raise limits.failed("unpacks_too_large")
    # Small files may be as dense as they like: a sheet of zeros is no attack.
    if unpacked > 20 * MB and unpacked > limits.ratio * len(data):
        raise limits.failed("suspicious")
    return archive


def content_types(archive: zipfile.ZipFile) -> str:
    """What an Office file says it is made of; empty for any other zip. Raises ParseFailed."""
    try:
        with archive.open(CONTENT_TYPES) as part:
            data = part.read(_MAX_CONTENT_TYPES)
    except KeyError:
        return ""
    except BROKEN as error:
        raise failed("damaged", detail=repr(error)) from error
    return data.decode("utf-8", "replace")


def safe_office_file(data: bytes, limits: ParseLimits) -> BytesIO:
    """The same Office file with its XML unpacked and checked, and its pictures emptied.

    Libraries read every part into memory; now that costs what was counted here. Raises
    ParseFailed.
    """
    left = limits.unpacked_mb * MB
    out = BytesIO()
    with (
        open_archive(data, limits) as archive,
        zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as safe,
    ):
        for name in dict.fromkeys(archive.namelist()):
            if not name.lower().endswith((".xml", ".rels")):
                safe.writestr(zipfile.ZipInfo(name), b"")
                continue
            try:
                with archive.open(name) as part, safe.open(zipfile.ZipInfo(name), "w") as target:
                    left = _copy(part, target, left, limits)
            except BROKEN as error:
                raise failed("damaged", detail=repr(error)) from error
    out.seek(0)
    return out


def _copy(part: IO[bytes], target: IO[bytes], left: int, limits: ParseLimits) -> int:
    """Copies a part in pieces; how many bytes may still come."""
    before = b""
    while piece := part.read(_PIECE):
        left -= len(piece)
        if left < 0:
            raise limits.failed("unpacks_too_large")
        seen = before + piece
        if any(word in seen for word in _DECLARATIONS):
            raise failed("damaged", detail="declares a document type")
        before = piece[-_LONGEST:]
        target.write(piece)
    return left
