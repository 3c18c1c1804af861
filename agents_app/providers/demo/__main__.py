"""Starts the demo model's server: `python -m agents_app.providers.demo --port 8765`."""

import argparse
import os
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
    """Serve until SIGTERM or SIGINT, then stop at once: open answers are cut."""
    parser = argparse.ArgumentParser(prog="python -m agents_app.providers.demo")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    options = parser.parse_args(arguments)
    config = uvicorn.Config(
        DemoApp(pace_from_env()),
        host=options.host,
        port=options.port,
        lifespan="off",
        access_log=False,
        server_header=False,
        log_level="critical",  # a cut answer is what the switches ask for, not an error
        timeout_graceful_shutdown=0,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
