"""Which tools an agent has, for one person in one organisation: policy included."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from django.db.models import Q

from agents_app.models import Approval, Tool, ToolAllowance, ToolKind
from agents_app.tools.definitions import ToolContext, ToolDefinition, builtin_tools
from one_project.accounts.models import Organisation, User

logger = logging.getLogger(__name__)

# What is made of a built-in tool, by its ``action``.
_OF_BUILTINS = (ToolKind.BUILTIN, ToolKind.INTEGRATION)
# The kinds the apps below and above bring: integration actions, MCP servers, HTTP operations.
_kinds: dict[str, Callable[[Tool], ToolDefinition | None]] = {}


def register_kind(kind: str, define: Callable[[Tool], ToolDefinition | None]) -> None:
    """Have rows of ``kind`` made into definitions by ``define`` (None: not usable now)."""
    _kinds[kind] = define


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool an agent has, and what the organisation says about asking first."""

    definition: ToolDefinition
    policy: str = Approval.DEFAULT


def offered_tools(
    names: Iterable[str], organisation: Organisation, user: User | None
) -> dict[str, Offered]:
    """The tools of an allow-list that may be used here, by name; the others are left out.

    Two queries at most, and one for each tool that runs elsewhere. ``user`` None: a program of the
    organisation asks, which may use what everybody may.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    rows = _rows(wanted, organisation)
    allowed = _allowed([rows[name] for name in wanted if name in rows], organisation, user)
    builtins = builtin_tools()
    found: dict[str, Offered] = {}
    for name in wanted:
        row = rows.get(name)
        if row is not None and row.created_by_id is not None and row.pk not in allowed:
            row = None  # somebody's own row hides nothing from others
        if row is None:
            if name in builtins:
                found[name] = Offered(builtins[name])
            continue
        # What the organisation says of a built-in tool holds under every name it is given.
        house = rows.get(row.action) if row.kind in _OF_BUILTINS else None
        policies = [row, house] if house and house.created_by_id is None else [row]
        if not all(one.is_active and one.approval != Approval.DENY for one in policies):
            continue
        if (definition := definition_of(row)) is not None:
            always = any(one.approval == Approval.ALWAYS for one in policies)
            found[name] = Offered(definition, Approval.ALWAYS if always else row.approval)
    return found


def _rows(wanted: list[str], organisation: Organisation) -> dict[str, Tool]:
    """The rows of these names, and the organisation's own of what they are made of."""
    rows = Tool.objects.filter(organisation=organisation)
    actions = rows.filter(name__in=wanted, kind__in=_OF_BUILTINS).exclude(action="")
    found = rows.filter(Q(name__in=wanted) | Q(name__in=actions.values("action"), created_by=None))
    return {row.name: row for row in found}


def definition_of(row: Tool) -> ToolDefinition | None:
    """A row as a definition; None when what it names is not there."""
    if row.kind == ToolKind.BUILTIN:
        base = builtin_tools().get(row.action or row.name)
        made = base and replace(base, config={**base.config, **row.config})
    else:
        define = _kinds.get(row.kind)
        made = define(row) if define else None
    if made is None:
        return None
    if made.by_config is not None:
        made = made.by_config(made)
    described = row.description or made.description
    return replace(made, name=row.name, description=described, tool_id=row.pk)


def _allowed(rows: Iterable[Tool], organisation: Organisation, user: User | None) -> set[object]:
    private = [row for row in rows if row.created_by_id is not None]
    allowed: set[object] = {row.pk for row in rows if row.created_by_id is None}
    if private and user is not None:
        usable = Tool.objects.usable_by(user, organisation)
        allowed |= set(
            usable.filter(pk__in=[row.pk for row in private]).values_list("pk", flat=True)
        )
    return allowed


def must_ask(offered: Offered, context: ToolContext, arguments: object, agent_setting: str) -> bool:
    """Whether a person is asked before this use.

    In this order: the organisation's row, the agent's setting, the tool's own policy, and the
    person's "always allow this tool here", which never counts for what destroys. A stricter level
    is never loosened by the next: who said "always" is asked. A predicate that fails asks.
    """
    always = Approval.ALWAYS in (offered.policy, agent_setting)
    setting = Approval.ALWAYS if always else offered.policy
    if setting == Approval.DEFAULT:
        setting = agent_setting or Approval.DEFAULT
    try:
        if not offered.definition.asks(context, arguments, setting):
            return False
    except Exception:
        logger.exception("whether %s needs approval is unknown", offered.definition.name)
        return True
    definition = offered.definition
    if always or definition.always_asks or definition.effect == "destructive":
        return True
    if context.user is None or context.thread_id is None:
        return True
    return not ToolAllowance.objects.filter(
        thread_id=context.thread_id, user=context.user, tool_name=offered.definition.name
    ).exists()
