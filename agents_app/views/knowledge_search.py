"""A question to try: the passages an agent would find for the person who asks."""

from dataclasses import asdict

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.services.knowledge import search_knowledge
from agents_app.services.query_vectors import wait_for_vector
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.pages import wants_json
from one_project.common.text import clean_line

SHOWN = 8
LONGEST = 500


@require_safe
@vary_on_headers("Accept", "HX-Request")
@member_required
def search(request: MemberRequest) -> HttpResponse:
    """The best passages for ``q``, as a page, a fragment or JSON."""
    query = clean_line(request.GET.get("q"), LONGEST)
    passages, degraded = None, ""
    if query:
        vector = wait_for_vector(request.organisation.pk, query, request.user.pk)
        degraded = vector.degraded
        passages = search_knowledge(
            request.organisation, user=request.user, query=query, vector=vector, limit=SHOWN
        )
    if wants_json(request):
        found = [asdict(passage) for passage in passages or ()]
        return JsonResponse({"passages": found, "degraded": degraded})
    context = {"query": query, "passages": passages, "degraded": degraded}
    is_part = getattr(request, "htmx", False)
    name = "knowledge/_passages.html" if is_part else "knowledge/search.html"
    return render(request, name, context)
