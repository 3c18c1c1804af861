"""Files of a step, and handing a step in for a review."""

from collections.abc import Sequence
from typing import IO
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agents_app.errors import StoredFileNotFound
from agents_app.models import StoredFile
from agents_app.services.files import clean_filename, release_files, store_file, use_files
from chat_app.access import is_staff_of
from flows_app.conf import MAX_NOTES
from flows_app.errors import IllegalTransition, LessonNotFound, NotByHand
from flows_app.models import (
    FlowStep,
    LessonTarget,
    LogKind,
    Status,
    StepKind,
    StepState,
    Submission,
    SubmissionStatus,
)
from flows_app.runtime.actors import Actor
from flows_app.runtime.answers import in_words
from flows_app.runtime.rules import missing_of
from flows_app.runtime.transitions import DONE
from flows_app.services.log import add_entry
from flows_app.services.review_notices import tell_reviewers
from flows_app.services.step_work import Desk, begin, open_desk, save_work, seen_step
from one_project.accounts.models import User
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.ids import parse_id
from one_project.common.tenancy import in_tenant
from one_project.common.text import clean_text


def hand_in_files(
    target: LessonTarget,
    step: FlowStep,
    uploads: Sequence[tuple[str, IO[bytes]]],
    *,
    by: Actor,
    version: int | None = None,
) -> StepState:
    """Keep ``uploads`` (name, bytes) with a file step; it is not done by that.

    Raises InvalidInput for another kind of step, none or too many files or one of a kind that is
    not asked for, FileTooLarge, and what ``open_desk`` raises. Nothing is kept then.
    """
    if step.kind != StepKind.FILE:
        raise InvalidInput("This step does not ask for files.")
    if not uploads:
        raise InvalidInput("Please choose a file.")
    # Asked before anything is stored, and again below, when nobody else can change it.
    with transaction.atomic():
        before = open_desk(target, step, by=by, version=version)
        _check_number(step, before.state, len(uploads))
        transaction.set_rollback(True)
    # To the disk, outside of the transaction that holds the target.
    rows = [
        store_file(target.organisation_id, data, filename=name, created_by=by.user)
        for name, data in uploads
    ]
    for row in rows:
        _check_kind(step, row)
    with transaction.atomic():
        desk = open_desk(target, step, by=by, version=version)
        known = _ids(desk.state.work)
        new = [str(row.pk) for row in rows if str(row.pk) not in known]
        new = list(dict.fromkeys(new))
        _check_number(step, desk.state, len(new))
        use_files(target.organisation_id, new)
        return save_work(desk, by, files=[*known, *new])


@transaction.atomic
def take_file_out(
    target: LessonTarget, step: FlowStep, file_id: UUID | str, *, by: Actor
) -> StepState:
    """Remove a file before it is handed in. Raises StoredFileNotFound, and as ``open_desk``."""
    desk = open_desk(target, step, by=by)
    known = _ids(desk.state.work)
    if str(file_id) not in known:
        raise StoredFileNotFound
    release_files(target.organisation_id, [file_id])
    return save_work(desk, by, files=[one for one in known if one != str(file_id)])


def files_of(target: LessonTarget, *works: dict[str, object]) -> list[StoredFile]:
    """The files that ``works`` (of states or submissions) name, in their order, each once."""
    keys = [parse_id(one) for work in works for one in _ids(work)]
    wanted = [key for key in keys if key is not None]
    if not wanted:
        return []
    with in_tenant(target.organisation_id):
        rows = StoredFile.objects.filter(organisation_id=target.organisation_id, pk__in=wanted)
        found = {row.pk: row for row in rows.defer("text")}
    return [found[key] for key in dict.fromkeys(wanted) if key in found]


def file_of_step(target: LessonTarget, step: FlowStep, file_id: UUID, *, user: User) -> StoredFile:
    """A file of the step or of what was handed in of it, for its assignee and staff only.

    Raises LessonNotFound for others, StoredFileNotFound.
    """
    if target.user_id != user.pk and not is_staff_of(user, target.organisation_id):
        raise LessonNotFound
    states = target.states.filter(step_key=step.key).values_list("work", flat=True)
    handed_in = target.submissions.filter(step_key=step.key).values_list("work", flat=True)
    works = [*states, *handed_in]
    if not any(str(file_id) in _ids(work) for work in works):
        raise StoredFileNotFound
    rows = files_of(target, {"files": [str(file_id)]})
    if not rows:
        raise StoredFileNotFound
    return rows[0]


