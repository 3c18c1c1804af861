"""The application's processes under honcho, each with a keeper, their output prefixed."""

import os
import shlex
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from honcho.manager import Manager
from honcho.printer import Message, Printer

from one_project.embedded.kept import KEEPER, keep_arguments

# Seconds a process has to stop: less than the 5 s after which honcho kills the keepers.
GRACE = 4.0


class LinePrinter(Printer):  # type: ignore[misc]
    """Writes ``time name | line``; a message without a name is written as it is.

    Unbuffered, because honcho also writes from a signal handler, where a buffered stream in the
    middle of a write raises an error.
    """

    def __init__(self, descriptor: int, on_first: Callable[[], None]) -> None:
        """``on_first`` is called before the first line, when honcho has forked its processes."""
        super().__init__(None)
        self._descriptor = descriptor
        self._coloured = os.isatty(descriptor)
        self._on_first: Callable[[], None] | None = on_first

    def write(self, message: Message) -> None:
        """Write each line of ``message``; a reader that went away is ignored."""
        if self._on_first is not None:
            on_first, self._on_first = self._on_first, None
            on_first()
        data = message.data
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data)
        prefix = self._prefix(message)
        block = "".join(f"{prefix}{line}\n" for line in text.splitlines())
        rest = block.encode("utf-8", "replace")
        with suppress(OSError):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def _prefix(self, message: Message) -> str:
        if message.name is None:
            return ""
        prefix = f"{message.time:%H:%M:%S} {message.name:<{self.width}} | "
        if self._coloured and message.colour:
            return f"\033[0m\033[{message.colour}m{prefix}\033[0m"
        return prefix


class Stack(Manager):  # type: ignore[misc]
    """honcho's manager with keepers, and with a background thread for its time of running.

    ``background`` is called in that thread once all processes are started; it has to return
    soon after ``stopping`` is set. ``on_stop`` is called when stopping begins.
    """

    def __init__(
        self,
        descriptor: int,
        background: Callable[["Stack"], None],
        on_stop: Callable[[], None],
    ) -> None:
        """``descriptor`` is the file the output goes to."""
        # Started from the first line written: a thread from before honcho's forks could leave
        # a lock taken in the children.
        self._thread = threading.Thread(target=background, args=(self,), daemon=True)
        super().__init__(LinePrinter(descriptor, self._thread.start))
        self.stopping = threading.Event()
        self._on_stop = on_stop
        self._retry_terminate = False

    def keep(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        folder: Path,
        delay: float = 0.0,
    ) -> None:
        """Add ``command``, to be kept running in ``folder``, first after ``delay`` seconds."""
        told = keep_arguments(name, command, grace=GRACE, delay=delay)
        self.add_process(
            name,
            "exec " + shlex.join(KEEPER),
            env={**environment, **told},
            cwd=str(folder),
        )

    def say(self, text: str) -> None:
        """Print ``text`` without a prefix, between lines of the processes; from any thread."""
        self.events.put(Message("line", text, datetime.now().astimezone(), None, None))

    def terminate(self) -> None:
        """Stop everything; honcho calls it from its signal handlers too."""
        if not self.stopping.is_set():
            self.stopping.set()
            self._on_stop()
        try:
            super().terminate()
        except KeyError:
            # A process that has not told its id yet: honcho cannot stop it. Again at the next
            # message, which is that one at the latest.
            self._terminating = False
            self._retry_terminate = True

    def loop(self) -> Any:
        """Run until stopped; the background thread has ended when it returns."""
        original = self._printer.write

        def write(message: Message) -> None:
            if self._retry_terminate:
                self._retry_terminate = False
                self.terminate()
            original(message)

        self._printer.write = write
        try:
            return super().loop()
        finally:
            self.stopping.set()
            if self._thread.ident is not None:
                self._thread.join(5.0)
