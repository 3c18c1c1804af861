"""One use of a tool: its arguments read, its function called within a time, its result cut.

Stores nothing. A tool that fails is a result like any other: the model is told.
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import transaction
from pydantic import BaseModel, ValidationError

from agents_app.models import CallStatus
from agents_app.tools.definitions import (
    OutcomeUnknown,
    ToolContext,
    ToolDefinition,
    ToolError,
    Waiting,
    problems_of,
)
from integrations_app.errors import ConnectRequired
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.common.text import JSON_LIMITS, clean_text, is_plain_json

logger = logging.getLogger(__name__)

# What the model is given of a result; all of it is stored up to MAX_OUTPUT.
MAX_TOLD = 64 * 1024
MAX_OUTPUT = 512 * 1024
# The third identical call of an answer is not made: the model goes in circles.
MAX_IDENTICAL = 3
REPEATED = "This very call has been made before in this answer. Use what it returned."
NOT_KNOWN = (
    "It is not known whether this took effect. Do not repeat it; tell the person, who can look and "
    "decide."
)
FAILED = "The tool failed. It may be tried again later, or something else may be tried."


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutcome:
    """How a use ended. ``told`` is what the model is given; ``status`` a CallStatus."""

    status: str
    output: Any = None
    told: str = ""
    error_code: str = ""
    waiting: Waiting | None = None

    @classmethod
    def error(
        cls, message: str, code: str, status: str = CallStatus.FAILED, output: Any = None
    ) -> "ToolOutcome":
        return cls(status=status, told=f"Error: {message}", error_code=code, output=output)

    @classmethod
    def unknown(cls) -> "ToolOutcome":
        """It may have taken effect: nobody knows, and nobody tries again."""
        return cls.error(NOT_KNOWN, "outcome_unknown", CallStatus.UNKNOWN)


def args_hash(name: str, arguments: object) -> str:
    """The same for the same tool and arguments, in whatever order they were said, and however
    the database writes their numbers."""
    said = [name, _plain_numbers(arguments)]
    text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(text).hexdigest()


def _plain_numbers(value: Any) -> Any:
    """Whole numbers as such: Postgres gives 1e17 back as an integer, and -0.0 as 0.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_numbers(item) for item in value]
    return value


def read_arguments(definition: ToolDefinition, raw: "dict[str, Any] | str") -> str:
    """What is wrong with the arguments; empty when they fit."""
    if not isinstance(raw, dict):
        return f"Invalid arguments. They must be one JSON object {JSON_LIMITS}."
    try:
        definition.check(raw)
    except (ValidationError, ValueError) as error:
        return problems_of(error)
    return ""


async def use_tool(
    definition: ToolDefinition, context: ToolContext, arguments: dict[str, Any]
) -> ToolOutcome:
    """Call the tool within its time. Raises only CancelledError.

    One in a transaction has all of its effect or none, also here, apart from its record.
    """
    run = transaction.atomic(definition.run) if definition.in_transaction else definition.run
    try:
        async with asyncio.timeout(definition.timeout):
            if definition.is_async:
                value = await run(context, arguments)
            else:
                value = await in_thread(run, context, arguments)
        return outcome_of_value(value)
    except TimeoutError:
        if not definition.may_be_repeated:
            return ToolOutcome.unknown()
        message = f"The tool took longer than {definition.timeout:g} seconds."
        return ToolOutcome.error(message, "timeout", CallStatus.TIMED_OUT)
    except Exception as error:
        return outcome_of_error(definition.name, error)


def outcome_of_error(name: str, error: Exception) -> ToolOutcome:
    """A failure in words for the model; what is nobody's business but ours goes to the log."""
    if isinstance(error, OutcomeUnknown):
        return ToolOutcome.unknown()
    if isinstance(error, ToolError):
        return ToolOutcome.error(str(error), error.code, output=error.data)
    if isinstance(error, ConnectRequired):
        words = f"{error.user_message} Ask the person to press “Connect” here, then to ask again."
        account = {"integration_id": str(error.integration_id or ""), "title": "your account"}
        return ToolOutcome.error(words, error.code, output={"connect": account})
    if isinstance(error, AppError):
        return ToolOutcome.error(error.user_message, error.code)
    if isinstance(error, ValidationError):
        return ToolOutcome.error(problems_of(error), "invalid_arguments")
    logger.error("tool %s failed", name, exc_info=error)
    return ToolOutcome.error(FAILED, "tool_failed")


def outcome_of_value(value: Any) -> ToolOutcome:
    """What a tool returned, as JSON to keep and as text for the model."""
    if isinstance(value, Waiting):
        return ToolOutcome(status=CallStatus.WAITING, waiting=value)
    try:
        output, text = _as_json(value)
    except (TypeError, ValueError) as error:
        logger.error("a tool returned what cannot be stored: %s", error)
        return ToolOutcome.error("The tool's result could not be read.", "invalid_result")
    if len(text) > MAX_OUTPUT:
        output = {"text": text[:MAX_OUTPUT], "cut": True}
    return ToolOutcome(status=CallStatus.SUCCEEDED, output=output, told=cut(text))


def cut(text: str, limit: int = MAX_TOLD) -> str:
    """The text, or its beginning and what is missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[{len(text) - limit:,} more characters were left out]"


def _as_json(value: Any) -> tuple[Any, str]:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, str):
        cleaned = clean_text(value)
        return cleaned, cleaned
    raw = orjson.dumps(value, default=str)
    text = clean_text(raw.decode())
    output = orjson.loads(text)
    # What could not be read back is kept as text.
    return output if is_plain_json(output) else text, text
