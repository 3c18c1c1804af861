"""What a browser's page holds of one thread: ``static/js/live.js`` without the pixels.

Applies records in the same way (numbers, attempts, gaps), so that what is measured or found
missing here is what a person would see.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

ARTICLE = re.compile(r"<article ([^>]*)>(.*?)</article>", re.DOTALL)
ATTRIBUTE = re.compile(r'([\w-]+)(?:="([^"]*)")?')
# What follows the body of a message.
BEHIND_BODY = re.compile(
    r'<p class="thinking"|<p class="aside is-stopped"|<div class="failure"|<div class="actions"'
    r'|<details class="earlier"'
)
TAG = re.compile(r"<[^>]*>")
OPEN = '<div class="open">'


@dataclass(slots=True)
class Article:
    """A message as shown; ``state`` is what decides which of two versions stays."""

    key: str
    position: str
    kind: str
    status: str
    seq: int
    attempt: int
    n: int
    closed: str
    opened: str

    @property
    def state(self) -> tuple[int, int, int]:
        return self.seq, self.attempt, self.n

    @property
    def is_final(self) -> bool:
        return self.status not in {"pending", "streaming"}

    @property
    def text(self) -> str:
        """What is read on the page, white space folded."""
        return " ".join(html.unescape(TAG.sub(" ", self.closed + self.opened)).split())


class Page:
    """One open page. ``on_body(article, kind, body)`` hears of every new piece of a message."""

    def __init__(
        self, seq: int, on_body: Callable[[Article, str, str], None] | None = None
    ) -> None:
        self.seq = seq
        self.articles: dict[str, Article] = {}
        self.gaps = 0
        self.reloads = 0
        self._places: dict[str, Article] = {}
        self.on_body = on_body

    def known(self) -> dict[str, list[int]]:
        """The state of unfinished answers, as the page reports it when it asks."""
        return {a.position: [a.attempt, a.n] for a in self.articles.values() if not a.is_final}

    def apply(self, message: str) -> bool:
        """Apply a text message of the socket; True when something is missing: ask for it."""
        missing = False
        for record in message.split("\x1e"):
            head, _, body = record.partition("\n")
            kind, *fields = head.split(" ")
            if kind in {"d", "h", "c", "r"}:
                position, attempt, n = fields
                missing |= self._stream(kind, position, int(attempt), int(n), body)
            elif kind == "s":
                missing |= self._durable(int(fields[0]), int(fields[1]), body)
            elif kind == "x":
                self.reloads += 1
        return missing

    def upsert(self, fragment: str) -> None:
        """Put the articles of ``fragment`` in place unless a later state stands there."""
        for attributes, inside in ARTICLE.findall(fragment):
            data = dict(ATTRIBUTE.findall(attributes))
            if "data-removed" in data:
                gone = self.articles.pop(data["id"].removeprefix("message-"), None)
                self._places.pop(gone.position if gone else "", None)
                continue
            fresh = _article(data, inside)
            old = self.articles.get(fresh.key)
            if old is not None and fresh.state <= old.state:
                continue
            self.articles[fresh.key] = self._places[fresh.position] = fresh
            if self.on_body:
                self.on_body(fresh, "s", fresh.closed + fresh.opened)

    def _durable(self, seq: int, since: int, body: str) -> bool:
        if seq <= self.seq:
            return False
        if since > self.seq:
            self.gaps += 1
            return True
        self.seq = seq
        self.upsert(body)
        return False

    def _stream(self, kind: str, position: str, attempt: int, n: int, body: str) -> bool:
        article = self._places.get(position)
        if article is None:
            self.gaps += 1
            return True
        if article.is_final or attempt < article.attempt:
            return False
        same = attempt == article.attempt
        if same and n <= article.n:
            return False
        if kind != "r" and not (same and n == article.n + 1):
            self.gaps += 1
            return True
        if kind == "d":
            article.opened += body
        elif kind == "h":
            article.opened = body
        elif kind == "c":
            article.closed += body
            article.opened = ""
        else:
            article.closed, article.opened = _halves(body)
        article.attempt, article.n, article.status = attempt, n, "streaming"
        if self.on_body:
            self.on_body(article, kind, body)
        return False


def _article(data: dict[str, str], inside: str) -> Article:
    _, _, body = inside.partition('dir="auto">')
    found = BEHIND_BODY.search(body)
    closed, opened = _halves(body[: found.start()] if found else body)
    return Article(
        key=data["data-message-id"],
        position=data["data-position"],
        kind=data["data-kind"],
        status=data["data-status"],
        seq=int(data["data-seq"]),
        attempt=int(data["data-attempt"]),
        n=int(data["data-n"]),
        closed=closed,
        opened=opened,
    )


def _halves(body: str) -> tuple[str, str]:
    closed, found, opened = body.rpartition(OPEN)
    return (closed, opened) if found else (body, "")
