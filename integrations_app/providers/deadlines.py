"""A deadline for a whole conversation over a blocking socket.

A timeout of a socket starts anew with each byte, so that a server that drips keeps a thread for as
long as it likes; at the deadline its connection is cut instead.
"""

import contextlib
import os
import socket
import threading


class CutOff:
    """Cuts the connections given to ``watch`` after ``seconds``; ``is_late`` says that it has,
    ``is_open`` that there was one."""

    def __init__(self, seconds: float) -> None:
        self.is_late = self.is_open = False
        self._watched: list[int] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connection: socket.socket) -> None:
        """Also once it is wrapped by TLS, which takes the descriptor over: ours is a copy."""
        self.is_open = True
        with self._lock:
            self._watched.append(os.dup(connection.fileno()))
        if self.is_late:
            self._cut()

    def done(self) -> None:
        """Everything has been read; the timer ends."""
        self._timer.cancel()
        with self._lock:
            for number in self._watched:
                os.close(number)
            self._watched.clear()

    def _cut(self) -> None:
        self.is_late = True
        with self._lock:
            for number in self._watched:
                copy = socket.socket(fileno=os.dup(number))
                with contextlib.closing(copy), contextlib.suppress(OSError):
                    copy.shutdown(socket.SHUT_RDWR)


def connected(address: str, port: int, seconds: float | None) -> socket.socket:
    """A connection to an address that ``destinations`` has checked. Raises OSError."""
    return socket.create_connection((address, port), timeout=seconds)
