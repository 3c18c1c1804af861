"""The process that reads one file of a stranger. Started by ``sandbox`` only.

Takes the file on standard input and answers on standard output, a JSON object per line:
``{"page": [done, total]}`` any number of times, then ``{"document": …}`` or
``{"failed": [code, text, detail]}``. Knows no settings, no database and no secrets.
"""

import codecs
import contextlib
import importlib
import os
import re
import resource
import signal
import sys
import time
import warnings
from typing import Any, BinaryIO, Final

import orjson

from agents_app.knowledge.bounds import MB, ParseLimits
from agents_app.knowledge.failures import ParseFailed
from agents_app.knowledge.media import sniff
from agents_app.knowledge.parse import parse, parser_of

EVERY: Final = 0.1  # seconds between two reports of progress
# What the standard library and lxml load in the middle of their work. All must be there before no
# file may be opened any more.
_LOADED_LATE: Final = (
    "_strptime", "base64", "binascii", "bisect", "calendar", "copy", "decimal", "difflib",
    "email._header_value_parser", "email.base64mime", "email.contentmanager", "email.generator",
    "email.header", "email.headerregistry", "email.iterators", "email.message", "email.parser",
    "email.quoprimime", "email.utils", "fractions", "heapq", "linecache", "locale", "lxml.etree",
    "posixpath", "quopri", "random", "statistics", "stringprep", "tempfile", "traceback",
    "unicodedata", "urllib.parse", "uuid", "xml.etree.ElementTree", "zlib",
)  # fmt: skip
_CODECS: Final = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-7", "ascii",
    "latin-1", "cp437", "idna", "punycode", "unicode_escape", "iso8859-2", "iso8859-5",
    "iso8859-7", "iso8859-8", "iso8859-9", "iso8859-15", "cp1250", "cp1251", "cp1252", "cp1253",
    "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "koi8-r", "koi8-u", "shift_jis", "euc_jp",
    "iso2022_jp", "euc_kr", "gb2312", "gbk", "gb18030", "big5", "mac_roman",
)  # fmt: skip


def main() -> None:
    """Read the file on standard input; ``sys.argv``: limits as JSON, the end of its name."""
    out, usage = _own_output(), _usage()
    limits = ParseLimits(**orjson.loads(sys.argv[1]))
    _limit(limits)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            document = _read(limits, sys.argv[2], out)
        _say(out, {"document": document.as_json()})
    except ParseFailed as failure:
        _say(out, {"failed": [failure.code, failure.user_message, failure.detail[:500]]})
    except MemoryError:
        _say(out, {"failed": ["memory", limits.failed("memory").user_message, ""]})
    except Exception as error:  # whatever a library makes of a broken file
        # Some of them also call the file broken when they are out of memory.
        code = "memory" if _peak(usage) > 0.75 * limits.memory_mb * MB else "damaged"
        text = limits.failed(code).user_message
        _say(out, {"failed": [code, text, f"{type(error).__name__}: {error}"[:500]]})
    # Libraries in C may fall over while they clean up; nothing is left to be cleaned up.
    out.flush()
    os._exit(0)


def _read(limits: ParseLimits, suffix: str, out: BinaryIO) -> Any:
    data = sys.stdin.buffer.read()
    media = sniff(data, "file" + suffix, limits)
    parser_of(media)
    lock()
    said = time.monotonic()

    def on_page(done: int, total: int) -> None:
        nonlocal said
        if done >= total or time.monotonic() - said >= EVERY:
            said = time.monotonic()
            _say(out, {"page": [done, total]})

    return parse(data, media, limits, on_page)


def lock() -> None:
    """Load all code that is still missing. From here on no file and no connection can be opened."""
    for name in _LOADED_LATE:
        importlib.import_module(name)
    for name in _CODECS:
        codecs.lookup(name)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _say(out: BinaryIO, what: dict[str, Any]) -> None:
    out.write(orjson.dumps(what) + b"\n")
    out.flush()


def _own_output() -> BinaryIO:
    """Standard output for our answers alone: what a library prints goes nowhere."""
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return out


def _usage() -> int:
    """The kernel's account of this process, opened while that is possible; -1 without one."""
    try:
        return os.open("/proc/self/status", os.O_RDONLY)
    except OSError:
        return -1


def _peak(usage: int) -> int:
    """Bytes of address space that this process had at most; 0 where nobody knows."""
    with contextlib.suppress(OSError):
        found = re.search(rb"VmPeak:\s*(\d+) kB", os.pread(usage, 8192, 0))
        return int(found[1]) * 1024 if found else 0
    return 0


def _limit(limits: ParseLimits) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's; it ends this process
    seconds = int(limits.seconds_for(os.fstat(0).st_size)) + 1
    _lower(resource.RLIMIT_AS, limits.memory_mb * MB)
    _lower(resource.RLIMIT_CPU, seconds)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NPROC, 0)
    # Showing a warning loads code.
    warnings.simplefilter("ignore")
    # Not needed for reading, and large where it is installed.
    sys.modules["numpy"] = None  # type: ignore[assignment]


def _lower(which: int, value: int) -> None:
    """A limit may be lower already, or (macOS) not be settable: the others still hold."""
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (value, value))


if __name__ == "__main__":
    main()
