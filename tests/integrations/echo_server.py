"""A server that answers with all it was sent, and never well. Not a test module."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

STATUSES = (401, 500, 403, 302, 400, 200)


@dataclass
class Echo:
    """heard: requests, with headers and body, as they were."""

    url: str = ""
    address: str = ""
    heard: list[str] = field(default_factory=list)


@contextmanager
def echo_server() -> Iterator[Echo]:
    """Each request gets the next of ``STATUSES``, in a body, a header and a reason all it said."""
    found, statuses = Echo(), cycle(STATUSES)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = f"{self.path} {dict(self.headers)} {body.decode(errors='replace')}"
            found.heard.append(said)
            status = next(statuses)
            self.send_response(status, self.path.replace("\r", "")[:200])
            self.send_header("X-Echo", said.replace("\n", " ").replace("\r", " ")[:4_000])
            if status == 302:
                self.send_header("Location", f"{found.url}{self.path}")
            answer = said.encode()
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.address = f"127.0.0.1:{server.server_address[1]}"
    found.url = f"http://{found.address}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def echo_mail_server() -> Iterator[Echo]:
    """Greets, and refuses whatever it is told with all of it."""
    found = Echo()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 echo\r\n")
            while line := self.rfile.readline(2_000).strip():
                found.heard.append(line.decode(errors="replace"))
                if line.upper().startswith(b"EHLO"):
                    self.wfile.write(b"250-echo\r\n250 AUTH LOGIN PLAIN\r\n")
                elif line.upper().startswith(b"AUTH LOGIN"):
                    self.wfile.write(b"334 VXNlcm5hbWU6\r\n")
                else:
                    self.wfile.write(b"535 5.7.8 " + line + b"\r\n")

    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.address = f"127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
