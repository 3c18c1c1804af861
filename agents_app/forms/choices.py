"""Tools as the form of an agent offers them, grouped by what they do to the world."""

from collections.abc import Iterable
from dataclasses import dataclass

from django import forms

from agents_app.models import Approval, Effect, Tool
from agents_app.tools.catalogue import Offered, offered_tools
from agents_app.tools.definitions import ToolDefinition, builtin_tools
from one_project.accounts.models import Organisation, User

BY_EFFECT, ALWAYS, NEVER = "", "always", "never"
EXPLAINED = {
    Effect.READ: "They only look things up.",
    Effect.WRITE: "They change things in ONE.",
    Effect.EXTERNAL: "They reach other systems or people; a person is asked first.",
    Effect.DESTRUCTIVE: "What they do cannot be taken back; a person is always asked.",
}


@dataclass(frozen=True, slots=True)
class ToolRow:
    """One tool in the form."""

    definition: ToolDefinition
    effect: Effect
    # What the organisation has fixed, as a sentence; "" where the agent may choose.
    fixed: str
    checked: bool
    stops: bool
    approval: forms.BoundField

    @property
    def id(self) -> str:
        return f"tool-{self.definition.name}"


@dataclass(frozen=True, slots=True)
class ToolGroup:
    effect: Effect
    explained: str
    rows: list[ToolRow]


def tools_for(user: User, organisation: Organisation) -> dict[str, Offered]:
    """All tools the person may give an agent, by name; the forbidden ones are left out."""
    own = Tool.objects.active().usable_by(user, organisation).values_list("name", flat=True)
    return offered_tools(sorted({*builtin_tools(), *own}), organisation, user)


def approval_field(offered: Offered) -> forms.ChoiceField:
    """How a tool asks: "never" is not offered for what destroys."""
    choices = [(BY_EFFECT, f"By its effect ({_usual(offered)})"), (ALWAYS, "Always ask")]
    if offered.definition.effect != Effect.DESTRUCTIVE:
        choices.append((NEVER, "Never ask"))
    label = f"Ask before {title_of(offered.definition)}"
    return forms.ChoiceField(label=label, choices=choices, required=False)


def fixed_policy(offered: Offered) -> str:
    """What the organisation says about asking, where it says something."""
    if offered.policy == Approval.ALWAYS:
        return "A person is always asked: the organisation wants it so."
    if offered.policy == Approval.NEVER and offered.definition.effect != Effect.DESTRUCTIVE:
        return "Nobody is asked: the organisation wants it so."
    return ""


def grouped(rows: Iterable[ToolRow]) -> list[ToolGroup]:
    """Harmless ones first; within a group by title."""
    found = sorted(rows, key=lambda row: title_of(row.definition).lower())
    groups = [
        ToolGroup(effect, EXPLAINED[effect], [row for row in found if row.effect == effect])
        for effect in Effect
    ]
    return [group for group in groups if group.rows]


def title_of(definition: ToolDefinition) -> str:
    """The name for people; a row of the organisation goes by its own name."""
    return definition.name if definition.tool_id else definition.title or definition.name


def _usual(offered: Offered) -> str:
    definition = offered.definition
    if definition.effect == Effect.DESTRUCTIVE:
        return "asks"
    if callable(definition.approval):
        return "depends on the use"
    if definition.approval != Approval.DEFAULT:
        return "asks" if definition.approval == Approval.ALWAYS else "does not ask"
    return "asks" if definition.effect == Effect.EXTERNAL else "does not ask"
