"""What people and agents say about work: comments, with mentions of who may see it."""

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from chat_app.access import is_staff_of
from flows_app.access import access_step, access_target, visible_targets
from flows_app.conf import MAX_COMMENT
from flows_app.errors import CommentNotFound
from flows_app.live.announce import announce_flows
from flows_app.models import Comment, FlowStep, LessonTarget, NoticeKind
from flows_app.runtime.actors import Actor
from flows_app.runtime.mentions import find_names
from flows_app.services.notices import News, post, staff_of
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, Conflict, InvalidInput
from one_project.common.ids import parse_id
from one_project.common.markdown import plain_text
from one_project.common.text import clean_text

# Earlier texts kept of one comment.
MAX_EDITS = 100


def access_comment(user: User, organisation: Organisation, comment_id: UUID | str) -> Comment:
    """One of a target the person may see. Raises CommentNotFound."""
    wanted = parse_id(comment_id)
    found = wanted and (
        _with_people(Comment.objects.filter(pk=wanted, organisation=organisation))
        .filter(target__in=visible_targets(user, organisation))
        .first()
    )
    if not found:
        raise CommentNotFound
    return cast("Comment", found)


def comments_of(target: LessonTarget, step: FlowStep | None = None) -> list[Comment]:
    """Oldest first, also what is left of deleted ones; of one step or of all. Two queries."""
    rows = _with_people(Comment.objects.filter(target=target))
    if step is not None:
        rows = rows.filter(step_key=step.key)
    return list(rows.order_by("created_at", "pk"))


def may_be_mentioned(target: LessonTarget) -> list[User]:
    """Who may see it: whose it is, who made the agent whose it is, and the staff."""
    people = {one.pk: one for one in staff_of(target.organisation_id)}
    for one in (target.user, target.agent.created_by if target.agent else None):
        if one is not None:
            people.setdefault(one.pk, one)
    return list(people.values())


@transaction.atomic
def comment(
    target: LessonTarget,
    *,
    by: Actor,
    text: str,
    step: FlowStep | None = None,
    request_id: str | None = None,
) -> Comment:
    """Say something about a target, or about a step of it. People it names are told; so are whose
    work it is and who assigned it. ``request_id``: the same again returns the first one's comment.

    Raises LessonNotFound for who may not see it, InvalidInput, StepNotFound, Conflict where the
    assignment has ended.
    """
    if by.user is None:
        raise AccessDenied("Somebody has to say it.")
    found = access_target(by.user, target.organisation, target.pk)
    if step is not None:
        step = access_step(found, step.key)
    if found.ended_at is not None:
        raise Conflict("This assignment has ended: it stays as it is.")
    made = Comment(
        organisation_id=found.organisation_id,
        target=found,
        step_key=step.key if step else None,
        author=by.user,
        agent=by.agent,
        text=_checked(text),
        request_id=request_id or None,
    )
    known = Comment.objects.bulk_create([made], ignore_conflicts=True) if request_id else None
    if known is None:
        made.save(force_insert=True)
    elif not Comment.objects.filter(pk=made.pk).exists():
        return Comment.objects.get(target=found, request_id=request_id)
    people = may_be_mentioned(found)
    named = find_names(made.text, people)
    made.mentions.set(named)
    _tell(made, found, by, named, _concerned(found, people))
    announce_flows(found.organisation_id, _watchers(found))
    return made


