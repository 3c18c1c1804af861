"""One object instead of words: asked for by its schema, read while it forms, repaired once."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

import orjson
import pydantic_core
from pydantic import BaseModel, ValidationError

from agents_app.errors import ObjectInvalid
from agents_app.models import Purpose
from agents_app.providers.base import ChatMessage, CompletionBuilder, Usage
from agents_app.providers.parts import TextPart
from agents_app.runtime.agent import Agent
from agents_app.runtime.ask import Restarted
from agents_app.runtime.generate import open_run
from agents_app.runtime.run import Run, Step
from agents_app.runtime.store import SavedMessage
from agents_app.tools.definitions import problems_of

if TYPE_CHECKING:
    from agents_app.runtime.speaking import CallArguments

M = TypeVar("M", bound=BaseModel)

ATTEMPTS = 2
ASKED = "Answer with one JSON object only, without any other words. It has to fit this JSON schema:"
REPAIR = "This does not fit. {problems} Answer again with the whole corrected JSON object only."


@dataclass(frozen=True, slots=True)
class Partial:
    """The object as far as it is known: JSON values, strings cut where they are, not checked."""

    object: dict[str, Any]
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult(Generic[M]):
    """A valid object, and as in ``TextResult`` what it took and where it was kept (as JSON)."""

    object: M
    text: str
    steps: tuple[Step, ...]
    usage: Usage
    finish_reason: str
    prompt_message_id: UUID | None = None
    order: int | None = None
    saved_messages: tuple[SavedMessage, ...] = ()


async def object_events(
    agent: Agent, call: "CallArguments", schema: type[M]
) -> AsyncGenerator[Partial | ObjectResult[M], None]:
    """Parts of the object, and the result as the last item. Raises ObjectInvalid, ModelError."""
    run = await open_run(agent, call)
    if (earlier := run.answered()) is not None:
        yield _result(run, read_object(schema, earlier.text), earlier.text, earlier.finish_reason)
        return
    run.messages.append(ChatMessage.text("system", f"{ASKED}\n{_schema_text(schema)}"))
    _system_first(run)
    try:
        async with aclosing(_attempts(run, schema)) as events:
            async for event in events:
                yield event
    except BaseException as error:
        await run.fail(error)
        raise


async def _attempts(run: Run, schema: type[M]) -> AsyncGenerator[Partial | ObjectResult[M], None]:
    spent = Usage()
    for attempt in range(1, ATTEMPTS + 1):
        recorder = run.recording(run.request(response_format=_format(schema)), Purpose.OBJECT)
        builder, known = CompletionBuilder(), None
        async with aclosing(recorder.ask(run.patience)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                if isinstance(batch, Restarted):
                    builder = CompletionBuilder()
                    continue
                builder.add(batch)
                found = _so_far(builder.completion().text)
                if found is not None and found != known:
                    known = found
                    yield Partial(found, attempt)
        completion = recorder.answer.completion()
        recorded = recorder.calls[-1]
        spent = spent + recorded.usage
        try:
            made = read_object(schema, completion.text)
        except ObjectInvalid as error:
            await run.waste_step(completion)
            if attempt == ATTEMPTS:
                raise
            run.messages += [
                ChatMessage.text("assistant", completion.text or "(nothing)"),
                ChatMessage.text("user", REPAIR.format(problems=error.problems)),
            ]
            continue
        text = made.model_dump_json()
        step = Step(
            number=attempt,
            parts=(TextPart(text),),
            finish_reason=completion.finish_reason,
            usage=spent,
            model=recorded.model,
            provider=recorded.provider,
        )
        await run.end_step(completion, step, more=False)
        yield _result(run, made, text, completion.finish_reason)
        return


def read_object(schema: type[M], text: str) -> M:
    """The object in a model's answer, with or without a fence around it. Raises ObjectInvalid."""
    try:
        value = orjson.loads(_inside(text))
    except orjson.JSONDecodeError as error:
        raise ObjectInvalid(text, f"The answer is no JSON: {error}.") from error
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        problems = problems_of(error).removeprefix("Invalid arguments. ")
        raise ObjectInvalid(text, f"{problems}.") from error


def _inside(text: str) -> str:
    stripped = text.strip()
    if stripped.startswith("```"):
        stripped = stripped.partition("\n")[2].rpartition("```")[0]
    return stripped


def _so_far(text: str) -> dict[str, Any] | None:
    start = text.find("{")
    if start < 0:
        return None
    try:
        found = pydantic_core.from_json(
            text[start:].removesuffix("```"), allow_partial="trailing-strings"
        )
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _schema_text(schema: type[BaseModel]) -> str:
    return orjson.dumps(schema.model_json_schema()).decode()


def _format(schema: type[BaseModel]) -> dict[str, Any]:
    named = {"name": schema.__name__[:64], "schema": schema.model_json_schema()}
    return {"type": "json_schema", "json_schema": named}


def _system_first(run: Run) -> None:
    """Some servers take one system message, and only as the first."""
    told = run.messages.pop()
    first = run.messages[0] if run.messages else None
    if first is not None and first.role == "system":
        run.messages[0] = ChatMessage("system", (*first.parts, TextPart("\n\n"), *told.parts))
    else:
        run.messages.insert(0, told)


def _result(run: Run, made: M, text: str, finish_reason: str) -> ObjectResult[M]:
    return ObjectResult(
        object=made,
        text=text,
        steps=tuple(run.steps),
        usage=sum((step.usage for step in run.steps), Usage()),
        finish_reason=finish_reason,
        prompt_message_id=run.prompt_id,
        order=run.begun.prompt.order if run.begun else None,
        saved_messages=tuple(run.saved),
    )
