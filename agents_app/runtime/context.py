"""What a model is sent: the parts in order, no call without its result, no more than it takes.

Pure functions on messages. Which messages there are is decided by the app that stores them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from agents_app.providers.parts import ChatMessage, Part, ToolCallPart, ToolResultPart
from agents_app.runtime.agent import ContextHandler, ContextParts
from agents_app.runtime.shortening import shortened
from agents_app.runtime.tokens import count_message, most_tokens


def assemble(parts: ContextParts, handler: ContextHandler | None = None) -> list[ChatMessage]:
    """The messages in the order they are sent (CX-1).

    A handler sees all parts and returns what follows the system prompt: it may reorder, leave out
    and add (CX-17).
    """
    said = handler(parts) if handler else parts.all_messages
    return [*parts.system, *said]


def without_orphans(messages: Iterable[ChatMessage]) -> list[ChatMessage]:
    """Each tool call with its result right behind it; a call or result alone is left out (CX-11).

    A call of several of which one has a result keeps just that one; an assistant message left
    empty goes too. Ids are matched to the nearest call before, since some models number their
    calls anew in each answer.
    """
    given = list(messages)
    results = _results_by_call(given)
    kept: list[ChatMessage] = []
    for index, message in enumerate(given):
        if message.role == "tool":
            continue  # comes with its call
        parts = tuple(part for part in message.parts if _has_pair(part, index, results))
        whole = len(parts) == len(message.parts)
        if parts or whole:
            kept.append(message if whole else replace(message, parts=parts))
        answers = [
            results[index, part.id]
            for part in parts
            if isinstance(part, ToolCallPart) and (index, part.id) in results
        ]
        if answers:
            kept.append(ChatMessage("tool", tuple(answers)))
    return kept


def _results_by_call(messages: Sequence[ChatMessage]) -> dict[tuple[int, str], ToolResultPart]:
    """The first result of each call, by the place of the message that called and the call's id."""
    asked: dict[str, int] = {}
    results: dict[tuple[int, str], ToolResultPart] = {}
    for index, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, ToolCallPart) and message.role == "assistant":
                asked[part.id] = index
            elif isinstance(part, ToolResultPart) and part.call_id in asked:
                results[asked.pop(part.call_id), part.call_id] = part
    return results


def _has_pair(part: Part, index: int, results: dict[tuple[int, str], ToolResultPart]) -> bool:
    if isinstance(part, ToolCallPart):
        return (index, part.id) in results
    return not isinstance(part, ToolResultPart)


@dataclass(slots=True)
class _Group:
    """What goes or stays together: a prompt and all that follows until the next one."""

    messages: list[ChatMessage] = field(default_factory=list)
    pinned: bool = False

    def tokens(self, model: str) -> int:
        return sum(count_message(message, model) for message in self.messages)


def trim(
    messages: Sequence[ChatMessage],
    budget: int,
    *,
    keep: Collection[ChatMessage] = (),
    model: str = "",
) -> list[ChatMessage]:
    """The newest of ``messages`` that have at most ``budget`` tokens together.

    Whole groups go, the oldest first; a group is a user's message with what follows it, so a call
    is never parted from its result and the window never begins with a result. The system messages
    at the beginning, the groups with a message of ``keep`` (by identity: the prompt and what
    answers it) and the last group stay. If these alone are too long, tool results are shortened
    in the middle, then what else is long.
    """
    if sum(most_tokens(message) for message in messages) <= budget:
        return list(messages)
    head, groups = _groups(messages, {id(message) for message in keep})
    used = head.tokens(model) + sum(group.tokens(model) for group in groups if group.pinned)
    chosen: list[_Group] = []
    full = used > budget
    for group in reversed(groups):
        if not group.pinned:
            # One that does not fit ends the history: a gap in it would mislead.
            tokens = 0 if full else group.tokens(model)
            full = full or used + tokens > budget
            if full:
                continue
            used += tokens
        chosen.append(group)
    kept = [*head.messages]
    for group in reversed(chosen):
        kept += group.messages
    return kept if used <= budget else shortened(kept, budget, model)


def _groups(messages: Sequence[ChatMessage], keep: set[int]) -> tuple[_Group, list[_Group]]:
    """The system messages at the beginning, and the groups after them, oldest first."""
    head = _Group()
    groups: list[_Group] = []
    for message in messages:
        if message.role == "system" and not groups:
            group = head
        else:
            if message.role == "user" or not groups:
                groups.append(_Group())
            group = groups[-1]
        group.messages.append(message)
        group.pinned = group.pinned or id(message) in keep
    if groups:
        groups[-1].pinned = True
    return head, groups
