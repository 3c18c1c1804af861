"""``@tool``: a Python function that agents may call, with one pydantic model as its arguments."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, get_type_hints
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from agents_app.models import Agent, Approval, Effect
from agents_app.providers.base import ToolSpec
from one_project.accounts.models import Organisation, User

TIMEOUT = 30.0
# What the models of most providers accept as a name.
NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")


class Arguments(BaseModel):
    """Base of a tool's arguments: what the schema does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class NoArguments(Arguments):
    """For tools that need none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """For whom and where a tool runs (TO-2). Never holds a secret.

    ``message_id`` is the question that is being answered. ``key`` is the same for every attempt at
    this call: give it to whoever has the effect as idempotency key. ``custom`` is what the program
    that asked passed on.
    """

    organisation: Organisation
    user: User | None = None
    agent: Agent | None = None
    thread_id: UUID | None = None
    turn_id: UUID | None = None
    message_id: UUID | None = None
    key: UUID | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


class ToolError(Exception):
    """The tool could not do it. The text is given to the model, which may try something else.

    ``data``: kept with the call for people and pages (which account to connect); no secrets.
    """

    def __init__(
        self, message: str, *, code: str = "tool_error", data: Mapping[str, Any] | None = None
    ) -> None:
        self.code = code
        self.data = dict(data) if data else None
        super().__init__(message)


class OutcomeUnknown(ToolError):
    """It may have taken effect, or not: nobody tries again, a person looks and decides."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A tool returns this when somebody else will give the result, maybe weeks later.

    ``child_thread_id``: the thread whose next answer is the result. ``delivery_id``: the message
    whose end is; with neither, a person's answer is.
    """

    child_thread_id: UUID | None = None
    delivery_id: UUID | None = None


Predicate: TypeAlias = Callable[[ToolContext, Any], bool]
Run: TypeAlias = Callable[[ToolContext, dict[str, Any]], Any]
# What people are told of a use before they decide: {"through": …, "to": …}, and what is pinned by
# it ("integration": an id). Called once per proposal, in its transaction.
Describe: TypeAlias = Callable[[ToolContext, dict[str, Any]], dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """A tool of any kind, as the loop sees it.

    parameters: JSON schema. timeout: seconds for all of one use. approval: a policy, or a function
    of context and arguments that says whether to ask. in_transaction: ``run`` is a plain function
    whose writes commit together with the record of the call, so it happens exactly once.
    idempotent: a repeated use with the same key has no second effect, so it may be repeated after
    a crash. check: parses and validates arguments (raises ValidationError or ValueError).
    always_asks: no setting and no "always allow" loosens it. describe: what people are told
    before they decide. by_config: the tool as its config makes it (other parameters, asking).
    """

    name: str
    description: str
    parameters: dict[str, Any]
    run: Run
    is_async: bool = False
    effect: str = Effect.READ
    timeout: float = TIMEOUT
    approval: "str | Predicate" = Approval.DEFAULT
    scopes: tuple[str, ...] = ()
    in_transaction: bool = False
    idempotent: bool = False
    check: Callable[[Any], Any] = lambda arguments: arguments
    config: Mapping[str, Any] = field(default_factory=dict)
    tool_id: UUID | None = None
    always_asks: bool = False
    describe: Describe | None = None
    by_config: "Callable[[ToolDefinition], ToolDefinition] | None" = None
    # Shown in the editor of agents; only listed there when it is not internal.
    title: str = ""

    @property
    def spec(self) -> ToolSpec:
        """As a model sees it."""
        return ToolSpec(self.name, self.description, self.parameters)

    @property
    def may_be_repeated(self) -> bool:
        """Whether it is started again after its worker was lost; else the outcome is unknown."""
        return self.effect == Effect.READ or self.in_transaction or self.idempotent

    def asks(self, context: ToolContext, arguments: Any, setting: str = Approval.DEFAULT) -> bool:
        """Whether a person is asked first. ``setting``: what the agent or the row says, if it does.

        By default reads and writes here run, what acts outside or destroys asks (HU-7: a predicate
        decides by the arguments). What destroys always asks.
        """
        if self.effect == Effect.DESTRUCTIVE or self.always_asks or setting == Approval.ALWAYS:
            return True
        if setting == Approval.NEVER:
            return False
        if callable(self.approval):
            return bool(self.approval(context, arguments))
        if self.approval != Approval.DEFAULT:
            return self.approval == Approval.ALWAYS
        return self.effect == Effect.EXTERNAL

    def named(self, **changes: Any) -> "ToolDefinition":
        """The same tool under another name, description or with a fixed config."""
        return replace(self, **changes)


def tool(
    *,
    name: str = "",
    title: str = "",
    effect: str = Effect.READ,
    timeout: float = TIMEOUT,
    approval: "str | Predicate" = Approval.DEFAULT,
    scopes: tuple[str, ...] = (),
    in_transaction: bool = False,
    idempotent: bool = False,
    describe: Describe | None = None,
    by_config: Callable[[ToolDefinition], ToolDefinition] | None = None,
    register: bool = True,
) -> Callable[[Callable[..., Any]], ToolDefinition]:
    """Make a function a tool: ``async def look_up(arguments: LookUp, context: ToolContext)``.

    The docstring is the description for the model, the annotated pydantic model the schema; the
    context may be left out. It returns a JSON value or a pydantic model, raises ToolError, or
    returns ``Waiting``. A plain function runs in a database thread. With ``register`` every
    organisation's agents may be given it by name. Raises TypeError for another shape.
    """

    def made(function: Callable[..., Any]) -> ToolDefinition:
        definition = define(
            function,
            name=name or function.__name__,
            title=title,
            effect=Effect(effect),
            timeout=timeout,
            approval=approval,
            scopes=scopes,
            in_transaction=in_transaction,
            idempotent=idempotent,
            describe=describe,
            by_config=by_config,
        )
        if by_config is not None:
            definition = by_config(definition)
        if register:
            register_tool(definition)
        return definition

    return made


def define(function: Callable[..., Any], *, name: str, **options: Any) -> ToolDefinition:
    """The definition of a function, not registered: for tools made at run time (AG-11, S04-12)."""
    if not NAME.match(name):
        raise TypeError(f"{name!r} is no name for a tool: letters, digits, _ and -, 64 at most")
    model, takes_context = _shape(function)
    if options.get("in_transaction") and inspect.iscoroutinefunction(function):
        raise TypeError(f"{name}: a tool in a transaction is a plain function")

    def run(context: ToolContext, arguments: dict[str, Any]) -> Any | Awaitable[Any]:
        given: dict[str, Any] = {"arguments": model.model_validate(arguments)}
        if takes_context:
            given["context"] = context
        names = list(inspect.signature(function).parameters)
        ordered = [
            given["context"] if hint is ToolContext else given["arguments"]
            for hint in (_hints(function)[one] for one in names)
        ]
        return function(*ordered)

    # By this, the registry tells two tools of one name from one that is imported again.
    run.__qualname__ = f"{function.__module__}.{function.__qualname__}"
    description = inspect.cleandoc(function.__doc__ or "")
    if not description:
        raise TypeError(f"{name}: a tool needs a docstring; it is what the model reads")
    return ToolDefinition(
        name=name,
        description=description,
        parameters=schema_of(model),
        run=run,
        is_async=inspect.iscoroutinefunction(function),
        check=model.model_validate,
        **{**options, "title": options.get("title") or name.replace("_", " ").capitalize()},
    )


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of type object that a model is given."""
    schema = model.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    for value in schema.get("properties", {}).values():
        value.pop("title", None)
    return schema


