"""How the sources of an answer are shown: numbers in its text, and a list below it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import format_html

from chat_app.models import Message
from chat_app.runtime.markers import linked_markers
from one_project.common.ids import parse_id
from one_project.common.markdown import render

register = template.Library()


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that an answer cites. url: of the passage in its document; who may not read that
    finds nothing there."""

    number: int
    title: str
    heading: str
    page: int | None
    quote: str
    url: str

    @property
    def label(self) -> str:
        """The accessible name of a link to it."""
        page = f", page {self.page}" if self.page else ""
        return f"Source {self.number}: {self.title}{page}"


@register.filter
def cited(message: Message) -> list[Source]:
    """The sources that the answer cites, by their number; what programs stored otherwise is none
    of these."""
    found = [_source(one) for one in message.sources if isinstance(one, dict)]
    return [one for one in found if one is not None]


def render_cited(message: Message) -> str:
    """The answer's text as safe HTML, its markers as links."""
    html = str(render(message.text))
    links = {one.number: _link(one) for one in cited(message)}
    return linked_markers(html, links.get) if links else html


def _link(source: Source) -> str:
    return format_html(
        '<a class="cite" href="{}" aria-label="{}" title="{}">[{}]</a>',
        source.url,
        source.label,
        source.label,
        source.number,
    )


def _source(data: dict[str, Any]) -> Source | None:
    number, document = data.get("n"), parse_id(str(data.get("document_id", "")))
    if not isinstance(number, int) or document is None:
        return None
    page = data.get("page")
    place = {
        "version": data.get("version"),
        "page": data.get("page_number"),
        "from": data.get("char_start"),
        "to": data.get("char_end"),
    }
    query = urlencode({name: value for name, value in place.items() if isinstance(value, int)})
    return Source(
        number=number,
        title=str(data.get("title") or "Document"),
        heading=str(data.get("heading") or ""),
        page=page if isinstance(page, int) else None,
        quote=str(data.get("quote") or ""),
        url=f"{reverse('knowledge:document', args=[document])}?{query}#passage",
    )
