"""What people type for an integration, checked by its provider before any of it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from integrations_app.errors import InvalidSettings
from integrations_app.providers.base import Form, Provider, validated
from one_project.common.text import clean_line, clean_text

PRIORITIES: Final = range(1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What people decide: ``settings`` by the provider's model. ``priority``: lower comes first."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 100


def checked(
    provider: Provider, values: Values, credentials: Mapping[str, Any]
) -> tuple[dict[str, Any], Form]:
    """The columns and the credentials, after all of them were looked at.

    Raises InvalidSettings with every problem at once, BadAddress, AddressRefused.
    """
    problems: dict[str, str] = {}
    name = clean_line(values.name, 120)
    if not name:
        problems["name"] = "Please give it a name."
    if values.priority not in PRIORITIES:
        problems["priority"] = f"A number from 0 to {PRIORITIES.stop - 1}."
    settings = _validated(provider.settings_model, "settings", values.settings, problems)
    secret = _validated(provider.credentials_model, "credentials", credentials, problems)
    if settings is None or secret is None or problems:
        raise InvalidSettings(problems)
    try:
        provider.check_settings(settings)
    except InvalidSettings as error:
        found = {f"settings.{key}" if key else "": text for key, text in error.problems.items()}
        raise InvalidSettings(found) from None
    columns = {
        "name": name,
        "settings": settings.model_dump(mode="json"),
        "priority": values.priority,
    }
    return columns, secret


def _validated(
    model: type[Form], prefix: str, values: Mapping[str, Any], problems: dict[str, str]
) -> Form | None:
    cleaned = {
        name: clean_text(value) if isinstance(value, str) else value
        for name, value in values.items()
    }
    try:
        return validated(model, cleaned)
    except InvalidSettings as error:
        for name, text in error.problems.items():
            problems[f"{prefix}.{name}".rstrip(".")] = _in_words(text)
        return None


def _in_words(problem: str) -> str:
    """What a model complains of, as a sentence."""
    if problem in ("Field required", "String should have at least 1 character"):
        return "Please fill this in."
    said = problem.removeprefix("Value error, ").removeprefix("Value ")
    said = said.replace("String should", "It should")
    return f"{said[:1].upper()}{said[1:]}{'' if said.endswith('.') else '.'}"
