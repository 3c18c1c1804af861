"""The canvas: reading, writing, its history. In the thread as fragments, and as pages of its own
for browsers without JavaScript."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages as notices
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from chat_app.access import access_thread
from chat_app.live.canvas import render_canvas
from chat_app.models import Canvas, CanvasKind, Thread
from chat_app.services.canvas import Editor, find_canvas, require_canvas, restore_version
from chat_app.services.canvas_reading import get_difference, get_history, get_version
from chat_app.services.canvas_saving import CanvasConflict, Saved, save_canvas
from chat_app.views.answers import go_to, is_htmx
from chat_app.views.pages import answers_with_page
from chat_app.views.sidebar import sidebar_of
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, InvalidInput
from one_project.common.pages import wants_json
from one_project.common.text import clean_line


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """What the form shows: of the canvas, or what was typed. ``version``: what it is based on."""

    text: str
    title: str
    kind: str
    language: str
    version: int


@require_safe
@member_required
def canvas(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """The canvas as a page of its own."""
    thread = access_thread(request.user, thread_id)
    return _page(request, thread, "chat/_canvas_sheet.html", {"canvas": find_canvas(thread.pk)})


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
@member_required
def canvas_edit(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """GET gives the form; POST saves, merges, or shows the passages in conflict."""
    thread = access_thread(request.user, thread_id)
    if request.method != "POST":
        return _form(request, thread, _form_of(find_canvas(thread.pk)))
    typed = _Form(
        text=request.POST.get("text", ""),
        title=request.POST.get("title", ""),
        kind=clean_line(request.POST.get("kind"), 20),
        language=clean_line(request.POST.get("language"), 30),
        version=_number(request.POST.get("base_version")) or 0,
    )
    older = _number(request.POST.get("conflict_base")) if "theirs" in request.POST else None
    try:
        saved = save_canvas(
            thread.pk,
            by=Editor(user=request.user),
            text=typed.text,
            title=typed.title,
            kind=typed.kind,
            language=typed.language,
            base_version=typed.version if older is None else older,
            prefer_theirs=older is not None,
        )
    except CanvasConflict as conflict:
        if wants_json(request):
            raise
        return _conflict(request, thread, conflict)
    except InvalidInput as error:
        if not answers_with_page(request):
            raise
        return _form(request, thread, typed, error=error)
    return _saved(request, thread, saved, base=typed.version)


@require_safe
@vary_on_headers("HX-Request")
@member_required
def canvas_history(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """The versions, newest first; ``before`` asks for older ones."""
    thread = access_thread(request.user, thread_id)
    found = require_canvas(thread.pk)
    before = _number(request.GET.get("before"))
    context = {"canvas": found, "history": get_history(found, before=before)}
    more = before is not None and is_htmx(request)
    name = "chat/_canvas_versions.html" if more else "chat/_canvas_history.html"
    return _page(request, thread, name, context)


@require_safe
@vary_on_headers("HX-Request")
@member_required
def canvas_difference(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """What changed between the versions ``old`` and ``new``; by default in the newest one."""
    thread = access_thread(request.user, thread_id)
    found = require_canvas(thread.pk)
    new = _number(request.GET.get("new")) or found.version
    asked = request.GET.get("old") or request.GET.get("base_version")
    old = _number(asked)
    compared = get_difference(found, old=max(new - 1, 0) if old is None else old, new=new)
    context = {"canvas": found, "compared": compared}
    return _page(request, thread, "chat/_canvas_difference.html", context)


@require_safe
@member_required
def canvas_download(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """The text of the newest or a given ``version``, as a file."""
    thread = access_thread(request.user, thread_id)
    found = require_canvas(thread.pk)
    number = _number(request.GET.get("version"))
    state = get_version(found, number) if number else found
    is_text = state.kind == CanvasKind.MARKDOWN
    response = HttpResponse(
        state.text, content_type=f"text/{'markdown' if is_text else 'plain'}; charset=utf-8"
    )
    words = "".join(one if one.isalnum() else " " for one in state.title).split()
    name = "-".join(words)[:60] or "canvas"
    filename = f"{name}.{'md' if is_text else 'txt'}"
    disposition = content_disposition_header(as_attachment=True, filename=filename)
    response.headers["Content-Disposition"] = disposition or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@require_POST
@member_required
def canvas_restore(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """Make ``version`` the newest one again."""
    thread = access_thread(request.user, thread_id)
    number = _number(request.POST.get("version")) or 0
    restored = restore_version(thread.pk, number, by=Editor(user=request.user))
    if is_htmx(request):
        return HttpResponse(render_canvas(thread.pk))
    notices.success(request, f"Version {number} is back, as version {restored.version}.")
    return go_to(request, f"/chat/{thread.pk}/canvas/")


def _saved(request: MemberRequest, thread: Thread, saved: Saved, *, base: int) -> HttpResponse:
    """The new state in its place, and what became of what was typed where the form stood."""
    context = {"thread": thread, "saved": saved, "base": base}
    if is_htmx(request):
        desk = render(request, "chat/_canvas_saved.html", context).content.decode()
        return HttpResponse(f"{render_canvas(thread.pk)}\n{desk}")
    merged = f", merged with the changes of {_names(saved)}" if saved.merged_with else ""
    told = f"Saved as version {saved.canvas.version}{merged}."
    notices.success(request, told if saved.is_new else "Nothing had changed.")
    return go_to(request, f"/chat/{thread.pk}/canvas/")


def _names(saved: Saved) -> str:
    return " and ".join(saved.merged_with)


def _conflict(request: MemberRequest, thread: Thread, conflict: CanvasConflict) -> HttpResponse:
    """The form with what was typed, now based on the newest version, and both texts."""
    mine = conflict.mine
    shown = _Form(
        text=mine.text,
        title=mine.title,
        kind=mine.kind,
        language=mine.language,
        version=conflict.canvas.version,
    )
    return _form(request, thread, shown, error=conflict, conflict=conflict)


def _form(
    request: MemberRequest,
    thread: Thread,
    form: _Form,
    *,
    error: AppError | None = None,
    conflict: CanvasConflict | None = None,
) -> HttpResponse:
    context: dict[str, object] = {"form": form, "error": error, "conflict": conflict}
    context["kinds"] = CanvasKind.choices
    if conflict is not None and is_htmx(request):
        # Put in place by the page, which leaves alone what is answered with an error.
        return render(request, "chat/_canvas_desk.html", {"thread": thread, **context})
    status = error.status if error else 200
    return _page(request, thread, "chat/_canvas_form.html", context, status=status)


def _form_of(found: Canvas | None) -> _Form:
    if found is None:
        return _Form(text="", title="", kind=CanvasKind.MARKDOWN, language="", version=0)
    return _Form(
        text=found.text,
        title=found.title,
        kind=found.kind,
        language=found.language,
        version=found.version,
    )


def _page(
    request: MemberRequest,
    thread: Thread,
    name: str,
    context: dict[str, object],
    *,
    status: int = 200,
) -> HttpResponse:
    """The fragment for htmx, or the page around it."""
    context = {"thread": thread, "thread_id": thread.pk, **context}
    if is_htmx(request) and name != "chat/_canvas_sheet.html":
        return render(request, name, context, status=status)
    # Forms and links of the page itself work without JavaScript.
    around = {"part": name, "plain": True, "sidebar": sidebar_of(request, current=str(thread.pk))}
    return render(request, "chat/canvas.html", {**context, **around}, status=status)


def _number(value: str | None) -> int | None:
    """A version's number as a client may give it; None for anything else."""
    if value and value.isascii() and value.isdecimal() and len(value) < 9:
        return int(value)
    return None
