"""Run all of ONE on this machine: ``python -m one_project.run``, or ``make run``.

Starts Postgres and Redis where DATABASE_URL and REDIS_URL name none, brings the database up to
date, and runs the web server, a worker, the scheduler and, without a model of your own, the
demo model. docs/adr/0001-embedded-servers.md says why it is built this way.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from one_project.embedded.data_dir import DataDir, Lock, port_is_free
from one_project.embedded.errors import EmbeddedServerError
from one_project.embedded.postgres import EmbeddedPostgres
from one_project.embedded.prepared import Prepared, code_fingerprint
from one_project.embedded.redis import EmbeddedRedis
from one_project.embedded.stack import Stack

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT = "one_project.settings.development"
ACCOUNTS = ("admin@one.test", "staff@one.test", "learner@one.test", "outsider@one.test")
PASSWORD = "one-demo"  # noqa: S105 - of the accounts above, which exist under DEBUG only

# All in seconds.
READY_POLL = 0.05
SLOW_START = 60.0
WATCH_EVERY = 0.5
LOCK_WAIT = 2.0
STOP_WAIT = 15.0
PORT_WAIT = 10.0
# The scheduler has rare chores only; it leaves the first seconds to what a visitor waits for.
DELAYS = {"beat": 6.0}

# The database for the role that may change tables: for migrations, and for the indexes that the
# worker builds. Nothing else is told of it.
OWNER_URL = "DATABASE_OWNER_URL"
OWNERS = {"worker"}

EmbeddedServer = EmbeddedPostgres | EmbeddedRedis


class StartError(RuntimeError):
    """ONE cannot be started; the text says why and what to do."""


@dataclass(frozen=True)
class Options:
    """What the environment asks for."""

    host: str
    port: int
    data_dir: Path
    environment: Mapping[str, str]

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Options":
        """Read ONE_HOST, ONE_PORT and ONE_DATA_DIR; raises ``StartError`` for a bad port."""
        text = environment.get("ONE_PORT") or "8000"
        if not text.isdigit() or not 1 <= int(text) <= 65_535:
            raise StartError(f"ONE_PORT must be a number from 1 to 65535, not {text!r}.")
        data_dir = Path(environment.get("ONE_DATA_DIR") or ROOT / "var").expanduser().resolve()
        return cls(environment.get("ONE_HOST") or "127.0.0.1", int(text), data_dir, environment)

    @property
    def visible_host(self) -> str:
        """A host under which a browser on this machine reaches the server."""
        if self.host in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared, not bound
            return "127.0.0.1"
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def url(self) -> str:
        """Where the site is."""
        return f"http://{self.visible_host}:{self.port}"

    @property
    def wants_demo(self) -> bool:
        """Whether no model server is named, so that the built-in one is needed."""
        return not (
            self.environment.get("OPENAI_API_KEY") or self.environment.get("OPENAI_BASE_URL")
        )

    @property
    def is_development(self) -> bool:
        """Whether the development settings, hence the development accounts, are used."""
        return self.environment.get("DJANGO_SETTINGS_MODULE", DEVELOPMENT) == DEVELOPMENT


class Launcher:
    """Starts everything in order, runs it, and stops it in the opposite order."""

    def __init__(self, options: Options) -> None:
        """Create the data directory when it is missing."""
        self.options = options
        self.state = DataDir(options.data_dir)
        self.servers: list[EmbeddedServer] = []
        # ``make`` killed outright cannot stop us; it asks to be watched instead.
        self.parent = os.getppid() if os.environ.get("ONE_STOP_WITH_PARENT") else None

    def run(self) -> int:
        """Run until stopped; returns the exit code.

        Raises ``StartError`` or ``EmbeddedServerError`` when something cannot be started.
        """
        with ExitStack() as stack:
            lock = stack.enter_context(self._only_launcher())
            self._wait_for_port(PORT_WAIT if lock.left_behind else 0.0)
            stack.callback(self._stop_servers)
            stack.callback(lock.say_stopping)  # a second launcher then waits for us
            environment = self._start_servers()
            self._prepare(environment)
            processes = Stack(sys.stdout.fileno(), self._accompany, lock.say_stopping)
            for name, command in self._commands(environment).items():
                told = _without_owner(environment) if name not in OWNERS else environment
                processes.keep(name, command, told, ROOT, DELAYS.get(name, 0.0))
            processes.loop()
            # Asked to stop is a good end; anything else is what the process ended with.
            return 0 if processes.returncode in {0, 130, 143} else 1

    @contextmanager
    def _only_launcher(self) -> Iterator[Lock]:
        lock = Lock(self.state.run / "launcher.lock")
        if not lock.acquire(wait=LOCK_WAIT, wait_for_stop=STOP_WAIT):
            raise StartError(
                f"ONE is already running on {self.state.path} (process {lock.holder()}). "
                "Stop that one first, or choose another folder with ONE_DATA_DIR."
            )
        try:
            yield lock
        finally:
            lock.release()

    def _wait_for_port(self, seconds: float) -> None:
        """Wait for the web port; processes of a killed launcher may still be ending."""
        until = time.monotonic() + seconds
        host, port = self.options.host, self.options.port
        try:
            while not port_is_free(port, host):
                if time.monotonic() >= until:
                    raise StartError(
                        f"Port {port} on {host} is taken by another program. Stop that program, "
                        f"or choose another port: ONE_PORT={port % 65_535 + 1} make run"
                    )
                time.sleep(0.1)
        except socket.gaierror as error:
            raise StartError(f"ONE_HOST={host} is not an address of this machine.") from error

    def _start_servers(self) -> dict[str, str]:
        """Start what is missing; returns the environment of all processes."""
        environment = dict(self.options.environment)
        wanted: dict[str, Callable[[Path], EmbeddedServer]] = {
            "DATABASE_URL": EmbeddedPostgres,
            "REDIS_URL": EmbeddedRedis,
        }
        started: dict[str, EmbeddedServer] = {}
        for variable, server_class in wanted.items():
            if not environment.get(variable):
                server = server_class(self.state.path)
                self.servers.append(server)
                started[variable] = server
                server.start()
        environment |= {variable: server.wait() for variable, server in started.items()}
        if isinstance(database := started.get("DATABASE_URL"), EmbeddedPostgres):
            environment[OWNER_URL] = environment["DATABASE_URL"]
            environment["DATABASE_URL"] = database.app_url
        environment.setdefault("DJANGO_SETTINGS_MODULE", DEVELOPMENT)
        environment["ONE_DATA_DIR"] = str(self.state.path)
        environment["PYTHONUNBUFFERED"] = "1"  # lines appear when they are written
        if not environment.get("DJANGO_SECRET_KEY"):
            environment["DJANGO_SECRET_KEY"] = self.state.secret("django", 48)
        if not environment.get("ONE_CREDENTIAL_KEYS"):
            environment["ONE_CREDENTIAL_KEYS"] = f"made:{self.state.secret('credentials')}"
        if self.options.wants_demo:
            environment["ONE_DEMO_URL"] = f"http://127.0.0.1:{self.state.port('demo')}/v1"
        return environment

    def _stop_servers(self) -> None:
        """Stop Redis, then Postgres; a second Ctrl-C does not cut that short."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for server in reversed(self.servers):
            server.stop()

    def _prepare(self, environment: Mapping[str, str]) -> None:
        """Bring the database up to date, unless it is the one we left so last time."""
        note = Prepared(self.state.run / "prepared", code_fingerprint(ROOT, environment))
        ours = [server for server in self.servers if isinstance(server, EmbeddedPostgres)]
        if ours and note.still(ours[0].migrations_mark()):
            return
        self._run_prepare(environment)
        if ours:
            note.remember(ours[0].migrations_mark())

    def _run_prepare(self, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "one_project.embedded.prepare"]
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            cwd=ROOT,
            env=dict(environment),
            start_new_session=True,  # a Ctrl-C is for us, who then end it
            check=False,
        )
        if done.returncode != 0:
            raise StartError("The database could not be brought up to date; see above.")

    def _commands(self, environment: Mapping[str, str]) -> dict[str, list[str]]:
        """The processes to run, by the name their lines carry."""
        options, python = self.options, [sys.executable, "-m"]
        celery = [*python, "celery", "--quiet", "-A", "one_project"]
        web = ["daphne", "-b", options.host, "-p", str(options.port), "-v", "0"]
        worker = ["worker", "--pool", "threads", "--concurrency", "4", "--loglevel", "INFO"]
        worker += ["-Q", "celery", "--without-gossip", "--without-mingle"]
        schedule = self.state.path / "celerybeat-schedule"
        commands = {
            "web": [*python, *web, "one_project.asgi:application"],
            "worker": [*celery, *worker],
            "beat": [*celery, "beat", "--schedule", str(schedule), "--pidfile="],
        }
        if options.wants_demo:
            port = environment["ONE_DEMO_URL"].removesuffix("/v1").rpartition(":")[2]
            commands["demo"] = [*python, "agents_app.providers.demo", "--port", port]
        return commands

    def _accompany(self, processes: Stack) -> None:
        """Beside the processes: tell when ONE is ready, then watch the servers and the parent."""
        begun = time.monotonic()
        ready = told_slow = False
        while not processes.stopping.wait(WATCH_EVERY if ready else READY_POLL):
            if not ready and self._is_ready():
                ready = True
                processes.say(self._welcome())
            elif not ready and not told_slow and time.monotonic() - begun > SLOW_START:
                told_slow = True
                processes.say(f"{self.options.url}/readyz is not ready yet; see the lines above.")
            for server in self.servers:
                server.ensure()
            if self.parent is not None and os.getppid() != self.parent:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def _is_ready(self) -> bool:
        host, port = self.options.visible_host.strip("[]"), self.options.port
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection(host, port, timeout=5)) as connection,
        ):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        return False

    def _welcome(self) -> str:
        lines = [f"ONE is ready at {self.options.url}"]
        if self.options.is_development:
            lines += ["", "Accounts for trying it out:"]
            lines += [f"  {account:<20} password {PASSWORD}" for account in ACCOUNTS]
            lines += [""]
        return "\n".join(lines)


def _without_owner(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name != OWNER_URL}


def _end(number: int, frame: object) -> None:
    """End an ordered way, whatever is under way."""
    raise SystemExit(0)


def main() -> int:
    """Run ONE with what the environment says; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored under nohup, and stays so
        # A terminal that closes: stop as if asked to, under honcho's handlers as well.
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        return Launcher(Options.read(os.environ)).run()
    except (StartError, EmbeddedServerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
