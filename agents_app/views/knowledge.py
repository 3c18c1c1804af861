"""What the organisation knows: the collections a person may read, and a question to try."""

from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.models.collections import GRANTED
from agents_app.providers.registry import resolve_embedding_model
from agents_app.services.document_reading import CollectionRow, list_collections
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import Grant
from one_project.common.pages import wants_json


@require_safe
@vary_on_headers("Accept")
@member_required
def home(request: MemberRequest) -> HttpResponse:
    """All collections the person may read, with what is on its way in them."""
    if wants_json(request):
        rows = list_collections(request.user, request.organisation)
        return JsonResponse({"collections": [_as_json(row) for row in rows]})
    return show_home(request)


def show_home(
    request: MemberRequest, *, problems: list[str] | None = None, chosen: str = ""
) -> HttpResponse:
    """The page; with ``problems`` of files that were refused, and what was chosen for them."""
    context = _collections(request) | {
        "problems": problems or [],
        "chosen": chosen,
        "by_words_only": resolve_embedding_model() is None,
    }
    return render(request, "knowledge/home.html", context, status=422 if problems else 200)


@require_safe
@member_required
def live(request: MemberRequest) -> HttpResponse:
    """The list of collections; 204 while it is what the page shows already."""
    context = _collections(request)
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return render(request, "knowledge/_collections.html", context)


def _collections(request: MemberRequest) -> dict[str, Any]:
    rows = list_collections(request.user, request.organisation)
    prefetch_related_objects([row.collection for row in rows], "created_by")
    shared = set(
        Grant.objects.on(GRANTED)
        .filter(organisation=request.organisation)
        .filter(object_id__in=[row.collection.pk for row in rows])
        .values_list("object_id", flat=True)
    )
    return {
        "rows": rows,
        "shared": shared,
        "version": _version(rows, shared),
        "is_busy": any(row.on_the_way for row in rows),
        "personal": next(
            (row for row in rows if row.collection.personal_of_id == request.user.pk), None
        ),
    }


def _version(rows: list[CollectionRow], shared: set[UUID]) -> str:
    shown = [
        (
            str(row.collection.pk),
            row.collection.updated_at,
            row.documents,
            row.on_the_way,
            row.failed,
            row.may_edit,
            row.collection.pk in shared,
        )
        for row in rows
    ]
    return sha256(repr(shown).encode()).hexdigest()[:16]


def _as_json(row: CollectionRow) -> dict[str, Any]:
    return {
        "id": str(row.collection.pk),
        "name": row.collection.name,
        "description": row.collection.description,
        "language": row.collection.language,
        "documents": row.documents,
        "on_the_way": row.on_the_way,
        "failed": row.failed,
        "may_edit": row.may_edit,
    }
