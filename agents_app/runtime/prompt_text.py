"""Variables of prompts: ``{{ user.name }}`` and the like."""

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")


def fill_variables(text: str, values: Mapping[str, str]) -> str:
    """``text`` with the known variables filled in; unknown ones stay as they are.

    One pass: what a value holds is never read as a variable again, so a person's name cannot pull
    anything into a prompt.
    """
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def variables_in(text: str) -> frozenset[str]:
    """The names ``text`` asks for."""
    return frozenset(_VARIABLE.findall(text))
