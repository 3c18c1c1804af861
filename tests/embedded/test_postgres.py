"""Embedded Postgres: first start, restarts, crashes, root, and what it refuses."""

import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from one_project.common.row_security import policy_sql
from one_project.common.tenancy import SETTING
from one_project.embedded import identity, postgres, running_postgres, running_postgres_roles
from one_project.embedded.errors import EmbeddedServerError
from one_project.embedded.postgres import EmbeddedPostgres
from tests.embedded.processes import is_running, lines_until, parent_of, python, wait_until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as somebody else")

LAUNCH = """
import sys, time, pathlib
from one_project.embedded import running_postgres
with running_postgres(pathlib.Path(sys.argv[1]), fast=True) as url:
    print(url)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a stopped cluster, to be copied: initdb is the slow part."""
    path = tmp_path_factory.mktemp("made") / "data"
    with running_postgres(path, fast=True) as url:
        run(url, "CREATE TABLE kept (word text)")
        run(url, "INSERT INTO kept VALUES ('still here')")
    return path


@pytest.fixture
def data_dir(made: Path, tmp_path: Path) -> Iterator[Path]:
    """A data directory of its own with the table ``kept`` in it."""
    path = tmp_path / "data"
    # With the owners: run as root, the cluster belongs to another user.
    subprocess.run(["cp", "-a", str(made), str(path)], check=True)
    yield path
    shutil.rmtree(path)  # 50 MB each, which pytest would keep for three runs


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory every user may enter, unlike those pytest makes."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def word(url: str) -> object:
    return run(url, "SELECT word FROM kept")[0][0]


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def works(url: str) -> bool:
    try:
        return word(url) == "still here"
    except psycopg.OperationalError:
        return False


def test_settings_and_role(data_dir: Path) -> None:
    with running_postgres(data_dir) as url:
        query = "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        assert run(url, query) == [(False, True)]
        assert run(url, "SHOW timezone") == [("UTC",)]
        assert run(url, "SHOW fsync") == [("on",)]
        assert run(url, "SHOW server_encoding") == [("UTF8",)]
        assert run(url, "SHOW listen_addresses") == [("127.0.0.1",)]
        assert run(url, "SELECT upper('ä')") == [("Ä",)]
        assert run(url, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'one'")[
            0
        ] == ("one",)
        wrong = url.replace(urlsplit(url).password or "", "guessed")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            run(wrong, "SELECT 1")


def test_vectors_in_every_database_of_the_role(data_dir: Path) -> None:
    with running_postgres(data_dir, fast=True) as url:
        run(url, "CREATE DATABASE test_one")
        other = url.removesuffix("/one") + "/test_one"
        for database in (url, other):
            run(database, "CREATE EXTENSION IF NOT EXISTS vector")
            assert run(database, "SELECT '[1,2]'::vector <-> '[1,4]'") == [(2.0,)]


