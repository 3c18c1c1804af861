"""The composer of a trial: what it shows at first, what it was sent, and the question in it."""

from dataclasses import dataclass, field
from uuid import UUID

from agents_app.errors import AgentNotFound, InvalidFields
from agents_app.models import Agent as AgentRow
from agents_app.runtime.agent import Agent
from agents_app.types import AgentOptions, read_options
from chat_app.models import Thread, ThreadParticipant, Turn
from chat_app.services.asking import checked_text
from chat_app.services.playground import (
    code_agents,
    find_agent,
    open_thread,
    past_turn,
    usable_agents,
)
from chat_app.services.playground_options import (
    editable,
    read_call_options,
    read_models,
)
from chat_app.services.playground_requests import Question, call_options, shown_context
from chat_app.views.playground.asked import PostedTrial
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError
from one_project.common.ids import new_id

NOWHERE = {"storage": "none"}


@dataclass(slots=True, kw_only=True)
class Composer:
    """What ``playground/_composer.html`` shows; ``errors`` by field."""

    choices: list[tuple[str, str]]
    agent: str = ""
    thread: Thread | None = None
    turn: Turn | None = None
    models: str = ""
    prompt: str = ""
    system: str = ""
    context: str = ""
    options: str = ""
    save: bool = False
    may_save: bool = False
    client_key: UUID = field(default_factory=new_id)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trial is about: nowhere, in a thread, at a past turn."""

    thread: Thread | None = None
    turn: Turn | None = None

    @property
    def agent(self) -> AgentRow | None:
        """Who answered or would answer there."""
        if self.turn is not None and self.turn.agent is not None:
            return self.turn.agent
        return self.thread.agent if self.thread else None


def place_of(request: MemberRequest, thread: str, turn: str) -> Place:
    """Raises ThreadNotFound, MessageNotFound."""
    if not thread:
        return Place()
    found = open_thread(request.organisation, thread, by=request.user)
    return Place(found, past_turn(found, turn) if turn else None)


def first_composer(request: MemberRequest, place: Place, *, agent: str = "") -> Composer:
    """What holds without a change: the agent's own prompt, its context options."""
    made = _empty(request, place)
    known = {value for value, _ in made.choices}
    here = str(place.agent.pk) if place.agent else ""
    wanted = [value for value in (agent, here) if value in known]
    made.agent = next(iter([*wanted, *(value for value, _ in made.choices)]), "")
    made.prompt = place.turn.prompt.text if place.turn else ""
    made.options = editable(NOWHERE)
    try:
        found = find_agent(request.organisation, request.user, made.agent, also=place.agent)
    except InvalidFields as error:
        made.errors = error.fields
    except AgentNotFound:
        pass  # there is none to choose from
    else:
        effective = effective_options(request, place, found)
        made.system = effective.instructions or ""
        made.context = editable(shown_context(effective))
        made.options = editable(_own_options(place.turn))
    return made


def sent_composer(
    request: MemberRequest, place: Place, posted: PostedTrial, errors: dict[str, str] | None = None
) -> Composer:
    """As it was sent, with what is wrong."""
    made = _empty(request, place)
    for name in ("agent", "models", "prompt", "context", "options", "save"):
        setattr(made, name, getattr(posted, name))
    made.system = posted.system or ""
    made.errors = errors or {}
    return made


def _empty(request: MemberRequest, place: Place) -> Composer:
    rows = usable_agents(request.organisation, request.user, also=place.agent)
    choices = [(str(row.pk), row.name) for row in rows]
    choices += [(value, f"{name} (Python)") for value, name in code_agents(rows)]
    takes_part = place.thread is not None and (
        ThreadParticipant.objects.filter(thread=place.thread, user=request.user).exists()
    )
    return Composer(choices=choices, thread=place.thread, turn=place.turn, may_save=takes_part)


def effective_options(request: MemberRequest, place: Place, agent: Agent) -> AgentOptions:
    """What holds when nothing is said in the composer."""
    return call_options(_question(request, place, agent, read_options()))


def _own_options(turn: Turn | None) -> dict[str, object]:
    """Of a past turn its own options, without what has a field of its own."""
    stored = turn.options if turn else {}
    kept = {
        name: value
        for name, value in stored.items()
        if name in AgentOptions.model_fields
        and name not in {"model", "instructions", "context", "storage"}
    }
    return {**kept, **NOWHERE}


def _question(
    request: MemberRequest, place: Place, agent: Agent, options: AgentOptions, prompt: str = ""
) -> Question:
    return Question(
        organisation=request.organisation,
        user=request.user,
        agent=agent,
        prompt=prompt,
        options=options,
        thread=place.thread,
        turn=place.turn,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A composer that can be used. ``models`` has at least one entry; "" is the agent's own."""

    agent: Agent
    models: list[str]
    options: AgentOptions
    prompt: str
    questions: list[Question]


def read_composer(request: MemberRequest, place: Place, posted: PostedTrial) -> Wanted:
    """Raises InvalidFields naming every field that is wrong."""
    problems: dict[str, str] = {}
    agent, options, models = None, read_options(), [""]
    try:
        agent = find_agent(request.organisation, request.user, posted.agent, also=place.agent)
    except InvalidFields as error:
        problems |= error.fields
    except AgentNotFound:
        problems["agent"] = "Please choose an agent."
    try:
        models = read_models(posted.models) or [""]
    except InvalidFields as error:
        problems |= error.fields
    try:
        system = None if agent is None else _changed(request, place, agent, posted.system)
        options = read_call_options(
            context=posted.context, options=posted.options, system=system, save=posted.save
        )
    except InvalidFields as error:
        problems |= error.fields
    problems |= _prompt_problem(posted)
    if problems or agent is None:
        raise InvalidFields(problems)
    return Wanted(
        agent=agent,
        models=models,
        options=options,
        prompt=posted.prompt,
        questions=[
            _question(request, place, agent, _with_model(options, model), posted.prompt)
            for model in models
        ],
    )


def _prompt_problem(posted: PostedTrial) -> dict[str, str]:
    try:
        checked_text(posted.prompt)
    except AppError as error:
        return {"prompt": error.user_message}
    return {}


def _changed(request: MemberRequest, place: Place, agent: Agent, system: str | None) -> str | None:
    """None where the system prompt is what it would be anyway."""
    if system is None:
        return None
    own = effective_options(request, place, agent).instructions or ""
    return None if system.strip() == own.replace("\r\n", "\n").strip() else system


def _with_model(options: AgentOptions, model: str) -> AgentOptions:
    if not model:
        return options
    return AgentOptions.model_construct(None, model=model).over(options)
