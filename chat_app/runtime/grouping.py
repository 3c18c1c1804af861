"""Messages as people see them: the steps of one answer are one thing said (MS-20)."""

from collections.abc import Iterable
from dataclasses import dataclass

from chat_app.models import Message, MessageKind
from chat_app.models.messages import text_of


@dataclass(frozen=True, slots=True)
class Said:
    """One thing said, of one or more messages in their order."""

    messages: tuple[Message, ...]

    @property
    def first(self) -> Message:
        """Says whose it is."""
        return self.messages[0]

    @property
    def last(self) -> Message:
        """Says how it ended."""
        return self.messages[-1]

    @property
    def key(self) -> str:
        """``<thread>-<order>-<step order>`` of the first message."""
        return f"{self.first.thread_id}-{self.first.position}"

    @property
    def status(self) -> str:
        return self.last.status

    @property
    def text(self) -> str:
        return text_of([part for message in self.messages for part in message.parts])


def grouped(messages: Iterable[Message]) -> list[Said]:
    """An agent's and its tools' messages of one order in a row are one; others stand alone.

    A group ends with an agent's message that calls no tool.
    """
    groups: list[list[Message]] = []
    is_open = False
    for message in messages:
        belongs = message.kind in {MessageKind.AGENT, MessageKind.TOOL}
        if belongs and is_open and groups[-1][-1].order == message.order:
            groups[-1].append(message)
        else:
            groups.append([message])
        is_open = belongs and message.is_tool
    return [Said(tuple(group)) for group in groups]
