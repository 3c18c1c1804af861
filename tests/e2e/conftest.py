"""The product as ``make run`` starts it, and a real Chromium in front of it.

Nothing of the product is imported by these tests: they see what a person sees, and end processes
by pid. The stack that most of them share is started from nothing, as a newcomer's is.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks import prepared
from tests.integrations.outside import Outside
from tests.integrations.outside import outside as listening

START_SECONDS = 180.0  # a busy machine; alone it takes 15
CHROMIUM = next(
    (
        path
        for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
        if name and (path := shutil.which(name))
    ),
    None,
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Chromium the browser tests are skipped with a clear line, but never in CI."""
    if CHROMIUM:
        return
    if os.environ.get("ONE_REQUIRE_BROWSER"):
        raise pytest.UsageError("ONE_REQUIRE_BROWSER is set, and no Chromium was found")
    reason = "no Chromium found: install Debian's chromium, or name one in CHROMIUM"
    for item in items:
        if "tests/e2e/" in str(item.path):
            item.add_marker(pytest.mark.skipif(True, reason=reason))


@dataclass
class Stack:
    """The running product."""

    url: str
    launcher: psutil.Process

    def processes(self, word: str) -> list[psutil.Process]:
        """Our own children whose command line has ``word``, without their keepers."""
        found = []
        for process in self.launcher.children(recursive=True):
            try:
                line = process.cmdline()
            except psutil.Error:
                continue
            if any(word in part for part in line) and not any("keep" in part for part in line):
                found.append(process)
        return found

    def kill(self, word: str) -> None:
        """``kill -9``; the keeper starts it again."""
        victims = self.processes(word)
        assert victims, f"nothing runs {word}"
        for victim in victims:
            with suppress(psutil.NoSuchProcess):  # it died with the one before
                victim.send_signal(signal.SIGKILL)


LIMITS = (
    "MESSAGES_PER_USER",
    "MESSAGES_PER_ORGANISATION",
    "TOKENS_PER_USER",
    "TOKENS_PER_ORGANISATION",
    "THREADS_PER_USER",
)


# The first seals, both open: what a deploy looks like before the secrets are rotated.
OLD_KEY = "old:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
NEW_KEY = "new:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY="


@pytest.fixture(scope="package")
def outside() -> Iterator[Outside]:
    """The mail server and the Slack that the product may reach."""
    with listening() as found:
        yield found


@pytest.fixture(scope="package")
def stack(outside: Outside) -> Iterator[Stack]:
    settings = {
        "ONE_HTTP_ALLOWED_HOSTS": f"127.0.0.1:{outside.mail_port}",
        "ONE_PROVIDER_URLS": json.dumps({"slack": outside.slack_url}),
        "ONE_CREDENTIAL_KEYS": f"{OLD_KEY},{NEW_KEY}",
    }
    with running_stack(settings, from_nothing=True) as running:
        yield running


@contextmanager
def running_stack(settings: dict[str, str], *, from_nothing: bool = False) -> Iterator[Stack]:
    """The product with a demo model that is in a hurry, and without limits where not said."""
    folder = Path(tempfile.mkdtemp(prefix="one-e2e-"))
    folder.chmod(0o755)
    if not from_nothing:
        prepared.begin(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outside = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "OPENAI_API_KEY"}
    environment = {key: value for key, value in os.environ.items() if key not in outside} | {
        "ONE_PORT": str(port),
        "ONE_DATA_DIR": str(folder),
        "ONE_DEMO_TOKENS_PER_SECOND": "60",
        "ONE_DEMO_FIRST_TOKEN_MS": "100",
        **{f"ONE_LIMIT_{name}": "off" for name in LIMITS},
        **settings,
    }
    log = folder / "run.log"
    with log.open("wb") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "one_project.run"], env=environment, stdout=output, stderr=output
        )
    try:
        _wait_for_line(log, f"ONE is ready at http://127.0.0.1:{port}", launcher)
        yield Stack(f"http://127.0.0.1:{port}", psutil.Process(launcher.pid))
    finally:
        launcher.terminate()
        launcher.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_line(log: Path, line: str, launcher: "subprocess.Popen[bytes]") -> None:
    with subprocess.Popen(
        ["tail", "-n", "+1", "-f", f"--pid={launcher.pid}", str(log)], stdout=subprocess.PIPE
    ) as tail:
        assert tail.stdout is not None
        timer = threading.Timer(START_SECONDS, tail.kill)
        timer.start()
        try:
            for written in tail.stdout:
                if line in written.decode():
                    return
        finally:
            timer.cancel()
            tail.kill()
    raise AssertionError(f"the product did not start:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


SignIn = Callable[..., Page]


@pytest.fixture
def sign_in(browser: Browser, stack: Stack) -> Iterator[SignIn]:
    """``sign_in("staff")`` opens a browser of that person's own at ``/chat/``."""
    with signed_in(browser, stack) as open_page:
        yield open_page


@contextmanager
def signed_in(browser: Browser, stack: Stack) -> Iterator[SignIn]:
    """What ``sign_in`` gives, on that stack; no script on any page may have failed."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(who: str = "admin", **options: object) -> Page:
        context = browser.new_context(base_url=stack.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto("/chat/")
        page.get_by_label("Email").fill(f"{who}@one.test")
        page.get_by_label("Password").fill("one-demo")
        page.keyboard.press("Enter")
        # Not a pattern: the address of the sign-in page holds "?next=/chat/".
        page.wait_for_url(f"{stack.url}/chat/", wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == [], "JavaScript errors on the page"
