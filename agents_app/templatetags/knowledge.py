"""What the templates of knowledge need: states in words, kinds of files, the text of a page."""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from agents_app.knowledge.media import MediaKind
from agents_app.models import Document, DocumentSource, DocumentVersion, VersionStatus
from agents_app.services.document_reading import Progress
from agents_app.services.knowledge import Passage

register = template.Library()

KINDS: Final = {
    MediaKind.PDF: "PDF",
    MediaKind.DOCX: "Word document",
    MediaKind.PPTX: "Slides",
    MediaKind.XLSX: "Spreadsheet",
    MediaKind.HTML: "Web page",
    MediaKind.EMAIL: "E-mail",
    MediaKind.CSV: "Table (CSV)",
    MediaKind.MARKDOWN: "Markdown",
    MediaKind.TEXT: "Text",
}
_UNITS: Final = {MediaKind.PPTX: "slide", MediaKind.XLSX: "sheet"}
_HASHES: Final = re.compile(r" {0,3}#{1,6}[ \t]+")
_UNDERLINE: Final = re.compile(r"\n {0,3}(?:=+|-{2,})[ \t]*(?=\n|$)")
_GAP: Final = re.compile(r"\n[ \t]*\n\s*")


@register.filter
def kind_of(version: DocumentVersion) -> str:
    """What a version is, for people; empty where it is not known yet."""
    if version.document.source == DocumentSource.WEB and not version.media_type:
        return "Web page"
    if version.document.source == DocumentSource.TEXT:
        return "Pasted text"
    return KINDS.get(version.media_type, "")  # type: ignore[call-overload, no-any-return]


@register.filter
def pages_of(version: DocumentVersion) -> str:
    """ "200 pages", "12 slides"; empty for what has none."""
    count = version.pages_total
    if not count or version.media_type not in {MediaKind.PDF, *_UNITS, MediaKind.DOCX}:
        return ""
    unit = _UNITS.get(version.media_type, "page")  # type: ignore[call-overload]
    return "" if count == 1 and unit == "page" else f"{count:,} {unit}{'' if count == 1 else 's'}"


@register.filter
def host_of(document: Document) -> str:
    """The host of a web page."""
    return document.source_url.partition("://")[2].partition("/")[0]


@register.filter
def told(progress: Progress) -> str:
    """How far a version has got, in words."""
    done, total = progress.done, progress.total
    status = progress.version.status
    if status == VersionStatus.QUEUED:
        return "Waiting for its turn"
    if status == VersionStatus.PARSING:
        reads = progress.version.file_id is not None
        if not reads:
            return "Fetching the page"
        return f"Reading page {min(done + 1, total):,} of {total:,}" if total else "Reading"
    if status == VersionStatus.CHUNKING:
        return "Cutting it into passages"
    if status == VersionStatus.EMBEDDING:
        return f"Embedding {done:,} of {total:,}" if total else "Embedding"
    if status == VersionStatus.CANCELED:
        return progress.version.error or "Stopped."
    return progress.stage


@register.filter
def passage_url(passage: Passage) -> str:
    """Where the passage is read in its document."""
    place = {
        "version": passage.version,
        "page": passage.page,
        "from": passage.char_start,
        "to": passage.char_end,
    }
    address = reverse("knowledge:document", args=[passage.document_id])
    return f"{address}?{urlencode(place)}#passage"


@register.simple_tag
def page_text(
    text: str,
    start: int,
    end: int,
    headings: Sequence[tuple[int, int]],
    first: int | None = None,
    last: int | None = None,
) -> SafeString:
    """The letters ``start`` .. ``end`` of a page as paragraphs and headings.

    Those from ``first`` to ``last`` are marked; the first piece of them is ``#passage``.
    """
    passage = (first, last) if first is not None and last is not None else (0, 0)
    levels = {offset: level for offset, level in headings if start <= offset < end}
    parts: list[SafeString] = []
    is_marked = False
    for begin, stop, level in _blocks(text, start, end, levels):
        inner, marked = _marked(text, begin, stop, passage, is_first=not is_marked)
        is_marked = is_marked or marked
        # Headings of the page stand below the title.
        tag = f"h{min(level + 1, 6)}" if level else "p"
        parts.append(format_html(f"<{tag}>{{}}</{tag}>", inner))
    return mark_safe("\n".join(parts))  # noqa: S308 - all of it is escaped


def _blocks(
    text: str, start: int, end: int, levels: dict[int, int]
) -> Iterator[tuple[int, int, int]]:
    """Headings (with their level) and paragraphs (0), as offsets without what is around them."""
    edges = sorted(levels)
    position = start
    for edge in edges:
        if edge < position:
            continue
        yield from _paragraphs(text, position, edge)
        line_end = text.find("\n", edge, end)
        stop = end if line_end < 0 else line_end
        hashes = _HASHES.match(text, edge, stop)
        yield (hashes.end() if hashes else edge), stop, levels[edge]
        under = None if hashes else _UNDERLINE.match(text, stop, end)
        position = under.end() if under else stop
    yield from _paragraphs(text, position, end)


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    position = start
    while position < end:
        gap = _GAP.search(text, position, end)
        stop = gap.start() if gap else end
        if text[position:stop].strip():
            begin = position
            while text[begin] == "\n":
                begin += 1
            last = begin + len(text[begin:stop].rstrip())
            yield begin, last, 0
        position = gap.end() if gap else end


def _marked(
    text: str, begin: int, stop: int, passage: tuple[int, int], *, is_first: bool
) -> tuple[SafeString, bool]:
    """The letters, escaped, with what of the passage lies among them marked; whether any does."""
    low, high = max(begin, passage[0]), min(stop, passage[1])
    if low >= high:
        return conditional_escape(text[begin:stop]), False
    name = mark_safe(' id="passage" tabindex="-1"') if is_first else ""
    html = format_html(
        "{}<mark{}>{}</mark>{}", text[begin:low], name, text[low:high], text[high:stop]
    )
    return html, True
