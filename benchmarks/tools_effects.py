"""The outside world of the trial: an HTTP server on loopback that counts what it is sent."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Effects:
    """``of_call``: how often each call had its effect, by the call's id (its idempotency key);
    ``reads``: how often each was read. ``moment`` is set at every effect."""

    def __init__(self) -> None:
        self.of_call: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()
        self.moment = threading.Event()
        self.url = ""
        self._lock = threading.Lock()

    def take(self, body: bytes) -> None:
        sent = json.loads(body)
        with self._lock:
            (self.of_call if sent["kind"] == "effect" else self.reads)[sent["call"]] += 1
        if sent["kind"] == "effect":
            self.moment.set()


@contextmanager
def counting_effects() -> Iterator[Effects]:
    """Serve until the block ends."""
    effects = Effects()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # the worker was killed while it wrote: there was no effect
            effects.take(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    effects.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, name="effects", daemon=True)
    thread.start()
    try:
        yield effects
    finally:
        server.shutdown()
        server.server_close()
