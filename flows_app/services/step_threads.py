"""Talking with an agent about a step: one thread of the person's, which knows the step."""

from uuid import UUID

from django.db import transaction

from agents_app.errors import AgentNotFound
from agents_app.models import Agent
from agents_app.providers.parts import TextPart
from chat_app.models import MessageKind, Thread
from chat_app.runtime.thread_notes import register_thread_notes
from chat_app.services.messages import save_messages
from chat_app.services.threads import create_thread
from chat_app.types import MessageDraft
from flows_app.conf import MAX_NOTES
from flows_app.live.announce import announce_flows
from flows_app.models import FlowStep, LessonTarget, Status, StepKind, StepState
from flows_app.runtime.actors import Actor
from flows_app.runtime.notes import step_notes
from flows_app.runtime.transitions import DONE
from flows_app.services.log import lock_target, state_of
from flows_app.services.progress import find_step, update_flow_progress
from flows_app.services.reading import StepLine, lines_of, steps_of
from one_project.accounts.models import Organisation, User
from one_project.common.errors import AccessDenied, Conflict, InvalidInput
from one_project.common.ids import parse_id
from one_project.common.text import clean_line, clean_text

# Of ``Thread.meta``: {"target": id, "step": key}.
KEY = "lesson"
NOT_A_STEP = "This conversation is not about a step of a lesson."


@transaction.atomic
def open_step_thread(target: LessonTarget, step: FlowStep | UUID | str, *, by: User) -> Thread:
    """The person's thread with the agent of their step: the one there is, or a new one.

    A step that has not begun is begun by it. Raises AccessDenied for whose step it is not,
    StepLocked, InvalidInput where nobody is there to talk with, Conflict where the step is done.
    """
    locked = lock_target(target.pk)
    found = find_step(steps_of(locked), step)
    if locked.user_id != by.pk:
        raise AccessDenied("Only the person whose step it is talks about it with its agent.")
    state = state_of(locked, found)
    if known := _known(state, by):
        return known
    if found.agent is None or found.kind == StepKind.AGENT_TASK:
        raise InvalidInput("This step has no agent to talk with.")
    if state.status in DONE:
        raise Conflict(f"This step is {state.status} already.")
    if state.status == Status.NOT_STARTED:
        state = update_flow_progress(locked, found, Status.IN_PROGRESS, by=Actor(user=by))
    thread = _new_thread(locked, found, found.agent, by)
    state.work = {**state.work, "thread": str(thread.pk)}
    state.save(update_fields=["work", "updated_at"])
    return thread


@transaction.atomic
def propose_completion(
    organisation: Organisation,
    thread_id: UUID | None,
    *,
    user: User,
    agent: Agent | None,
    notes: str,
) -> StepState:
    """Note that an agent thinks the step is done. It completes nothing: the person does.

    Raises InvalidInput for a thread that is not about a step of this person's, Conflict where the
    step is not in progress.
    """
    target, step = _of_thread(organisation, thread_id)
    locked = lock_target(target.pk)
    if locked.user_id != user.pk:
        raise InvalidInput("Only the person whose step it is completes it.")
    state = state_of(locked, step)
    if state.status != Status.IN_PROGRESS:
        raise Conflict(f"This step is {state.status}: there is nothing to propose.")
    who = agent.name if agent is not None else "The agent"
    said = clean_text(notes).strip()[:MAX_NOTES]
    state.proposed = said or f"{who} thinks that this step is done."
    state.save(update_fields=["proposed", "updated_at"])
    announce_flows(locked.organisation_id, [locked.user_id])
    return state


def lesson_notes(thread: Thread) -> str:
    """What the model of this thread is told of the step and of how far the person is.

    Nothing where the assignment has ended, or is not of who began the thread.
    """
    try:
        target, step = _of_thread(thread.organisation, thread.pk, thread)
    except InvalidInput:
        return ""
    if target.ended_at is not None or target.user_id != thread.created_by_id:
        return ""
    lines = lines_of(target)
    line = next(one for one in lines if one.step.key == step.key)
    return step_notes(
        step,
        flow=target.flow.name,
        rule=line.rule,
        lines=[(one.step.name, _standing(one)) for one in lines],
        due=f"{line.due_at:%-d %B %Y}" if line.due_at else "",
        who=target.assignee_name,
    )


def _standing(line: StepLine) -> str:
    if line.locked:
        return f"{line.status} (locked. {line.locked})"
    overdue = " (overdue)" if line.is_overdue else ""
    return f"{line.status}{overdue}"


def _known(state: StepState, by: User) -> Thread | None:
    wanted = parse_id(state.work.get("thread"))
    if wanted is None:
        return None
    rows = Thread.objects.visible_to(by).filter(organisation_id=state.organisation_id)
    return rows.filter(pk=wanted).first()


def _new_thread(target: LessonTarget, step: FlowStep, agent: Agent, by: User) -> Thread:
    title = clean_line(f"{target.flow.name}: {step.name}", 120)
    try:
        thread = create_thread(target.organisation, user=by, agent=agent, title=title)
    except AgentNotFound as error:
        raise InvalidInput(
            f"You may not talk with “{agent.name}”. Please ask staff to share it."
        ) from error
    url = f"/lessons/{target.pk}/steps/{step.key}/"
    thread.meta[KEY] = {"target": str(target.pk), "step": str(step.key)}
    thread.meta["place"] = {"url": url, "label": step.name}
    thread.save(update_fields=["meta", "updated_at"])
    if opening := str(step.settings.get("opening", "")).strip():
        said = MessageDraft(
            kind=MessageKind.AGENT,
            agent=agent,
            author_name=agent.name,
            parts=[TextPart(opening)],
        )
        save_messages(thread, [said])
    return thread


def _of_thread(
    organisation: Organisation, thread_id: UUID | None, thread: Thread | None = None
) -> tuple[LessonTarget, FlowStep]:
    """Raises InvalidInput."""
    if thread is None:
        rows = Thread.objects.present().filter(organisation=organisation)
        thread = rows.filter(pk=thread_id).first() if thread_id else None
    about = thread.meta.get(KEY) if thread is not None else None
    if not isinstance(about, dict):
        raise InvalidInput(NOT_A_STEP)
    wanted = parse_id(about.get("target"))
    target = wanted and (
        LessonTarget.objects.select_related(
            "organisation", "lesson__course", "flow", "user", "agent"
        )
        .filter(pk=wanted, organisation=organisation)
        .first()
    )
    if not target:
        raise InvalidInput(NOT_A_STEP)
    key = str(about.get("step"))
    step = next((one for one in steps_of(target) if str(one.key) == key), None)
    if step is None:
        raise InvalidInput("The step that this conversation is about is no part of the lesson now.")
    return target, step


register_thread_notes(KEY, lesson_notes)
