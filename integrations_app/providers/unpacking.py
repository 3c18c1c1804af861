"""gzip and deflate undone piece by piece: a small answer may be a huge one."""

import zlib
from collections.abc import Iterator
from typing import Any, Final

from integrations_app.errors import ResponseUnreadable

PIECE: Final = 64 * 1024


class Unpacking:
    """Undoes a Content-Encoding. Raises ResponseUnreadable for those that were not asked for."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        if self._encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise ResponseUnreadable(detail="an encoding that was not asked for")
        self._inflate: Any = None

    def __call__(self, packed: bytes) -> Iterator[bytes]:
        """Pieces of at most ``PIECE`` bytes; who has enough takes no more. Raises
        ResponseUnreadable."""
        if self._encoding in ("", "identity"):
            if packed:
                yield packed
            return
        if self._inflate is None:
            self._inflate = zlib.decompressobj(_window(self._encoding, packed))
        while True:
            try:
                piece: bytes = self._inflate.decompress(packed, PIECE)
            except zlib.error as error:
                raise ResponseUnreadable(detail=str(error)[:200]) from error
            if piece:
                yield piece
            packed = self._inflate.unconsumed_tail
            if not packed and len(piece) < PIECE:
                return


def _window(encoding: str, first: bytes) -> int:
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    # "deflate" means zlib's format; some servers send it bare.
    is_zlib = first[:1] and first[0] & 0x0F == 8
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
