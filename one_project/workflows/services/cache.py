"""Runs this process has in memory, so that going on does not mean replaying from the top.

Only a saving: an entry counts while its generation is that of the row, which is locked then.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from one_project.workflows.engine.replay import Replay
from one_project.workflows.models import WorkflowRun

KEPT = 512


@dataclass(frozen=True, slots=True)
class Kept:
    """A run as the last turn left it."""

    run: WorkflowRun
    replay: Replay


_lock = threading.Lock()
_kept: OrderedDict[UUID, Kept] = OrderedDict()


def recall(run_id: UUID) -> Kept | None:
    """Take the run out of memory."""
    with _lock:
        return _kept.pop(run_id, None)


def keep(kept: Kept) -> None:
    """Keep it for the next turn; the one unused for longest makes room."""
    oldest = None
    with _lock:
        _kept[kept.run.pk] = kept
        if len(_kept) > KEPT:
            _, oldest = _kept.popitem(last=False)
    if oldest is not None:
        oldest.replay.close()


def forget(run_id: UUID | None = None) -> None:
    """Drop one run, or all."""
    with _lock:
        if run_id is None:
            _kept.clear()
        else:
            _kept.pop(run_id, None)
