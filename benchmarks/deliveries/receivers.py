"""The receiving side on loopback: an HTTP service and a mail server that count what they take, and
a trap that counts who comes at all."""

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

NUMBER = re.compile(r"number ([0-9]+)\.")
DOWN_SHARE = 7  # every so many requests are refused for now
SLOW = 4.0  # seconds of the slow service


@dataclass
class Received:
    """``taken``: how often each message was, by its number. ``refused``: for now, at first."""

    taken: Counter[int] = field(default_factory=Counter)
    keys: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    trapped: int = 0
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    http: str = ""
    http_port: int = 0
    smtp_port: int = 0
    trap_port: int = 0

    def take(self, text: str) -> None:
        found = NUMBER.search(text)
        if found:
            with self.lock:
                self.taken[int(found[1])] += 1

    def take_keyed(self, key: str, text: str) -> str:
        """As services do that take keys: the second time nothing happens."""
        with self.lock:
            known = self.keys.get(key)
            if known is not None:
                return known
            self.keys[key] = f"keyed-{len(self.keys)}"
        self.take(text)
        return self.keys[key]


class _Mail:
    def __init__(self, received: Received) -> None:
        self.received = received

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.received.take(envelope.content.decode(errors="replace"))
        return "250 taken"


def _handler(received: Received) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # the worker was killed while it wrote
            sent = json.loads(body)
            with received.lock:
                received.requests += 1
                down = self.path == "/some" and received.requests % DOWN_SHARE == 0
                received.refused += down
            if self.path == "/slow":
                time.sleep(SLOW)
            if down:
                self._answer(503, "")
            elif self.path == "/keyed":
                self._answer(200, received.take_keyed(sent["key"], sent["text"]))
            else:
                received.take(sent["text"])
                self._answer(200, f"id-{sent['key']}")

        def _answer(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Workers that are killed leave broken connections."""


@contextmanager
def receiving() -> Iterator[Received]:
    """All three, until the block ends."""
    received = Received()
    with ExitStack() as cleanup:
        server = _Server(("127.0.0.1", 0), _handler(received))
        received.http_port = server.server_address[1]
        received.http = f"http://127.0.0.1:{received.http_port}"
        threading.Thread(target=server.serve_forever, name="receiver", daemon=True).start()
        cleanup.callback(server.server_close)
        cleanup.callback(server.shutdown)
        received.smtp_port = _free_port()
        mail = Controller(_Mail(received), hostname="127.0.0.1", port=received.smtp_port)
        mail.start()
        cleanup.callback(mail.stop)
        cleanup.enter_context(_trap(received))
        yield received


@contextmanager
def _trap(received: Received) -> Iterator[None]:
    """Nobody is allowed to come here."""
    with socket.create_server(("", 0)) as trap:
        received.trap_port = trap.getsockname()[1]

        def watch() -> None:
            while True:
                try:
                    taken, _ = trap.accept()
                except OSError:
                    return
                received.trapped += 1
                taken.close()

        threading.Thread(target=watch, name="trap", daemon=True).start()
        yield


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
