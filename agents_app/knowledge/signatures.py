"""The first bytes of kinds of files: pictures that are known, and what is not read."""

import re
from typing import Final

# Each with its media type.
PICTURES: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)

_PROGRAM = ("a program", "Only documents can be uploaded.")
_ARCHIVE = ("an archive", "Please unpack it and upload the files in it.")
_MEDIA = ("a recording", "Please upload its transcript as text.")
_PICTURE = ("a picture of a kind that is not known here", "Please save it as PNG or JPEG.")
_OLD_OFFICE = "Please save it as DOCX, XLSX, PPTX or PDF."

_REFUSED: Final = (
    (rb"\x7fELF|MZ(?=.{0,1100}PE\0\0|[\x00-\xff]{0,60}\0)", _PROGRAM),
    (rb"\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe|\0asm", _PROGRAM),
    (rb"\x1f\x8b|BZh[1-9]|\xfd7zXZ\0|7z\xbc\xaf|Rar!\x1a|\x28\xb5\x2f\xfd", _ARCHIVE),
    (rb".{257}ustar", _ARCHIVE),
    (rb"ID3[\x02-\x04]|OggS|fLaC|\x1aE\xdf\xa3|.{4}ftyp(?!heic|heix|mif1|avif)", _MEDIA),
    (rb"RIFF.{4}(?:WAVE|AVI )|\xff[\xfb\xf3\xf2].{2}\0", _MEDIA),
    (
        rb"II\*\0|MM\0\*|BM.{4}\0{4}|\x00\x00\x01\x00[^\x00]\x00|.{4}ftyp(?:heic|heix|mif1|avif)",
        _PICTURE,
    ),
    (rb"\s*(?:<\?xml[^>]{0,200}>\s*)?<svg\b", _PICTURE),
    (rb"\{\\rtf", ("an RTF document", "Please save it as DOCX or PDF.")),
    (rb"SQLite format 3\0", ("a database", "Please export what matters as CSV.")),
    (rb"%!PS", ("a PostScript file", "Please save it as PDF.")),
)
_SIGNS: Final = tuple((re.compile(pattern, re.DOTALL), what) for pattern, what in _REFUSED)

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Names of the streams in such a file, in its directory as UTF-16.
_STREAMS: Final = (
    ("EncryptedPackage", ("an Office file with a password", "Please remove the password first.")),
    ("__substg1.0_", ("an Outlook message", "Please save it as an e-mail file (EML) or PDF.")),
    ("WordDocument", ("a Word document of the old kind (DOC)", _OLD_OFFICE)),
    ("Workbook", ("an Excel file of the old kind (XLS)", _OLD_OFFICE)),
    ("PowerPoint Document", ("a PowerPoint file of the old kind (PPT)", _OLD_OFFICE)),
)


def refused(data: bytes) -> tuple[str, str] | None:
    """What the file is and what to do, for kinds that are not read; None for any other."""
    if data.startswith(_OLE):
        for name, what in _STREAMS:
            if name.encode("utf-16-le") in data:
                return what
        return "an Office file of the old kind", _OLD_OFFICE
    for sign, what in _SIGNS:
        if sign.match(data):
            return what
    return None
