"""What uses an integration, told by the apps above: each registers a function when it is ready."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Use:
    """``kind`` in one word ("Tool"), ``name`` as people know it, ``url`` a path of ours or ""."""

    kind: str
    name: str
    url: str = ""


Finder = Callable[[Collection[UUID]], Mapping[UUID, Sequence[Use]]]
_finders: dict[str, Finder] = {}


def register_finder(name: str, finder: Finder) -> None:
    """``finder`` gets ids of integrations of one organisation, and says what uses each; one or two
    queries, whatever their number. The same ``name`` again replaces it."""
    _finders[name] = finder


def uses_of(ids: Collection[UUID]) -> dict[UUID, list[Use]]:
    """All that is known to use these integrations."""
    found: dict[UUID, list[Use]] = {}
    for finder in _finders.values():
        for pk, uses in finder(ids).items():
            found.setdefault(pk, []).extend(uses)
    return found
