"""A thread as a whole: its name, putting it away, deleting it and taking that back."""

from uuid import UUID

from django.contrib import messages as notices
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from chat_app.access import access_thread
from chat_app.services.threads import archive_thread, delete_thread, rename_thread, restore_thread
from chat_app.views.answers import go_to, go_to_thread, is_htmx
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
@member_required
def rename(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """GET gives the form (a dialog's content, or a page); POST sets the title."""
    thread = access_thread(request.user, thread_id)
    if request.method != "POST":
        name = "chat/_rename.html" if is_htmx(request) else "chat/rename.html"
        return render(request, name, {"thread": thread})
    thread = rename_thread(thread, user=request.user, title=request.POST.get("title", ""))
    if is_htmx(request):
        return render(request, "chat/_title.html", {"thread": thread})
    return go_to_thread(request, thread)


@require_POST
@member_required
def archive(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """Put the thread away (``archived=1``) or bring it back (``archived=0``)."""
    thread = access_thread(request.user, thread_id)
    archived = request.POST.get("archived", "1") != "0"
    thread = archive_thread(thread, user=request.user, archived=archived)
    notices.success(request, "Thread archived." if archived else "Thread is active again.")
    return go_to_thread(request, thread)


@require_POST
@member_required
def delete(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """Delete the thread; the next page offers to take it back."""
    thread = access_thread(request.user, thread_id)
    delete_thread(thread, user=request.user)
    notices.success(
        request, f"Deleted “{thread.display_title}”.", extra_tags=f"/chat/{thread.pk}/restore/"
    )
    return go_to(request, "/chat/")


@require_POST
@member_required
def restore(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """Take a deletion back. The service looks at the person's rights: the thread is hidden."""
    thread = restore_thread(request.organisation, thread_id, user=request.user)
    return go_to_thread(request, thread)