@transaction.atomic
def edit_comment(said: Comment, *, by: User, text: str) -> Comment:
    """Change one's own words; the earlier ones are kept. Who is named only now is told now.

    Raises CommentNotFound where it is not theirs to see, AccessDenied, InvalidInput, Conflict.
    """
    target = access_target(by, said.organisation, said.target_id)
    row = _locked(said)
    if row.author_id != by.pk or row.agent_id is not None:
        raise AccessDenied("Only who wrote a comment changes it.")
    text = _checked(text)
    if text == row.text:
        return row
    if len(row.edits) >= MAX_EDITS:
        raise Conflict("This comment has been changed too often. Please write a new one.")
    now = timezone.now()
    at = row.edited_at or row.created_at
    row.edits = [*row.edits, {"text": row.text, "at": at.isoformat()}]
    row.text, row.edited_at = text, now
    row.save(update_fields=["text", "edits", "edited_at", "updated_at"])
    before = set(row.mentions.values_list("pk", flat=True))
    named = find_names(text, may_be_mentioned(target))
    row.mentions.set(named)
    _tell(row, target, Actor(user=by), [one for one in named if one.pk not in before], [])
    announce_flows(target.organisation_id, _watchers(target))
    return row


@transaction.atomic
def delete_comment(said: Comment, *, by: User) -> Comment:
    """Take it away: one's own, or any by staff. That there was one stays; its words do not.

    Raises AccessDenied, CommentNotFound.
    """
    target = access_target(by, said.organisation, said.target_id)
    row = _locked(said)
    if row.author_id != by.pk and not is_staff_of(by, row.organisation_id):
        raise AccessDenied("Only who wrote a comment, or staff, take it away.")
    row.text, row.edits, row.deleted_at = "", [], timezone.now()
    row.meta = {**row.meta, "deleted_by": str(by.pk)}
    row.save(update_fields=["text", "edits", "deleted_at", "meta", "updated_at"])
    row.mentions.clear()
    record_event(target.organisation, "comment_deleted", actor=by, target=f"lesson:{target.pk}")
    announce_flows(target.organisation_id, _watchers(target))
    return row


def address_of_comments(target_id: UUID, step_key: UUID | None, comment_id: UUID) -> str:
    step = f"?step={step_key}" if step_key else ""
    return f"/lessons/{target_id}/comments/{step}#comment-{comment_id}"


def _checked(text: str) -> str:
    text = clean_text(text).strip()
    if not text:
        raise InvalidInput("Please write something.")
    if len(text) > MAX_COMMENT:
        raise InvalidInput(f"A comment has at most {MAX_COMMENT:,} characters.")
    return text


def _locked(said: Comment) -> Comment:
    """Raises CommentNotFound where it has been taken away meanwhile."""
    rows = Comment.objects.select_for_update(of=("self",)).filter(deleted_at=None)
    row = rows.select_related("author", "agent", "organisation").filter(pk=said.pk).first()
    if row is None:
        raise CommentNotFound("This comment has been taken away.")
    return row


def _with_people(rows: Any) -> Any:
    rows = rows.select_related("author", "agent", "organisation", "target")
    return rows.prefetch_related("mentions")


def _concerned(target: LessonTarget, people: Iterable[User]) -> list[User]:
    """Whose work it is and who assigned it, of those who may see it."""
    ids = {target.user_id, target.lesson.assigned_by_id}
    return [one for one in people if one.pk in ids]


def _watchers(target: LessonTarget) -> list[UUID | None]:
    return [target.user_id, target.agent.created_by_id if target.agent else None]


def _tell(
    said: Comment, target: LessonTarget, by: Actor, named: list[User], others: list[User]
) -> None:
    """Who is named, and who else it concerns; each once, and not who says it."""
    about = f"“{target.flow.name}”"
    url = address_of_comments(target.pk, said.step_key, said.pk)
    gist = plain_text(said.text)[:160]
    texts = {one.pk: f"{by.name} about {about}: {gist}" for one in others}
    texts |= {one.pk: f"{by.name} mentioned you about {about}: {gist}" for one in named}
    kind = NoticeKind.MENTION
    post(
        target.organisation_id,
        [
            News(user_id=who, kind=kind, text=text, url=url, target_id=target.pk)
            for who, text in texts.items()
            # An agent's words are news for the person it acts for.
            if by.agent is not None or by.user is None or who != by.user.pk
        ],
    )
