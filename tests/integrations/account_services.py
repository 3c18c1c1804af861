"""An OAuth 2 server with PKCE and the three services behind it, on 127.0.0.1. Not a test module.

It keeps to the protocol: a code counts once and only with its verifier, refresh tokens rotate, an
old one is worth nothing. Everything it was asked is in ``requests``.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CLIENT = {"client_id": "app-1", "client_secret": "canary-app-secret"}
PLACES = (
    "google_oauth", "google_token", "google_drive", "notion", "notion_oauth", "microsoft_oauth",
    "onedrive", "slack_oauth",
)  # fmt: skip


@dataclass
class Services:
    """lifetime: of tokens, in seconds. answers: for a path and method, (status, headers, body)."""

    url: str = ""
    lifetime: int = 3600
    delay: float = 0.0
    consents: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_tokens: set[str] = field(default_factory=set)
    revoked: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    answers: dict[tuple[str, str], list[tuple[int, dict[str, str], Any]]] = field(
        default_factory=dict
    )
    refreshes: int = 0
    broken: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def places(self) -> dict[str, str]:
        return dict.fromkeys(PLACES, self.url)

    def consent(self, authorize_url: str) -> tuple[str, str]:
        """What a person's yes at this address brings back: code and state."""
        asked = {name: value[0] for name, value in parse_qs(urlsplit(authorize_url).query).items()}
        assert asked["client_id"] == CLIENT["client_id"]
        assert asked["response_type"] == "code"
        code = secrets.token_urlsafe(8)
        self.consents[code] = asked
        return code, asked["state"]

    def asked_for(self, path: str) -> list[dict[str, Any]]:
        return [body for _, where, _, body in self.requests if where.split("?")[0] == path]

    def token(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        time.sleep(self.delay)
        if self.broken:
            return 503, {}
        if given.get("grant_type") == "refresh_token":
            self.refreshes += 1
            if given.get("refresh_token") not in self.refresh_tokens:
                return 400, {"error": "invalid_grant"}
            self.refresh_tokens.discard(given["refresh_token"])
            return 200, self._issued()
        consent = self.consents.pop(str(given.get("code")), None)
        if consent is None or consent["redirect_uri"] != given.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        if "code_challenge" in consent:
            digest = hashlib.sha256(str(given.get("code_verifier")).encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != consent["code_challenge"]:
                return 400, {"error": "invalid_grant"}
        return 200, self._issued()

    def _issued(self) -> dict[str, Any]:
        refresh_token = f"canary-refresh-{secrets.token_hex(6)}"
        self.refresh_tokens.add(refresh_token)
        return {
            "access_token": f"canary-access-{secrets.token_hex(6)}",
            "refresh_token": refresh_token,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            **self.extra,
        }


@contextmanager
def running_services() -> Iterator[Services]:
    services = Services()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            is_json = "json" in headers.get("content-type", "")
            form = {name: value[0] for name, value in parse_qs(raw.decode()).items()}
            body = json.loads(raw) if is_json and raw else form
            services.requests.append((self.command, self.path, headers, body))
            path = urlsplit(self.path).path
            if path == "/token":
                status, answer = self._token(headers, body)
                self._answer(status, {}, answer)
            elif path == "/revoke":
                services.revoked.append(str(body.get("token", "")))
                self._answer(200, {}, {})
            else:
                queue = services.answers.get((self.command, path), [])
                found = queue.pop(0) if len(queue) > 1 else (queue or [(404, {}, {})])[0]
                self._answer(*found)

        do_GET = do_POST = _handle  # noqa: N815  names of the library

        def _token(self, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
            basic = headers.get("authorization", "").removeprefix("Basic ")
            said = base64.b64decode(basic).decode() if basic else ""
            known = {f"{CLIENT['client_id']}:{CLIENT['client_secret']}"}
            if f"{body.get('client_id')}:{body.get('client_secret')}" in known or said in known:
                return services.token(body)
            return 401, {"error": "invalid_client", "error_description": "canary-description"}

        def _answer(self, status: int, headers: dict[str, str], body: Any) -> None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    services.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield services
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
