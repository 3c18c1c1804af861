"""Stored messages as a model is told them: kinds become roles here and nowhere else.

Their files are read here, so a message with files is told outside of transactions only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from agents_app.models import Agent
from agents_app.providers.parts import (
    ChatMessage,
    FilePart,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from agents_app.services.telling_files import tell_files
from chat_app.models import Message, MessageKind
from chat_app.runtime.markers import without_markers

# Pictures of earlier messages that are shown again, newest first; each costs about 750 tokens.
PICTURES_AGAIN = 8
PICTURE_BYTES_AGAIN = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Whom it is told to, which decides about names and tools.

    agent: who answers; others' words are told as theirs. several_people: their names are told.
    turn_id: the turn whose use of tools is told whole. tools_of_others: also that of others.
    """

    agent: Agent | None = None
    several_people: bool = False
    turn_id: UUID | None = None
    tools_of_others: bool = False

    def hear(self, messages: Iterable[Message]) -> tuple[ChatMessage, ...]:
        """The messages in their order; those that leave nothing to say are left out."""
        said = list(messages)
        files = _read_files(said, again=True)
        return tuple(told for message in said for told in self._told(message, files))

    def hear_prompt(self, message: Message | None, text: str | None) -> tuple[ChatMessage, ...]:
        """The prompt: a stored message, a new text, or the text in the stored one's place."""
        if message is None:
            return (ChatMessage.text("user", text),) if text else ()
        said = message.text if text is None else text
        return tuple(self._by_user(message, said, _read_files([message], again=False)))

    def _told(self, message: Message, files: Mapping[str, Part]) -> Iterator[ChatMessage]:
        if message.kind == MessageKind.USER:
            yield from self._by_user(message, message.text, files)
        elif message.kind == MessageKind.SYSTEM:
            if message.text:
                yield ChatMessage.text("system", message.text)
        else:
            yield from self._by_agent(message)

    def _by_user(
        self, message: Message, text: str, files: Mapping[str, Part]
    ) -> Iterator[ChatMessage]:
        named = self.several_people and message.author_name
        parts: list[Part] = []
        if text:
            parts.append(TextPart(f"{message.author_name}: {text}" if named else text))
        parts += [
            files.get(part.file_id or "", part)
            for part in message.parts
            if isinstance(part, FilePart)
        ]
        if parts:
            yield ChatMessage("user", tuple(parts))

    def _by_agent(self, message: Message) -> Iterator[ChatMessage]:
        calls: list[Part] = []
        results: list[Part] = []
        if message.is_tool:
            calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
            results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        text = message.text
        if message.sources and (message.turn_id is None or message.turn_id != self.turn_id):
            # The same numbers mean other passages in the turn that listens.
            text = without_markers(text)
        if not self._with_tools(message):
            # A message that holds a result is a record of a use; one that only asks has words.
            text = "" if results or message.kind == MessageKind.TOOL else text
            calls, results = [], []
        if self._is_other_agent(message) and text:
            yield ChatMessage.text("user", f"{message.author_name} (another agent): {text}")
            text = ""
        parts = [TextPart(text), *calls] if text else calls
        if parts:
            yield ChatMessage("assistant", tuple(parts))
        if results:
            yield ChatMessage("tool", tuple(results))

    def _with_tools(self, message: Message) -> bool:
        if message.turn_id is not None and message.turn_id == self.turn_id:
            return True
        # What another agent used is not the listener's to go on from.
        return self.tools_of_others and not self._is_other_agent(message)

    def _is_other_agent(self, message: Message) -> bool:
        return self.agent is not None and message.agent_id not in {self.agent.pk, None}


def _read_files(messages: Sequence[Message], *, again: bool) -> Mapping[str, Part]:
    """What is told of the stored files of people's messages, by id.

    ``again``: they were said before, so only some of their pictures are shown.
    """
    carrying = [message for message in messages if message.kind == MessageKind.USER]
    stored = [
        (message, part)
        for message in carrying
        for part in (message.parts if message.content else ())
        if isinstance(part, FilePart) and part.file_id is not None
    ]
    if not stored:
        return {}
    pictures: list[str] = []
    left = PICTURE_BYTES_AGAIN
    for _, part in reversed(stored):
        if part.is_image and part.file_id and (not again or len(pictures) < PICTURES_AGAIN):
            left -= (part.size or 0) if again else 0
            if left >= 0:
                pictures.append(part.file_id)
    # All are of one organisation, as their threads are of one person's context in it.
    organisation_id = stored[0][0].organisation_id
    return tell_files(organisation_id, [part for _, part in stored], pictures=set(pictures))
