"""An agent gives a piece of work to another agent: a thread of its own, whose answer is the result.

Limited in depth (an agent that is asked may ask another) and in number for one question.
"""

from uuid import UUID

from agents_app.models import Agent, CallStatus, ToolCall
from agents_app.runtime.offers import delegates_of
from agents_app.runtime.tool_use import ToolOutcome, cut
from agents_app.services.tool_calls import settle_call
from agents_app.tools.definitions import ToolContext, ToolError, Waiting
from chat_app.models import Message, MessageKind, Thread, ThreadParticipant, Turn, TurnStatus
from chat_app.services.changes import Change
from chat_app.services.citations import told_elsewhere
from chat_app.services.conversation import send_agent_message
from chat_app.services.turns import after_turns
from one_project.common.text import clean_line
from one_project.workflows.definitions import step
from one_project.workflows.services.work import enqueue

MAX_DEPTH = 3
MAX_DELEGATIONS = 8  # of one turn
MAX_OF_QUESTION = 24  # of a person's question, by all agents that work on it


def delegate(context: ToolContext, *, agent: str, task: str) -> Waiting:
    """Have ``agent`` (a name) do ``task`` in a nested thread of the same person.

    Raises ToolError when the caller may not delegate to it, or the limits are reached.
    """
    caller = context.agent
    parent = Thread.objects.filter(pk=context.thread_id).first() if context.thread_id else None
    if caller is None or parent is None:
        raise ToolError("Only an agent in a thread can delegate.")
    others = delegates_of(caller, context.organisation, context.user)
    names = {one.name.casefold(): one for one in others}
    wanted = names.get(agent.strip().casefold())
    if wanted is None:
        known = ", ".join(sorted(one.name for one in names.values())) or "nobody"
        raise ToolError(f"You cannot delegate to {agent}. You can delegate to: {known}.")
    if parent.depth >= MAX_DEPTH:
        raise ToolError("This has been delegated too often already. Please answer yourself.")
    before = ToolCall.objects.filter(turn_id=context.turn_id, child_thread_id__isnull=False)
    if before.count() >= MAX_DELEGATIONS:
        raise ToolError("You have delegated too often for one question. Please answer yourself.")
    if _asked_in_all(context.turn_id, parent) >= MAX_OF_QUESTION:
        raise ToolError("Too many agents work on this question already. Please answer yourself.")
    child = _nested(context, parent, wanted, task)
    send_agent_message(
        child,
        kind=MessageKind.USER,
        content=task,
        agent=wanted,
        answer=True,
        speaker=caller,
        asked_by=context.user,
        options={"custom": dict(context.custom)} if context.custom else None,
    )
    return Waiting(child.pk)


def _asked_in_all(turn_id: UUID | None, thread: Thread) -> int:
    """How many delegations there are below the question of a person that led to this turn.

    What others begin at this very moment is not counted: each holds its own thread.
    """
    root = turn_id
    for _ in range(thread.depth):
        asking = ToolCall.objects.filter(child_thread_id=thread.pk).first()
        if asking is None or asking.thread_id is None or thread.parent is None:
            break
        root, thread = asking.turn_id, thread.parent
    found, turns = 0, [root]
    for _ in range(MAX_DEPTH):
        made = ToolCall.objects.filter(turn_id__in=turns, child_thread_id__isnull=False)
        threads = list(made.values_list("child_thread_id", flat=True))
        found += len(threads)
        turns = list(Turn.objects.filter(thread__in=threads).values_list("pk", flat=True))
        if not turns:
            break
    return found


def _nested(context: ToolContext, parent: Thread, agent: Agent, task: str) -> Thread:
    child = Thread.objects.create(
        organisation=context.organisation,
        created_by=context.user,
        agent=agent,
        title=clean_line(f"{agent.name}: {task}", 120),
        parent=parent,
        depth=parent.depth + 1,
    )
    people = ThreadParticipant.objects.filter(thread=parent, user__isnull=False)
    ThreadParticipant.objects.bulk_create(
        [
            *(ThreadParticipant(thread=child, user_id=each.user_id) for each in people),
            ThreadParticipant(thread=child, agent=agent),
        ]
    )
    return child


def _turn_ended(change: Change, turn: Turn, message: Message) -> None:
    if change.thread.parent_id is None:
        return
    waiting = ToolCall.objects.filter(
        child_thread_id=change.thread.pk, status=CallStatus.WAITING
    ).first()
    if waiting is not None:
        # Not here: this transaction holds the nested thread, and the call belongs to another.
        enqueue(give_result, waiting.pk, turn.pk, organisation_id=turn.organisation_id)


after_turns(_turn_ended)


@step(name="chat_app.give_delegated_result", kind="transaction")
def give_result(call_id: UUID, turn_id: UUID) -> None:
    """The nested thread's answer becomes the result of the call that asked for it."""
    call = ToolCall.objects.select_related("organisation").filter(pk=call_id).first()
    turn = Turn.objects.filter(pk=turn_id).first()
    if call is None or turn is None:
        return
    said = list(turn.messages.filter(kind=MessageKind.AGENT).in_order())
    text = "\n\n".join(told_elsewhere(message) for message in said if message.text)
    if turn.status == TurnStatus.SUCCESS and text:
        outcome = ToolOutcome(status=CallStatus.SUCCEEDED, output={"answer": text}, told=cut(text))
    else:
        name = turn.message.author_name or "The agent"
        outcome = ToolOutcome.error(f"{name} could not do it.", "delegation_failed")
    settle_call(call, outcome)


@step(name="chat_app.delegation_gone", kind="transaction")
def delegation_gone(call_id: UUID) -> None:
    """The nested thread has been deleted for good: its result will never come."""
    call = ToolCall.objects.filter(pk=call_id).first()
    if call is not None:
        settle_call(call, ToolOutcome.error("The thread was deleted.", "delegation_failed"))