def test_application_uses_what_the_owner_makes_and_changes_no_table(data_dir: Path) -> None:
    with running_postgres_roles(data_dir, fast=True) as (owner, app):
        query = "SELECT rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole FROM pg_roles"
        assert run(app, f"{query} WHERE rolname = current_user") == [(False,)]
        run(owner, "CREATE DATABASE test_one")
        for owned, used in ((owner, app), (f"{owner[:-4]}/test_one", f"{app[:-4]}/test_one")):
            run(owned, "CREATE TABLE made (id serial, word text)")
            run(used, "INSERT INTO made (word) VALUES ('one'), ('two')")
            assert run(used, "UPDATE made SET word = 'three' WHERE id = 2") == []
            assert run(used, "DELETE FROM made WHERE id = 1 RETURNING word") == [("one",)]
            for statement in (
                "TRUNCATE made",
                "DROP TABLE made",
                "ALTER TABLE made DISABLE ROW LEVEL SECURITY",
                "CREATE INDEX ON made (word)",
                "CREATE TABLE more (id integer)",
                "SET ROLE one",
                "SET SESSION AUTHORIZATION one",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    run(used, statement)


def test_older_cluster_gets_the_role(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, fast=True)
    server.start()
    server.wait()
    superuser = server._url(postgres.SUPERUSER, postgres.DATABASE)
    # As it was before there was such a role.
    run(server._url(postgres.SUPERUSER, "template1"), "DROP OWNED BY one_app")
    run(superuser, "DROP OWNED BY one_app")
    run(superuser, "DROP ROLE one_app")
    run(superuser, "ALTER FUNCTION ts_match_vq(tsvector, tsquery) NOT LEAKPROOF")
    server.stop()
    (data_dir / "secrets" / "postgres-one-app").unlink()
    for _ in range(2):
        with running_postgres_roles(data_dir, fast=True) as (owner, app):
            assert word(app) == "still here"
            run(owner, "CREATE TABLE IF NOT EXISTS made (id serial)")
            run(app, "INSERT INTO made DEFAULT VALUES")
            query = "SELECT proleakproof FROM pg_proc WHERE proname = 'ts_match_vq'"
            assert run(app, query) == [(True,)]


def test_text_index_is_used_under_row_level_security(data_dir: Path) -> None:
    tenant = "01234567-0123-7123-8123-0123456789ab"
    server = EmbeddedPostgres(data_dir, fast=True)

    def plan() -> str:
        with psycopg.connect(server.app_url) as connection:
            connection.execute("SELECT set_config(%s, %s, true)", [SETTING, tenant])
            asked = f"organisation_id = '{tenant}' AND words @@ 'rare7'::tsquery"
            query = f"EXPLAIN (COSTS OFF) SELECT * FROM texts WHERE {asked}"
            return str(connection.execute(query.encode()).fetchall())

    server.start()
    try:
        run(
            server.wait(),
            f"""
            CREATE TABLE texts (organisation_id uuid, words tsvector);
            INSERT INTO texts SELECT '{tenant}', to_tsvector('english', 'common rare' || n)
            FROM generate_series(1, 20000) n;
            CREATE INDEX texts_words ON texts USING gin (words);
            {policy_sql("texts")}
            ANALYZE texts;
            """,
        )
        assert "texts_words" in plan()
        # Without the mark Postgres reads all of the tenant's rows.
        superuser = server._url(postgres.SUPERUSER, postgres.DATABASE)
        run(superuser, "ALTER FUNCTION ts_match_vq(tsvector, tsquery) NOT LEAKPROOF")
        assert "texts_words" not in plan()
    finally:
        server.stop()


def test_passwords_are_private_and_stay(data_dir: Path) -> None:
    secrets = {path: path.read_text() for path in (data_dir / "secrets").iterdir()}
    assert len(secrets) == 3
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((data_dir / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "postgres").stat().st_mode) == 0o700
    with running_postgres(data_dir, fast=True) as url:
        assert urlsplit(url).password in secrets.values()
        command = Path(f"/proc/{postmaster(data_dir)}/cmdline")
        if command.exists():
            assert not any(secret in command.read_text() for secret in secrets.values())
    assert not (data_dir / "postgres.password").exists()


def test_port_is_remembered_unless_taken(data_dir: Path) -> None:
    with running_postgres(data_dir, fast=True) as url:
        first = urlsplit(url).port
    with running_postgres(data_dir, fast=True) as url:
        assert urlsplit(url).port == first
    with python("-c", f"import socket; s = socket.create_server(('127.0.0.1', {first}));"
                      "print('bound'); s.accept()") as other:  # fmt: skip
        lines_until(other, "bound")
        with running_postgres(data_dir, fast=True) as url:
            assert urlsplit(url).port != first
            assert works(url)


def test_killed_server_comes_back(data_dir: Path) -> None:
    with running_postgres(data_dir) as url:
        run(url, "INSERT INTO kept VALUES ('written before the kill')")
        killed = postmaster(data_dir)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: works(url) and postmaster(data_dir) != killed)
        assert run(url, "SELECT count(*) FROM kept") == [(2,)]
        last = postmaster(data_dir)
    assert not is_running(last)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs the parent-death signal")
def test_killed_keeper_takes_the_server_along(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, fast=True)
    server.start()
    try:
        url = server.wait()
        first = postmaster(data_dir)
        os.kill(parent_of(first), signal.SIGKILL)
        wait_until(lambda: not is_running(first))
        wait_until(lambda: server.ensure() is None and works(url))
    finally:
        server.stop()


def test_killed_launcher_leaves_nothing_and_loses_nothing(data_dir: Path) -> None:
    with python("-c", LAUNCH, str(data_dir)) as launcher:
        url = lines_until(launcher, "postgres://")[-1]
        run(url, "INSERT INTO kept VALUES ('written before the kill')")
        server = postmaster(data_dir)
        launcher.kill()
        launcher.wait()
        # At once, while the old server may still be stopping.
        with running_postgres(data_dir, fast=True) as url:
            assert run(url, "SELECT count(*) FROM kept") == [(2,)]
            assert not is_running(server)


