"""Counters and gauges of this process, and figures of the installation, in Prometheus' text format.

Names are registered by the app that counts; counters and gauges are plain numbers of one process,
which the scraper adds up. A collector reads what the database knows, at the moment of the scrape.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from django.db import DatabaseError, InterfaceError

logger = logging.getLogger(__name__)

_lock = Lock()
_counters: dict[str, float] = {}
_gauges: dict[str, Callable[[], float]] = {}


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of a labelled gauge."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


_collectors: list[Callable[[], Iterable[Figure]]] = []


def count(name: str, amount: float = 1) -> None:
    """Add ``amount`` to counter ``name``."""
    with _lock:
        _counters[name] = _counters.get(name, 0) + amount


def gauge(name: str, read: Callable[[], float]) -> None:
    """Register ``read`` as the source of gauge ``name``."""
    _gauges[name] = read


def collector(read: Callable[[], Iterable[Figure]]) -> None:
    """Register ``read``, called at every scrape; figures of one name come one after the other."""
    if read not in _collectors:
        _collectors.append(read)


def render_metrics() -> str:
    """All figures, a line each."""
    with _lock:
        lines = [f"# TYPE {name} counter\n{name} {value}" for name, value in _counters.items()]
    lines += [f"# TYPE {name} gauge\n{name} {read()}" for name, read in _gauges.items()]
    for read in _collectors:
        lines += _collected(read)
    return "\n".join(lines) + "\n"


def _collected(read: Callable[[], Iterable[Figure]]) -> list[str]:
    """Without a database there are no figures of it; those of the process are still wanted."""
    try:
        figures = list(read())
    except (DatabaseError, InterfaceError) as error:
        logger.warning("figures could not be read: %s", error)
        return []
    lines, last = [], ""
    for figure in figures:
        if figure.name != last:
            lines.append(f"# TYPE {figure.name} gauge")
            last = figure.name
        lines.append(f"{figure.name}{_labels(figure.labels)} {figure.value}")
    return lines


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
