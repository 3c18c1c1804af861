"""Pages of the web as files, and the addresses that a sitemap lists. Through the guarded door."""

import asyncio
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from xml.etree.ElementTree import ParseError  # nosec - the error only

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from integrations_app.errors import BadAddress, ResponseUnreadable
from integrations_app.providers.http import MAX_URL_CHARS, Fetched, fetch
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line

TIMEOUT: Final = 60.0
MAX_PAGE_BYTES: Final = 20 * 1024 * 1024
MAX_SITEMAP_BYTES: Final = 10 * 1024 * 1024
MAX_SITEMAPS: Final = 20  # files of one index
_ACCEPT: Final = {"Accept": "text/html, application/pdf, text/plain;q=0.9, */*;q=0.5"}
_TEXTUAL: Final = ("text/", "application/xhtml+xml")
_WIDE: Final = ("utf-16", "utf-32")


@dataclass(frozen=True, slots=True)
class WebFile:
    """filename: the end of its address, which is only a hint. media_type: as the server says."""

    filename: str
    media_type: str
    data: bytes


class NotAnswered(InvalidInput):
    """The server answered with something else than the page. ``retryable``: perhaps later."""

    code = "http_status"

    def __init__(self, status: int) -> None:
        super().__init__(f"The page answered with status {status}.")
        self.retryable = status in (408, 425, 429) or status >= 500


class NotASitemap(InvalidInput):
    """What the address sends lists no pages."""

    code = "not_a_sitemap"
    user_message = "This address is not a sitemap (an XML file that lists the pages of a site)."


def clean_url(url: str) -> str:
    """The address without its fragment and with a lower-case host. Raises BadAddress."""
    line = clean_line(url, MAX_URL_CHARS + 1)
    try:
        parts = urlsplit(line)
        has_host = bool(parts.hostname)
    except ValueError as error:
        raise BadAddress(detail=str(error)[:200]) from error
    if parts.scheme.lower() not in ("http", "https") or not has_host:
        raise BadAddress("A web address begins with http:// or https://.")
    if "@" in parts.netloc:
        raise BadAddress("A web address must not hold a name or a password.")
    place = (parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", parts.query, "")
    address = urlunsplit(place)
    if " " in line or len(line) > MAX_URL_CHARS or len(address) > MAX_URL_CHARS:
        raise BadAddress(detail="too long, or with blanks")
    return address


async def fetch_page(url: str, *, max_bytes: int = MAX_PAGE_BYTES) -> WebFile:
    """A page, or any other file behind the address. Raises what ``fetch`` does, and NotAnswered."""
    found = await _opened(url, min(max_bytes, MAX_PAGE_BYTES))
    return WebFile(_filename(found), found.media_type, await asyncio.to_thread(_as_utf8, found))


async def sitemap_urls(url: str, limit: int) -> list[str]:
    """Addresses of the sitemap's host that it lists, ``limit`` at most, each once.

    An index of sitemaps is followed one step. Raises what ``fetch`` does, NotASitemap, NotAnswered.
    """
    host = urlsplit(url).netloc
    pages, indexed = await _listed(url)
    found = dict.fromkeys(pages)
    for inner in indexed[:MAX_SITEMAPS]:
        if len(found) >= limit:
            break
        if urlsplit(inner).netloc == host:
            found |= dict.fromkeys((await _listed(inner))[0])
    return [page for page in found if urlsplit(page).netloc == host][:limit]


async def _opened(url: str, max_bytes: int) -> Fetched:
    found = await fetch(url, headers=_ACCEPT, timeout=TIMEOUT, max_bytes=max_bytes)
    if not found.is_ok:
        raise NotAnswered(found.status)
    return found


async def _listed(url: str) -> tuple[list[str], list[str]]:
    found = await _opened(url, MAX_SITEMAP_BYTES)
    return await asyncio.to_thread(read_sitemap, found.body, url)


def read_sitemap(data: bytes, base: str) -> tuple[list[str], list[str]]:
    """Addresses of pages, and of further sitemaps. Raises NotASitemap."""
    try:
        root = fromstring(_unzipped(data), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise NotASitemap(detail=repr(error)[:200]) from error
    pages: list[str] = []
    indexed: list[str] = []
    for element in root:
        listed = {"url": pages, "sitemap": indexed}.get(_local(element.tag))
        if listed is not None:
            listed += _locations(element, base)
    if _local(root.tag) not in ("urlset", "sitemapindex"):
        raise NotASitemap
    return pages, indexed


def _locations(element: "object", base: str) -> Iterator[str]:
    for child in element:  # type: ignore[attr-defined]
        if _local(child.tag) == "loc" and child.text:
            try:
                yield clean_url(urljoin(base, child.text.strip()))
            except (BadAddress, ValueError):
                continue


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def _unzipped(data: bytes) -> bytes:
    """Sitemaps are often files in gzip, which is another thing than a gzipped answer."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(data, MAX_SITEMAP_BYTES)
    except zlib.error as error:
        raise ResponseUnreadable(detail=str(error)) from error
    if unpacker.unconsumed_tail:
        raise NotASitemap("This sitemap is too large.")
    return unpacked


def _as_utf8(found: Fetched) -> bytes:
    """Text in the encoding that only the server's answer names would be a riddle later."""
    is_text = found.media_type.startswith(_TEXTUAL)
    named = found.charset.lower()
    if not is_text or not named or named in ("utf-8", "utf8") or named.startswith(_WIDE):
        return found.body
    return found.text.encode("utf-8", "replace")


def _filename(found: Fetched) -> str:
    parts = urlsplit(found.url)
    last = unquote(parts.path).rstrip("/").rpartition("/")[2]
    if last and "." in last:
        return last
    ending = {"text/plain": ".txt", "text/markdown": ".md", "application/pdf": ".pdf"}
    return (last or parts.hostname or "page") + ending.get(found.media_type, ".html")