def test_everything_killed_at_once(data_dir: Path) -> None:
    with python("-c", LAUNCH, str(data_dir)) as launcher:
        lines_until(launcher, "postgres://")
        server = postmaster(data_dir)
        for pid in (launcher.pid, parent_of(server), server):
            os.kill(pid, signal.SIGKILL)
        with running_postgres(data_dir, fast=True) as url:
            assert word(url) == "still here"


def test_orphan_is_stopped_before_the_next_start(data_dir: Path) -> None:
    cluster = data_dir / "postgres"
    who = identity.server_identity(postgres.program("postgres"), cluster)
    uid, gid = who.user or (None, None)
    command = [str(postgres.program("postgres")), "-D", str(cluster)]
    command += ["-c", "unix_socket_directories=", "-c", "port=20999"]
    orphan = subprocess.Popen(who.command(command), user=uid, group=gid, cwd="/",
                              stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        wait_until(lambda: "ready" in _pid_file(cluster))
        with running_postgres(data_dir, fast=True) as url:
            assert orphan.wait(5) == 0  # a clean end
            assert word(url) == "still here"
    finally:
        orphan.kill()
        orphan.wait()


def _pid_file(cluster: Path) -> str:
    path = cluster / "postmaster.pid"
    return path.read_text() if path.exists() else ""


def test_foreign_process_in_a_stale_pid_file_is_left_alone(data_dir: Path) -> None:
    with python("-c", "print('up'); import time; time.sleep(60)") as bystander:
        lines_until(bystander, "up")
        (data_dir / "postgres" / "postmaster.pid").write_text(
            f"{bystander.pid}\n{data_dir}/postgres\n1\n5432\n\n127.0.0.1\n\nready\n"
        )
        with running_postgres(data_dir, fast=True) as url:
            assert word(url) == "still here"
        assert is_running(bystander.pid)


def test_second_process_on_the_same_directory_is_refused(data_dir: Path) -> None:
    with python("-c", LAUNCH, str(data_dir)) as first:
        url = lines_until(first, "postgres://")[-1]
        server = EmbeddedPostgres(data_dir)
        server._lock.acquire = lambda wait: False  # type: ignore[method-assign]  # not 10 s
        with pytest.raises(EmbeddedServerError, match=f"Process {first.pid} runs"):
            server.start()
        server.stop()
        assert works(url)


def test_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    draft = tmp_path / "data" / "postgres.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18")
    with running_postgres(tmp_path / "data", fast=True) as url:
        assert run(url, "SELECT 1") == [(1,)]
    assert not draft.exists()


def test_missing_package_is_said_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "PACKAGE", "no_such_package")
    with (
        pytest.raises(EmbeddedServerError, match="set DATABASE_URL"),
        running_postgres(tmp_path),
    ):
        pass


@as_root
def test_root_runs_it_as_nobody_where_nobody_may_enter(made: Path, open_dir: Path) -> None:
    data = open_dir / "data"
    subprocess.run(["cp", "-a", str(made), str(data)], check=True)
    copied = copy_programs(open_dir)
    assert identity.server_identity(copied / "bin/postgres", data / "postgres").capability is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "program", lambda name: copied / "bin" / name)
        with running_postgres(data, fast=True) as url:
            assert word(url) == "still here"
            status = Path(f"/proc/{postmaster(data)}/status").read_text()
    assert status_field(status, "CapEff") == "0" * 16
    assert status_field(status, "Uid").split()[0] != "0"


@as_root
def test_root_runs_it_with_one_capability_in_a_closed_folder(open_dir: Path) -> None:
    closed = open_dir / "closed"
    closed.mkdir(mode=0o700)
    copied = copy_programs(closed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "program", lambda name: copied / "bin" / name)
        with running_postgres(closed / "data", fast=True) as url:
            assert run(url, "SELECT 1") == [(1,)]
            server = postmaster(closed / "data")
            status = Path(f"/proc/{server}/status").read_text()
            # Even so it ends with its keeper.
            os.kill(parent_of(server), signal.SIGKILL)
            wait_until(lambda: not is_running(server))
    assert status_field(status, "CapEff") in {f"{2:016x}", f"{4:016x}"}
    assert status_field(status, "Uid").split()[0] != "0"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def status_field(status: str, name: str) -> str:
    return dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)[name].strip()


def copy_programs(target: Path) -> Path:
    """Copy the installed programs below ``target``, as a clone with its ``.venv`` has them."""
    package = postgres.program("postgres").parent.parent.parent
    inner = target / "site-packages"
    for folder in (package / "pginstall18", package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, inner / folder.relative_to(package.parent), symlinks=True)
    return inner / package.name / "pginstall18"
