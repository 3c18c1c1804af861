"""The list of documents in a collection, and what of it has changed since a page showed it."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db.models import prefetch_related_objects

from agents_app.models import OPEN_VERSIONS, Collection, Document, DocumentVersion, VersionStatus
from agents_app.services.document_reading import (
    DocumentList,
    DocumentRow,
    Progress,
    list_documents,
    progress_of,
)
from agents_app.services.document_versions import SUPERSEDED, UNCHANGED
from agents_app.services.documents import clean_folder
from one_project.accounts.middleware import MemberRequest
from one_project.common.text import clean_line

_SIGNS = {str(status): chr(ord("a") + number) for number, status in enumerate(VersionStatus)}
_OPEN_SIGNS = {_SIGNS[status] for status in OPEN_VERSIONS}


@dataclass(frozen=True, slots=True)
class Line:
    """One document. mark: a sign of its state, and a hash of all that can change in its line."""

    document: Document
    newest: DocumentVersion | None
    progress: Progress | None
    mark: str

    @property
    def id(self) -> str:
        return str(self.document.pk)

    @property
    def is_open(self) -> bool:
        return self.newest is not None and self.newest.is_open

    @property
    def may_retry(self) -> bool:
        """Whether trying once more could end otherwise."""
        return self.newest is not None and may_retry(self.newest)

    def news_since(self, mark: str) -> str:
        """For those who cannot see it: how it has ended, where it was on its way before."""
        if self.newest is None or self.is_open or mark[:1] not in _OPEN_SIGNS:
            return ""
        ends = {VersionStatus.READY: "is ready", VersionStatus.FAILED: "could not be read"}
        ending = ends.get(VersionStatus(self.newest.status), "was stopped")
        return f"{self.document.title} {ending}."


@dataclass(frozen=True, slots=True)
class Listing:
    """What the page shows: ``version`` tells two states of it apart."""

    lines: list[Line]
    found: DocumentList
    query: str
    folder: str
    cursor: str

    @property
    def is_busy(self) -> bool:
        return any(line.is_open for line in self.lines)

    @property
    def rows(self) -> str:
        """Which documents stand where; while it stays, single lines can be replaced."""
        shown = [(str(line.document.pk), line.document.title) for line in self.lines]
        return _hash((shown, self.found.next_cursor, self.found.folders))

    @property
    def version(self) -> str:
        return ".".join([self.rows, *(line.mark for line in self.lines)])

    def changed_since(self, version: str) -> "list[tuple[Line, str]] | None":
        """The lines that differ, with their news; None where the whole list does."""
        rows, *marks = version.split(".")
        if rows != self.rows or len(marks) != len(self.lines):
            return None
        both = zip(self.lines, marks, strict=True)
        return [(line, line.news_since(mark)) for line, mark in both if line.mark != mark]


def may_retry(version: DocumentVersion) -> bool:
    """A page that has not changed and a version that was overtaken need no second try."""
    if version.status == VersionStatus.CANCELED:
        return version.error_code not in {UNCHANGED, SUPERSEDED}
    return version.status == VersionStatus.FAILED


def listing(request: MemberRequest, collection: Collection) -> Listing:
    """The documents that the address asks for: ``q``, ``folder``, ``cursor``."""
    query = clean_line(request.GET.get("q"), 200)
    folder = clean_folder(request.GET.get("folder", "")[:2000])
    cursor = request.GET.get("cursor", "")[:4000]
    found = list_documents(
        request.user,
        request.organisation,
        collection,
        query=query,
        folder=folder,
        cursor=cursor or None,
    )
    _with_people(found.rows)
    return Listing([_line(row) for row in found.rows], found, query, folder, cursor)


def _with_people(rows: Iterable[DocumentRow]) -> None:
    versions = [row.newest for row in rows if row.newest is not None]
    prefetch_related_objects(versions, "created_by")


def _line(row: DocumentRow) -> Line:
    document, newest = row.document, row.newest
    if newest is None:
        return Line(document, None, None, "-")
    newest.document = document
    changing = (
        newest.number,
        newest.status,
        newest.pages_done,
        newest.pages_total,
        newest.chunks_done,
        newest.chunks_total,
        newest.size,
        newest.media_type,
        newest.error,
        newest.warnings,
        document.current_id,
        document.folder,
    )
    sign = _SIGNS[str(newest.status)]
    return Line(document, newest, progress_of(newest), sign + _hash(changing))


def _hash(value: Any) -> str:
    return sha256(repr(value).encode(errors="replace")).hexdigest()[:10]


def line_as_json(line: Line) -> dict[str, Any]:
    """A document for programs."""
    document, newest = line.document, line.newest
    return {
        "id": str(document.pk),
        "title": document.title,
        "source": document.source,
        "source_url": document.source_url,
        "folder": document.folder,
        "importance": document.importance,
        "current_version": document.current.number if document.current else None,
        "newest_version": version_as_json(newest) if newest else None,
    }


def version_as_json(version: DocumentVersion) -> dict[str, Any]:
    """A version for programs: its state, and how far it has got."""
    return {
        "number": version.number,
        "status": version.status,
        "media_type": version.media_type,
        "size": version.size,
        "pages_done": version.pages_done,
        "pages_total": version.pages_total,
        "chunks_done": version.chunks_done,
        "chunks_total": version.chunks_total,
        "error": version.error,
        "error_code": version.error_code,
        "warnings": version.warnings,
    }
