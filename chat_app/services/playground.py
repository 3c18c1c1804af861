"""What staff do in the playground: open somebody's thread, try something, stop it, save it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from pydantic import ValidationError

from agents_app.errors import AgentNotFound, InvalidFields
from agents_app.models import Agent as AgentRow
from agents_app.runtime.agent import Agent, registered_agents
from agents_app.types import AgentOptions
from chat_app.access import access_thread
from chat_app.errors import MessageNotFound, ThreadNotFound
from chat_app.models import Thread, ThreadParticipant, Trial, TrialAnswer, TrialStatus, Turn
from chat_app.runtime.options import agent_behind
from chat_app.services.asking import checked_text
from chat_app.services.conversation import send_agent_message
from chat_app.services.playground_answering import answer_trial, trial_over
from one_project.accounts.models import Event, Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import InvalidInput, NotFound
from one_project.common.ids import parse_id
from one_project.workflows.services.work import NewWork, cancel_work, enqueue_many

OPENED = "playground_opened"
# Looking about in one thread is one event.
LOOK = timedelta(minutes=15)
CODE = "code:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One answer to be made."""

    position: int
    side: int = 0
    model: str = ""
    prompt: str = ""
    expected: str = ""
    check_by: str = "none"


def open_thread(organisation: Organisation, thread_id: UUID | str | None, *, by: User) -> Thread:
    """Any thread of the organisation, to read. Raises ThreadNotFound.

    Reading one that ``by`` takes no part in leaves an event, once in a quarter of an hour.
    """
    wanted = parse_id(thread_id)
    thread = (
        wanted
        and Thread.objects.present()
        .select_related("organisation", "agent", "created_by")
        .filter(organisation=organisation, pk=wanted)
        .first()
    )
    if not thread:
        raise ThreadNotFound
    if not ThreadParticipant.objects.filter(thread=thread, user=by).exists():
        _note_opening(thread, by)
    return thread


def _note_opening(thread: Thread, by: User) -> None:
    target = f"thread:{thread.pk}"
    since = timezone.now() - LOOK
    noted = Event.objects.filter(
        organisation=thread.organisation_id,
        kind=OPENED,
        created_at__gte=since,
        actor=by,
        target=target,
    )
    if not noted.exists():
        record_event(thread.organisation, OPENED, actor=by, target=target)


def past_turn(thread: Thread, turn_id: UUID | str | None) -> Turn:
    """A turn of the (already permitted) thread. Raises MessageNotFound."""
    wanted = parse_id(turn_id)
    turns = Turn.objects.select_related("agent", "prompt", "message", "requested_by", "thread")
    turn = wanted and turns.filter(pk=wanted, thread=thread).first()
    if not turn:
        raise MessageNotFound
    return turn


def usable_agents(
    organisation: Organisation, user: User, *, also: AgentRow | None = None
) -> list[AgentRow]:
    """Agents the person may use, and ``also`` the one of the thread they look at."""
    rows = list(AgentRow.objects.usable_by(user, organisation).order_by("name", "pk"))
    if also is not None and also not in rows:
        rows.append(also)
    return rows


def code_agents(rows: Sequence[AgentRow]) -> list[tuple[str, str]]:
    """Agents defined in Python that no row stands for: the value of the picker, and the name."""
    taken = {row.code_name for row in rows}
    known = registered_agents()
    return [(f"{CODE}{name}", agent.name) for name, agent in known.items() if name not in taken]


def find_agent(
    organisation: Organisation, user: User, value: str, *, also: AgentRow | None = None
) -> Agent:
    """The agent of the picker's ``value``: an id, or ``code:`` and a name.

    Raises AgentNotFound, and InvalidFields where its stored options are none.
    """
    if value.startswith(CODE):
        found = registered_agents().get(value.removeprefix(CODE))
        if found is None:
            raise AgentNotFound
        return found
    wanted = parse_id(value)
    row = None
    if also is not None and also.pk == wanted:
        row = also
    elif wanted is not None:
        row = AgentRow.objects.usable_by(user, organisation).filter(pk=wanted).first()
    try:
        agent = agent_behind(row)
    except ValidationError as error:
        raise InvalidFields({"agent": "The options of this agent are not valid."}) from error
    if agent is None:
        raise AgentNotFound
    return agent


