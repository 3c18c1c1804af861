"""The browser's side of a stream, as little of it as decides what a person ends up seeing."""

from html.parser import HTMLParser

from one_project.common.markdown import Record

# fmt: off
CONTAINERS = {
    "p", "li", "ul", "ol", "blockquote", "h3", "h4", "h5", "h6", "pre", "code", "table", "tbody",
    "thead", "tr", "td", "th", "div",
}
# fmt: on
VOID = {"br", "hr"}


class Page:
    """``closed`` as HTML; the open part as HTML and the text that was appended to its end."""

    def __init__(self) -> None:
        self.closed = ""
        self.open = ""
        self.appended = ""

    def apply(self, records: list[Record]) -> None:
        for kind, content in records:
            if kind == "c":
                self.closed += content
                self.open = self.appended = ""
            elif kind == "h":
                self.open, self.appended = content, ""
            elif kind == "d":
                self.appended += content
            else:
                raise AssertionError(f"a stream sent {kind}")

    def replace(self, snapshot: str) -> None:
        head, closed, opened = '<div class="closed">', '</div><div class="open">', "</div>"
        assert snapshot.startswith(head)
        assert snapshot.endswith(opened)
        # The last one: a closed part cannot hold this class.
        at = snapshot.rindex(closed)
        self.closed = snapshot[len(head) : at]
        self.open = snapshot[at + len(closed) : -len(opened)]
        self.appended = ""

    @property
    def open_text(self) -> str:
        # The parser sets line ends behind blocks; appended text goes into the last one instead.
        return text_of(self.open).rstrip("\n") + self.appended

    def tail(self) -> list[str]:
        """The elements into which the browser descends to append text, outermost first."""
        reader = _Tail()
        reader.feed(self.open)
        reader.close()
        return reader.path()


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of(html: str) -> str:
    """What is read on a page of this HTML."""
    reader = _Text()
    reader.feed(html)
    reader.close()
    return reader.text


class _Tail(HTMLParser):
    """A tree of tag names, enough to follow ``lastElementChild``."""

    def __init__(self) -> None:
        super().__init__()
        self._root: list[tuple[str, list]] = []
        self._stack = [self._root]

    def handle_starttag(self, tag: str, attrs: object) -> None:
        children: list[tuple[str, list]] = []
        self._stack[-1].append((tag, children))
        if tag not in VOID:
            self._stack.append(children)

    def handle_endtag(self, tag: str) -> None:
        self._stack.pop()

    def path(self) -> list[str]:
        found, children = [], self._root
        while children and children[-1][0] in CONTAINERS:
            tag, children = children[-1]
            found.append(tag)
        return found
