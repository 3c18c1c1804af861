"""What a program with a key is offered of an organisation's tools, and one use of them."""

from typing import Any, Final

from django.utils import timezone

from agents_app.builtins.for_programs import READ, SEARCH
from agents_app.models import CallStatus, Effect, Tool
from agents_app.providers.parts import ToolCallPart
from agents_app.runtime.store import ToolUse
from agents_app.runtime.tool_use import ToolOutcome, read_arguments, use_tool
from agents_app.services.generate import keep_run
from agents_app.tools.catalogue import Offered, must_ask, offered_tools
from agents_app.tools.definitions import ToolContext
from integrations_app.services.api_keys import Caller
from one_project.common.database import in_thread
from one_project.common.ids import new_id

LISTED: Final = 200
ASK: Final = (
    "A person has to allow this, which a program cannot wait for. Ask an agent in ONE to do it, "
    "or have an administrator set the tool to “never ask”."
)


def offered_to(caller: Caller) -> dict[str, Offered]:
    """The tools of a key by name, with the rights its person has now."""
    found: dict[str, Offered] = {}
    if caller.may("tools"):
        found |= _tools(caller)
    if caller.may("knowledge"):
        # What the organisation says of searching holds here, too.
        policy = offered_tools([SEARCH.name], caller.organisation, caller.user)
        if SEARCH.name in policy:
            found[SEARCH.name] = Offered(SEARCH, policy[SEARCH.name].policy)
            found[READ.name] = Offered(READ, policy[SEARCH.name].policy)
    return found


def _tools(caller: Caller) -> dict[str, Offered]:
    """Rows only: a built-in tool is offered once the organisation has set it up."""
    named = caller.key.tools
    if not named:
        rows = Tool.objects.usable_by(caller.user, caller.organisation).active()
        names = list(rows.order_by("name").values_list("name", flat=True)[:LISTED])
    else:
        names = list(named)[:LISTED]
    offered = offered_tools(names, caller.organisation, caller.user)
    return {
        name: one
        for name, one in offered.items()
        if one.definition.tool_id is not None and (named or one.definition.effect == Effect.READ)
    }


async def use_for(caller: Caller, name: str, arguments: dict[str, Any]) -> ToolOutcome:
    """Use a tool once, by a program, and keep a record of it."""
    found = await in_thread(offered_to, caller)
    offered = found.get(name)
    if offered is None:
        return ToolOutcome.error(f"There is no tool called {name[:64]}.", "unknown_tool")
    definition = offered.definition
    if problem := read_arguments(definition, arguments):
        return ToolOutcome.error(problem, "invalid_arguments")
    context = ToolContext(
        organisation=caller.organisation,
        user=caller.user,
        key=new_id(),
        custom={"api_key": caller.key.prefix},
        config=definition.config,
    )
    checked = definition.check(arguments)
    if await in_thread(must_ask, offered, context, checked, ""):
        return ToolOutcome.error(ASK, "needs_approval", CallStatus.DENIED)
    started = timezone.now()
    outcome = await use_tool(definition, context, arguments)
    if outcome.status == CallStatus.WAITING:
        outcome = ToolOutcome.error(ASK, "needs_approval", CallStatus.DENIED)
    use = ToolUse(
        call=ToolCallPart(id=str(context.key), name=name, arguments=arguments),
        context=context,
        offered=offered,
        message_id=None,
        position=0,
        outcome=outcome,
        started_at=started,
        finished_at=timezone.now(),
    )
    await in_thread(keep_run, [], [use])
    return outcome
