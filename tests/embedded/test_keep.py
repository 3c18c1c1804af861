"""The keeper: restarts, stops, and ends with its launcher."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from one_project.embedded import keep
from tests.embedded.processes import below, is_running, lines_until, python, wait_until

KEEP = ("-m", "one_project.embedded.keep")
SLEEP = "import os, time; print('up', os.getpid()); time.sleep(60)"
DEAF = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', os.getpid()); time.sleep(60)"
)
TELL = (
    "import signal, sys, time;"
    "signal.signal(signal.SIGINT, lambda *_: (print('interrupted'), sys.exit(0)));"
    "print('up'); time.sleep(60)"
)


def child_pid(keeper: subprocess.Popen[str]) -> int:
    return int(lines_until(keeper, "up")[-1].split()[1])


def rest(keeper: subprocess.Popen[str]) -> str:
    assert keeper.stdout is not None
    return keeper.stdout.read()


def test_restarts_what_dies_and_waits_longer_each_time() -> None:
    with python(*KEEP, "it", "--", "sh", "-c", "echo up; exit 3") as keeper:
        begun = time.monotonic()
        for delay in ("0.5", "1"):
            lines = lines_until(keeper, "starting it again")
            assert lines == ["up", "it: ended by itself with code 3",
                             f"it: starting it again in {delay} s"]  # fmt: skip
        assert lines_until(keeper, "up")
        assert 1.4 < time.monotonic() - begun < 5
        keeper.terminate()
        assert keeper.wait(5) == 0


def test_kill_is_told_by_name() -> None:
    with python(*KEEP, "it", "--", "python3", "-uc", SLEEP) as keeper:
        first = child_pid(keeper)
        os.kill(first, signal.SIGKILL)
        assert "it: was ended by signal SIGKILL" in lines_until(keeper, "starting it again")
        assert child_pid(keeper) != first


def test_delays_grow_and_start_again_after_health(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    clock = [0.0]
    lives = iter([0.0] * 6 + [keep.HEALTHY_AFTER] + [0.0])
    options = keep._parse(["it", "--", "true"])
    monkeypatch.setattr(keep.signal, "signal", lambda *_: None)
    monkeypatch.setattr(keep.signal, "set_wakeup_fd", lambda *_, **__: -1)
    monkeypatch.setattr(keep.time, "monotonic", lambda: clock[0])
    keeper = keep.Keeper(options, {})

    def start() -> None:
        life = next(lives, None)
        if life is None:
            keeper.stopping = True
        else:
            clock[0] += life

    monkeypatch.setattr(keeper, "_start", start)
    monkeypatch.setattr(keeper, "_pause", naps.append)
    keeper.run()
    assert naps[:9] == [0.0, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 0.5, 1.0]


def test_first_start_can_be_delayed() -> None:
    with python(*KEEP, "it", "--delay", "0.7", "--", "sh", "-c", "echo up; sleep 60") as keeper:
        begun = time.monotonic()
        lines_until(keeper, "up")
        assert time.monotonic() - begun >= 0.7
    with python(*KEEP, "it", "--delay", "60", "--", "echo", "up") as keeper:
        time.sleep(0.3)
        keeper.terminate()
        assert rest(keeper) == ""


def test_passes_the_chosen_stop_signal_on() -> None:
    with python(*KEEP, "it", "--stop-signal", "INT", "--", "python3", "-uc", TELL) as keeper:
        lines_until(keeper, "up")
        keeper.terminate()
        assert rest(keeper) == "interrupted\n"
        assert keeper.wait(5) == 0


def test_kills_what_does_not_stop_in_time() -> None:
    with python(*KEEP, "it", "--grace", "0.3", "--", "python3", "-uc", DEAF) as keeper:
        child = child_pid(keeper)
        begun = time.monotonic()
        keeper.terminate()
        assert "did not stop within 0.3 s and was killed" in rest(keeper)
        assert keeper.wait(5) == 0
        assert 0.25 < time.monotonic() - begun < 3
        assert not is_running(child)


def test_takes_the_children_of_its_child_along() -> None:
    with python(*KEEP, "it", "--", "sh", "-c", "sleep 60 & sleep 61 & echo up; wait") as keeper:
        lines_until(keeper, "up")
        family = below(keeper.pid)
        assert len(family) == 3
        keeper.terminate()
        assert keeper.wait(5) == 0
        wait_until(lambda: not any(map(is_running, family)))


def test_ends_with_its_launcher() -> None:
    with python("-c", SLEEP) as launcher:
        told = {"ONE_LAUNCHER_PID": str(launcher.pid)}
        with python(*KEEP, "it", "--", "python3", "-uc", SLEEP, **told) as keeper:
            child = child_pid(keeper)
            # Not waited for: it stays as a zombie, which must count as gone.
            launcher.kill()
            assert keeper.wait(5) == 0
            assert not is_running(child)


def test_does_not_start_anything_for_a_launcher_that_is_gone() -> None:
    with python("-c", "pass") as launcher:
        launcher.wait()
    told = {"ONE_LAUNCHER_PID": str(launcher.pid)}
    with python(*KEEP, "it", "--", "python3", "-uc", SLEEP, **told) as keeper:
        assert keeper.wait(5) == 0
        assert rest(keeper) == ""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs the parent-death signal")
def test_killed_keeper_takes_its_child_along() -> None:
    with python(*KEEP, "it", "--", "python3", "-uc", DEAF) as keeper:
        child = child_pid(keeper)
        keeper.kill()
        wait_until(lambda: not is_running(child), 5)


def test_command_from_the_environment_does_not_show() -> None:
    told = {keep.ARGUMENTS: json.dumps(["it", "--", "python3", "-uc", SLEEP])}
    with python(keep.__file__, **told) as keeper:
        child_pid(keeper)
        assert not any("sleep" in part for part in psutil.Process(keeper.pid).cmdline())
        keeper.terminate()
        assert keeper.wait(5) == 0


def test_keeps_trying_a_command_that_is_not_there() -> None:
    with python(*KEEP, "it", "--", "/no/such/program") as keeper:
        assert "cannot be started" in lines_until(keeper, "starting it again")[0]
        keeper.terminate()
        assert keeper.wait(5) == 0


def test_second_dashes_belong_to_the_command() -> None:
    assert keep._parse(["it", "--grace", "1", "--", "env", "--", "x"]).command == ["env", "--", "x"]
    with pytest.raises(SystemExit):
        keep._parse(["it", "--grace", "1"])
