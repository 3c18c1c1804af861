"""Search of titles and messages: at the side as one types, and as a page by meaning as well."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from agents_app.search.query_vectors import NO_EMBEDDER, QueryVector, known_vector
from agents_app.services.query_vectors import wait_for_vector
from chat_app.models import Thread
from chat_app.search.finding import WORDS_ONLY
from chat_app.services.reading import list_threads
from chat_app.services.searching import Snippet, search_messages, snippets
from chat_app.views.answers import is_htmx
from chat_app.views.sidebar import sidebar_of
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.text import clean_line

QUERY_LIMIT = 400
ON_PAGE = 20


@dataclass(frozen=True, slots=True)
class Results:
    """What ``chat/_search_results.html`` shows. is_waiting: a better answer is on its way;
    note: why it is by words only, where it is."""

    query: str
    threads: list[Thread]
    messages: list[Snippet]
    is_waiting: bool = False
    note: str = ""


@require_safe
@member_required
def search(request: MemberRequest) -> HttpResponse:
    """By words at once; the page then asks for what is found by meaning (``meaning=1``), which
    needs a worker."""
    query = clean_line(request.GET.get("q"), QUERY_LIMIT)
    by_meaning = request.GET.get("meaning") == "1"
    vector = WORDS_ONLY
    if query:
        vector = (
            wait_for_vector(request.organisation.pk, query, request.user.pk)
            if by_meaning
            else known_vector(request.organisation.pk, query)
        )
    results = _results(request, query, vector, is_waiting=not by_meaning)
    if is_htmx(request):
        return render(request, "chat/_search_results.html", {"results": results})
    context = {"results": results, "sidebar": sidebar_of(request)}
    return render(request, "chat/search.html", context)


def _results(
    request: MemberRequest, query: str, vector: QueryVector, *, is_waiting: bool
) -> Results:
    if not query:
        return Results("", [], [])
    found = search_messages(
        request.organisation, user=request.user, text=query, vector=vector, limit=ON_PAGE
    )
    threads = list_threads(request.user, request.organisation, query=query).page
    words_only = vector.vector is None
    return Results(
        query=query,
        threads=threads,
        messages=snippets(request.organisation, query, found),
        is_waiting=is_waiting and words_only and vector.degraded != NO_EMBEDDER,
        note=vector.degraded if words_only and not is_waiting else "",
    )
