"""A mail server and a Slack on loopback, in threads of their own. Not a test module.

Both keep what they got. The Slack answers ``auth.test`` and ``chat.postMessage`` as the real one
does, as far as a bot sees it.
"""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

USER, PASSWORD = "post", "canary-e2e-mail-password"
TOKEN = "xoxb-canary-e2e-slack-token"


@dataclass
class Outside:
    """Where they listen, and what arrived. ``arrived``: set at each message."""

    mail_port: int = 0
    slack_url: str = ""
    letters: list[Message] = field(default_factory=list)
    posts: list[dict[str, str]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    # Taken by the mail server; a test may change it.
    password: str = PASSWORD

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content, _class=EmailMessage, policy=default)
        self.letters.append(letter)
        self.arrived.set()
        return "250 taken"

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        known = isinstance(data, LoginPassword) and data.login == USER.encode()
        known = known and data.password == self.password.encode()
        return AuthResult(success=known, handled=False)


@contextmanager
def outside() -> Iterator[Outside]:
    """Both of them, listening."""
    found = Outside(mail_port=_free_port())
    mail = Controller(
        found,
        hostname="127.0.0.1",
        port=found.mail_port,
        authenticator=found.authenticate,
        auth_require_tls=False,
    )
    mail.start()
    slack = ThreadingHTTPServer(("127.0.0.1", 0), _slack(found))
    thread = threading.Thread(target=slack.serve_forever, daemon=True)
    thread.start()
    found.slack_url = f"http://127.0.0.1:{slack.server_address[1]}"
    try:
        yield found
    finally:
        mail.stop()
        slack.shutdown()
        slack.server_close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _slack(found: Outside) -> type[BaseHTTPRequestHandler]:
    class Slack(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(self.path.rpartition("/")[2], self._given(body))

        def _given(self, body: bytes) -> dict[str, str]:
            if "json" in self.headers.get("Content-Type", ""):
                return dict(json.loads(body or b"{}"))
            return {key: values[0] for key, values in parse_qs(body.decode()).items()}

        def _answer(self, method: str, given: dict[str, str]) -> None:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._send({"ok": False, "error": "invalid_auth"})
            if method == "auth.test":
                return self._send({"ok": True, "team": "Acme", "user": "one", "team_id": "T1"})
            found.posts.append(given)
            found.arrived.set()
            ts = f"1760000000.{len(found.posts):06d}"
            return self._send({"ok": True, "channel": given.get("channel", ""), "ts": ts})

        def _send(self, answer: dict[str, Any]) -> None:
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    return Slack


def main() -> None:
    """Both of them until Ctrl-C, for trying the product by hand."""

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    with outside() as found:
        urls = json.dumps({"slack": found.slack_url})
        say(f"Mail server: host 127.0.0.1, port {found.mail_port}, encryption none,")
        say(f"  user name {USER}, password {PASSWORD}")
        say(f"Slack: bot token {TOKEN}")
        say("Start the product with:")
        say(f"  ONE_HTTP_ALLOWED_HOSTS=127.0.0.1:{found.mail_port} \\")
        say(f"  ONE_PROVIDER_URLS='{urls}' make run")
        while found.arrived.wait():
            found.arrived.clear()
            while found.letters or found.posts:
                say(str(found.letters.pop(0) if found.letters else found.posts.pop(0)))


if __name__ == "__main__":
    main()
