"""Makes pages to pay on as Stripe does, and signs what it tells. Not a test module."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

KEY = "sk_test_canary-stripe-0123456789"
SECRET = "whsec_canary-stripe-0123456789"


@dataclass
class StripeServer:
    """sessions: what was asked for, by the idempotency key; ``failing``: statuses to answer with
    first. The key is remembered with its body, as theirs is."""

    url: str = ""
    sessions: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    failing: list[int] = field(default_factory=list)

    def answer(self, headers: dict[str, str], form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if headers.get("Authorization") != f"Bearer {KEY}":
            return 401, {"error": {"type": "invalid_request_error", "message": f"no: {KEY}"}}
        if self.failing:
            return self.failing.pop(0), {"error": {"type": "api_error"}}
        key = headers["Idempotency-Key"]
        known = self.sessions.setdefault(key, form)
        if known != form:
            return 400, {"error": {"type": "idempotency_error"}}
        ref = f"cs_test_{key}"
        return 200, {"id": ref, "object": "checkout.session", "url": f"https://pay.test/c/{ref}"}


@contextmanager
def stripe_server() -> Iterator[StripeServer]:
    """Runs until the block ends."""
    found = StripeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            form = dict(parse_qsl(body))
            found.asked.append(form)
            self._say(*found.answer(dict(self.headers), form))

        def do_GET(self) -> None:
            good = self.headers.get("Authorization") == f"Bearer {KEY}"
            self._say(200 if good else 401, {"object": "list", "data": []})

        def _say(self, status: int, body: dict[str, Any]) -> None:
            answer = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def signed(body: bytes, *, at: float | None = None, secret: str = SECRET) -> str:
    """``Stripe-Signature`` for ``body``. at: seconds since 1970, now if none."""
    stamp = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()},v0={'0' * 64}"


def told(event_id: str, kind: str, **held: Any) -> bytes:
    """An event as they send it."""
    event = {"id": event_id, "object": "event", "type": kind, "data": {"object": held}}
    return json.dumps(event).encode()