def problems_of(error: "ValidationError | ValueError") -> str:
    """What is wrong with arguments, so that the model can correct itself."""
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(str(part) for part in one['loc']) or 'arguments'}: {one['msg']}"
        for one in found[:10]
    ]
    return "Invalid arguments. " + "; ".join(lines)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(function)


def _shape(function: Callable[..., Any]) -> tuple[type[BaseModel], bool]:
    hints = _hints(function)
    parameters = list(inspect.signature(function).parameters)
    models = [hints.get(one) for one in parameters if hints.get(one) is not ToolContext]
    takes_context = any(hints.get(one) is ToolContext for one in parameters)
    if not models:
        raise TypeError(f"{function.__qualname__}: a tool has one pydantic model as its arguments")
    model = models[0]
    if len(models) != 1 or not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"{function.__qualname__}: a tool has one pydantic model as its arguments")
    return model, takes_context


_registry: dict[str, ToolDefinition] = {}


def register_tool(definition: ToolDefinition) -> None:
    """Make it one of the built-in tools. Raises TypeError when the name is taken."""
    found = _registry.get(definition.name)
    if found is not None and found.run.__qualname__ != definition.run.__qualname__:
        raise TypeError(f"two tools are called {definition.name}")
    _registry[definition.name] = definition


def builtin_tools() -> dict[str, ToolDefinition]:
    """All built-in tools by name."""
    return dict(_registry)
