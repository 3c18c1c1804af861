"""OpenAPI descriptions as operations (see ``openapi_requests`` for their use). Pure.

What a description says is not believed: where requests go to is the administrator's word
(``base_url``), and headers of its authors cannot carry credentials.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from integrations_app.providers.openapi_requests import leads_elsewhere
from integrations_app.providers.schemas import SchemaRefused, resolved, tool_schema
from integrations_app.providers.spec_text import read_document
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line, clean_text

MAX_OPERATIONS: Final = 500
METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
READS: Final = ("GET", "HEAD")

_TEMPLATE = re.compile(r"\{([^{}/]+)\}")
_LITERAL = re.compile(r"^/[A-Za-z0-9._~!$&'()*+,;=:@/-]*$")
_HEADER = re.compile(r"^[A-Za-z0-9-]{1,64}$")
# Never an argument: they authenticate, route or frame the request.
_OWN_HEADERS: Final = re.compile(
    r"^(authorization|cookie|set-cookie|host|origin|referer|user-agent|connection|upgrade|te"
    r"|trailer|transfer-encoding|expect|via|forwarded|date|content-.*|accept(-.*)?|proxy-.*|sec-.*"
    r"|x-forwarded-.*|x-real-ip|x-http-method.*|.*(token|secret|api-?key|auth|signature).*)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation. ``places``: where each argument goes, {argument: {"in", "name"}} with in
    ``path``, ``query``, ``header`` or ``body``. ``problem``: why it cannot be used, if so."""

    name: str
    method: str
    path: str
    title: str = ""
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    places: dict[str, dict[str, str]] = field(default_factory=dict)
    problem: str = ""

    @property
    def stored(self) -> dict[str, Any]:
        """As ``RemoteTool.operation`` holds it."""
        return {"method": self.method, "path": self.path, "places": self.places}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    title: str
    operations: list[Operation]


def read_spec(text: str) -> Spec:
    """The operations of a description in JSON or YAML, OpenAPI 3. Raises InvalidInput."""
    document = read_document(text)
    version = document.get("openapi")
    if not isinstance(version, str) or not version.startswith("3."):
        raise InvalidInput("This is no OpenAPI description of version 3.")
    found: list[Operation] = []
    names: set[str] = set()
    for path, item in _table(document, "paths").items():
        for method, described in _methods(item, document):
            operation = _operation(method, str(path), item, described, document)
            if operation.name in names:
                number = sum(one.startswith(operation.name) for one in names) + 1
                operation = _renamed(operation, f"{operation.name[:120]}_{number}")
            names.add(operation.name)
            found.append(operation)
            if len(found) > MAX_OPERATIONS:
                raise InvalidInput(f"It describes more than {MAX_OPERATIONS} operations.")
    if not found:
        raise InvalidInput("It describes no operation.")
    return Spec(title=clean_line(_table(document, "info").get("title"), 120), operations=found)


def single_operation(*, name: str, method: str, path: str, description: str) -> Operation:
    """One made by hand: the names in braces are its arguments, and a body where it sends one.

    Raises InvalidInput.
    """
    described: dict[str, Any] = {"operationId": name, "description": description}
    if method.lower() not in METHODS:
        raise InvalidInput("Please choose a method.")
    path, _, query = path.partition("?")
    described["parameters"] = [
        {"name": one, "in": "query", "schema": {"type": "string"}}
        for one in filter(None, re.split(r"[&,\s]+", query))
    ]
    if method.lower() in ("post", "put", "patch"):
        content = {"application/json": {"schema": {"type": "object"}}}
        described["requestBody"] = {"content": content, "required": False}
    operation = _operation(method.lower(), path, {}, described, {})
    if operation.problem:
        raise InvalidInput(operation.problem)
    return operation


# --- Reading ------------------------------------------------------------------------------------


