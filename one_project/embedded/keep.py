"""Keep one command running: ``python -m one_project.embedded.keep NAME -- COMMAND...``.

Starts COMMAND, starts it again when it dies unasked, passes a stop on to it, and ends with the
launcher named in ONE_LAUNCHER_PID. Uses only the standard library and nothing of this project,
so that it can be run by path, without site-packages, and costs next to nothing.

The arguments may come as a JSON list in ONE_KEEP_ARGUMENTS instead of the command line: then
the keeper's own command line does not hold that of its child, and whoever ends the child by a
pattern (``pkill -f``) does not hit the keeper too.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

# All in seconds.
CHECK_EVERY = 0.5
FIRST_DELAY, LAST_DELAY = 0.5, 5.0
HEALTHY_AFTER = 30.0

ARGUMENTS = "ONE_KEEP_ARGUMENTS"
LAUNCHER = "ONE_LAUNCHER_PID"
PR_SET_PDEATHSIG = 1


def process_start(pid: int) -> str | None:
    """A mark of the running process ``pid``, None when it is gone or a zombie.

    On Linux the mark is its start time, so that a reused number is not taken for the process.
    """
    if sys.platform != "linux":
        try:
            os.kill(pid, 0)
        except PermissionError:
            return "alive"
        except OSError:
            return None
        return "alive"
    try:
        # Fields are counted from the last bracket, since a name may hold blanks and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _signal(text: str) -> signal.Signals:
    return signal.Signals[f"SIG{text.upper().removeprefix('SIG')}"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keep", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="what the messages call the command")
    parser.add_argument("--stop-signal", type=_signal, default=signal.SIGTERM)
    parser.add_argument("--death-signal", type=_signal, default=signal.SIGKILL)
    parser.add_argument("--grace", type=float, default=4.0, help="seconds before SIGKILL")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before the first start")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    return parser


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options before the first ``--`` and the command after it; ends (2) on a bad one."""
    parser = _parser()
    # By hand, since argparse releases differ in what they do with a second ``--``.
    cut = list(arguments).index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:cut])
    options.command = list(arguments[cut + 1 :])
    if not options.command:
        parser.error("a command is needed after --")
    return options


class Keeper:
    """Runs one command until it is told to stop or the launcher is gone."""

    def __init__(self, options: argparse.Namespace, environment: Mapping[str, str]) -> None:
        """``environment`` is that of the command; ONE_LAUNCHER_PID in it names the launcher."""
        self.options = options
        self.environment = {k: v for k, v in environment.items() if k != ARGUMENTS}
        launcher = environment.get(LAUNCHER, "")
        self.launcher = int(launcher) if launcher.isdigit() else None
        self.launcher_start = process_start(self.launcher) if self.launcher else None
        self.stopping = False
        self._wake, write_end = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake up

    def run(self) -> int:
        """Keep the command running; returns 0 after a stop."""
        delay = FIRST_DELAY
        self._pause(self.options.delay)
        while not self._finished():
            begun = time.monotonic()
            child = self._start()
            if child is not None:
                self._watch(child)
                if self._finished():
                    self._stop(child)
                    break
                _kill_group(child)  # what it has left behind
                self._say(_ending(child.returncode))
            if time.monotonic() - begun >= HEALTHY_AFTER:
                delay = FIRST_DELAY
            self._say(f"starting it again in {delay:g} s")
            self._pause(delay)
            delay = min(delay * 2, LAST_DELAY)
        return 0

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _finished(self) -> bool:
        """Whether to stop: asked to, or the launcher is gone."""
        if self.launcher is None or self.stopping:
            return self.stopping
        start = process_start(self.launcher)
        self.stopping = start is None or start != self.launcher_start
        return self.stopping

    def _start(self) -> subprocess.Popen[bytes] | None:
        uid, gid = self.options.uid, self.options.gid
        try:
            return subprocess.Popen(  # noqa: S603 - the command is the launcher's own
                self.options.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                # Its own session: a Ctrl-C or a signal to our group reaches it only through us.
                start_new_session=True,
                preexec_fn=_tie_to_parent(self.options.death_signal),
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
            )
        except OSError as error:
            self._say(f"cannot be started: {error}")
            return None

    def _watch(self, child: subprocess.Popen[bytes]) -> None:
        while child.poll() is None and not self._finished():
            self._nap(CHECK_EVERY)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._finished() and (left := until - time.monotonic()) > 0:
            self._nap(min(left, CHECK_EVERY))

    def _nap(self, seconds: float) -> None:
        """Sleep until a signal comes, at most ``seconds``."""
        if select.select([self._wake], [], [], seconds)[0]:
            with suppress(BlockingIOError):
                os.read(self._wake, 4096)

    def _stop(self, child: subprocess.Popen[bytes]) -> None:
        if child.poll() is None:
            child.send_signal(self.options.stop_signal)
            until = time.monotonic() + self.options.grace
            while child.poll() is None and (left := until - time.monotonic()) > 0:
                self._nap(left)
            if child.poll() is None:
                self._say(f"did not stop within {self.options.grace:g} s and was killed")
        _kill_group(child)
        child.wait()

    def _say(self, text: str) -> None:
        with suppress(OSError):  # nobody reads any more; that is no reason to stop keeping
            sys.stdout.write(f"{self.options.name}: {text}\n")
            sys.stdout.flush()


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and what it started in its own process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _ending(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"was ended by signal {signal.Signals(-returncode).name}"
    return f"ended by itself with code {returncode}"


def _tie_to_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What makes a child receive ``death_signal`` when its parent dies; None off Linux."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    parent = os.getpid()

    def tie() -> None:
        library.prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return tie


def main(arguments: Sequence[str]) -> int:
    """Run the command line ``arguments``, or those in ONE_KEEP_ARGUMENTS when there are none."""
    given = list(arguments) or json.loads(os.environ.get(ARGUMENTS, "[]"))
    return Keeper(_parse(given), os.environ).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
