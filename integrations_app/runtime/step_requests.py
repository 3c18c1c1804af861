"""The step that asks an address somewhere else."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from integrations_app.runtime.step_kinds import StepBase, template

MAX_HEADERS: Final = 50
MAX_BODY: Final = 64 * 1024  # bytes of a request's JSON

# Steps are seen by many; what opens a door does not belong into them.
_SECRET_HEADERS: Final = ("authorization", "cookie", "proxy-authorization", "x-api-key")


def texts_of(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)


def names_of(value: Any) -> Iterable[str]:
    return (name for name, _ in pairs_of(value))


def pairs_of(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield name, item
            yield from pairs_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from pairs_of(item)


class HttpRequest(StepBase):
    """Ask an address; later steps find the answer as ``steps.<id>.data`` and ``.http_status``."""

    kind: Literal["http_request"] = "http_request"
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "POST"
    url: Annotated[str, Field(min_length=8, max_length=2_048)]
    headers: Annotated[dict[str, str], Field(max_length=MAX_HEADERS)] = {}
    body: Any = None
    timeout: Annotated[int, Field(ge=100, le=30_000)] = 5_000  # milliseconds
    continue_on_failure: bool = False
    response_schema: dict[str, Any] = {}

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("A web address begins with http:// or https://.")
        # Who writes the payload does not choose the server.
        if "{{" in value.split("://", 1)[1].split("/", 1)[0]:
            raise ValueError("The server of an address is fixed; places come after it.")
        return template(value)

    @field_validator("headers")
    @classmethod
    def _are_harmless(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if name.lower() in _SECRET_HEADERS:
                raise ValueError(
                    f"{name} is a secret and would be seen here: use a webhook integration."
                )
            if not name.isascii() or not name.replace("-", "").isalnum() or len(name) > 100:
                raise ValueError("Names of headers are letters, digits and hyphens.")
            if len(text) > 1_000 or not text.isprintable():
                raise ValueError("A header is one line of at most 1,000 characters.")
        return value

    @field_validator("body")
    @classmethod
    def _is_small(cls, value: Any) -> Any:
        if len(json.dumps(value)) > MAX_BODY:
            raise ValueError("The body is at most 64 KB of JSON.")
        for text in texts_of(value):
            template(text)
        return value

    @field_validator("response_schema")
    @classmethod
    def _is_schema(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value)) > 20_000:
            raise ValueError("A schema is at most 20 KB.")
        # References lead elsewhere; patterns can take for ever.
        for name in names_of(value):
            if name in ("$ref", "$dynamicRef", "pattern", "patternProperties"):
                raise ValueError(f"{name} is not used here.")
        return value
