"""Secrets, ports, logs and locks of a data directory."""

import socket
import stat
from pathlib import Path

from one_project.embedded.data_dir import FIRST_PORT, LAST_PORT, DataDir, Lock, port_is_free
from tests.embedded.processes import lines_until, python

HOLD = """
import pathlib, sys, time
from one_project.embedded.data_dir import Lock
lock = Lock(pathlib.Path(sys.argv[1]))
assert lock.acquire()
print("held")
time.sleep(float(sys.argv[2]))
if sys.argv[2] != "60":
    lock.say_stopping()
    print("stopping")
    time.sleep(1.5)
    lock.release()
"""


def test_secret_is_made_once_and_private(tmp_path: Path) -> None:
    state = DataDir(tmp_path / "a" / "b")
    value = state.secret("word")
    assert len(value) == 43
    assert DataDir(tmp_path / "a" / "b").secret("word") == value
    assert state.secret("other") != value
    path = state.path / "secrets" / "word"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_existing_directory_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    DataDir(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_port_is_remembered_and_left_when_taken(tmp_path: Path) -> None:
    state = DataDir(tmp_path)
    port = state.port("web")
    assert FIRST_PORT <= port < LAST_PORT
    assert state.port("web") == port == state.last_port("web")
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free(port)
        assert state.port("web") != port
    (tmp_path / "run" / "web.port").write_text("nonsense")
    assert state.last_port("web") is None
    assert state.port("web")


def test_big_log_is_put_aside(tmp_path: Path) -> None:
    state = DataDir(tmp_path)
    state.log("x").write_bytes(b"." * (10 * 1024 * 1024 + 1))
    assert not state.log("x").exists()
    assert (tmp_path / "log" / "x.log.1").exists()


def test_lock_tells_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with python("-c", HOLD, str(path), "60") as holder:
        lines_until(holder, "held")
        lock = Lock(path)
        assert not lock.acquire()
        assert lock.holder() == holder.pid
        lock.release()  # not ours: the holder's line stays
        assert path.read_text() == str(holder.pid)
        holder.kill()
        holder.wait()
    lock = Lock(path)
    assert lock.acquire()
    assert lock.left_behind
    lock.release()
    again = Lock(path)
    assert again.acquire()
    assert not again.left_behind
    again.release()


def test_lock_waits_for_a_holder_that_is_stopping(tmp_path: Path) -> None:
    with python("-c", HOLD, str(tmp_path / "lock"), "0.1") as holder:
        lines_until(holder, "stopping")
        lock = Lock(tmp_path / "lock")
        assert lock.acquire(wait=0.0, wait_for_stop=10.0)
        lock.release()
