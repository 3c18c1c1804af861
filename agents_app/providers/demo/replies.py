"""What the demo model answers: picks the behaviour that fits, in a fixed order.

Pure and deterministic: the same messages always give the same answer.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

from agents_app.providers.demo import recall, shapes, telling, tool_use
from agents_app.providers.demo.arithmetic import sum_answer
from agents_app.providers.demo.json_answer import json_for
from agents_app.providers.demo.request import DemoRequest, Message
from agents_app.providers.demo.words import (
    MAX_QUESTION_CHARS,
    joined,
    plain_words,
    shortened,
    tokens_of,
)

GREETING = (
    "Hello! I am the demo model of ONE. I run on this machine and need no key, so everything "
    "around me can be tried out. Ask me what I can do, or give me a text and ask about it."
)
WHO = (
    "I am the built-in demo model of ONE, a small program and not a language model. I quote, "
    "list, calculate and call tools, but I do not understand as a real model does. Set "
    "`OPENAI_API_KEY` or `OPENAI_BASE_URL` to talk to one."
)
ABILITIES = (
    "Here is what I can do:\n\n"
    "- **Answer from a text.** Give me a few sentences or a document, then ask about it.\n"
    "- **Remember.** Tell me “my name is Ada”, and later ask “what is my name?”.\n"
    "- **Write** a list, a table, Python code, or a long text (“write 500 words about tea”).\n"
    "- **Calculate**, for example “what is 12 * 7?”.\n"
    "- **Repeat** what you want to see: “say *hello*”.\n"
    "- **Use tools**, when the agent has some: ask for several things at once.\n"
    "- **Show my reasoning**, when you ask me to think step by step."
)
THANKS = "You are welcome. I am here if you need anything else."

_ECHO = re.compile(
    r"^\s*(?:please\s+)?(?:say|repeat(?: after me)?|echo)\b\s*:?\s*(.+)$", re.S | re.I
)
_GREETING = re.compile(r"^\s*(?:hi|hello|hey|good (?:morning|afternoon|evening|day))\b", re.I)
_WHO = re.compile(
    r"\b(?:who|what) are you\b|\bwhat(?:'s| is) your name\b|\b(?:which|what) (?:ai )?model\b"
    r"|\bare you (?:a |an )?(?:real|human|person|bot|robot|ai|demo|chatgpt)\b",
    re.I,
)
_ABILITIES = re.compile(
    r"\b(?:what (?:can|do) you do|how can you help|what are you able)\b|^\s*help\W*$", re.I
)
_THANKS = re.compile(r"^\s*(?:many )?(?:thanks|thank you)\b", re.I)
_MAKE = re.compile(
    r"\b(?:write|show|give|make|create|draw|generate|need|want|example|list)\b", re.I
)
_CODE = re.compile(r"\b(?:code|python|script|function)\b", re.I)
_TABLE = re.compile(r"\btable\b", re.I)
_LIST = re.compile(r"\b(?:list|bullets?|tips|ideas|reasons|steps|points)\b", re.I)
_LONG = re.compile(r"\b(?:long|essay|article|story|report|detailed|paragraphs?|words|text)\b", re.I)
_SUMMARY = re.compile(r"\b(?:summari[sz]e|summary|recap|sum up)\b", re.I)
_TITLE = re.compile(r"\btitle\b", re.I)
_THINK = re.compile(r"\b(?:step by step|think (?:aloud|hard|first)|show your reasoning)\b", re.I)


@dataclass(frozen=True, slots=True)
class Reply:
    """reasoning comes before text, text before calls."""

    text: str = ""
    reasoning: str = ""
    calls: Sequence[tool_use.Call] = ()


def reply_to(request: DemoRequest) -> Reply:
    """Choose an answer. Raises nothing."""
    if request.switches.tokens is not None:
        return Reply(text=filler(request.switches.tokens))
    calls, announced = tool_use.calls_for(request)
    reasoning = _reasoning(request, calls) if _THINK.search(request.question) else ""
    if calls:
        return Reply(text=announced, reasoning=reasoning, calls=calls)
    text = telling.result_answer(request.messages)
    if request.schema is not None:
        given = "\n".join(one.text for one in request.messages)
        value = json_for(request.schema, text or request.question, given)
        return Reply(text=json.dumps(value, ensure_ascii=False), reasoning=reasoning)
    text = text or _text(request)
    if text is None and (calls := tool_use.look_up(request)):
        return Reply(text="Let me look in the documents.", reasoning=reasoning, calls=calls)
    return Reply(text=text or _nothing_found(request.question), reasoning=reasoning)


def filler(count: int) -> str:
    """A text of exactly `count` tokens."""
    # Short words without signs are one token each, also next to one another.
    words = plain_words(shapes.exact_words("steady streams", 400))
    short = cycle([word for word in words if len(word) <= 8 and word.isalpha()])
    lines = (islice(short, min(12, count - start)) for start in range(0, count, 12))
    return "\n".join(" ".join(line) for line in lines)


def _text(request: DemoRequest) -> str | None:
    """An answer without any tool; None when there is nothing to say."""
    question = request.question
    earlier = _earlier(request.messages)
    if not question.strip():
        return _without_words(request)
    echoed = _echo(question)
    if echoed:
        return echoed
    question = question[:MAX_QUESTION_CHARS]
    # Whatever else is said in the conversation that wants a title is not asked now.
    if title := _title(question, earlier):
        return title
    for pattern, answer in _PLAIN:
        if pattern.search(question):
            return answer
    for behaviour in _BEHAVIOURS:
        found = behaviour(question, earlier)
        if found:
            return found
    return None


def _earlier(messages: Sequence[Message]) -> list[Message]:
    """All messages but the question itself."""
    last = max((i for i, one in enumerate(messages) if one.role == "user"), default=None)
    return [one for index, one in enumerate(messages) if index != last]


def _echo(question: str) -> str | None:
    found = _ECHO.match(question)
    if found is None:
        return None
    wanted = found[1].strip()
    is_quoted = len(wanted) > 2 and wanted[0] == wanted[-1] and wanted[0] in "\"'"
    return wanted[1:-1] if is_quoted else wanted.strip("“”")


def _greeting(question: str, _: Sequence[Message]) -> str | None:
    is_short = len(plain_words(question)) <= 6
    return GREETING if is_short and _GREETING.search(question) else None


def _title(question: str, earlier: Sequence[Message]) -> str | None:
    words = set(plain_words(question))
    if _TITLE.search(question) and words & {"conversation", "thread", "chat", "messages", "short"}:
        if any(one.role == "user" for one in earlier):
            return recall.title_of(earlier)
        _, _, given = question.partition("\n")  # the conversation may stand below the request
        return recall.title_of([Message("user", given or question.partition(":")[2])])
    return None


def _about_conversation(question: str, earlier: Sequence[Message]) -> str | None:
    return recall.summary_of(earlier) if _SUMMARY.search(question) else None


def _made(question: str, _: Sequence[Message]) -> str | None:
    """Code, a table, a long text or a list, when the question asks to make one."""
    if not _MAKE.search(question) and not shapes.asks_for_length(question):
        return None
    makers = ((_CODE, shapes.code_answer), (_TABLE, shapes.table_answer))
    for pattern, maker in makers:
        if pattern.search(question):
            return maker(question)
    if shapes.asks_for_length(question):
        return shapes.long_answer(question)
    if _LIST.search(question):
        return shapes.list_answer(question)
    return shapes.long_answer(question) if _LONG.search(question) else None


def _from_context(question: str, earlier: Sequence[Message]) -> str | None:
    quotes = recall.quotes_for(question, earlier)
    return recall.quoted_answer(quotes) if quotes else None


def _without_words(request: DemoRequest) -> str:
    if any(one.role == "user" and one.has_image for one in request.messages[-1:]):
        return "I received your picture, but as the demo model I cannot look at pictures."
    return "I received a message without text. Write something, and I will answer."


def _nothing_found(question: str) -> str:
    question = question[:MAX_QUESTION_CHARS]
    return (
        f"I looked for an answer to “{shortened(question, 120)}” in this conversation and its "
        "documents and found nothing I could quote. "
        "Give me a few sentences about it and ask again, or ask me what I can do."
    )


def _reasoning(request: DemoRequest, calls: Sequence[tool_use.Call]) -> str:
    question = shortened(request.question, 160)
    given = sum(len(one.text) for one in request.messages if one.role != "user")
    names = joined(f"`{call.name}`" for call in calls)
    steps = [
        f"First, what is asked: “{question}”.",
        f"Second, what I have: {len(request.messages)} messages and {given} characters of context.",
        f"Third, I should call {names}." if calls else "Third, I look for the part that answers.",
        "Then I write it down as clearly as I can.",
    ]
    return "\n".join(steps)


_PLAIN = ((_THANKS, THANKS), (_ABILITIES, ABILITIES), (_WHO, WHO))
_Behaviour = Callable[[str, Sequence[Message]], str | None]
_BEHAVIOURS: tuple[_Behaviour, ...] = (
    _greeting,
    lambda question, _: sum_answer(question),
    recall.remembered,
    lambda question, _: recall.noted(question),
    _about_conversation,
    _made,
    _from_context,
)


def cut(reply: Reply, max_tokens: int | None, stop: Sequence[str]) -> tuple[Reply, str]:
    """Apply the request's limits to the text; returns the reply and its finish reason.

    Reasoning counts towards the limit, as it does at OpenAI.
    """
    if reply.calls:
        return reply, "tool_calls"
    text = reply.text
    ends = [place for one in stop if (place := text.find(one)) >= 0]
    if ends:
        text = text[: min(ends)]
    if max_tokens is None:
        return replace(reply, text=text), "stop"
    thought = tokens_of(reply.reasoning)
    said = tokens_of(text)
    if len(thought) + len(said) <= max_tokens:
        return replace(reply, text=text), "stop"
    kept = said[: max(0, max_tokens - len(thought))]
    return Reply("".join(kept), "".join(thought[:max_tokens])), "length"
