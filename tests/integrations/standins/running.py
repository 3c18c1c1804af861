"""Starts stand-ins, each a process on a free port of loopback. Not a test module.

``make test`` installs them where node is; ONE_STANDINS names another folder. Without them, tests
that need one are skipped, or fail with ONE_REQUIRE_STANDINS=1.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("ONE_STANDINS") or HERE.parents[2] / ".venv" / "standins")
MODULES = FOLDER / "node_modules"
_LOOPBACK = ("-r", str(HERE / "loop.cjs"))
_SECONDS = 40.0


def node() -> str:
    """The command; skips the test (or fails it) where it or the packages are missing."""
    command = shutil.which("node")
    if command and (FOLDER / "specs" / "discord.json").exists():
        return command
    message = "node and the stand-ins are needed: make test installs them"
    if os.environ.get("ONE_REQUIRE_STANDINS"):
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def running(*arguments: str, port: int, **environment: str) -> Iterator[str]:
    """``node ARGUMENTS`` until the block ends; its address, without a slash at the end."""
    process = subprocess.Popen(
        [node(), *_LOOPBACK, *arguments],
        cwd=FOLDER,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def mocks() -> Iterator[str]:
    """One mock (Prism) of all described interfaces, whose paths differ: what a description does
    not allow gets a 4xx."""
    node()
    port = free_port()
    specs = sorted(str(one) for one in (FOLDER / "specs").glob("*.json"))
    with running(str(HERE / "mocks.cjs"), str(port), *specs, port=port) as url:
        yield url


def free_port() -> int:
    """One that nobody listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + _SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise AssertionError(f"a stand-in ended with {process.returncode}")
        if time.monotonic() > until:
            raise AssertionError("a stand-in did not start")
        time.sleep(0.05)
