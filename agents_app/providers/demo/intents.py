"""Which part of a question is meant for which tool.

A question is cut where one request ends and the next begins. A part that fits no tool belongs to
the part before it, so that "a task to buy milk and eggs" stays whole.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agents_app.providers.demo import document, searching, sending
from agents_app.providers.demo.arguments import json_object_in, name_words
from agents_app.providers.demo.arithmetic import sum_in
from agents_app.providers.demo.request import Tool
from agents_app.providers.demo.words import key_words, plain_words

MAX_PARTS = 40

# Quoted texts are never cut; a comma within a number is none.
_CUT = re.compile(
    r"\"[^\"]*\"|“[^”]*”|`[^`]*`|https?://\S+|"
    r"(?P<cut>,(?!\d)\s*(?:and\s+)?(?:then\s+|also\s+)?|;\s*|[?!]+\s*|\.\s+|\n+"
    r"|\s+and\s+(?:then\s+|also\s+)?|\s+then\s+)",
    re.IGNORECASE,
)

_SIGNS: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        **document.SIGNS,
        "current_time": r"\bwhat time\b|\btime is it\b|\bcurrent (?:time|date)\b"
        r"|\bthe (?:time|date)\b(?: is it| now| today| in\b|$)|\btoday's date\b"
        r"|\bwhat (?:day|date) is\b",
        "create_task": r"\b(?:create|add|make|open|set up|write down|note|new)\b.{0,30}"
        r"\b(?:task|to-?do|reminder)\b|\bremind me to\b",
        "get_weather": r"\bweather\b|\bforecast\b|\btemperature in\b"
        r"|\bis it (?:raining|cold|hot)\b",
        "fetch_web_page": r"https?://\S",
        **searching.SIGNS,
        "update_thread_title": r"\b(?:rename|retitle)\b|\b(?:change|set|update|call|name)\b.{0,30}"
        r"\b(?:title|this (?:thread|chat|conversation))\b",
        "call_human": r"\b(?:talk|speak|chat|connect|escalate|transfer|hand(?: me| this)? over|get"
        r"|need|want|call|reach)\b.{0,40}\b(?:humans?|persons?|support|staff|colleague|operator|"
        r"representative|someone real|manager)\b|\b(?:human|real person)\b.{0,12}$",
        "ask_human": r"\bask\s+(?:me|the user|a person|a human|someone)\b",
        "delegate_to_agent": r"\bdelegate\b|\b(?:ask|have|let|hand .{0,40}to|forward .{0,40}to|"
        r"give .{0,40}to)\s+(?:the\s+)?[\w -]{1,60}\bagent\b",
        "get_context": r"\bwho am i\b|\bmy (?:role|teams?)\b|\b(?:which|what) (?:organi[sz]ation|"
        r"company|team)\b|\bhow many (?:members|people|agents)\b|\b(?:what|which) tools\b",
        **sending.SIGNS,
        "post_webhook": r"\b(?:post|send|notify)\b.{0,40}"
        r"\b(?:webhook|channel|chat room|slack|team)\b",
        "delete_document": r"\b(?:delete|remove|erase)\b.{0,40}\bdocument\b",
    }.items()
}  # fmt: skip
# A sum is said in so many ways that only the sum itself is a sign of it.
_CALCULATOR = "calculator"


def parts_of(question: str) -> Iterator[tuple[str, str]]:
    """The parts of a question, each with the sign that ended it."""
    if json_object_in(question) is not None:
        yield question, ""
        return
    start = 0
    for count, found in enumerate(_CUT.finditer(question)):
        if found["cut"] is None:
            continue
        if count >= MAX_PARTS:
            break
        if question[start : found.start()].strip():
            yield question[start : found.start()], found[0]
        start = found.end()
    if question[start:].strip():
        yield question[start:], ""


def wanted_tools(question: str, tools: Sequence[Tool]) -> list[tuple[Tool, str]]:
    """The tools a question asks for, each with its part of the text, in the order they stand."""
    found: list[tuple[Tool, str]] = []
    before, ending = "", ""
    for part, sign in parts_of(question):
        tool = tool_for(part, tools)
        if tool is not None:
            found.append((tool, part))
        elif found:
            last, text = found[-1]
            found[-1] = (last, text + ending + part)
        else:
            before += part + sign
        ending = sign
    if found and before and not plain_words(found[0][1]):
        found[0] = (found[0][0], before + found[0][1])
    return found


def tool_for(part: str, tools: Sequence[Tool]) -> Tool | None:
    """The tool that a part of a question is meant for: named, by its signs, by shared words."""
    named = named_tools(part, tools)
    if named:
        return named[0]
    by_name = {_kind_of(tool): tool for tool in reversed(tools)}
    by_name |= {tool.name: tool for tool in tools}
    for name, pattern in _SIGNS.items():
        if name in by_name and pattern.search(part):
            return by_name[name]
    if _CALCULATOR in by_name and sum_in(part):
        return by_name[_CALCULATOR]
    # Those with signs of their own are not guessed by words.
    others = [tool for tool in tools if tool.name not in _GUARDED]
    return best_match(part, others, must=False)


def _kind_of(tool: Tool) -> str:
    return sending.kind_of(tool.name, tool.parameters.get("properties", ()))


_GUARDED = {"call_human", "ask_human", "delegate_to_agent", "get_context", "update_thread_title",
            "current_time", "search_messages", *document.SIGNS}  # fmt: skip


def named_tools(question: str, tools: Sequence[Tool]) -> list[Tool]:
    """Tools whose names stand in the question, in the order they do."""
    lowered = question.lower()
    spoken = " ".join(plain_words(question))
    places: list[tuple[int, Tool]] = []
    for tool in tools:
        place = lowered.find(tool.name.lower())
        words = " ".join(name_words(tool.name))
        if place < 0 and " " in words and words in spoken:
            place = spoken.find(words)
        if place >= 0 and (" " in words or re.search(r"\b(?:use|call|run|tool)\b", lowered)):
            places.append((place, tool))
    return [tool for _, tool in sorted(places, key=lambda item: item[0])]


def best_match(question: str, tools: Sequence[Tool], *, must: bool) -> Tool | None:
    """The tool that shares most words with the question; one word of its name must be there."""
    asked = set(key_words(question))
    scored: list[tuple[float, Tool]] = []
    for tool in tools:
        name = set(key_words(" ".join(name_words(tool.name))))
        in_name = asked & name
        in_description = asked & set(key_words(tool.description))
        score = 2.0 * len(in_name) + len(in_description - in_name)
        if must or (in_name and (in_name == name or score >= 3)):
            scored.append((score, tool))
    return max(scored, key=lambda item: item[0])[1] if scored else None
