"""The launcher: sequence, messages, stops and crashes, with stand-ins for the Django programs."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from one_project import run
from one_project.embedded import keep, running_postgres
from one_project.embedded.data_dir import port_is_free
from tests.embedded.processes import below, is_running, lines_until, python, wait_until

READY = "ONE is ready at"


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One directory for all tests here: each start is one more restart."""
    path = tmp_path_factory.mktemp("run") / "var"
    yield path
    shutil.rmtree(path)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL",
                 "DJANGO_SETTINGS_MODULE", "DJANGO_SECRET_KEY", "ONE_CREDENTIAL_KEYS",
                 "ONE_HOST"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


def launch(
    port: int, data_dir: Path, **environment: str
) -> AbstractContextManager[subprocess.Popen[str]]:
    told = {"ONE_PORT": str(port), "ONE_DATA_DIR": str(data_dir), **environment}
    return python("-m", "tests.embedded.stand_in", **told)


def pid_of(lines: list[str], name: str) -> int:
    return int(re.search(rf"{name} runs (\d+)", "\n".join(lines))[1])  # type: ignore[index]


def wait_for_both(launcher: subprocess.Popen[str]) -> list[str]:
    """The lines up to where the site is ready and the worker runs, whichever comes last."""
    wanted, lines = {READY, "worker runs"}, []
    assert launcher.stdout is not None
    for line in launcher.stdout:
        lines.append(line.rstrip("\n"))
        wanted = {text for text in wanted if text not in line}
        if not wanted:
            return lines
    raise AssertionError("\n".join(lines))


def database_url(lines: list[str]) -> str:
    return re.search(r"postgres://\S+", "\n".join(lines))[0]  # type: ignore[index]


def owner_url(lines: list[str], data_dir: Path) -> str:
    """The same database as its owner, of whom the web process is not told."""
    password = (data_dir / "secrets" / "postgres-one").read_text()
    return f"postgres://one:{password}@{database_url(lines).rpartition('@')[2]}"


def stop(launcher: subprocess.Popen[str], number: signal.Signals, seconds: float = 10) -> str:
    """Send the signal; returns what is printed from then on."""
    family = below(launcher.pid)
    launcher.send_signal(number)
    begun = time.monotonic()
    output, _ = launcher.communicate(timeout=seconds + 5)
    assert time.monotonic() - begun < seconds
    assert launcher.returncode == 0
    assert not any(map(is_running, family))
    return output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_starts_tells_and_stops(port: int, data_dir: Path, number: signal.Signals) -> None:
    with launch(port, data_dir) as launcher:
        lines = lines_until(launcher, READY)
        assert lines[-1] == f"{READY} http://127.0.0.1:{port}"
        assert lines[0] == f"prepared one_project.settings.development {data_dir}"
        assert re.search(r"^\d\d:\d\d:\d\d web    \| web runs", "\n".join(lines), re.MULTILINE)
        accounts = "\n".join(lines_until(launcher, "outsider@one.test"))
        for account in ("admin", "staff", "learner", "outsider"):
            assert re.search(rf"{account}@one.test +password one-demo", accounts)
        assert "Traceback" not in stop(launcher, number)
    assert port_is_free(port)
    assert "database system is shut down" in (data_dir / "log" / "postgres.log").read_text()


def test_no_accounts_outside_development(port: int, data_dir: Path) -> None:
    told = {"DJANGO_SETTINGS_MODULE": "one_project.settings.production"}
    with launch(port, data_dir, **told) as launcher:
        lines_until(launcher, READY)
        assert "one-demo" not in stop(launcher, signal.SIGTERM)


def test_killed_processes_come_back(port: int, data_dir: Path) -> None:
    with launch(port, data_dir) as launcher:
        lines = wait_for_both(launcher)
        for name in ("web", "worker"):
            first = pid_of(lines, name)
            os.kill(first, signal.SIGKILL)
            more = lines_until(launcher, f"{name} runs")
            assert "was ended by signal SIGKILL" in "\n".join(more)
            assert pid_of(more, name) != first
        stop(launcher, signal.SIGTERM)


def test_only_the_worker_is_told_of_the_owner(port: int, data_dir: Path) -> None:
    with launch(port, data_dir) as launcher:
        lines = wait_for_both(launcher)
        assert urlsplit(database_url(lines)).username == "one_app"
        assert "web told of the owner: False" in "\n".join(lines)
        assert "worker told of the owner: True" in "\n".join(lines)
        stop(launcher, signal.SIGTERM)


def test_killed_keepers_of_the_servers_come_back(port: int, data_dir: Path) -> None:
    with launch(port, data_dir) as launcher:
        url = database_url(lines_until(launcher, READY))
        for pid in below(launcher.pid):
            if _keeps_server(pid):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _connects(url))
        stop(launcher, signal.SIGTERM)


def _keeps_server(pid: int) -> bool:
    try:
        told = psutil.Process(pid).environ().get(keep.ARGUMENTS, "[]")
    except psutil.Error:  # gone already, or not ours to look at: a server, no keeper
        return False
    return json.loads(told)[:1] in (["postgres"], ["redis"])


