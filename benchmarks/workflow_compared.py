"""DBOS Transact for comparison: installed beside the environment, run as one process."""

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks import options, processes
from benchmarks.stack import Stack

REQUIREMENTS = processes.ROOT / "benchmarks" / "requirements.txt"
FOLDER = Path(sys.prefix) / "benchmarks"
INSTALL_WITHIN = 120.0  # seconds
RUN_WITHIN = 400.0


def install() -> bool:
    """Have the packages in ``FOLDER``; False where they cannot be had."""
    stamp = FOLDER / "requirements.txt"
    with suppress(OSError):
        if stamp.read_bytes() == REQUIREMENTS.read_bytes():
            return True
    command = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    command += ["--no-deps", "--upgrade", "--target", str(FOLDER), "-r", str(REQUIREMENTS)]
    try:
        subprocess.run(command, check=True, timeout=INSTALL_WITHIN, capture_output=True)
        stamp.write_bytes(REQUIREMENTS.read_bytes())
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def measure_peer(stack: Stack, runs: int) -> dict[str, Any]:
    """Its figures; empty, with a sentence why, where there are none."""
    if options.choice("PEER", "1", ["0", "1"]) == "0":
        options.say("DBOS is left out (PEER=0).")
        return {}
    if not install():
        options.say("DBOS is not installed and cannot be: going on without the comparison.")
        return {}
    log = stack.folder / "peer.log"
    environment = {**stack.environment, "PYTHONPATH": str(FOLDER), "RUNS": str(runs)}
    with processes.placed(stack.app_core, first=stack.first):
        command = [sys.executable, "-m", "benchmarks.workflow_peer"]
        peer = processes.start(command, environment, log)
    try:
        until = time.monotonic() + RUN_WITHIN
        while peer.poll() is None and time.monotonic() < until:
            time.sleep(0.2)
        found: dict[str, Any] = json.loads(log.read_text().strip().splitlines()[-1])
        return found
    except (ValueError, IndexError):
        options.say(f"DBOS did not come to an end:\n{stack.log_end('peer')}")
        return {}
    finally:
        processes.stop(peer)
