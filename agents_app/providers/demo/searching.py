"""Which questions the demo model looks up, in documents or in what was said, and for what."""

import re
from collections.abc import Mapping
from typing import Final

_WRITTEN = (
    r"(?:(?:the|our|your|my|its|company|staff|employee)\s+)*"
    r"(?:knowledge(?:\s+base)?|documents?|docs|handbook|polic(?:y|ies)|manual)\b"
)
_SAYS = r"(?:says?|states?|tells?(?:\s+us)?|mentions?|requires?|allows?|writes?)\b"
_SAID_IN = rf"\b{_WRITTEN}\s+{_SAYS}"
_ACCORDING = rf"\baccording to\s+{_WRITTEN}"
_DECIDED = (
    r"\bdid\s+we\s+(?:\w+\s+)?(?:decide|agree|say|discuss|settle|conclude|talk)\b"
    r"|\b(?:what|which|when|why)\b.{0,40}\b(?:was|were)\s+(?:decided|agreed|settled|concluded)\b"
    r"|\b(?:what|when|how)\s+we\s+(?:have\s+)?(?:decided|agreed|said|discussed)\b"
)

SIGNS: Final[Mapping[str, str]] = {
    "search_knowledge": r"\b(?:search|look up|look in(?:to)?|find|check|consult)\b.{0,60}"
    r"\b(?:knowledge|documents?|docs|handbook|polic(?:y|ies)|manual)\b"
    rf"|{_ACCORDING}|{_SAID_IN}",
    "search_messages": r"\b(?:search|find|look (?:up|for|through)|which|what)\b.{0,60}"
    rf"\b(?:messages?|chats?|threads?|conversations?)\b|{_DECIDED}",
}

_PUT_AWAY = re.compile(rf"{_ACCORDING}\s*[,:]?\s*", re.IGNORECASE)
_ABOUT = re.compile(rf"{_SAID_IN}\s+(?:(?:about|on|of|regarding)\s+)?(.+)", re.IGNORECASE)
_FOR = re.compile(
    rf"\b(?:search|look|check|consult)\b.*?\b{_WRITTEN}\s+(?:for|about|on)\s+(.+)", re.IGNORECASE
)
_EVERYWHERE = re.compile(
    rf"{_DECIDED}|\b(?:all|other|earlier|previous|past|my)\s+(?:my\s+|the\s+|other\s+)?"
    r"(?:threads|chats|conversations)\b",
    re.IGNORECASE,
)


def asked_of_documents(question: str) -> str:
    """What is to be found in the documents; empty where the question does not say it this way."""
    found = _ABOUT.search(question) or _FOR.search(question)
    if found:
        return found[1].strip(" .?!:,")
    rest, count = _PUT_AWAY.subn("", question)
    return rest.strip(" .?!:,") if count else ""


def asks_of_all_threads(question: str) -> bool:
    """Whether what was said elsewhere counts as well."""
    return _EVERYWHERE.search(question) is not None
