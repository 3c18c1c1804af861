"""Embedded Redis: password, no files, restarts and crashes."""

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from one_project.embedded import redis as embedded
from one_project.embedded import running_redis
from one_project.embedded.errors import EmbeddedServerError
from tests.embedded.processes import is_running, lines_until, parent_of, python, wait_until

LAUNCH = """
import sys, time, pathlib
from one_project.embedded import running_redis
with running_redis(pathlib.Path(sys.argv[1])) as url:
    print(url)
    time.sleep(600)
"""


def server_pid(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_needs_its_password_and_keeps_no_files(tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        parts = urlsplit(url)
        assert parts.hostname == "127.0.0.1"
        with redis.Redis.from_url(url) as client:
            client.set("a", "b")
            assert client.config_get("save") == {"save": ""}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with (
            redis.Redis(port=parts.port or 0) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        command = Path(f"/proc/{server_pid(url)}/cmdline")
        if command.exists():
            assert (parts.password or "") not in command.read_text()
    assert [path.name for path in (tmp_path / "redis").iterdir()] == ["redis.conf"]


def test_same_url_after_a_restart(tmp_path: Path) -> None:
    with running_redis(tmp_path) as first:
        pass
    assert not answers(first)
    with running_redis(tmp_path) as second:
        assert second == first


def test_killed_server_comes_back(tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        killed = server_pid(url)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: answers(url) and server_pid(url) != killed)


def test_killed_launcher_leaves_nothing(tmp_path: Path) -> None:
    with python("-c", LAUNCH, str(tmp_path)) as launcher:
        url = lines_until(launcher, "redis://")[-1]
        server = server_pid(url)
        keeper = parent_of(server)
        launcher.kill()
        launcher.wait()
        wait_until(lambda: not is_running(server) and not is_running(keeper))


def test_orphan_with_our_password_is_stopped(tmp_path: Path) -> None:
    with python("-c", LAUNCH, str(tmp_path)) as launcher:
        url = lines_until(launcher, "redis://")[-1]
        server = server_pid(url)
        # A keeper that cannot act, so that the server outlives its launcher.
        os.kill(parent_of(server), signal.SIGSTOP)
        stopped = parent_of(server)
        launcher.kill()
        launcher.wait()
        try:
            with running_redis(tmp_path) as again:
                assert again == url
                assert server_pid(again) != server
        finally:
            os.kill(stopped, signal.SIGKILL)


def test_foreign_server_on_the_port_is_left_alone(tmp_path: Path) -> None:
    with running_redis(tmp_path / "theirs") as theirs:
        with running_redis(tmp_path / "ours") as ours:
            pass
        port = str(urlsplit(theirs).port)
        (tmp_path / "ours" / "run" / "redis.port").write_text(port)
        with running_redis(tmp_path / "ours") as moved:
            assert urlsplit(moved).port not in {urlsplit(ours).port, int(port)}
        assert answers(theirs)


def test_missing_package_is_said_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PACKAGE", "no_such_package")
    with pytest.raises(EmbeddedServerError, match="set REDIS_URL"), running_redis(tmp_path):
        pass