def start_trial(
    organisation: Organisation, *, by: User, asked: Sequence[Asked], agent: Agent, **fields: Any
) -> Trial:
    """Keep what is tried and have each answer made by a worker.

    ``fields`` are those of Trial. Nothing of it is said in any thread.
    """
    with transaction.atomic():
        trial = Trial.objects.create(
            organisation=organisation,
            created_by=by,
            agent=agent.row,
            code_name="" if agent.row else _code_name(agent),
            agent_name=agent.name[:120],
            **fields,
        )
        answers = TrialAnswer.objects.bulk_create(
            TrialAnswer(
                organisation=organisation,
                trial=trial,
                position=each.position,
                side=each.side,
                model=each.model,
                prompt=each.prompt,
                expected=each.expected,
                check_by=each.check_by,
            )
            for each in asked
        )
        work = enqueue_many(
            [
                NewWork(
                    step=answer_trial,
                    arguments={"answer_id": answer.pk},
                    context={"answer": str(answer.pk)},
                )
                for answer in answers
            ],
            organisation=organisation,
            on_complete=trial_over,
        )
        for answer, item in zip(answers, work, strict=True):
            answer.work = item
        TrialAnswer.objects.bulk_update(answers, ["work"])
        target = f"thread:{trial.thread_id}" if trial.thread_id else f"trial:{trial.pk}"
        record_event(organisation, "playground_tried", actor=by, target=target)
    return trial


def _code_name(agent: Agent) -> str:
    """Raises AgentNotFound for an agent that a worker would not find again."""
    for name, known in registered_agents().items():
        if known is agent:
            return name
    raise AgentNotFound


def access_trial(organisation: Organisation, trial_id: UUID | str, *, by: User) -> Trial:
    """A trial of the organisation; looking at one about a thread is looking at the thread.

    Raises NotFound.
    """
    wanted = parse_id(trial_id)
    trial = (
        wanted
        and Trial.objects.select_related("thread", "turn__prompt", "turn__message", "created_by")
        .filter(organisation=organisation, pk=wanted)
        .first()
    )
    if not trial:
        raise NotFound
    if trial.thread_id:
        open_thread(organisation, trial.thread_id, by=by)
    return trial


def access_answer(organisation: Organisation, answer_id: UUID | str, *, by: User) -> TrialAnswer:
    """One answer of a trial of the organisation. Raises NotFound."""
    wanted = parse_id(answer_id)
    answer = (
        wanted
        and TrialAnswer.objects.select_related("trial")
        .filter(organisation=organisation, pk=wanted)
        .first()
    )
    if not answer:
        raise NotFound
    if answer.trial.thread_id:
        open_thread(organisation, answer.trial.thread_id, by=by)
    return answer


def stop_trial(trial: Trial) -> int:
    """End what is not answered yet; returns how many. What was answered stays."""
    answers = list(trial.answers.open().select_related("work"))
    ids = [answer.pk for answer in answers]
    stopped = TrialAnswer.objects.open().filter(pk__in=ids).update(status=TrialStatus.STOPPED)
    for answer in answers:
        if answer.work is not None:
            cancel_work(answer.work)
    return stopped


def save_to_thread(
    thread: Thread, *, by: User, agent: Agent, prompt: str, options: AgentOptions, key: UUID | None
) -> Turn | None:
    """Ask in the thread itself: an ordinary turn with these options, its tools and its effects.

    Raises InvalidInput where ``by`` takes no part in the thread or no row stands for the agent,
    RateLimited, BudgetExceeded.
    """
    try:
        thread = access_thread(by, thread.pk)
    except ThreadNotFound as error:
        raise InvalidInput(
            "You can only save to a thread you take part in. Without saving it can be tried."
        ) from error
    if agent.row is None:
        raise InvalidInput("This agent is defined in Python only; it cannot answer in threads.")
    _, turn = send_agent_message(
        thread,
        content=checked_text(prompt),
        author=by,
        agent=agent.row,
        client_key=key,
        options=options.model_dump(mode="json", exclude_unset=True, exclude_none=True),
        limited=True,
    )
    return turn
