"""Who is named in a text: ``@name`` or ``@e-mail`` of who may be named; all else is text."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from html.parser import HTMLParser
from itertools import islice

from one_project.accounts.models import User

# Not in the middle of a word or an address.
_AT = re.compile(r"(?:^|(?<=[\s(\[{,;:>*_“\"']))@")
# Looked at after an @: longer than any name.
_REACH = 300
# Looked at in one text: nobody names more.
_MOST = 200


def names_of(people: Iterable[User]) -> list[tuple[str, User]]:
    """What each answers to, longest first: name, e-mail address, and the first name where only one
    of them has it. A name that several have names nobody."""
    found: dict[str, list[User]] = {}
    for person in people:
        full = person.display_name.lower()
        for name in {full, person.email.lower(), *full.split()[:1]}:
            found.setdefault(name, []).append(person)
    pairs = [(name, whose[0]) for name, whose in found.items() if name and len(whose) == 1]
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def find_names(text: str, people: Sequence[User]) -> list[User]:
    """The people named, in the order of the text, each once."""
    names = names_of(people)
    found: dict[object, User] = {}
    for at in _signs(text):
        pair = _name_at(text, at.end(), names)
        if pair is not None:
            found.setdefault(pair[1].pk, pair[1])
    return list(found.values())


def mark_names(rendered: str, people: Sequence[User]) -> str:
    """Sanitised HTML with the names of these people marked where they stand in its text."""
    if not people:
        return rendered
    marker = _Marker(names_of(people))
    marker.feed(rendered)
    marker.close()
    return "".join(marker.parts)


def _signs(text: str) -> Iterator[re.Match[str]]:
    return islice(_AT.finditer(text), _MOST)


def _name_at(text: str, start: int, names: list[tuple[str, User]]) -> tuple[int, User] | None:
    """Where the longest name that stands there ends, and whose it is."""
    rest = text[start : start + _REACH].lower()
    for name, person in names:
        after = rest[len(name) : len(name) + 1]
        if rest.startswith(name) and not (after.isalnum() or after == "_"):
            return start + len(name), person
    return None


class _Marker(HTMLParser):
    """Copies HTML as it is, but for names in its text; code and links are left alone."""

    def __init__(self, names: list[tuple[str, User]]) -> None:
        super().__init__(convert_charrefs=False)
        self.names = names
        self.parts: list[str] = []
        self.quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.quoted += tag in {"code", "pre", "a"}
        self.parts.append(self.get_starttag_text() or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        self.quoted -= tag in {"code", "pre", "a"}
        self.parts.append(f"</{tag}>")

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")

    def handle_data(self, data: str) -> None:
        self.parts.append(html.escape(data, quote=False) if self.quoted else self._marked(data))

    def _marked(self, text: str) -> str:
        parts, done = [], 0
        for at in _signs(text):
            pair = _name_at(text, at.end(), self.names) if at.start() >= done else None
            if pair is not None:
                parts += [
                    html.escape(text[done : at.start()], quote=False),
                    f'<mark class="mention">{html.escape(text[at.start() : pair[0]])}</mark>',
                ]
                done = pair[0]
        return "".join([*parts, html.escape(text[done:], quote=False)])
