"""Answers of a form step: each checked by the type of its field, and put into words."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from one_project.common.text import clean_line, clean_text

MAX_LINE: Final = 1_000
MAX_LONG: Final = 20_000
# Whole numbers up to here are the same in JSON, Python and browsers.
MAX_NUMBER: Final = 10**15
_ON: Final = {"1", "on", "true", "yes"}

Answer = str | int | float | bool


def check_answers(
    fields: Sequence[Mapping[str, Any]], given: Mapping[str, Any]
) -> tuple[dict[str, Answer], dict[str, str]]:
    """Answers by field id, and what is wrong with others by field id.

    Empty ones are left out, as are answers to questions the form does not ask. Dates are ISO
    8601, numbers int or float, of a ``check`` only True is kept.
    """
    answers: dict[str, Answer] = {}
    problems: dict[str, str] = {}
    for field in fields:
        value = given.get(field["id"])
        if value is None or value is False or value == "":
            continue
        try:
            answer = _answer(field, value)
        except ValueError as error:
            problems[field["id"]] = str(error)
        else:
            if answer not in ("", False) or type(answer) in {int, float}:
                answers[field["id"]] = answer
    return answers, problems


def missing_answers(
    fields: Sequence[Mapping[str, Any]], answers: Mapping[str, Answer]
) -> dict[str, str]:
    """What to say beside each required field that has no answer."""
    return {
        field["id"]: "Please tick this." if field["type"] == "check" else "Please fill this in."
        for field in fields
        if field.get("required") and field["id"] not in answers
    }


def in_words(field: Mapping[str, Any], answer: Answer | None) -> str:
    """As a reader sees it; empty where there is no answer."""
    if field["type"] == "check":
        return "Yes" if answer else "No"
    if field["type"] == "date" and isinstance(answer, str):
        return f"{date.fromisoformat(answer):%-d %B %Y}"
    return "" if answer is None else str(answer)


def _answer(field: Mapping[str, Any], value: Any) -> Answer:
    """Raises ValueError with what to change."""
    kind = field["type"]
    if kind == "check":
        return value is True or clean_line(value, 10).lower() in _ON
    if kind == "number":
        return _number(value)
    if kind == "long":
        text = clean_text(value).strip()
        if len(text) > MAX_LONG:
            raise ValueError(f"At most {MAX_LONG:,} characters, please.")
        return text
    line = clean_line(value, MAX_LINE + 1)
    if len(line) > MAX_LINE:
        raise ValueError(f"At most {MAX_LINE:,} characters, please.")
    if kind == "date" and line:
        try:
            return date.fromisoformat(line).isoformat()
        except ValueError:
            raise ValueError("Please give a date, such as 2026-05-31.") from None
    if kind == "choice" and line and line not in field.get("choices", ()):
        raise ValueError("Please choose one of these.")
    return line


def _number(value: Any) -> int | float:
    try:
        found = Decimal(clean_line(value, 40))
    except InvalidOperation:
        raise ValueError("Please give a number, such as 12.5.") from None
    if not found.is_finite() or abs(found) > MAX_NUMBER:
        raise ValueError("Please give a number that is not as large.")
    return int(found) if found == found.to_integral_value() else float(found)
