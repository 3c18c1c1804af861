"""The tools of agents, with arguments that name what belongs to others.

Their context is the server's own: the asker's organisation, person, agent and thread. Of reading
tools it is also tried with a thread of the other organisation in it.
"""

import asyncio
import inspect
import random
from typing import Any, Final

from benchmarks.tenancy.ledger import Ledger, outcome, undone
from benchmarks.tenancy.side import QUESTION, Side

WAY: Final = "tools"
TITLED: Final = ("delete_document",)


class ByTool:
    def __init__(self, sides: list[Side]) -> None:
        from agents_app.tools.definitions import builtin_tools

        self.sides = sides
        self.tools = builtin_tools()

    def probe(self, ledger: Ledger, rng: random.Random, mine: Side, other: Side) -> None:
        who = rng.choice(list(mine.people.values()))
        thread = mine.thread.pk
        query = rng.choice([QUESTION, "budget", other.marker, f'"{other.marker}"'])
        name, arguments = rng.choice(
            [
                ("search_messages", {"query": query, "limit": 50, "other_threads": True}),
                ("search_messages", {"query": query, "thread": str(other.thread.pk)}),
                ("search_knowledge", {"query": query, "limit": 20}),
                (
                    "search_knowledge",
                    {"query": query, "collection": str(other.ids["collection_id"])},
                ),
                ("read_canvas", {}),
                ("read_canvas", {"thread_id": str(other.thread.pk)}),
                ("edit_canvas", {"old_text": "the bread", "new_text": "no bread"}),
                ("delete_document", {"title": rng.choice(other.titles)}),
                ("delete_document", {"title": str(other.ids["document_id"])}),
            ]
        )
        where = "at home"
        if name == "search_messages" and rng.random() < 0.5:
            thread, where = other.thread.pk, "in its thread"
        found = self._use(name, arguments, self._context(mine, who, thread))
        leak = "its marker came back" if _besides_asked(found, arguments, other) else ""
        if name in TITLED and not found.startswith("ToolError"):
            leak = "it was deleted"
        ledger.probe(WAY, f"{name} {where}", leak)

    def _context(self, side: Side, user: Any, thread_id: Any) -> Any:
        from agents_app.tools.definitions import ToolContext

        return ToolContext(
            organisation=side.organisation, user=user, agent=side.agent, thread_id=thread_id
        )

    def _use(self, name: str, arguments: dict[str, Any], context: Any) -> str:
        from pydantic import ValidationError

        def run() -> Any:
            result = self.tools[name].run(context, arguments)
            return asyncio.run(result) if inspect.iscoroutine(result) else result

        try:
            with undone():
                return outcome(run)
        except ValidationError:
            return "ToolError: such an argument is unknown"

    def controls(self, ledger: Ledger) -> None:
        for side in self.sides:
            context = self._context(side, side.people["member"], side.thread.pk)
            for name, arguments in (
                ("search_messages", {"query": QUESTION, "other_threads": True}),
                ("search_knowledge", {"query": QUESTION}),
                ("read_canvas", {}),
                ("delete_document", {"title": side.titles[0]}),
                ("delete_document", {"title": str(side.ids["document_id"])}),
            ):
                found = self._use(name, arguments, context)
                ledger.control(WAY, name, seen=_besides_asked(found, {}, side))


def _besides_asked(found: str, arguments: dict[str, Any], side: Side) -> bool:
    """Whether the marker is in what came back, other than in words of the question."""
    for value in arguments.values():
        found = found.replace(str(value), "")
    return side.marker in found.lower()
