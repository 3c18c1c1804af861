"""Reads rendered HTML as a browser would see its tags, and names everything that is not allowed."""

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

VOID = {"br", "hr"}
_CLASSES = {
    "div": {"code", "code-head", "table-scroll"},
    "button": {"copy-code"},
}
_FIXED = {
    ("button", "type"): {"button"},
    ("button", "data-copy"): {"code"},
    ("div", "tabindex"): {"0"},
    ("div", "role"): {"region"},
    ("div", "aria-label"): {"Table"},
    ("pre", "tabindex"): {"0"},
    ("a", "rel"): {"noopener noreferrer nofollow ugc"},
    ("a", "target"): {"_blank"},
    ("td", "align"): {"left", "center", "right"},
    ("th", "align"): {"left", "center", "right"},
    **{
        (tag, "dir"): {"auto"} for tag in ("p", "li", "h3", "h4", "h5", "h6", "blockquote", "table")
    },
}
# fmt: off
_TAGS = {
    "a", "blockquote", "br", "button", "code", "del", "div", "em", "h3", "h4", "h5", "h6", "hr",
    "li", "ol", "p", "pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}
# fmt: on


class Audit(HTMLParser):
    """After ``feed`` and ``close``: faults found, tags and addresses seen, and the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in _TAGS:
            self.faults.append(f"tag {tag}")
        if tag == "a" and "a" in self.open:
            self.faults.append("link in a link")
        for name, value in attrs:
            if not self._allowed(tag, name, value or ""):
                self.faults.append(f"{tag} {name}={value!r}")
        if tag not in VOID:
            self.open.append(tag)
            self.depth = max(self.depth, len(self.open))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> out of place")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"declaration {decl!r}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"instruction {data!r}")

    def _allowed(self, tag: str, name: str, value: str) -> bool:
        if (tag, name) in _FIXED:
            return value in _FIXED[tag, name]
        if (tag, name) == ("a", "href"):
            self.addresses.append(value)
            return _is_absolute(value)
        if (tag, name) == ("ol", "start"):
            return value.isdigit()
        if name != "class":
            return False
        if tag == "code":
            return re.fullmatch(r"language-[a-z0-9_+#.-]{1,30}", value) is not None
        if tag == "span":
            return re.fullmatch(r"[a-z][a-z0-9]{0,2}|host|code-lang", value) is not None
        return value in _CLASSES.get(tag, set())


def _is_absolute(address: str) -> bool:
    if re.search(r"[\x00-\x20\x7f\\]", address):
        return False
    parts = urlsplit(address)
    if parts.scheme == "mailto":
        return "@" in parts.path
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def audit(html: str) -> Audit:
    """The audit of a whole piece of HTML; elements left open are faults."""
    found = Audit()
    found.feed(html)
    found.close()
    found.faults += [f"<{tag}> not closed" for tag in found.open]
    return found
