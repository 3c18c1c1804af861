"""A document to read, page by page, at the passage that somebody was pointed to."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.http import (
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
)
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.access import access_document, access_document_to_edit
from agents_app.errors import DocumentNotFound
from agents_app.models import Document, DocumentPage, DocumentVersion, VersionStatus
from agents_app.services.document_reading import (
    PageText,
    progress_of,
    read_pages,
    versions_of,
)
from agents_app.services.document_versions import KEPT_PAGES
from agents_app.services.files import find_file
from agents_app.views.knowledge_listing import may_retry, version_as_json
from agents_app.views.page_parts import Part, part_at, part_of
from agents_app.views.serving import served_file
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.pages import wants_json
from one_project.common.tenancy import in_tenant

_READ: Final = (VersionStatus.READY, VersionStatus.REPLACED)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page of which version, and where the passage is in its text; None: not said."""

    version: int | None
    page: int | None
    part: int | None
    start: int | None
    end: int | None

    @property
    def is_bare(self) -> bool:
        return self.version is None and self.page is None


@require_safe
@vary_on_headers("Accept")
@member_required
def document_page(request: MemberRequest, document_id: UUID) -> HttpResponse:
    """One page of the document: ``version``, ``page``, and a passage ``from`` .. ``to`` of it."""
    document = access_document(request.user, request.organisation, document_id)
    asked = _asked(request)
    page: PageText | None = None
    try:
        page = read_pages(document, asked.version, asked.page)
    except DocumentNotFound:
        # There is nothing to read yet, or nothing could be read: the page says so.
        if not asked.is_bare or document.current_id is not None:
            raise
    if wants_json(request):
        return JsonResponse(_as_json(document, page))
    versions = versions_of(document)
    newest = versions[0] if versions else None
    context = {
        "document": document,
        "may_edit": _may_edit(request, document),
        "page": page,
        "versions": [one for one in versions if one.status in _READ][:KEPT_PAGES],
        "newest": newest,
        "progress": progress_of(newest) if newest else None,
        "may_retry": newest is not None and may_retry(newest),
        **(_text(page, asked) if page else {}),
    }
    return render(request, "knowledge/document.html", context)


def _text(page: PageText, asked: Asked) -> dict[str, Any]:
    """What is shown of a page: the part with the passage, or the one that was asked for."""
    start, end = asked.start, asked.end
    has_passage = start is not None and end is not None and start < end <= len(page.text)
    part: Part
    if has_passage and asked.part is None:
        part = part_at(page.text, start or 0)
    else:
        part = part_of(page.text, asked.part or 1)
    return {
        "part": part,
        "headings": _headings(page),
        "start": start if has_passage else None,
        "end": end if has_passage else None,
        "is_lost": start is not None and not has_passage,
    }


def _headings(page: PageText) -> list[tuple[int, int]]:
    """Where the headings of the page begin, and their levels."""
    version = page.version
    with in_tenant(version.organisation_id):
        found = DocumentPage.objects.filter(version=version, number=page.number)
        meta = found.values_list("meta", flat=True).first() or {}
    return [(int(offset), int(level)) for offset, level, _ in meta.get("headings", ())]


def _asked(request: MemberRequest) -> Asked:
    """Raises DocumentNotFound for a version or a page that is no number."""
    version, page = (_number(request, name) for name in ("version", "page"))
    if -1 in (version, page):
        raise DocumentNotFound
    part, start, end = (_number(request, name) for name in ("part", "from", "to"))
    return Asked(
        version,
        page,
        part if part and part > 0 else None,
        start if start is None or start >= 0 else None,
        end if end is None or end >= 0 else None,
    )


def _number(request: MemberRequest, name: str) -> int | None:
    """-1 for what is none."""
    text = request.GET.get(name, "").strip()
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


def _may_edit(request: MemberRequest, document: Document) -> bool:
    try:
        access_document_to_edit(request.user, request.organisation, document.pk)
    except DocumentNotFound:
        return False
    return True


@require_safe
@member_required
def original(request: MemberRequest, document_id: UUID) -> HttpResponseBase:
    """The file as it came, to be saved: never shown, whatever it is."""
    document = access_document(request.user, request.organisation, document_id)
    version = document.current or next(iter(versions_of(document)), None)
    if version is None or version.file_id is None:
        raise DocumentNotFound
    # Another version takes the place of this one at the same address: nothing is kept.
    return served_file(request, find_file(request.organisation.pk, version.file_id))


def _as_json(document: Document, page: PageText | None) -> dict[str, Any]:
    version: DocumentVersion | None = page.version if page else None
    return {
        "id": str(document.pk),
        "title": document.title,
        "collection": str(document.collection_id),
        "source_url": document.source_url,
        "version": version_as_json(version) if version else None,
        "page": page and {"number": page.number, "label": page.label, "text": page.text},
        "pages": page.count if page else 0,
    }
