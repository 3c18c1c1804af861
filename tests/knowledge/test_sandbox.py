"""A file can do no more than fail."""

import asyncio
import errno
import io
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from agents_app.knowledge import sandbox
from agents_app.knowledge.bounds import ParseLimits
from agents_app.knowledge.failures import ParseFailed, UnsupportedFile
from agents_app.knowledge.media import MediaKind
from agents_app.knowledge.parse import parse
from agents_app.knowledge.sandbox import parse_in_sandbox
from benchmarks.sample_files import pdf_of
from tests.knowledge import samples

DOCUMENT = "word/document.xml"
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%b">' % (97 + n, b"&%c;" % (96 + n) * 10) for n in range(1, 10))
    + b']><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    b"<w:body><w:p><w:r><w:t>&j;</w:t></w:r></w:p></w:body></w:document>"
)


def _code(data, **options):
    with pytest.raises(ParseFailed) as error:
        parse_in_sandbox(data, **options)
    return error.value.code


@pytest.mark.parametrize("kind", samples.ALL)
def test_sandbox_reads_what_the_parser_reads(kind):
    data = samples.ALL[kind]()
    name = "wrong.pdf" if kind is not MediaKind.PDF else "wrong.txt"
    assert parse_in_sandbox(data, filename=name) == parse(data, kind)


def test_progress_is_told_from_a_file_and_from_a_coroutine(tmp_path: Path):
    path = tmp_path / "long"
    path.write_bytes(pdf_of(["# One\nwords"] * 200))
    seen = []

    async def read():
        return await asyncio.to_thread(
            parse_in_sandbox, path, on_page=lambda done, total: seen.append((done, total))
        )

    document = asyncio.run(read())

    assert len(document.pages) == 200
    assert seen[-1] == (200, 200)
    assert seen == sorted(seen)


def test_failures_come_through_with_their_text():
    assert _code(samples.locked_pdf()) == "password"
    assert _code(samples.pdf()[:900]) == "damaged"
    assert _code(b"a" * (1024 * 1024 + 1), limits=ParseLimits(file_mb=1)) == "too_large"
    with pytest.raises(UnsupportedFile, match="This is a program"):
        parse_in_sandbox(b"\x7fELF\x02\x01\x01\0")


def test_zip_bombs_are_not_unpacked():
    big = samples.changed(samples.docx(), DOCUMENT, lambda part: part + b" " * 6_000_000)
    assert _code(big, limits=ParseLimits(unpacked_mb=5)) == "unpacks_too_large"
    dense = samples.changed(samples.docx(), DOCUMENT, lambda part: part + b" " * 25_000_000)
    assert _code(dense) == "suspicious"
    many = samples.changed(samples.docx(), DOCUMENT, bytes) + b"PK\x01\x02" * 30_000
    assert _code(many) == "suspicious"


def test_zip_that_lies_about_its_size_is_damaged():
    # Also the table of contents of the zip says 10 bytes.
    data = bytearray(samples.docx())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.getinfo(DOCUMENT).file_size.to_bytes(4, "little")
    assert _code(bytes(data.replace(size, (10).to_bytes(4, "little")))) == "damaged"


@pytest.mark.parametrize(
    "laughs", [LAUGHS, LAUGHS.replace(b"?>", b' encoding="utf-16"?>', 1).decode().encode("utf-16")]
)
def test_entities_of_xml_are_not_opened(laughs):
    assert _code(samples.changed(samples.docx(), DOCUMENT, lambda part: laughs)) == "damaged"


def test_endless_html_is_read_in_time():
    html = b"<!doctype html><p>text</p>" + b"<a href='" * 200_000 + b"<!--" * 200_000
    assert "text" in parse_in_sandbox(html).pages[0].text


def test_sheet_that_claims_to_be_huge_is_read_in_time():
    data = samples.changed(
        samples.xlsx(),
        "xl/worksheets/sheet1.xml",
        lambda part: part.replace(b'ref="A1:C3"', b'ref="A1:XFD1048576"').replace(
            b'<row r="3"', b'<row r="200000"'
        ),
    )
    assert "Seats: 7.5" in parse_in_sandbox(data).pages[0].text


def test_memory_is_limited():
    text = b"<w:p><w:r><w:t>word</w:t></w:r></w:p>" * 500_000
    data = samples.changed(
        samples.docx(), DOCUMENT, lambda part: part.replace(b"<w:body>", b"<w:body>" + text)
    )
    limits = ParseLimits(memory_mb=200, ratio=100_000)
    assert _code(data, limits=limits) in ("memory", "crashed")


def test_slow_file_is_ended():
    started = time.monotonic()
    data = pdf_of(["words " * 100] * 3000)
    with pytest.raises(ParseFailed, match=r"longer than 1 s"):
        parse_in_sandbox(data, ParseLimits(seconds=0.6, seconds_per_mb=0))
    assert time.monotonic() - started < 10


@pytest.fixture
def hostile(monkeypatch):
    monkeypatch.setattr(sandbox, "_CHILD", "tests.knowledge.hostile_child")


@pytest.mark.usefixtures("hostile")
def test_reader_that_hangs_ends_when_asked():
    seen = []
    code = _code(
        b"x",
        filename="a.hang",
        on_page=lambda done, total: seen.append(done),
        should_stop=lambda: bool(seen),
    )
    assert code == "stopped"


@pytest.mark.usefixtures("hostile")
def test_reader_that_forks_is_ended_with_its_children(monkeypatch):
    groups = []
    end = sandbox._end
    monkeypatch.setattr(sandbox, "_end", lambda one: (groups.append(one.pid), end(one)))

    assert _code(b"x", filename="a.fork", limits=ParseLimits(seconds=1.5)) == "timeout"
    assert not _is_running(groups[0])


def _is_running(group: int) -> bool:
    """Whether the group is still there, seconds after its end was ordered: a process that is
    killed while the machine is busy goes when its turn comes."""
    deadline = time.monotonic() + 20
    while (found := _has_running(group)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _has_running(group: int) -> bool:
    """A process of the group that is more than a record of its end."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] not in "ZX":
                return True
    return False


@pytest.mark.usefixtures("hostile")
def test_reader_that_talks_nonsense_is_not_believed():
    assert _code(b"x", filename="a.flood", limits=ParseLimits(text_chars=10)) == "too_much_text"
    assert _code(b"x", filename="a.other") == "crashed"


@pytest.mark.usefixtures("hostile")
def test_reader_knows_no_secrets(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with pytest.raises(ParseFailed) as error:
        parse_in_sandbox(b"x", filename="a.secrets")
    names = set(error.value.user_message.split(","))
    assert "OPENAI_API_KEY" not in names
    assert names <= {"LANG", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "TZ"}


def test_locked_reader_opens_neither_files_nor_connections():
    code = (
        "import socket; from agents_app.knowledge.child import lock; lock()\n"
        "for attempt in (lambda: open('/etc/hostname'), socket.socket):\n"
        "    try: attempt()\n"
        "    except OSError as error: print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(errno.EMFILE)] * 2


def test_callback_that_fails_ends_the_reader_too():
    def fail(done: int, total: int) -> None:
        raise RuntimeError("caller's own")

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(RuntimeError, match="caller's own"):
        parse_in_sandbox(samples.pdf(), on_page=fail)
    assert len(os.listdir("/proc/self/fd")) == before