def _connects(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_deaf_process_does_not_hold_up_the_stop(port: int, data_dir: Path) -> None:
    with launch(port, data_dir, DEAF="1") as launcher:
        wait_for_both(launcher)
        assert "did not stop within 4 s" in stop(launcher, signal.SIGTERM)


def test_stop_during_the_start(port: int, data_dir: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with launch(port, data_dir) as launcher:
            lines_until(launcher, "prepared")
            stop(launcher, number)


@pytest.mark.parametrize("everything", [False, True])
def test_starts_again_after_a_kill(port: int, data_dir: Path, everything: bool) -> None:
    with launch(port, data_dir) as launcher:
        url = owner_url(lines_until(launcher, READY), data_dir)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('kept')")
        family = below(launcher.pid)
        for pid in [launcher.pid, *(family if everything else ())]:
            with suppress(ProcessLookupError):  # ended by the kill of another
                os.kill(pid, signal.SIGKILL)
        launcher.wait()
        with launch(port, data_dir) as again:
            url = database_url(lines_until(again, READY))
            with psycopg.connect(url) as connection:
                assert connection.execute("SELECT word FROM kept").fetchone() == ("kept",)
            wait_until(lambda: not any(map(is_running, family)))
            stop(again, signal.SIGTERM)


def test_database_is_prepared_again_only_after_a_change(port: int, tmp_path: Path) -> None:
    def start(*statements: str) -> bool:
        with launch(port, tmp_path) as launcher:
            lines = lines_until(launcher, READY)
            with psycopg.connect(owner_url(lines, tmp_path)) as connection:
                for statement in statements:
                    connection.execute(statement)
            stop(launcher, signal.SIGTERM)
        return any(line.startswith("prepared") for line in lines)

    assert start(
        "CREATE TABLE django_migrations (id int)", "INSERT INTO django_migrations VALUES (1)"
    )
    assert start()
    assert not start("DELETE FROM django_migrations")
    assert start()


def test_second_launcher_says_that_one_runs(port: int, data_dir: Path) -> None:
    with launch(port, data_dir) as first:
        lines_until(first, READY)
        with launch(port + 1, data_dir) as second:
            output, _ = second.communicate(timeout=20)
        assert second.returncode == 1
        assert f"ONE is already running on {data_dir} (process {first.pid})." in output
        assert "Traceback" not in output
        stop(first, signal.SIGTERM)


def test_next_launcher_waits_for_one_that_stops(port: int, data_dir: Path) -> None:
    with launch(port, data_dir, DEAF="1") as first:
        wait_for_both(first)
        first.terminate()
        lines_until(first, "sending SIGTERM")
        with launch(port, data_dir) as second:
            lines_until(second, READY)
            stop(second, signal.SIGTERM)


def test_taken_port_is_said_clearly(port: int, data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", port)), launch(port, data_dir) as launcher:
        output, _ = launcher.communicate(timeout=20)
    assert launcher.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken by another program." in output
    assert "Traceback" not in output


def test_given_servers_are_used(port: int, tmp_path: Path) -> None:
    with running_postgres(tmp_path / "theirs", fast=True) as url:
        redis = "redis://127.0.0.1:1/0"
        told = {"DATABASE_URL": url, "REDIS_URL": redis}
        with launch(port, tmp_path / "ours", **told) as launcher:
            lines = lines_until(launcher, READY)
            assert database_url(lines) == url
            assert redis in "\n".join(lines)
            stop(launcher, signal.SIGTERM)
    assert not (tmp_path / "ours" / "postgres").exists()


def test_demo_model_only_without_one_of_your_own(tmp_path: Path) -> None:
    environment = {"ONE_DATA_DIR": str(tmp_path), "DATABASE_URL": "x", "REDIS_URL": "y"}
    for extra, wanted in (
        ({}, True),
        ({"OPENAI_API_KEY": ""}, True),
        ({"OPENAI_API_KEY": "k"}, False),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, False),
    ):
        launcher = run.Launcher(run.Options.read({**environment, **extra}))
        told = launcher._start_servers()
        commands = launcher._commands(told)
        assert ("demo" in commands) is wanted
        assert ("ONE_DEMO_URL" in told) is wanted
        if wanted:
            assert commands["demo"][-1] == str(urlsplit(told["ONE_DEMO_URL"]).port)
        assert len(told["DJANGO_SECRET_KEY"]) >= 50
        assert told["DJANGO_SETTINGS_MODULE"] == "one_project.settings.development"
    assert launcher._start_servers()["DJANGO_SECRET_KEY"] == told["DJANGO_SECRET_KEY"]


@pytest.mark.parametrize(
    ("host", "url"),
    [("", "http://127.0.0.1:8000"), ("0.0.0.0", "http://127.0.0.1:8000"),
     ("::1", "http://[::1]:8000"), ("box", "http://box:8000")],
)  # fmt: skip
def test_shown_address(host: str, url: str) -> None:
    assert run.Options.read({"ONE_HOST": host}).url == url


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1"])
def test_bad_port_is_refused(text: str) -> None:
    with pytest.raises(run.StartError, match="ONE_PORT must be a number"):
        run.Options.read({"ONE_PORT": text})


def test_stops_when_the_program_that_started_it_is_gone(port: int, data_dir: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 'tests.embedded.stand_in'])\n"
        "print('launcher', p.pid)\ntime.sleep(60)\n"
    )
    told = {"ONE_PORT": str(port), "ONE_DATA_DIR": str(data_dir), "ONE_STOP_WITH_PARENT": "1"}
    with python("-c", script, **told) as parent:
        lines = lines_until(parent, READY)
        launcher = int(re.search(r"launcher (\d+)", "\n".join(lines))[1])  # type: ignore[index]
        family = {launcher, *below(launcher)}
        parent.kill()
        wait_until(lambda: not any(map(is_running, family)), 10)
