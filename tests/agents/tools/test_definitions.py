"""What makes a function a tool, and what is said of arguments that do not fit."""

import asyncio

import pytest
from pydantic import Field, ValidationError

from agents_app.models import Approval, Effect
from agents_app.tools.definitions import (
    Arguments,
    NoArguments,
    ToolContext,
    builtin_tools,
    define,
    problems_of,
    tool,
)
from one_project.accounts.models import Organisation


class Send(Arguments):
    amount: int = Field(ge=1, le=1000)
    note: str = Field("", max_length=10)


async def send(arguments: Send, context: ToolContext) -> str:
    """Send money."""
    return f"{arguments.amount} from {context.organisation.name}"


def here() -> ToolContext:
    return ToolContext(organisation=Organisation(name="Acme"))


def test_a_function_becomes_a_tool():
    made = define(send, name="send", effect=Effect.EXTERNAL)
    assert (made.description, made.title, made.is_async) == ("Send money.", "Send", True)
    assert made.parameters["required"] == ["amount"]
    assert made.parameters["additionalProperties"] is False
    assert "title" not in made.parameters["properties"]["amount"]
    assert asyncio.run(made.run(here(), {"amount": 5})) == "5 from Acme"


def test_the_context_may_come_first_or_not_at_all():
    def swapped(context: ToolContext, arguments: NoArguments) -> str:
        """Who."""
        return context.organisation.name

    def alone(arguments: NoArguments) -> str:
        """Nobody."""
        return "x"

    assert define(swapped, name="swapped").run(here(), {}) == "Acme"
    assert define(alone, name="alone").run(here(), {}) == "x"


def test_what_is_no_tool_is_refused():
    def untold(arguments: NoArguments) -> None: ...

    def loose(text: str) -> None:
        """Takes no model."""

    def empty() -> None:
        """Takes nothing."""

    async def later(arguments: NoArguments) -> None:
        """A transaction does not wait."""

    for function in (untold, loose, empty):
        with pytest.raises(TypeError):
            define(function, name="x")
    with pytest.raises(TypeError):
        define(later, name="later", in_transaction=True)
    for name in ("", "has blank", "dot.ted", "x" * 65, "ü"):
        with pytest.raises(TypeError):
            define(send, name=name)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "amount: Field required"),
        ({"amount": 0}, "amount: Input should be greater than or equal to 1"),
        ({"amount": "many"}, "amount: Input should be a valid integer"),
        ({"amount": 1, "to": "me"}, "to: Extra inputs are not permitted"),
        ({"amount": 1, "note": "x" * 11}, "note: String should have at most 10"),
        ([], "arguments: Input should be a valid dictionary"),
    ],
)
def test_arguments_that_do_not_fit_are_explained(arguments, said):
    made = define(send, name="send")
    with pytest.raises(ValidationError) as caught:
        made.check(arguments)
    told = problems_of(caught.value)
    assert told.startswith("Invalid arguments. ")
    assert said in told
    # What was sent is not repeated: it may be long.
    assert "input_value" not in told


def test_a_name_is_taken_once():
    def first(arguments: NoArguments) -> None:
        """One."""

    def second(arguments: NoArguments) -> None:
        """Another."""

    tool(name="taken_once")(first)
    tool(name="taken_once")(first)
    with pytest.raises(TypeError):
        tool(name="taken_once")(second)
    with pytest.raises(TypeError):
        tool(name="calculator")(second)


def test_what_may_be_started_again_after_a_crash():
    def nothing(arguments: NoArguments) -> None:
        """Nothing."""

    def repeats(**options: object) -> bool:
        return define(nothing, name="nothing", **options).may_be_repeated

    assert repeats()
    assert not repeats(effect=Effect.EXTERNAL)
    assert not repeats(effect=Effect.WRITE)
    assert repeats(effect=Effect.WRITE, in_transaction=True)
    assert repeats(effect=Effect.EXTERNAL, idempotent=True)


@pytest.mark.parametrize(
    ("effect", "approval", "setting", "asks"),
    [
        (Effect.READ, "default", "default", False),
        (Effect.WRITE, "default", "default", False),
        (Effect.EXTERNAL, "default", "default", True),
        (Effect.EXTERNAL, "default", "never", False),
        (Effect.EXTERNAL, "never", "default", False),
        (Effect.READ, "always", "default", True),
        (Effect.READ, "never", "always", True),
        (Effect.DESTRUCTIVE, "never", "never", True),
    ],
)
def test_who_asks_by_effect_and_setting(effect, approval, setting, asks):
    made = define(send, name="send", effect=effect, approval=Approval(approval))
    assert made.asks(here(), Send(amount=1), setting) is asks


def test_a_predicate_decides_by_the_arguments():
    made = define(
        send,
        name="send",
        effect=Effect.EXTERNAL,
        approval=lambda context, given: given.amount > 100,
    )
    assert not made.asks(here(), Send(amount=100))
    assert made.asks(here(), Send(amount=101))
    assert made.asks(here(), Send(amount=1), Approval.ALWAYS)


def test_the_built_in_tools_are_there():
    found = builtin_tools()
    assert {
        "calculator", "current_time", "delete_document", "fetch_web_page", "get_context",
        "get_weather", "post_webhook", "search_knowledge",
    } <= set(found)  # fmt: skip
    assert found["delete_document"].effect == Effect.DESTRUCTIVE
    assert found["post_webhook"].asks(here(), None)
    assert not found["post_webhook"].may_be_repeated
