"""A worker process that ends itself at the point ONE_CRASH_AT names: ``python -m ... TOOL``.

Its model asks for TOOL once and then answers in words, whatever worker asks it.
"""

import sys
import time
from collections.abc import AsyncGenerator

import django

LIVES = 60.0  # seconds at most


def main() -> None:
    django.setup()
    from tests.chat.test_engine import running_engine
    from tests.chat.tools import registered_tools

    with registered_tools(), running_engine(follows(sys.argv[1])):
        time.sleep(LIVES)


def follows(tool: str):
    """A model that reads off the request what comes next."""
    from agents_app.providers.base import ChatRequest, StreamEvent
    from agents_app.providers.scripted import ScriptedModel
    from tests.chat.tools import call

    class Follows(ScriptedModel):
        async def stream(self, request: ChatRequest) -> AsyncGenerator[list[StreamEvent], None]:
            self.enqueue("Done." if request.messages[-1].role == "tool" else [call(tool)])
            async for events in super().stream(request):
                yield events

    return Follows()


if __name__ == "__main__":
    main()
