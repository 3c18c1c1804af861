"""One collection: its documents as they arrive, its settings, and who may read it."""

from uuid import UUID

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.access import access_collection, access_collection_to_edit
from agents_app.errors import CollectionNotFound
from agents_app.forms.knowledge import CollectionForm, ReadersForm
from agents_app.models import Collection
from agents_app.providers.registry import resolve_embedding_model
from agents_app.services.collections import (
    create_collection,
    delete_collection,
    update_collection,
)
from agents_app.services.sharing import grants_on, mode_of, share
from agents_app.views.answers import complain, go_to
from agents_app.views.knowledge_listing import line_as_json, listing
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError
from one_project.common.pages import wants_json


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def new_collection(request: MemberRequest) -> HttpResponse:
    """GET shows an empty form; POST makes the collection, private until shared."""
    form, status = CollectionForm(language=settings.ONE_SEARCH_LANGUAGE), 200
    if request.method == "POST":
        form, status = CollectionForm(request.POST), 422
        if form.is_valid():
            try:
                made = create_collection(
                    request.organisation, user=request.user, **form.cleaned_data
                )
            except AppError as error:
                status = complain(form, error)
            else:
                return go_to(request, f"/knowledge/{made.pk}/", f"“{made.name}” is ready.")
    return render(request, "knowledge/new.html", {"form": form}, status=status)


@require_safe
@vary_on_headers("Accept")
@member_required
def collection_page(request: MemberRequest, collection_id: UUID) -> HttpResponse:
    """The documents, by title; ``q`` searches, ``folder`` narrows, ``cursor`` goes on."""
    collection = access_collection(request.user, request.organisation, collection_id)
    if wants_json(request):
        shown = listing(request, collection)
        documents = [line_as_json(line) for line in shown.lines]
        return JsonResponse(
            {
                "id": str(collection.pk),
                "name": collection.name,
                "documents": documents,
                "folders": shown.found.folders,
                "next_cursor": shown.found.next_cursor,
            }
        )
    return show_collection(request, collection)


def show_collection(
    request: MemberRequest, collection: Collection, *, problems: list[str] | None = None
) -> HttpResponse:
    """The page; with ``problems`` of files that were refused."""
    may_edit = _may_edit(request, collection)
    grants = grants_on(collection) if may_edit else []
    context = {
        "collection": collection,
        "may_edit": may_edit,
        "listing": listing(request, collection),
        "problems": problems or [],
        "folder_typed": request.POST.get("folder"),
        "by_words_only": resolve_embedding_model() is None,
        "mode": mode_of(collection, grants) if may_edit else "",
        "grants": grants,
    }
    return render(request, "knowledge/collection.html", context, status=422 if problems else 200)


def _may_edit(request: MemberRequest, collection: Collection) -> bool:
    try:
        access_collection_to_edit(request.user, request.organisation, collection.pk)
    except CollectionNotFound:
        return False
    return True


@require_safe
@member_required
def live(request: MemberRequest, collection_id: UUID) -> HttpResponse:
    """What has changed since the version ``v``: single lines, or the whole list; 204 for nothing.

    Only what differs is swapped: what a person has opened or focused stays.
    """
    collection = access_collection(request.user, request.organisation, collection_id)
    shown = listing(request, collection)
    version = request.GET.get("v", "")
    if version == shown.version:
        return HttpResponse(status=204)
    changed = shown.changed_since(version)
    context = {
        "collection": collection,
        "may_edit": _may_edit(request, collection),
        "listing": shown,
        "is_new": changed is None,
        "changed": [line for line, _ in changed or []],
        "news": " ".join(news for _, news in changed or [] if news),
    }
    return render(request, "knowledge/_live.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def settings_page(request: MemberRequest, collection_id: UUID) -> HttpResponse:
    """GET shows what the collection is called and who may read it; POST saves the former."""
    collection = access_collection_to_edit(request.user, request.organisation, collection_id)
    if request.method != "POST":
        return _settings(request, collection)
    form, status = CollectionForm(request.POST, collection=collection), 422
    if form.is_valid():
        try:
            update_collection(collection, user=request.user, **form.cleaned_data)
        except AppError as error:
            status = complain(form, error)
        else:
            return go_to(request, f"/knowledge/{collection.pk}/", "Saved.")
    return _settings(request, collection, form=form, status=status)


@require_POST
@member_required
def share_collection(request: MemberRequest, collection_id: UUID) -> HttpResponse:
    """Share it with people, teams or everybody, or with nobody any more."""
    collection = access_collection_to_edit(request.user, request.organisation, collection_id)
    form, status = _sharing(request, collection, request.POST), 422
    if form.is_valid():
        try:
            share(collection, by=request.user, sharing=form.sharing())
        except AppError as error:
            status = complain(form, error, "share_")
        else:
            return go_to(request, f"/knowledge/{collection.pk}/", "Saved who may read it.")
    return _settings(request, collection, sharing=form, status=status)


@require_POST
@member_required
def delete(request: MemberRequest, collection_id: UUID) -> HttpResponse:
    """Delete the collection with all of its documents."""
    collection = access_collection_to_edit(request.user, request.organisation, collection_id)
    delete_collection(collection, user=request.user)
    return go_to(request, "/knowledge/", f"Deleted “{collection.name}”.")


def _sharing(request: MemberRequest, collection: Collection, data: object = None) -> ReadersForm:
    return ReadersForm(
        data, organisation=request.organisation, person=request.user, thing=collection
    )


def _settings(
    request: MemberRequest,
    collection: Collection,
    *,
    form: CollectionForm | None = None,
    sharing: ReadersForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "collection": collection,
        "form": form or CollectionForm(collection=collection),
        "sharing": sharing or _sharing(request, collection),
    }
    return render(request, "knowledge/settings.html", context, status=status)
