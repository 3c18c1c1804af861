"""Descriptions of the interfaces of others, made ready for a mock server. Pure.

Of each only the paths that are used are kept, under the path they have at the true server, so that
a mock answers at the same address but for the host.
"""

import re
from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]


def kept(spec: Spec, pattern: str, prefix: str = "") -> Spec:
    """The spec with those paths that match, below ``prefix``, and what they refer to."""
    paths = {
        prefix + path: spec["paths"][path] for path in spec["paths"] if re.search(pattern, path)
    }
    if not paths:
        raise ValueError(f"no path matches {pattern}")
    # Who may call is not what is tested: tokens are none.
    new = {**spec, "paths": paths, "servers": [{"url": "/"}], "security": [], "components": {}}
    for operation in _operations(new):
        operation.pop("security", None)
    for path in paths.values():
        path.pop("servers", None)
    waiting = list(_references(paths))
    while waiting:
        kind, name = waiting.pop()
        into = new["components"].setdefault(kind, {})
        if name not in into:
            into[name] = spec["components"][kind][name]
            waiting += _references(into[name])
    return _without_circles(new)


def loosened_slack(spec: Spec) -> Spec:
    """Slack's server takes more than its description says: POST everywhere, JSON bodies, and the
    token as a bearer's."""
    for item in spec["paths"].values():
        if "post" not in item and "get" in item:
            fields = item["get"].get("parameters", [])
            body = {"properties": {one["name"]: one.get("schema", {}) for one in fields}}
            item["post"] = {
                **item["get"],
                "operationId": item["get"].get("operationId", "") + "_post",
                "parameters": [],
                "requestBody": {"content": {_FORM: {"schema": {"type": "object", **body}}}},
            }
        for operation in item.values():
            if not isinstance(operation, dict):
                continue
            given = operation.get("parameters", [])
            operation["parameters"] = [one for one in given if one.get("name") != "token"]
            content = operation.get("requestBody", {}).get("content", {})
            if _FORM in content:
                content["application/json"] = {"schema": _as_json(content[_FORM]["schema"])}
    return spec


_FORM = "application/x-www-form-urlencoded"


def _as_json(schema: Spec) -> Spec:
    """In JSON, lists and objects need not be written as text; the token is in the header."""
    fields = {
        name: {} if name in ("blocks", "attachments", "metadata") else one
        for name, one in schema.get("properties", {}).items()
        if name != "token"
    }
    required = [one for one in schema.get("required", []) if one != "token"]
    return {**schema, "properties": fields, **({"required": required} if required else {})}


def _without_circles(spec: Spec) -> Spec:
    """What holds itself, over however many corners, becomes anything there: else the mock, which
    writes every reference out, would not start."""
    schemas = spec["components"].get("schemas", {})
    done: set[str] = set()

    def cleared(part: Any, above: tuple[str, ...]) -> Any:
        if isinstance(part, list):
            return [cleared(one, above) for one in part]
        if not isinstance(part, dict):
            return part
        for kind, name in _own_reference(part):
            if kind == "schemas" and name in schemas:
                if name in above:
                    return {}
                if name not in done:
                    schemas[name] = cleared(schemas[name], (*above, name))
                    done.add(name)
            return part
        return {key: cleared(value, above) for key, value in part.items()}

    for name in list(schemas):
        if name not in done:
            schemas[name] = cleared(schemas[name], (name,))
            done.add(name)
    return spec


def _operations(spec: Spec) -> Iterator[Spec]:
    for item in spec["paths"].values():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                yield item[method]


def _references(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, dict):
        yield from _own_reference(part)
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _own_reference(part: Spec) -> Iterator[tuple[str, str]]:
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/components/"):
        _, _, kind, name = reference.split("/", 3)
        yield kind, name.replace("~1", "/").replace("~0", "~")
