"""The form an agent is made and changed with."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from agents_app.access import readable_collections
from agents_app.forms.choices import (
    ToolGroup,
    ToolRow,
    approval_field,
    fixed_policy,
    grouped,
    tools_for,
)
from agents_app.forms.fields import AvatarField, JsonObjectField, LinesField
from agents_app.forms.knowing import KnowingForm
from agents_app.forms.stored import DEFAULT_RECENT, initial_values, stored_options
from agents_app.models import Agent, AgentKind, Effect, Prompt
from agents_app.models.agents import Knowledge
from agents_app.services.agents import PROMPT_LIMIT, AgentValues
from agents_app.types import DEFAULT_MAX_STEPS, MAX_STEPS
from one_project.accounts.models import Membership
from one_project.common.tenancy import in_tenant

# More agents or prompts than anybody reads through; what is chosen is always among them.
OFFERED = 200


class AgentForm(KnowingForm):
    """All of an agent. Fields of tools are made from what the person may use."""

    name = forms.CharField(
        max_length=120, error_messages={"required": "Please give the agent a name."}
    )
    description = forms.CharField(
        max_length=500,
        required=False,
        help_text="One or two sentences: people and other agents choose by it.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    avatar = AvatarField(help_text="One emoji or two letters.")
    tags = LinesField(
        separator=",", most=12, longest=40, help_text="Separated by commas.", label="Tags"
    )
    starters = LinesField(
        separator="\n",
        most=8,
        longest=160,
        label="Starters",
        help_text="Questions offered in an empty thread, one per line.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    kind = forms.ChoiceField(
        label="Whose agent it is",
        choices=[
            (AgentKind.USER_AGENT, "Mine: private until I share it"),
            (AgentKind.SYSTEM_AGENT, "The organisation's: everybody may use it, admins change it"),
        ],
        initial=AgentKind.USER_AGENT,
        widget=forms.RadioSelect,
        required=False,
    )
    prompt = forms.CharField(
        label="System prompt",
        max_length=PROMPT_LIMIT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 10}),
    )
    attached_prompts = forms.MultipleChoiceField(
        label="Prompts from the library",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="They follow the system prompt, always in their newest version.",
    )
    model = forms.CharField(
        max_length=120,
        required=False,
        help_text="Empty: the model of the installation.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off"}),
    )
    temperature = forms.FloatField(
        min_value=0, max_value=2, required=False, help_text="0 is sober, 2 is wild."
    )
    max_tokens = forms.IntegerField(
        label="Longest answer",
        min_value=1,
        max_value=10_000_000,
        required=False,
        help_text="In tokens.",
    )
    retries = forms.IntegerField(
        min_value=0,
        max_value=10,
        required=False,
        help_text="How often a model that fails for a moment is asked again.",
    )
    max_steps = forms.IntegerField(
        label="Most steps",
        min_value=1,
        max_value=MAX_STEPS,
        initial=DEFAULT_MAX_STEPS,
        required=False,
        help_text="Model calls of one answer. 1: its tools run, but it cannot use what they found.",
    )
    provider_options = JsonObjectField(
        label="Provider options",
        help_text="A JSON object that is sent to the provider as it is.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "is-code"}),
    )
    tools = forms.MultipleChoiceField(required=False)
    stop_when = forms.MultipleChoiceField(label="Ends the answer", required=False)
    delegates_to = forms.MultipleChoiceField(
        label="Delegates to",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Agents it may hand a task to.",
    )
    recent_messages = forms.IntegerField(
        label="Recent messages",
        min_value=0,
        max_value=1000,
        initial=DEFAULT_RECENT,
        required=False,
        help_text="How many of the thread it is given.",
    )
    include_tool_messages = forms.BooleanField(
        label="Also what tools did in earlier answers", required=False
    )
    storage = forms.ChoiceField(
        label="What is stored",
        choices=[
            ("", "As usual"),
            ("all", "Everything"),
            ("prompt_and_output", "The question and the answer"),
            ("none", "Nothing"),
        ],
        required=False,
        help_text="When programs ask it. What is said in threads here is always kept.",
    )

    def __init__(
        self, data: Any = None, *, membership: Membership, agent: Agent | None = None
    ) -> None:
        self.agent = agent
        self.stored = stored_options(agent)
        super().__init__(
            data,
            organisation=membership.organisation,
            person=membership.user,
            thing=agent,
            initial=initial_values(agent, self.stored),
        )
        if not membership.is_admin:
            del self.fields["kind"]
        self._offer_rows()
        self._offer_collections()
        self._offer_tools()

    def _offer_rows(self) -> None:
        agents = Agent.objects.usable_by(self.person, self.organisation)
        prompts = Prompt.objects.usable_by(self.person, self.organisation)
        if self.agent is not None:
            agents = agents.exclude(pk=self.agent.pk)
        self._delegates = self._offer("delegates_to", agents)
        self._prompts = self._offer("attached_prompts", prompts)

    def _offer(self, name: str, rows: "QuerySet[Any]") -> dict[str, Any]:
        """Make ``rows`` the choices; what is chosen but not for this person stays chosen."""
        chosen = list(getattr(self.agent, name).all()) if self.agent else []
        ids = [row.pk for row in chosen]
        offered = {str(row.pk): row for row in rows.order_by("name")[:OFFERED]}
        offered |= {str(row.pk): row for row in rows.filter(pk__in=ids)}
        self._choices(name, [(key, row.name) for key, row in offered.items()])
        self.initial[name] = [str(pk) for pk in ids if str(pk) in offered]
        hidden = [row for row in chosen if str(row.pk) not in offered]
        setattr(self, f"hidden_{name}", hidden)
        return offered

    def _offer_collections(self) -> None:
        with in_tenant(self.organisation.pk):
            rows = readable_collections(self.person, self.organisation)
            self._collections = self._offer("collections", rows)

    def _offer_tools(self) -> None:
        self._offered = tools_for(self.person, self.organisation)
        names = [(name, name) for name in self._offered]
        self._choices("tools", names)
        self._choices("stop_when", names)
        approvals = self.stored.get("approvals") or {}
        for name, offered in self._offered.items():
            field = approval_field(offered)
            allowed = {value for value, _ in field.choices}  # type: ignore[union-attr, misc]
            field.initial = approvals.get(name, "") if approvals.get(name) in allowed else ""
            self.fields[f"approval_{name}"] = field
        had = self.agent.tools if self.agent else []
        self.hidden_tools = [name for name in had if name not in self._offered]

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = choices

    @property
    def tool_groups(self) -> list[ToolGroup]:
        """The tools as the page shows them, with what is chosen now."""
        chosen = set(self["tools"].value() or ())
        stops = set(self["stop_when"].value() or ())
        return grouped(
            ToolRow(
                offered.definition,
                Effect(offered.definition.effect),
                fixed_policy(offered),
                name in chosen,
                name in stops,
                self[f"approval_{name}"],
            )
            for name, offered in self._offered.items()
        )

    @property
    def seen(self) -> datetime | None:
        """When the agent that was changed had been saved, as the page said."""
        value = self.data.get("seen")
        try:
            return parse_datetime(value) if isinstance(value, str) and value else None
        except ValueError:
            return None

    def values(self) -> AgentValues:
        """What was typed. What the person may not see of the agent stays as it is."""
        data = self.cleaned_data
        kept: Any = self.agent
        kind = data.get("kind") or (kept.kind if kept else AgentKind.USER_AGENT)
        return AgentValues(
            name=data["name"],
            description=data["description"],
            kind=kind,
            prompt=data["prompt"],
            model=data["model"],
            avatar=data["avatar"],
            tags=data["tags"],
            starters=data["starters"],
            tools=[*data["tools"], *self.hidden_tools],
            delegates_to=_rows(self._delegates, data, "delegates_to", self),
            attached_prompts=_rows(self._prompts, data, "attached_prompts", self),
            knowledge=data["knowledge"] or (kept.knowledge if kept else Knowledge.PERSON),
            collections=_rows(self._collections, data, "collections", self),
            options=self._options(),
        )

    def _options(self) -> dict[str, Any]:
        """The options; those without a field (``custom``, ``top_p``) stay as they are."""
        data, options = self.cleaned_data, dict(self.stored)
        names = [*data["tools"], *self.hidden_tools]
        approvals = {name: data.get(f"approval_{name}", "") for name in data["tools"]}
        before = self.stored.get("approvals") or {}
        approvals |= {name: before.get(name, "") for name in self.hidden_tools}
        stops = [name for name in data["stop_when"] if name in names]
        stops += [name for name in self.stored.get("stop_when") or () if name not in self._offered]
        steps = data["max_steps"]
        said = {
            "temperature": data["temperature"],
            "max_tokens": data["max_tokens"],
            "retries": data["retries"],
            "provider_options": data["provider_options"] or None,
            "max_steps": steps if steps != DEFAULT_MAX_STEPS else None,
            "stop_when": stops or None,
            "approvals": {name: value for name, value in approvals.items() if value} or None,
            "storage": data["storage"] or None,
            "context": self._context() or None,
        }
        options |= said
        return {name: value for name, value in options.items() if value is not None}

    def _context(self) -> dict[str, Any]:
        context = dict(self.stored.get("context") or {})
        recent = self.cleaned_data["recent_messages"]
        context["recent_messages"] = DEFAULT_RECENT if recent is None else recent
        context["exclude_tool_messages"] = not self.cleaned_data["include_tool_messages"]
        usual = {"recent_messages": DEFAULT_RECENT, "exclude_tool_messages": True}
        return {name: value for name, value in context.items() if usual.get(name) != value}


def _rows(offered: dict[str, Any], data: dict[str, Any], name: str, form: AgentForm) -> list[Any]:
    hidden: Iterable[Any] = getattr(form, f"hidden_{name}")
    return [*(offered[key] for key in data[name]), *hidden]
