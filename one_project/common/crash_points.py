"""Named places at which a trial ends the process, as a power cut would.

``ONE_CRASH_AT="tool_effect_done:3"`` ends it at the third time that place is passed. Off unless the
variable is set; it costs one look at an empty name then.
"""

import os
import signal
import threading

_name, _, _count = os.environ.get("ONE_CRASH_AT", "").partition(":")
_left = [int(_count or 1)]
_lock = threading.Lock()


def crash_point(name: str) -> None:
    """A place where a lost process must lose nothing and repeat nothing."""
    if not _name or name != _name:
        return
    with _lock:
        _left[0] -= 1
        if _left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
