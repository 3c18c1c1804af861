"""Reads a file of a stranger in a process of its own, which can be ended at any moment.

That process has limits on memory, processor time, files and further processes, no secrets in its
environment, and opens nothing once its code is loaded. Blocks the calling thread; call it from a
worker, or by ``asyncio.to_thread``, with no transaction open.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

import orjson

from agents_app.knowledge.bounds import MB, ParseLimits
from agents_app.knowledge.failures import ParseFailed, UnsupportedFile, failed
from agents_app.knowledge.parse import OnPage
from agents_app.knowledge.parsed import ParsedDocument

_CHILD: Final = "agents_app.knowledge.child"
_ROOT: Final = Path(__file__).parents[2]
_POLL: Final = 0.1  # seconds between two looks at the clock and at should_stop
_PIECE: Final = 1024 * 1024
# Room of a letter in JSON at most, and of the rest of the answer.
_BYTES_PER_CHAR: Final = 6
_OVERHEAD: Final = 64 * MB
_NO_ANSWER: Final[dict[str, Any]] = {}


def parse_in_sandbox(
    source: bytes | Path,
    limits: ParseLimits | None = None,
    *,
    filename: str = "",
    on_page: OnPage | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ParsedDocument:
    """The text of a file, or ParseFailed (UnsupportedFile for kinds that are not read).

    ``filename`` is only a hint where content cannot tell (Markdown or plain text). ``on_page``
    hears pages done and in all, at most ten times a second; ``should_stop`` is asked as often, and
    ends it with the code ``stopped``. Both are called in this thread; what they raise goes on,
    after the process has ended.
    """
    limits = limits or ParseLimits()
    with _opened(source) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limits.file_mb * MB:
            raise limits.failed("too_large")
        process = _start(file, limits, Path(filename).suffix.lower()[:12])
        try:
            answer = _listen(process, limits, size, on_page, should_stop)
        finally:
            _end(process)
    return _document(answer, process.returncode, limits, size)


@contextlib.contextmanager
def _opened(source: bytes | Path) -> Iterator[IO[bytes]]:
    """The file from its beginning. From memory by way of a file without a name: no pipe to feed."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as file:
        file.write(source)
        file.seek(0)
        yield file


def _start(file: IO[bytes], limits: ParseLimits, suffix: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-B", "-E", "-s", "-m", _CHILD, orjson.dumps(asdict(limits)).decode(),
         suffix],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env=_environment(),
        start_new_session=True,
        close_fds=True,
    )  # fmt: skip


def _environment() -> dict[str, str]:
    """Nothing of ours: no keys, no addresses of databases."""
    names = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
    # Some builds of Python do not start without it.
    libraries = os.environ.get("LD_LIBRARY_PATH")
    return names | {"LD_LIBRARY_PATH": libraries} if libraries else names


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends it with all that it may have started. It is not waited for before: its id is its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _listen(
    process: "subprocess.Popen[bytes]",
    limits: ParseLimits,
    size: int,
    on_page: OnPage | None,
    should_stop: Callable[[], bool] | None,
) -> dict[str, Any]:
    """The last thing the process says; empty where it ends without. Raises ParseFailed."""
    deadline = time.monotonic() + limits.seconds_for(size)
    most = limits.text_chars * _BYTES_PER_CHAR + _OVERHEAD
    waiting = bytearray()
    asked = 0.0
    for piece in _pieces(process):
        now = time.monotonic()
        if now > deadline:
            raise limits.failed("timeout", size=size)
        if should_stop is not None and now - asked >= _POLL:
            asked = now
            if should_stop():
                raise failed("stopped")
        searched = len(waiting)
        waiting += piece
        if len(waiting) > most:
            raise limits.failed("too_much_text")
        while (end := waiting.find(b"\n", searched)) >= 0:
            said = _understood(bytes(waiting[:end]))
            del waiting[: end + 1]
            searched = 0
            if "page" not in said:
                return said
            if on_page is not None:
                on_page(*said["page"])
    return _NO_ANSWER


def _pieces(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """What the process says, until it ends; empty each time it says nothing for a while."""
    assert process.stdout is not None
    number = process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(number, selectors.EVENT_READ)
        while True:
            if not selector.select(_POLL):
                yield b""
                continue
            piece = os.read(number, _PIECE)
            if not piece:
                return
            yield piece


def _understood(line: bytes) -> dict[str, Any]:
    """Something the process may say. Trusts nothing: a stranger's file may have taken it over."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict):
        page = said.get("page")
        if page is None:
            return said
        if isinstance(page, list) and len(page) == 2 and all(type(one) is int for one in page):
            return said
    raise failed("crashed", detail="said nothing that makes sense")


def _document(answer: dict[str, Any], code: int, limits: ParseLimits, size: int) -> ParsedDocument:
    if "document" in answer:
        try:
            return ParsedDocument.from_json(answer["document"])
        except ValueError as error:
            raise failed("crashed", detail=str(error)) from error
    if "failed" in answer:
        raise _failure(answer["failed"])
    if code == -signal.SIGXCPU:
        raise limits.failed("timeout", size=size)
    raise failed("crashed", detail=f"ended with {code}")


def _failure(said: Any) -> ParseFailed:
    try:
        code, text, detail = map(str, said)
    except (TypeError, ValueError):
        return failed("crashed", detail="said nothing that makes sense")
    if code == UnsupportedFile.code:
        return UnsupportedFile(text)
    return ParseFailed(code, text, detail=detail)
