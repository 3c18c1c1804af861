"""A description that somebody pasted, JSON or YAML, as values: bounded before it is built. Pure."""

from typing import Any, Final

import orjson
import yaml

from one_project.common.errors import InvalidInput

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 100


def read_document(text: str) -> dict[str, Any]:
    """The object that is described. Raises InvalidInput."""
    if len(text.encode("utf-8", errors="replace")) > MAX_BYTES:
        raise InvalidInput("The description is larger than 1 MB.")
    try:
        found = orjson.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except InvalidInput:
        raise
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise InvalidInput("The description is neither JSON nor YAML.") from error
    if not isinstance(found, dict):
        raise InvalidInput("The description is neither JSON nor YAML.")
    return found


def _yaml(text: str) -> Any:
    depth = 0
    # Looked at before anything is built: an alias may stand for a billion values.
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise InvalidInput("The description uses aliases (*name); please write it without.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidInput("The description is nested too deeply.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    found = yaml.load(text, Loader=yaml.CSafeLoader)
    # Dates and numbers as keys become text, as in JSON.
    return orjson.loads(orjson.dumps(found, default=str, option=orjson.OPT_NON_STR_KEYS))
