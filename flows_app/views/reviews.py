"""The review queue, and the page on which staff decide."""

from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages as notices
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from chat_app.views.answers import go_to
from flows_app.access import access_submission, require_staff
from flows_app.errors import FourEyes, SubmissionNotFound
from flows_app.forms.reviews import (
    MINE,
    Decision,
    QueueFilter,
    asked_queue,
    posted_decision,
)
from flows_app.models import Submission, SubmissionStatus
from flows_app.services import reviews
from flows_app.services.review_queue import Queue, queue_of, reviewed
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, Conflict, InvalidInput

QUEUE = "/flows/reviews/"


@require_safe
@member_required
def queue(request: MemberRequest) -> HttpResponse:
    """What waits for a review, oldest first; ``show=mine`` and ``flow`` narrow it."""
    asked = asked_queue(request)
    return render(request, "flows/reviews.html", _queue(request, asked))


@require_safe
@member_required
def live_queue(request: MemberRequest) -> HttpResponse:
    """The part of the page that changes; 204 while it is what the page shows already."""
    asked = asked_queue(request)
    context = _queue(request, asked)
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return render(request, "flows/_review_queue.html", context)


@require_safe
@member_required
def review(request: MemberRequest, submission_id: UUID) -> HttpResponse:
    """One submission. With ``v`` only whether it still is what that page shows: 204, or a note."""
    submission = access_submission(request.user, request.organisation, submission_id)
    context = _page(request, submission)
    if (known := request.GET.get("v")) is None:
        return render(request, "flows/review.html", context)
    if known == context["seen"]:
        return HttpResponse(status=204)
    return render(request, "flows/_review_changed.html", context)


@require_POST
@member_required
def approve(request: MemberRequest, submission_id: UUID) -> HttpResponse:
    """Approve it; with ``final`` that text stands in the draft's place."""
    submission = access_submission(request.user, request.organisation, submission_id)
    try:
        said = posted_decision(request)
        if said.final is None:
            made = reviews.approve(
                submission, by=request.user, notes=said.notes, version=said.version
            )
        else:
            made = reviews.approve_edited(
                submission,
                by=request.user,
                final=said.final,
                notes=said.notes,
                version=said.version,
            )
    except AppError as error:
        return _again(request, submission, error)
    edited = made.status == SubmissionStatus.EDITED
    return _done(request, "Approved with your changes." if edited else "Approved.")


@require_POST
@member_required
def send_back(request: MemberRequest, submission_id: UUID) -> HttpResponse:
    """Send it back with ``reason``."""
    submission = access_submission(request.user, request.organisation, submission_id)
    try:
        said = posted_decision(request)
        reviews.reject(submission, by=request.user, reason=said.reason, version=said.version)
    except AppError as error:
        return _again(request, submission, error)
    return _done(request, "Sent back.")


@require_POST
@member_required
def ask_again(request: MemberRequest, submission_id: UUID) -> HttpResponse:
    """Have the agent try again with ``reason`` in mind."""
    submission = access_submission(request.user, request.organisation, submission_id)
    try:
        said = posted_decision(request)
        reviews.ask_again(submission, by=request.user, what=said.reason, version=said.version)
    except AppError as error:
        return _again(request, submission, error)
    return _done(request, "The agent tries again.")


def _done(request: MemberRequest, notice: str) -> HttpResponse:
    notices.success(request, notice)
    return go_to(request, QUEUE)


def _again(request: MemberRequest, submission: Submission, error: AppError) -> HttpResponse:
    """The page as it is now, with what went wrong and what was typed still in its boxes."""
    if not isinstance(error, InvalidInput | Conflict | FourEyes):
        raise error
    submission = access_submission(request.user, request.organisation, submission.pk)
    try:
        said = posted_decision(request)
    except InvalidInput:
        said = Decision(version=None)
    context = {
        **_page(request, submission),
        "error": error,
        "said": said,
        "sends_back": "reason" in request.POST,
    }
    return render(request, "flows/review.html", context, status=error.status)


def _page(request: MemberRequest, submission: Submission) -> dict[str, Any]:
    page = reviewed(submission, request.user)
    shown = (submission.status, page.version, page.stale, page.newest.number)
    return {
        "page": page,
        "submission": submission,
        "seen": sha256(repr(shown).encode()).hexdigest()[:16],
        "said": Decision(version=None),
    }


def _queue(request: MemberRequest, asked: QueueFilter) -> dict[str, Any]:
    require_staff(request.user, request.organisation, SubmissionNotFound)
    found = queue_of(request.organisation, request.user, mine=asked.mine, flow_id=asked.flow)
    query = {"show": MINE} if asked.mine else {}
    if asked.flow is not None:
        query["flow"] = str(asked.flow)
    version = _version(found)
    return {
        "queue": found,
        "asked": asked,
        "version": version,
        "live_query": urlencode({**query, "v": version}),
    }


def _version(queue: Queue) -> str:
    shown = [(str(one.submission.pk), one.is_overdue, one.refused) for one in queue.lines]
    flows = [(str(one.pk), one.name) for one in queue.flows]
    return sha256(repr((shown, queue.total, flows)).encode()).hexdigest()[:16]