def hand_in(desk: Desk, by: Actor, *, notes: str, request_id: str | None = None) -> StepState:
    """Ask for a review of a step, in the caller's transaction; one that waits is replaced.

    Raises NotByHand where something is missing or somebody else does the step, StepLocked,
    IllegalTransition where it is done or blocked.
    """
    target, step = desk.target, desk.step
    if desk.state.status in {*DONE, Status.BLOCKED}:
        raise IllegalTransition(f"This step is {desk.state.status}: it cannot be handed in.")
    if step.kind == StepKind.AGENT_TASK:
        raise NotByHand("An agent does this step: ask it to.")
    if step.kind == StepKind.WORKFLOW:
        raise NotByHand("This step is completed when its workflow ends.")
    if missing := missing_of(step, desk.state.work):
        raise NotByHand(missing)
    if desk.state.status == Status.NOT_STARTED and step.kind == StepKind.CHAT:
        raise NotByHand("Please begin this step first.")
    begin(desk, by)
    rows = Submission.objects.filter(target=target, step_key=step.key)
    rows.open().update(status=SubmissionStatus.EXPIRED)
    state = desk.state
    number = (rows.aggregate(last=Max("number"))["last"] or 0) + 1
    notes = clean_text(notes).strip()[:MAX_NOTES]
    use_files(target.organisation_id, _ids(state.work))
    submission = Submission.objects.create(
        organisation=target.organisation,
        target=target,
        step_key=step.key,
        number=number,
        status=SubmissionStatus.AWAITING_REVIEW,
        state_version=state.version,
        user=by.user,
        requested_by=by.user,
        thread_id=parse_id(state.work.get("thread")),
        draft=draft_of(target, step, state, notes),
        work=state.work,
        submitted_at=timezone.now(),
    )
    add_entry(
        target,
        LogKind.REVIEW,
        by,
        step=step,
        request_id=request_id,
        reason="Handed in",
        notes=notes,
    )
    tell_reviewers(submission)
    return state


@transaction.atomic
def take_back(target: LessonTarget, step: FlowStep, *, by: Actor) -> StepState:
    """Withdraw what waits for a review, to change it. Raises Conflict where nothing waits."""
    desk = seen_step(target, step, by=by)
    rows = Submission.objects.open().filter(target=target, step_key=step.key, user=by.user)
    if by.user is None or not rows.update(status=SubmissionStatus.EXPIRED):
        raise Conflict("Nothing of yours waits for a review here.")
    add_entry(desk.target, LogKind.REVIEW, by, step=step, reason="Taken back")
    return desk.state


def draft_of(target: LessonTarget, step: FlowStep, state: StepState, notes: str) -> str:
    """What the reviewer reads, as Markdown: answers, ticks, files, and what was said to it."""
    parts = []
    if step.kind == StepKind.FORM:
        answers = state.work.get("answers", {})
        parts += [
            f"**{field['label']}**\n\n{in_words(field, answers.get(field['id'])) or '–'}"
            for field in step.fields
        ]
    if step.kind == StepKind.CHECKLIST:
        parts.append("\n".join(f"- [x] {one['text']}" for one in step.items))
    if files := files_of(target, state.work):
        listed = "\n".join(f"- {one.filename} ({one.size:,} bytes)" for one in files)
        parts.append(f"**Files**\n\n{listed}")
    if state.proposed:
        parts.append(f"**What the agent says**\n\n{state.proposed}")
    if notes:
        parts.append(notes)
    return "\n\n".join(parts)


def _ids(work: dict[str, object]) -> list[str]:
    found = work.get("files")
    return [str(one) for one in found] if isinstance(found, list) else []


def _check_number(step: FlowStep, state: StepState, new: int) -> None:
    most = int(step.settings.get("max_files", 1))
    if len(_ids(state.work)) + new > most:
        files = "one file" if most == 1 else f"{most} files"
        raise InvalidInput(f"This step takes {files} at most. Remove one first.")


def _check_kind(step: FlowStep, row: StoredFile) -> None:
    """Whether the file is one of ``settings["accept"]``: ``.pdf``, ``image/*``, ``image/png``."""
    accept = [str(one).lower() for one in step.settings.get("accept", [])]
    name, media = row.filename.lower(), row.media_type
    for one in accept:
        if "/" in one:
            if media == one or (one.endswith("/*") and media.startswith(one[:-1])):
                return
        elif name.endswith(one if one.startswith(".") else f".{one}"):
            return
    if accept:
        raise InvalidInput(f"{clean_filename(row.filename)}: please choose {', '.join(accept)}.")
