"""Tool calls without a worker: a step that asks for them is stored, and each is ended by hand."""

from agents_app.models import CallStatus, ToolCall
from agents_app.providers.parts import TextPart, ToolCallPart, ToolResultPart
from agents_app.runtime.tool_use import ToolOutcome, outcome_of_error, outcome_of_value
from agents_app.services.approvals import offered_for
from agents_app.services.running_tools import context_of
from agents_app.services.tool_calls import begin_call, settle_call
from agents_app.tools.definitions import ToolError
from chat_app.models import Message, MessageKind, Thread, Turn, TurnStatus
from chat_app.runtime.options import turn_options, turn_tools
from chat_app.services.conversation import continue_thread
from chat_app.services.steps import StepTools, end_step
from chat_app.services.turns import Outcome, finish_turn
from one_project.accounts.models import User
from one_project.workflows.models import WorkItem
from one_project.workflows.services.claims import claim
from one_project.workflows.services.settle import execute_transaction
from tests.chat.answering import begin
from tests.people import World


def proposed(
    world: World, *parts: ToolCallPart, thread: Thread | None = None, by: User | None = None
) -> tuple[Turn, list[ToolCall]]:
    """Ask, and have the model ask for ``parts``; the turn, which waits, and its calls."""
    turn = continue_thread(thread or world.thread(), user=by or world.alice, message="please")
    return turn, step(turn, *parts)


def step(turn: Turn, *parts: ToolCallPart) -> list[ToolCall]:
    """The model asks for ``parts`` in the turn's next step; the calls of that step."""
    begun, work = begin(turn)
    options = turn_options(begun)
    tools = StepTools(offered=turn_tools(begun, options), options=options)
    assert end_step(begun, Outcome(parts=parts, finish_reason="tool_calls"), tools, work)
    turn.refresh_from_db()
    newest = ToolCall.objects.filter(turn_id=turn.pk, call_id__in=[part.id for part in parts])
    return list(newest.order_by("position"))


def run(call: ToolCall, output: str = "done") -> None:
    """The approved call is run and succeeds."""
    begun = begin_call(call.pk, again=False)
    assert begun is not None, f"{call.name} may not be run"
    outcome = ToolOutcome(status=CallStatus.SUCCEEDED, output=output, told=output)
    assert settle_call(begun, outcome)


def starts(call: ToolCall) -> bool:
    """Whether a worker may begin it now."""
    return ToolCall.objects.filter(
        pk=call.pk, status=CallStatus.APPROVED, work__status="ready"
    ).exists()


def state(call: ToolCall) -> str:
    return ToolCall.objects.get(pk=call.pk).status


def told(turn: Turn) -> list[tuple[str, str, bool]]:
    """What the model is told of the turn's calls: id, text, whether it is an error."""
    rows = Message.objects.filter(turn=turn, kind=MessageKind.TOOL).in_order()
    return [
        (part.call_id, str(part.output), part.is_error)
        for row in rows
        for part in row.parts
        if isinstance(part, ToolResultPart)
    ]


def execute(call: ToolCall) -> None:
    """The approved call is run as a worker does, in this transaction."""
    begun = begin_call(call.pk, again=False)
    assert begun is not None, f"{call.name} may not be run"
    offered = offered_for(begun)
    assert offered is not None
    try:
        outcome = outcome_of_value(
            offered.definition.run(context_of(begun, offered), begun.arguments)
        )
    except ToolError as error:
        outcome = outcome_of_error(call.name, error)
    assert settle_call(begun, outcome)


def answer(turn: Turn, text: str, status: str = TurnStatus.SUCCESS) -> None:
    """The model ends the turn with ``text``."""
    begun, work = begin(turn)
    assert finish_turn(begun, Outcome(status=status, parts=[TextPart(text)]), work)
    do_chores()


def do_chores() -> None:
    """What was left to a worker to write is written."""
    chores = WorkItem.objects.filter(status="ready", kind="transaction", run=None)
    while item := chores.first():
        for claimed in claim(item.pool, worker="chores", room=10, known=[item.function]):
            execute_transaction(claimed)
