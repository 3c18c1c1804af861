"""Runs this process has in memory, so that going on does not mean replaying from the top.

Only a saving: an entry counts while its generation is that of the row, which is locked then.
"""

import threading
from collections import OrderedDict
from uuid import UUID

from one_project.workflows.engine.replay import Replay

KEPT = 512

_lock = threading.Lock()
_kept: OrderedDict[UUID, tuple[int, Replay]] = OrderedDict()


def recall(run_id: UUID) -> tuple[int, Replay] | None:
    """Take the run out of memory: its generation and the replay."""
    with _lock:
        return _kept.pop(run_id, None)


def keep(run_id: UUID, generation: int, replay: Replay) -> None:
    """Keep it for the next turn; the one unused for longest makes room."""
    oldest = None
    with _lock:
        _kept[run_id] = (generation, replay)
        if len(_kept) > KEPT:
            _, (_, oldest) = _kept.popitem(last=False)
    if oldest is not None:
        oldest.close()


def forget(run_id: UUID | None = None) -> None:
    """Drop one run, or all."""
    with _lock:
        if run_id is None:
            _kept.clear()
        else:
            _kept.pop(run_id, None)
