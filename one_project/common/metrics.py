"""Counters and gauges of this process, in Prometheus' text format.

Names are registered by the app that counts; values are plain numbers of one process, which the
scraper adds up.
"""

from collections.abc import Callable
from threading import Lock

_lock = Lock()
_counters: dict[str, float] = {}
_gauges: dict[str, Callable[[], float]] = {}


def count(name: str, amount: float = 1) -> None:
    """Add ``amount`` to counter ``name``."""
    with _lock:
        _counters[name] = _counters.get(name, 0) + amount


def gauge(name: str, read: Callable[[], float]) -> None:
    """Register ``read`` as the source of gauge ``name``."""
    _gauges[name] = read


def render_metrics() -> str:
    """All figures, a line each."""
    with _lock:
        lines = [f"# TYPE {name} counter\n{name} {value}" for name, value in _counters.items()]
    lines += [f"# TYPE {name} gauge\n{name} {read()}" for name, read in _gauges.items()]
    return "\n".join(lines) + "\n"
