"""The real application as child processes on private ports with private data.

The application (web server, worker, Redis and Postgres) shares one core; the load and the paced
model server have the other. Everything is stopped when the block of ``running_stack`` ends, and
dies with this process should that be killed.
"""

import asyncio
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from benchmarks import options, prepared, processes
from one_project.embedded.data_dir import DataDir
from one_project.embedded.postgres import EmbeddedPostgres
from one_project.embedded.redis import EmbeddedRedis

P = ParamSpec("P")
T = TypeVar("T")

READY_WITHIN = 60.0  # seconds
SERVERS = ("daphne", "uvicorn")
GROUPS = ("web", "worker", "redis", "postgres")
LIMITS = (
    "ONE_LIMIT_MESSAGES_PER_USER",
    "ONE_LIMIT_MESSAGES_PER_ORGANISATION",
    "ONE_LIMIT_TOKENS_PER_USER",
    "ONE_LIMIT_TOKENS_PER_ORGANISATION",
    "ONE_LIMIT_THREADS_PER_USER",
    "ONE_LIMIT_SMS_PER_USER",
    "ONE_LIMIT_EMAILS_PER_USER",
    "ONE_LIMIT_DELIVERIES_PER_RECIPIENT",
    "ONE_LIMIT_DELIVERIES_PER_ORGANISATION",
)


@dataclass
class Stack:
    """Where the parts are. ``environment`` is that of every process of the application."""

    folder: Path
    environment: dict[str, str]
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    model_port: int
    web_port: int
    app_core: int
    load_core: int
    first: bool
    server: str = "daphne"
    web: subprocess.Popen[bytes] | None = None
    worker: subprocess.Popen[bytes] | None = None
    model: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.web_port}"

    def start_web(self) -> None:
        """Start the web server ``server``; does not wait."""
        python = [sys.executable, "-m"]
        port, application = str(self.web_port), "one_project.asgi:application"
        if self.server == "daphne":
            command = [*python, "daphne", "-b", "127.0.0.1", "-p", port, application]
        else:
            command = [*python, "uvicorn", "--host", "127.0.0.1", "--port", port, application]
            command += ["--log-level", "warning", "--no-access-log", "--lifespan", "off"]
        with processes.placed(self.app_core, first=self.first):
            self.web = processes.start(command, self.environment, self.folder / "web.log")

    def start_worker(self) -> None:
        """Start the worker; does not wait."""
        command = [sys.executable, "-m", "celery", "-A", "one_project", "worker"]
        command += ["--pool", "threads", "--concurrency", "4", "-Q", "celery"]
        command += ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
        with processes.placed(self.app_core, first=self.first):
            self.worker = processes.start(command, self.environment, self.folder / "worker.log")

    def start_application(self, server: str) -> None:
        """Web server and worker anew; returns when both serve."""
        self.stop_application()
        self.server = server
        self.start_web()
        self.start_worker()
        self.wait_for_web()
        self._wait_for_worker()

    def stop_application(self) -> None:
        for process in (self.web, self.worker):
            processes.stop(process)
        self.web = self.worker = None

    def wait_for_web(self, within: float = READY_WITHIN) -> None:
        """Return once ``/readyz`` says yes. Raises TimeoutError with the end of the log."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"the web server is not ready:\n{self.log_end('web')}")

    def _wait_for_worker(self) -> None:
        """Its engine listens on the control channel once it runs."""
        import redis

        from one_project.workflows.bell import CHANNEL

        until = time.monotonic() + READY_WITHIN
        with redis.Redis.from_url(self.environment["REDIS_URL"]) as client:
            while time.monotonic() < until:
                if client.pubsub_numsub(CHANNEL)[0][1]:
                    return
                time.sleep(0.05)
        raise TimeoutError(f"the worker is not ready:\n{self.log_end('worker')}")

    def log_end(self, name: str, lines: int = 20) -> str:
        with suppress(OSError):
            return "\n".join((self.folder / f"{name}.log").read_text().splitlines()[-lines:])
        return ""

    def pids(self) -> dict[str, int]:
        """The top process of each of ``GROUPS``."""
        postmaster = self.postgres.cluster / "postmaster.pid"
        return {
            "web": self.web.pid if self.web else 0,
            "worker": self.worker.pid if self.worker else 0,
            "redis": processes.child_named("redis-server"),
            "postgres": int(postmaster.read_text().split()[0]),
        }

    def cpu(self) -> dict[str, float]:
        """CPU seconds each group has used since it was started."""
        return {name: processes.cpu_seconds(pid) for name, pid in self.pids().items()}


@contextmanager
def running_stack(model: list[str], *, server: str = "benchmarks.paced_server") -> Iterator[Stack]:
    """Postgres, Redis and the model server (``model``: its options), migrated; no application yet.

    Django is set up in this process when the block begins. PRIORITY=1 in the
    environment is for machines where other programs run, too (see ``placed``).
    """
    app_core, load_core = processes.cores()
    first = options.choice("PRIORITY", "0", ["0", "1"]) == "1"
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="one-bench-")))
        folder.chmod(0o755)
        state = DataDir(folder / "data")
        prepared.begin(state.path)
        with processes.placed(app_core, first=first):
            postgres, redis = EmbeddedPostgres(state.path), EmbeddedRedis(state.path)
            for store in (postgres, redis):
                cleanup.callback(store.stop)
                store.start()
            urls = {"DATABASE_URL": postgres.wait(), "REDIS_URL": redis.wait()}
        stack = Stack(
            folder=folder,
            environment=_environment(urls, state),
            postgres=postgres,
            redis=redis,
            model_port=state.port("model"),
            web_port=state.port("web"),
            app_core=app_core,
            load_core=load_core,
            first=first,
        )
        stack.environment["OPENAI_BASE_URL"] = f"http://127.0.0.1:{stack.model_port}/v1"
        with processes.placed(load_core, first=first):
            command = [sys.executable, "-m", server, str(stack.model_port)]
            server_log = folder / "model.log"
            paced = processes.start([*command, *model], stack.environment, server_log)
        cleanup.callback(processes.stop, paced)
        stack.model = paced
        _migrate(stack)
        cleanup.callback(_close_database)
        cleanup.callback(stack.stop_application)
        yield stack


def _environment(urls: dict[str, str], state: DataDir) -> dict[str, str]:
    ours = {
        "DJANGO_SETTINGS_MODULE": "one_project.settings.development",
        "ONE_DEBUG": "0",
        "ONE_LOG_LEVEL": "WARNING",
        "DJANGO_SECRET_KEY": state.secret("django", 48),
        "OPENAI_API_KEY": "for-the-paced-server",
        "ONE_CHAT_MODEL": "paced",
        "PYTHONUNBUFFERED": "1",
        # Nobody types as fast as these people.
        **dict.fromkeys(LIMITS, "off"),
    }
    return {**os.environ, **urls, **ours}


def _migrate(stack: Stack) -> None:
    """In this process, which needs Django for the rows it makes and checks."""
    os.environ.update(stack.environment)
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    # The threads of a pool would starve beside processes that run first (see ``placed``).
    connections.settings["default"]["OPTIONS"].pop("pool", None)
    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)


def _close_database() -> None:
    from django.db import connection

    connection.close()


def in_thread(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """``function``, which uses the database, as a coroutine: run in a thread, nothing left open."""

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        from django.db import connection

        try:
            return function(*args, **kwargs)
        finally:
            connection.close()

    def start(*args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        return asyncio.to_thread(run, *args, **kwargs)

    return start
