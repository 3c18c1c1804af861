"""Servers and models for the provider tests; nothing leaves 127.0.0.1."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents_app.providers.openai import OpenAIChatModel, close_clients
from tests.agents.providers.raw_server import RawServer, running_raw_server

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def running_demo(**env: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """The demo server as a process of its own; yields it and its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "agents_app.providers.demo", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, **env},
    )
    url = f"http://127.0.0.1:{port}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 20
    try:
        while True:
            try:
                opener.open(f"{url}/healthz", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None, "the demo server did not start"
                assert time.monotonic() < deadline, "the demo server is not ready"
                time.sleep(0.02)
        yield process, url
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def demo_url() -> Iterator[str]:
    with running_demo(ONE_DEMO_TOKENS_PER_SECOND="5000", ONE_DEMO_FIRST_TOKEN_MS="1") as (_, url):
        yield url


@pytest.fixture
async def clients_closed() -> AsyncIterator[None]:
    yield
    await close_clients()


@pytest.fixture
async def raw(clients_closed: None) -> AsyncIterator[RawServer]:
    async with running_raw_server() as server:
        yield server
        await close_clients()


@pytest.fixture
def raw_model(raw: RawServer) -> OpenAIChatModel:
    return OpenAIChatModel("m", api_key="sk-test-key-123456", base_url=raw.url)


@pytest.fixture
def demo_model(demo_url: str, clients_closed: None) -> OpenAIChatModel:
    return OpenAIChatModel("one-demo", api_key="demo", base_url=f"{demo_url}/v1", provider="demo")


@pytest.fixture
def closing_model(clients_closed: None) -> Callable[..., OpenAIChatModel]:
    return OpenAIChatModel
