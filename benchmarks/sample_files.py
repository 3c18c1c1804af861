"""Sample documents made on the spot: real PDFs, small and as long as one likes."""

import textwrap
from collections.abc import Sequence
from typing import Final

COLUMNS: Final = 88  # letters of a line
_SIZE, _LEADING, _HEADING_SIZE = 11, 14, 18
_WIDTH, _HEIGHT, _MARGIN = 595, 842, 56  # points: A4


def pdf_of(pages: Sequence[str]) -> bytes:
    """A valid PDF with one page per text, in Helvetica, long lines wrapped.

    A line that begins with ``# `` is set larger, as a heading. Letters beyond Western European
    ones become ``?``. What does not fit on a page runs off its foot, where it is still text.
    """
    # 1 catalogue, 2 page tree, 3 font; then a page and its content for each text.
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, text in enumerate(pages):
        content = _content(text)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_WIDTH} {_HEIGHT}]"
            f" /Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    return _file(objects)


def _content(text: str) -> bytes:
    lines = [f"BT {_MARGIN} {_HEIGHT - _MARGIN} Td {_LEADING} TL".encode()]
    for line in text.split("\n"):
        if line.startswith("# "):
            lines.append(b"/F1 %d Tf %b Tj T* T*" % (_HEADING_SIZE, _string(line[2:])))
            continue
        lines.append(b"/F1 %d Tf" % _SIZE)
        lines += [b"%b Tj T*" % _string(part) for part in textwrap.wrap(line, COLUMNS) or [""]]
    return b"\n".join([*lines, b"ET"])


def _string(text: str) -> bytes:
    data = text.encode("cp1252", "replace")
    for special in (b"\\", b"(", b")"):
        data = data.replace(special, b"\\" + special)
    return b"(" + data + b")"


def _file(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        table,
    )
    return bytes(out)
