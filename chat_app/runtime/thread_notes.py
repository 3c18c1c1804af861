"""What apps above tell a model about the threads that are about something of theirs.

A thread says so in its ``meta``, under a key that the app above registers when it is ready.
"""

from collections.abc import Callable, Mapping

from chat_app.models import Thread

Notes = Callable[[Thread], str]

_notes: dict[str, Notes] = {}


def register_thread_notes(key: str, notes: Notes) -> None:
    """Have ``notes(thread)`` added to the system prompt of threads with ``meta[key]``."""
    _notes[key] = notes


def thread_notes(thread: Thread) -> str:
    """All of it; empty, and no query, where the thread is about nothing of others."""
    told = [notes(thread) for key, notes in _notes.items() if key in thread.meta]
    return "\n\n".join(text for text in told if text)


def place_of(thread: Thread) -> Mapping[str, str] | None:
    """Where the thread has been opened: ``meta["place"]``, with ``url``, a path of ours, and
    ``label``. None where that is nowhere, or elsewhere."""
    found = thread.meta.get("place")
    if not isinstance(found, dict):
        return None
    url, label = str(found.get("url", "")), str(found.get("label", ""))
    is_ours = url.startswith("/") and not url.startswith(("//", "/\\"))
    return {"url": url, "label": label} if is_ours and label else None
