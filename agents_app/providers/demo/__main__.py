"""Starts the demo model's server: `python -m agents_app.providers.demo --port 8765`."""

import argparse
import os
import socket
from collections.abc import Sequence

import uvicorn

from agents_app.providers.demo.app import DemoApp
from agents_app.providers.demo.switches import Pace

DEFAULT_PORT = 8765


def pace_from_env() -> Pace:
    """The pace when a request sets none: `ONE_DEMO_TOKENS_PER_SECOND`, `ONE_DEMO_FIRST_TOKEN_MS`.

    Raises ValueError when one of them is no number or is negative.
    """
    tokens_per_second = float(os.environ.get("ONE_DEMO_TOKENS_PER_SECOND") or 40)
    first_token_ms = float(os.environ.get("ONE_DEMO_FIRST_TOKEN_MS") or 300)
    return Pace(tokens_per_second, first_token_ms)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then stop at once: open answers are cut.

    Exits with status 2 when the environment sets no valid pace, 1 when the port is taken.
    """
    parser = argparse.ArgumentParser(prog="python -m agents_app.providers.demo")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    options = parser.parse_args(arguments)
    try:
        app = DemoApp(pace_from_env())
    except ValueError as error:
        parser.error(str(error))
    # Bound here and not by uvicorn, whose log is silent, so that a taken port is reported.
    try:
        listening = listen(options.host, options.port)
    except OSError as error:
        parser.exit(1, f"The demo model cannot listen on {options.host}:{options.port}: {error}\n")
    config = uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        server_header=False,
        log_level="critical",  # a cut answer is what the switches ask for, not an error
        timeout_graceful_shutdown=0,
    )
    uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError when the address is taken or unknown."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


if __name__ == "__main__":
    main()
