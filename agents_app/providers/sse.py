"""Server-sent events, read from bytes as they come off the network.

Only what a model's answer needs: the data of each event. Event names, ids and retry hints are
skipped. Knows nothing of JSON or of any provider.
"""

MAX_EVENT_BYTES = 32 * 1024 * 1024  # more than any answer; keeps a broken server from eating memory

_END = b"\n\n"
_BOM = b"\xef\xbb\xbf"


class EventTooLongError(ValueError):
    """One event is longer than `MAX_EVENT_BYTES`."""


class SseReader:
    """Turns network reads into event data, wherever the reads are cut.

    Works on bytes up to the end of an event, so a character cut in two is never decoded in halves.
    Line ends may be LF, CRLF or CR.
    """

    __slots__ = ("_after_cr", "_at_start", "_held", "_held_bytes", "_held_end")

    def __init__(self) -> None:
        self._held: list[bytes] = []  # the unfinished event, in pieces: joining each time is O(n²)
        self._held_bytes = 0
        self._held_end = b""  # last byte held, to notice a blank line cut in two
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of every event that `chunk` completes, in order.

        Raises EventTooLongError.
        """
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        if _END not in self._held_end + chunk:
            self._hold(chunk)
            return []
        if self._held:
            self._held.append(chunk)
            chunk = b"".join(self._held)
        blocks = chunk.split(_END)
        self._held, self._held_bytes, self._held_end = [], 0, b""
        self._hold(blocks.pop())
        return [data for block in blocks if (data := self._data(block)) is not None]

    def flush(self) -> list[bytes]:
        """Return the data of an event that the end of the stream left without its blank line."""
        block = b"".join(self._held)
        self._held, self._held_bytes, self._held_end = [], 0, b""
        data = self._data(block)
        return [] if data is None else [data]

    def _hold(self, piece: bytes) -> None:
        if not piece:
            return
        self._held.append(piece)
        self._held_bytes += len(piece)
        self._held_end = piece[-1:]
        if self._held_bytes > MAX_EVENT_BYTES:
            raise EventTooLongError(f"an event of more than {MAX_EVENT_BYTES} bytes")

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """Make every line end LF; a CRLF may be cut in two by the network."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _data(self, block: bytes) -> bytes | None:
        if self._at_start and block:
            self._at_start = False
            block = block.removeprefix(_BOM)
        if block.startswith(b"data: ") and b"\n" not in block:  # nearly every event of an answer
            return block[6:]
        lines = [
            line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")
        ]
        return b"\n".join(lines) if lines else None