def _table(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _methods(item: Any, document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(item, dict):
        return
    for method in METHODS:
        if isinstance(item.get(method), dict):
            yield method, item[method]


def _operation(
    method: str,
    path: str,
    item: Mapping[str, Any],
    described: Mapping[str, Any],
    document: Mapping[str, Any],
) -> Operation:
    given = clean_line(described.get("operationId"), 128)
    spoken = _TEMPLATE.sub(r"by \1", path)
    name = given or clean_line(f"{method} {spoken}", 128)
    title = clean_line(described.get("summary"), 200)
    text = clean_text(described.get("description") or described.get("summary")).strip()[:4000]
    basics: dict[str, Any] = {
        "name": re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_") or method,
        "method": method.upper(),
        "path": path[:500],
        "title": title,
        "description": text,
    }
    try:
        plain = _TEMPLATE.sub("x", path)
        if not _LITERAL.match(plain) or leads_elsewhere(plain) or len(path) > 500:
            raise SchemaRefused("Its path has an unknown form.")
        parameters, places = _arguments(path, item, described, document)
    except SchemaRefused as refusal:
        return Operation(**basics, problem=str(refusal))
    return Operation(**basics, parameters=parameters, places=places)


def _renamed(operation: Operation, name: str) -> Operation:
    return Operation(
        **{one: getattr(operation, one) for one in operation.__slots__ if one != "name"}, name=name
    )


def _arguments(
    path: str,
    item: Mapping[str, Any],
    described: Mapping[str, Any],
    document: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    places: dict[str, dict[str, str]] = {}
    for parameter in _parameters(item, described, document):
        place = _place(parameter)
        if place is None:
            continue
        argument = _argument_name(place["name"], places)
        properties[argument] = _described(parameter, document)
        places[argument] = place
        if parameter.get("required") is True or place["in"] == "path":
            required.append(argument)
    if (body := _body(described, document)) is not None:
        argument = _argument_name("body", places)
        properties[argument], is_required = body
        places[argument] = {"in": "body", "name": ""}
        if is_required:
            required.append(argument)
    _fill_path(path, properties, required, places)
    schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return tool_schema(schema), places


def _parameters(
    item: Mapping[str, Any], described: Mapping[str, Any], document: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Those of the path, then of the operation, which replace them."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for owner in (item, described):
        listed = owner.get("parameters")
        for one in listed if isinstance(listed, list) else []:
            whole = resolved(one, document) if isinstance(one, dict) and "$ref" in one else one
            if isinstance(whole, dict) and isinstance(whole.get("name"), str):
                found[(str(whole.get("in")), whole["name"])] = whole
    return list(found.values())


def _place(parameter: Mapping[str, Any]) -> dict[str, str] | None:
    """Where it goes; None for what is left out. Raises SchemaRefused where it cannot be."""
    where, name = parameter.get("in"), parameter["name"]
    is_needed = parameter.get("required") is True
    if where == "path":
        return {"in": "path", "name": name}
    if where == "query" and "content" not in parameter:
        if parameter.get("style", "form") == "form" and len(name) <= 100:
            return {"in": "query", "name": clean_line(name, 100)}
    elif where == "header":
        # A credential is the administrator's, never an argument.
        if _OWN_HEADERS.match(name):
            return None
        if _HEADER.match(name):
            return {"in": "header", "name": name}
    if is_needed:
        raise SchemaRefused(f"Its parameter {clean_line(name, 60)} has an unknown form.")
    return None


def _described(parameter: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    schema = resolved(parameter.get("schema") or {"type": "string"}, document)
    if not isinstance(schema, dict):
        raise SchemaRefused("Its arguments are described in an unknown form.")
    text = clean_text(parameter.get("description") or schema.get("description"))[:1000]
    return {**schema, **({"description": text} if text else {})}


def _body(
    described: Mapping[str, Any], document: Mapping[str, Any]
) -> tuple[dict[str, Any], bool] | None:
    given = described.get("requestBody")
    if not isinstance(given, dict):
        return None
    if "$ref" in given:
        given = resolved(given, document)
    is_needed = given.get("required") is True
    for media_type, content in _table(given, "content").items():
        if media_type.split(";")[0].strip().lower().endswith(("/json", "+json")):
            schema = resolved(_table(content, "schema") or {"type": "object"}, document)
            return _without_read_only(schema), is_needed
    if is_needed:
        raise SchemaRefused("It takes something other than JSON.")
    return None


def _without_read_only(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    kept = {
        name: one
        for name, one in properties.items()
        if not (isinstance(one, dict) and one.get("readOnly") is True)
    }
    needed = schema.get("required")
    still = [one for one in needed if one in kept] if isinstance(needed, list) else []
    return {**schema, "properties": kept, "required": still}


def _fill_path(
    path: str,
    properties: dict[str, Any],
    required: list[str],
    places: dict[str, dict[str, str]],
) -> None:
    """Every name in the path is an argument, and every argument of the path is in it."""
    named = set(_TEMPLATE.findall(path))
    known = {place["name"] for place in places.values() if place["in"] == "path"}
    if known - named:
        raise SchemaRefused("An argument of its path is not in the path.")
    for name in sorted(named - known):
        argument = _argument_name(name, places)
        properties[argument] = {"type": "string"}
        places[argument] = {"in": "path", "name": name}
        required.append(argument)


def _argument_name(name: str, taken: Mapping[str, Any]) -> str:
    """A name that every model accepts, and that no other argument has."""
    wanted = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_")[:56] or "argument"
    found, number = wanted, 1
    while found in taken:
        number += 1
        found = f"{wanted}_{number}"
    return found
