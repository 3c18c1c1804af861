"""Markers like [1] and [2, 3] in an answer: found outside of code, dropped, made into links. Pure.

What is code is what the page shows as code: the renderer decides, here as well as there.
"""

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Final

from one_project.common.markdown import render

# Not the text of a link.
_MARKER: Final = re.compile(r"\[(\d{1,4}(?:\s?[,;]\s?\d{1,4}){0,20})\](?!\()")
_TAG: Final = re.compile(r"<(/?)([a-z0-9]+)[^>]*>")
_CLOSED: Final = frozenset({"code", "pre", "a"})
_DIGITS: Final = re.compile(r"\d+")
# Of the private use area; texts that hold them are left alone.
_START, _STOP = "\ue002", "\ue003"
_COUNTED: Final = re.compile(f"{_START}(\\d+){_STOP}")


def has_markers(text: str) -> bool:
    return _MARKER.search(text) is not None


def checked_markers(text: str, offered: Collection[int]) -> tuple[str, list[int]]:
    """The text without the numbers that were not offered, and those it cites, each once, in order.

    A marker of which nothing is left goes with the blank before it. Code stays as it is.
    """
    in_prose = _places_in_prose(text)
    used: dict[int, None] = {}
    pieces: list[str] = []
    end = 0
    for place, match in enumerate(_MARKER.finditer(text)):
        if place not in in_prose:
            continue
        numbers = _numbers(match[1])
        kept = [number for number in numbers if number in offered]
        used.update(dict.fromkeys(kept))
        if kept == numbers:
            continue
        before = text[end : match.start()]
        said = f"[{', '.join(map(str, kept))}]" if kept else ""
        pieces += (before if kept else before.rstrip(" \t"), said)
        end = match.end()
    return "".join([*pieces, text[end:]]), list(used)


@lru_cache(maxsize=256)
def without_markers(text: str) -> str:
    """The text without any: remembered, since each step of a turn tells what was said before."""
    return checked_markers(text, ())[0]


def linked_markers(html: str, link: Callable[[int], str | None]) -> str:
    """Rendered HTML with what ``link`` makes of each number in place of the markers in its prose.

    ``link`` gives safe HTML, or None for a number that it does not know: that one stays.
    """

    def replaced(match: re.Match[str]) -> str:
        links = [link(number) or f"[{number}]" for number in _numbers(match[1])]
        return "".join(links)

    return _in_prose(html, lambda text: _MARKER.sub(replaced, text))


def _numbers(text: str) -> list[int]:
    return [int(number) for number in _DIGITS.findall(text)]


def _in_prose(html: str, change: Callable[[str], str]) -> str:
    """HTML of the renderer with the text outside of code and links changed."""
    pieces: list[str] = []
    end = depth = 0
    for tag in _TAG.finditer(html):
        text = html[end : tag.start()]
        pieces += (text if depth else change(text), tag[0])
        end = tag.end()
        if tag[2] in _CLOSED:
            depth += -1 if tag[1] else 1
    rest = html[end:]
    return "".join([*pieces, rest if depth else change(rest)])


def _places_in_prose(text: str) -> frozenset[int]:
    """Which of the text's markers, counted from 0, the page shows as prose."""
    if _START in text or _STOP in text:
        return frozenset()
    count = iter(range(len(text)))

    def counted(match: re.Match[str]) -> str:
        return f"[{match[1]}{_START}{next(count)}{_STOP}]"

    found: set[int] = set()

    def seen(prose: str) -> str:
        found.update(int(number) for number in _COUNTED.findall(prose))
        return prose

    _in_prose(render(_MARKER.sub(counted, text)), seen)
    return frozenset(found)
