"""Marks set in a Markdown text before it is parsed, so that some syntax stays plain text.

The mark is one Unicode noncharacter, which ``clean`` removes from every input, so no input can
hold one. ``unmark`` takes it out of the parser's HTML again, in code as in prose. Guarded are:

- raw HTML: a person shall see ``<b>`` as the text it is, not find it missing;
- link reference definitions: with blocks rendered one by one a reference could not find its
  definition elsewhere, and the parser would swallow the definition's text. Both are shown as
  written (an address in it is still linked by its own looks), which also leaves no
  reference-style image;
- tables that would make far more cells than their text has room for: a header of n columns makes
  n cells of every short row;
- quotes in quotes beyond what anyone reads.
"""

import re

MARK = "\ufdd1"
SEPARATOR = "\ufdd2"
"""Stands alone in a paragraph between blocks that are parsed together."""

MAX_COLUMNS = 64
_CELLS_FREE = 1_000
_CHARS_PER_CELL = 3  # of a table with more cells than that: a pipe, a space, a digit
_DEEP_QUOTE = re.compile(r"^(?:[ \t]{0,3}>){64}", re.MULTILINE)

_AUTOLINK = r"(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:|[\w.+-]+@)[^\s<>]*>"
_OPENS_TAG = re.compile(
    rf"(\]\(<[^<>\n]*>(?=[ \t]*[)\"'(]))"  # [text](<address>) keeps its angle brackets
    rf"|<(?=[A-Za-z/!?])(?!{_AUTOLINK})"
)
_DELIMITER_ROW = re.compile(r"[ \t>*+\d.):|-]+$")  # perhaps inside a list or a quote
_IN_ADDRESS = "%EF%B7%91"  # the mark as the parser writes it into an address


def _mark_tag(match: re.Match[str]) -> str:
    return match[1] or "<" + MARK


def _mark_after(match: re.Match[str]) -> str:
    return match.group() + MARK


def _guard_tables(text: str) -> str:
    """Spoil the delimiter rows of each run of lines that could make too large a table."""
    lines = text.split("\n")
    run_start = 0
    for number, line in enumerate([*lines, ""]):
        if not line.strip():
            _guard_run(lines, run_start, number)
            run_start = number + 1
    return "\n".join(lines)


def _guard_run(lines: list[str], start: int, end: int) -> None:
    """Change ``lines[start:end]``, which hold no blank line, in place."""
    rows = [n for n in range(start, end) if "|" in lines[n] and _DELIMITER_ROW.match(lines[n])]
    if not rows:
        return
    columns = max(lines[n].strip("> |").count("|") for n in rows) + 1
    allowed = sum(map(len, lines[start:end])) // _CHARS_PER_CELL + _CELLS_FREE
    if columns > MAX_COLUMNS or columns * (end - start) > allowed:
        for n in rows:
            lines[n] = lines[n].replace("-", "-" + MARK)


def guard(text: str) -> str:
    """``text`` with the marks set; for the parser only."""
    if "<" in text:
        text = _OPENS_TAG.sub(_mark_tag, text)
    if "]:" in text:
        text = text.replace("]:", "]" + MARK + ":")
    if "|" in text and "-" in text:
        text = _guard_tables(text)
    if ">" in text:
        text = _DEEP_QUOTE.sub(_mark_after, text)
    return text


def unmark(html: str) -> str:
    """The parser's HTML without the marks."""
    if MARK in html:
        html = html.replace(MARK, "")
    if _IN_ADDRESS in html:
        html = html.replace(_IN_ADDRESS, "")
    return html
