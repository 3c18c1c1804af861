"""What can be done to one document: renamed, weighed, fetched again, stopped, tried again, gone."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from agents_app.access import access_document_to_edit
from agents_app.errors import DocumentNotFound
from agents_app.forms.knowledge import ImportanceForm, TitleForm
from agents_app.models import Document, DocumentVersion
from agents_app.services.document_reading import versions_of
from agents_app.services.documents import (
    cancel_version,
    delete_document,
    refresh_document,
    rename_document,
    retry_version,
    set_importance,
)
from agents_app.views.answers import complain, go_to
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError


@require_safe
@member_required
def edit(request: MemberRequest, document_id: UUID) -> HttpResponse:
    """The title, how much it counts, and its end."""
    return _page(request, _held(request, document_id))


@require_POST
@member_required
def rename(request: MemberRequest, document_id: UUID) -> HttpResponse:
    """Give it another title."""
    document = _held(request, document_id)
    form, status = TitleForm(request.POST, document=document), 422
    if form.is_valid():
        try:
            rename_document(document, user=request.user, title=form.cleaned_data["title"])
        except AppError as error:
            status = complain(form, error)
        else:
            return go_to(request, f"/knowledge/documents/{document.pk}/", "Saved.")
    return _page(request, document, naming=form, status=status)


@require_POST
@member_required
def weigh(request: MemberRequest, document_id: UUID) -> HttpResponse:
    """Say how much its passages count."""
    document = _held(request, document_id)
    form, status = ImportanceForm(request.POST, document=document), 422
    if form.is_valid():
        try:
            set_importance(document, user=request.user, importance=form.cleaned_data["importance"])
        except AppError as error:
            status = complain(form, error)
        else:
            return go_to(request, f"/knowledge/documents/{document.pk}/", "Saved.")
    return _page(request, document, weighing=form, status=status)


@require_POST
@member_required
def refresh(request: MemberRequest, document_id: UUID) -> HttpResponse:
    """Fetch a web page again."""
    document = _held(request, document_id)
    refresh_document(document, user=request.user)
    return _back(request, document, "It is fetched again.")


@require_POST
@member_required
def cancel(request: MemberRequest, document_id: UUID) -> HttpResponse:
    """Stop the version ``version`` (its number), or the newest one."""
    version = _version(request, _held(request, document_id))
    cancel_version(version, user=request.user)
    return _back(request, version.document, "Stopped.")


@require_POST
@member_required
def retry(request: MemberRequest, document_id: UUID) -> HttpResponse:
    """Try the version ``version`` (its number) once more, or the newest one."""
    version = _version(request, _held(request, document_id))
    retry_version(version, user=request.user)
    return _back(request, version.document, "It is on its way again.")


@require_POST
@member_required
def delete(request: MemberRequest, document_id: UUID) -> HttpResponse:
    """Delete it with every trace."""
    document = _held(request, document_id)
    delete_document(document, user=request.user)
    return _back(request, document, f"Deleted “{document.title}”.")


def _held(request: MemberRequest, document_id: UUID) -> Document:
    return access_document_to_edit(request.user, request.organisation, document_id)


def _version(request: MemberRequest, document: Document) -> DocumentVersion:
    versions = versions_of(document)
    wanted = request.POST.get("version") or str(versions[0].number if versions else "")
    found = next((one for one in versions if str(one.number) == wanted), None)
    if found is None:
        raise DocumentNotFound
    return found


def _back(request: MemberRequest, document: Document, notice: str) -> HttpResponse:
    """To the collection; a page that watches it gets nothing, it sees what has changed."""
    if getattr(request, "htmx", False):
        return HttpResponse(status=204)
    return go_to(request, f"/knowledge/{document.collection_id}/", notice)


def _page(
    request: MemberRequest,
    document: Document,
    *,
    naming: TitleForm | None = None,
    weighing: ImportanceForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "document": document,
        "naming": naming or TitleForm(document=document),
        "weighing": weighing or ImportanceForm(document=document),
    }
    return render(request, "knowledge/edit.html", context, status=status)
