"""What a person wants to hear, and the link by which a mail lets them stop it."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from integrations_app.services import preferences as verbs
from integrations_app.services import topics
from integrations_app.services.notification_workflows import categories, name_of_category
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.pages import wants_json


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def preferences(request: MemberRequest) -> HttpResponse:
    """The switches; one of them by POST (``category``, ``channel``, ``on``)."""
    if request.method == "POST":
        verbs.switch(
            request.user,
            request.organisation,
            category=request.POST.get("category", ""),
            channel_type=request.POST.get("channel", ""),
            is_on=bool(request.POST.get("on")),
        )
    return _answer(request)


@require_POST
@member_required
def reset(request: MemberRequest) -> HttpResponse:
    verbs.reset(request.user, request.organisation)
    return _answer(request)


@require_POST
@member_required
def topic(request: MemberRequest, key: str) -> HttpResponse:
    """Mute a topic on ``muted`` (any number of ways)."""
    topics.mute(request.user, request.organisation, key, request.POST.getlist("muted"))
    return _answer(request)


def _answer(request: MemberRequest) -> HttpResponse:
    lines = verbs.matrix(request.user, request.organisation, categories(request.organisation))
    if wants_json(request):
        return JsonResponse(
            {
                "preferences": {
                    category: {cell.channel_type: cell.is_on for cell in cells}
                    for category, _, cells in lines
                }
            }
        )
    is_fragment = request.headers.get("HX-Request") == "true"
    if request.method == "POST" and not is_fragment:
        response = redirect(reverse("notifications:preferences"))
        response.status_code = 303
        return response
    context = {
        "lines": lines,
        "ways": verbs.WAYS,
        "subscriptions": topics.subscriptions_of(request.user, request.organisation),
    }
    page = "notifications/_matrix.html" if is_fragment else "notifications/preferences.html"
    return render(request, page, context)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Without signing in: the token says whom it is about. Mail programs POST by themselves
    (RFC 8058), people press a button; ``on=1`` takes it back."""
    is_on = bool(request.POST.get("on"))
    if request.method == "POST":
        found = verbs.unsubscribe(token, is_on=is_on)
    else:
        found = verbs.read_token(token)
    context = {
        "category": name_of_category(found.category),
        "organisation": found.organisation.name,
        "done": request.method == "POST",
        "is_on": is_on,
    }
    return render(request, "notifications/unsubscribe.html", context)
