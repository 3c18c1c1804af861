"""Tools of every effect, known only while a test needs them."""

from collections.abc import Iterator
from contextlib import contextmanager

from agents_app.models import Effect
from agents_app.tools import definitions
from agents_app.tools.definitions import NoArguments, tool


@tool(name="sample_read", title="Look it up", register=False)
def look_up(arguments: NoArguments) -> str:
    """Looks something up."""
    return "found"


@tool(name="sample_write", title="Note it", effect=Effect.WRITE, register=False)
def note(arguments: NoArguments) -> str:
    """Writes something down."""
    return "noted"


@tool(name="sample_send", title="Send it", effect=Effect.EXTERNAL, register=False)
def send(arguments: NoArguments) -> str:
    """Sends something to somebody."""
    return "sent"


@tool(name="sample_erase", title="Erase it", effect=Effect.DESTRUCTIVE, register=False)
def erase(arguments: NoArguments) -> str:
    """Erases something for good."""
    return "gone"


SAMPLES = {one.name: one for one in (look_up, note, send, erase)}


@contextmanager
def sample_tools() -> Iterator[None]:
    """The samples among the built-in tools, for as long as this lasts."""
    definitions._registry.update(SAMPLES)
    try:
        yield
    finally:
        for name in SAMPLES:
            definitions._registry.pop(name, None)
