"""Colours for code: Pygments' tokens as ``<span class="k">`` and the like, never a style.

Only languages named here are coloured. Each of their lexers was fed hostile input of the size
allowed (``tests/common/markdown/test_hostile_size.py``); others spend seconds in one pattern.
Tokens that a page shows in the plain text colour get no span: it halves the bytes of a code block.
"""

import re
from functools import cache
from html import escape
from time import thread_time

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, _TokenType

from one_project.common.markdown.curly import CSharpLexer, JavaLexer

MAX_HIGHLIGHT_CHARS = 16_000
"""Code characters coloured in one text, at up to 5 ms per KB; what does not fit stays plain."""
HIGHLIGHT_START = 60
"""What starting a lexer costs, as characters, so that 6,000 tiny blocks are bounded as well."""
_TOO_SLOW = re.compile(r"[^\n]{500}|\s{200}")
"""Code with such a line or gap is data or an attack on a lexer; it stays plain."""
LEXER_SECONDS, LEXER_SECONDS_PER_CHAR = 0.05, 0.000_015
"""CPU time after which a lexer is given up and the code stays plain: three times what code takes.
Only code made to be slow comes so far (a thousand comments opened and none closed, say)."""

PLAIN = "text"
"""The language of code that names none."""

LANGUAGES: dict[str, str] = {
    alias: lexer
    for lexer, aliases in {
        "bash": "bash sh shell zsh",
        "c": "c h",
        "cpp": "cpp c++ cc hpp",
        "csharp": "csharp cs c#",
        "css": "css",
        "dart": "dart",
        "diff": "diff patch",
        "docker": "docker dockerfile",
        "elixir": "elixir ex",
        "go": "go golang",
        "graphql": "graphql",
        "haskell": "haskell hs",
        "html": "html htm django jinja jinja2",
        "ini": "ini cfg conf",
        "java": "java",
        "javascript": "javascript js jsx mjs",
        "json": "json json5 jsonc jsonl",
        "kotlin": "kotlin kt",
        "lua": "lua",
        "make": "make makefile",
        "nginx": "nginx",
        "perl": "perl pl",
        "php": "php",
        "postgresql": "postgresql postgres psql plpgsql",
        "powershell": "powershell ps1 pwsh",
        "protobuf": "protobuf proto",
        "pycon": "pycon",
        "python": "python py python3",
        "r": "r",
        "ruby": "ruby rb",
        "rust": "rust rs",
        "scala": "scala",
        "scss": "scss",
        "sql": "sql sqlite mysql",
        "swift": "swift",
        "toml": "toml",
        "typescript": "typescript ts tsx",
        "xml": "xml svg",
        "yaml": "yaml yml",
    }.items()
    for alias in aliases.split()
}
"""Name after the fence -> Pygments lexer."""

_TOKENS_PER_LOOK = 32
_SAMPLE = (
    "<script>a</script><style>a{}</style><p style='a:b' onclick='c'>{% if a %}{{ b }}<?php a ?>\n"
    "RUN a\nCMD [1]\n>>> a\nb:\n\tc\n#!/bin/sh\n$(d) `e` ${f} $$g$$\n"
)
_OWN_LEXERS: dict[str, type[Lexer]] = {"csharp": CSharpLexer, "java": JavaLexer}
_UNCOLOURED = frozenset({"", "n", "nx", "p", "w", "err", "esc", "x", "g", "l", "ld", "pm"})
_NAME = re.compile(r"[A-Za-z0-9_+#.-]{1,30}")

SPAN_CLASSES = frozenset(STANDARD_TYPES.values()) - _UNCOLOURED
"""Every class a coloured token can have."""


def language_of(info: str) -> str:
    """The language a fence names, lower case and safe in a class; ``PLAIN`` if none."""
    match = _NAME.match(info.strip())
    return match.group().lower() if match else PLAIN


@cache
def _lexer(name: str) -> Lexer:
    """A lexer ready for use: patterns are compiled at the first use of them, 100 ms for some.

    That must not count as the time of the first code, hence a sample of what can make a lexer call
    another one (scripts and styles in HTML, shell in a Dockerfile, Python after a prompt).
    """
    own = _OWN_LEXERS.get(name)
    lexer = own() if own else get_lexer_by_name(name)
    for _ in lexer.get_tokens_unprocessed(_SAMPLE):
        pass
    return lexer


@cache
def _css_class(token: _TokenType) -> str:
    """The short class of a token type or of its nearest standard parent."""
    while token not in STANDARD_TYPES:
        token = token.parent
    name = STANDARD_TYPES[token]
    return "" if name in _UNCOLOURED else name


class Colours:
    """How much of one text may still be coloured; its blocks draw on it in their order.

    One of these lives as long as one text is rendered, whole or streamed, so that both colour the
    same blocks.
    """

    def __init__(self, room: int = MAX_HIGHLIGHT_CHARS) -> None:
        self._room = room

    def _admit(self, code: str) -> bool:
        cost = len(code) + HIGHLIGHT_START
        if cost > self._room or _TOO_SLOW.search(code):
            return False
        self._room -= cost
        return True

    def html(self, code: str, language: str) -> str:
        """``code`` as HTML of text and spans; plain escaped text where colours do not apply."""
        name = LANGUAGES.get(language)
        if name is None or not self._admit(code):
            return escape(code, quote=False)
        try:
            return _coloured(code, name)
        except Exception:  # a defect in one of 40 lexers must not cost a person the message
            return escape(code, quote=False)


NO_COLOURS = Colours(room=0)
"""For a block that will be rendered again."""


def _coloured(code: str, lexer: str) -> str:
    runs: list[tuple[str, list[str]]] = []
    # "unprocessed" skips Pygments' own cleaning of line ends and encodings, done before (clean.py).
    tokens = _lexer(lexer).get_tokens_unprocessed(code)
    give_up = thread_time() + LEXER_SECONDS + LEXER_SECONDS_PER_CHAR * len(code)
    for number, (_, token, value) in enumerate(tokens):
        if number % _TOKENS_PER_LOOK == 0 and thread_time() > give_up:
            return escape(code, quote=False)
        css = _css_class(token)
        if runs and (runs[-1][0] == css or value.isspace()):
            runs[-1][1].append(value)  # white space needs no colour of its own
        else:
            runs.append((css, [value]))
    return "".join(_span(css, "".join(values)) for css, values in runs)


def _span(css: str, text: str) -> str:
    text = escape(text, quote=False)
    return f'<span class="{css}">{text}</span>' if css else text
