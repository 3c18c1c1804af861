"""Files on their way: into the composer, and out of a message to those who may see it."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import (
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
)
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST, require_safe

from agents_app.errors import StoredFileNotFound
from agents_app.models import StoredFile
from agents_app.views.serving import served_file
from chat_app.access import access_message, access_thread
from chat_app.services.attachments import (
    Upload,
    attachable_files,
    file_of_message,
    keep_uploads,
)
from chat_app.views.answers import go_to, go_to_thread, is_htmx
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import InvalidInput
from one_project.common.pages import wants_json

# The bytes of an address never change; who may see them can.
KEPT: Final = "max-age=3600"


@require_POST
@member_required
def upload(request: MemberRequest, thread_id: UUID | None = None) -> HttpResponse:
    """Store the chosen files; answers with what the composer shows of them (JSON: their ids)."""
    thread = access_thread(request.user, thread_id) if thread_id else None
    beside = request.POST.getlist("file")
    rows, problems = keep_uploads(
        thread.organisation_id if thread else request.organisation.pk,
        request.user,
        _uploads(request),
        beside=len(beside),
    )
    if wants_json(request):
        files = [
            {"file_id": str(row.pk), "filename": row.filename, "size": row.size} for row in rows
        ]
        return JsonResponse({"files": files, "problems": problems})
    if not is_htmx(request):
        return go_to_thread(request, thread) if thread else go_to(request, "/chat/")
    new = [row for row in rows if str(row.pk) not in beside]
    context = {"files": new, "problems": problems, "thread": thread}
    return render(request, "chat/_attach_answer.html", context)


@require_safe
@member_required
def attachment(
    request: MemberRequest, thread_id: UUID, message_id: UUID, file_id: UUID
) -> HttpResponseBase:
    """A file of a message, to be saved: never shown, whatever it is."""
    row = _permitted(request, thread_id, message_id, file_id)
    return served_file(request, row, cached=KEPT)


@require_safe
@member_required
def picture(
    request: MemberRequest, thread_id: UUID, message_id: UUID, file_id: UUID
) -> HttpResponseBase:
    """A picture of a message, for the page to show; for other files it does not exist."""
    row = _permitted(request, thread_id, message_id, file_id)
    if not row.is_picture:
        raise StoredFileNotFound
    return served_file(request, row, media_type=row.media_type, as_attachment=False, cached=KEPT)


def with_uploads(
    request: MemberRequest, organisation_id: UUID, ids: Sequence[str]
) -> tuple[str, ...]:
    """Ids of all files of a message that is sent: those attached before, and those that the form
    brings itself (without JavaScript). Raises InvalidInput where one of these is refused."""
    uploads = _uploads(request)
    if not uploads:
        return tuple(ids)
    rows, problems = keep_uploads(organisation_id, request.user, uploads, beside=len(ids))
    if problems:
        raise InvalidInput(" ".join(problems))
    return (*ids, *[str(row.pk) for row in rows])


def attached_now(
    request: MemberRequest, organisation_id: UUID, ids: Sequence[str]
) -> list[StoredFile]:
    """What the composer shows again after a message that could not be sent."""
    try:
        return attachable_files(organisation_id, request.user, ids)
    except (InvalidInput, StoredFileNotFound):
        return []


def without_attached(response: HttpResponse) -> HttpResponse:
    """The answer to a message that was sent also empties the composer's list of files."""
    if response.status_code == 200:
        response.write(render_to_string("chat/_attach_list.html"))
    return response


def _uploads(request: MemberRequest) -> list[Upload]:
    return [
        Upload(each.name or "", each.file)
        for each in request.FILES.getlist("upload")
        # A form without a chosen file sends one without a name.
        if isinstance(each, UploadedFile) and each.name and each.file is not None
    ]


def _permitted(
    request: MemberRequest, thread_id: UUID, message_id: UUID, file_id: UUID
) -> StoredFile:
    thread = access_thread(request.user, thread_id)
    return file_of_message(access_message(thread, message_id), file_id)
