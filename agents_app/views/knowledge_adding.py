"""What goes into a collection: files, a text, pages of the web."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from agents_app.access import access_collection_to_edit
from agents_app.errors import InvalidFields
from agents_app.forms.fields import ServiceForm
from agents_app.forms.knowledge import SITEMAP, TextForm, WebForm
from agents_app.models import Collection, DocumentVersion
from agents_app.services.adding_documents import KNOWN
from agents_app.services.collections import personal_collection
from agents_app.services.documents import add_page, add_sitemap, add_text, add_upload
from agents_app.views.answers import complain, go_to
from agents_app.views.knowledge import show_home
from agents_app.views.knowledge_collections import show_collection
from agents_app.views.knowledge_listing import version_as_json
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, InvalidInput
from one_project.common.pages import wants_json

NOTHING = "Please choose a file."


@dataclass(slots=True)
class _Added:
    """What has become of the files of one upload; a problem is a sentence with the file's name."""

    versions: list[DocumentVersion] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def notice(self) -> str:
        known = sum(bool(one.meta.get(KNOWN)) for one in self.versions)
        new = len(self.versions) - known
        told = []
        if new:
            told.append(
                "1 document is on its way." if new == 1 else f"{new} documents are on their way."
            )
        if known:
            told.append("1 is here already." if known == 1 else f"{known} are here already.")
        return " ".join([*told, *self.problems])


@require_POST
@member_required
def upload(request: MemberRequest, collection_id: UUID | None = None) -> HttpResponse:
    """Add files (``upload``) to a collection, or to the person's own documents.

    Files that cannot be taken are told by name; the others are on their way.
    """
    chosen = collection_id or request.POST.get("collection")
    if chosen:
        collection = access_collection_to_edit(request.user, request.organisation, chosen)
    else:
        collection = personal_collection(request.organisation, request.user)
    added = _add_files(request, collection)
    if wants_json(request):
        documents = [{"id": str(one.document_id), **version_as_json(one)} for one in added.versions]
        answer = {"documents": documents, "problems": added.problems}
        return JsonResponse(answer, status=200 if added.versions else 422)
    if added.versions:
        address = f"/knowledge/{collection.pk}/"
        answered = go_to(request, address, added.notice)
        return HttpResponseClientRedirect(address) if _is_htmx(request) else answered
    if _is_htmx(request):
        context = {
            "problems": added.problems,
            "collection": collection if collection_id else None,
            "fresh": True,
        }
        return render(request, "knowledge/_refused.html", context, status=422)
    if collection_id:
        return show_collection(request, collection, problems=added.problems)
    return show_home(request, problems=added.problems, chosen=request.POST.get("collection", ""))


def _add_files(request: MemberRequest, collection: Collection) -> _Added:
    added = _Added()
    folder = request.POST.get("folder", "")[:2000]
    for each in request.FILES.getlist("upload"):
        # A form without a chosen file sends one without a name.
        if not isinstance(each, UploadedFile) or not each.name or each.file is None:
            continue
        try:
            version = add_upload(
                collection, user=request.user, file=each, filename=each.name, folder=folder
            )
        except InvalidInput as error:
            added.problems.append(f"{each.name[:200]}: {error.user_message}")
        else:
            added.versions.append(version)
    if not added.versions and not added.problems:
        added.problems.append(NOTHING)
    return added


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def text(request: MemberRequest, collection_id: UUID) -> HttpResponse:
    """GET shows an empty form; POST keeps the text as a document."""
    collection = access_collection_to_edit(request.user, request.organisation, collection_id)
    form = TextForm(request.POST if request.method == "POST" else None)
    return _added(
        request,
        collection,
        form,
        lambda values: add_text(collection, user=request.user, **values),
        {"beside": "text", "notice": "Your text is on its way."},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def web(request: MemberRequest, collection_id: UUID) -> HttpResponse:
    """GET shows an empty form; POST has the page fetched, or all pages of a sitemap."""
    collection = access_collection_to_edit(request.user, request.organisation, collection_id)
    form = WebForm(request.POST if request.method == "POST" else None)
    is_many = request.POST.get("kind") == SITEMAP

    def add(values: dict[str, Any]) -> object:
        if is_many:
            limit = values["limit"] or 200
            return add_sitemap(collection, user=request.user, url=values["url"], limit=limit)
        return add_page(collection, user=request.user, url=values["url"])

    notice = "The sitemap is being read; its pages appear here." if is_many else "It is on its way."
    return _added(request, collection, form, add, {"beside": "url", "notice": notice})


def _added(
    request: MemberRequest,
    collection: Collection,
    form: ServiceForm,
    add: Callable[[dict[str, Any]], object],
    told: dict[str, str],
) -> HttpResponse:
    """Show the form, or add what it says; what a service refuses stands at ``told["beside"]``."""
    status = 422 if form.is_bound else 200
    if form.is_valid():
        try:
            add(form.cleaned_data)
        except InvalidFields as error:
            status = complain(form, error)
        except InvalidInput as error:
            form.add_error(told["beside"], error.user_message)
            status = error.status
        except AppError as error:
            status = complain(form, error)
        else:
            return go_to(request, f"/knowledge/{collection.pk}/", told["notice"])
    context = {"form": form, "collection": collection, "is_web": isinstance(form, WebForm)}
    return render(request, "knowledge/add.html", context, status=status)


def _is_htmx(request: MemberRequest) -> bool:
    return bool(getattr(request, "htmx", False))
