"""``@workflow`` and ``@step``: functions the engine finds again by name, months later.

Arguments and results are checked by their annotations (pydantic) and stored as JSON; inside the
function they are the annotated types again.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from one_project.workflows.conf import (
    DEFAULT_PARALLELISM,
    DEFAULT_POOL,
    LEASE,
    RETENTION_DAYS,
)
from one_project.workflows.errors import InvalidData, UnknownDefinition
from one_project.workflows.sizes import size_of
from one_project.workflows.types import Kind, Retry

P = ParamSpec("P")
R = TypeVar("R")

Json = Any


class Signature:
    """The parameters and the result of a function, as JSON and back."""

    def __init__(self, function: Callable[..., Any], *, skip: int = 0) -> None:
        self._name = function.__qualname__
        hints = get_type_hints(function, include_extras=True)
        parameters = list(inspect.signature(function).parameters.values())[skip:]
        for parameter in parameters:
            if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
                raise TypeError(f"{self._name}: *args and **kwargs cannot be stored by name")
        self._signature = inspect.Signature(parameters)
        self._adapters = {
            parameter.name: TypeAdapter(hints.get(parameter.name, Any)) for parameter in parameters
        }
        self._result: TypeAdapter[Any] = TypeAdapter(hints.get("return", Any))

    def dump(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Json]:
        """The arguments as a JSON object by name. Raises InvalidData."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidData(f"{self._name}: {error}") from error
        bound.apply_defaults()
        return {
            name: _dumped(self._adapters[name], value, f"argument {name} of {self._name}")
            for name, value in bound.arguments.items()
        }

    def load(self, arguments: dict[str, Json]) -> dict[str, Any]:
        """The arguments as their annotated types. Raises InvalidData."""
        unknown = arguments.keys() - self._adapters.keys()
        if unknown:
            raise InvalidData(f"{self._name} takes no argument {', '.join(sorted(unknown))}")
        return {
            name: _loaded(self._adapters[name], value, f"argument {name} of {self._name}")
            for name, value in arguments.items()
        }

    def dump_result(self, value: Any) -> Json:
        """What the function returned, as JSON. Raises InvalidData."""
        return _dumped(self._result, value, f"the result of {self._name}")

    def load_result(self, value: Json) -> Any:
        return _loaded(self._result, value, f"the result of {self._name}")


def dump_as(kind: Any, value: Any, what: str) -> Json:
    """``value`` as JSON, checked to be a ``kind``. Raises InvalidData."""
    return _dumped(TypeAdapter(kind), value, what)


def load_as(kind: Any, value: Json, what: str) -> Any:
    return _loaded(TypeAdapter(kind), value, what)


def _dumped(adapter: TypeAdapter[Any], value: Any, what: str) -> Json:
    try:
        found = adapter.dump_python(adapter.validate_python(value), mode="json")
        size_of(found)
    except InvalidData as error:
        raise InvalidData(f"{what} is invalid. {error}") from error
    except (ValidationError, PydanticSerializationError) as error:
        raise InvalidData(f"{what} is invalid: {_first(error)}") from error
    return found


def _loaded(adapter: TypeAdapter[Any], value: Json, what: str) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise InvalidData(f"{what} is invalid: {_first(error)}") from error


def _first(error: ValidationError | PydanticSerializationError) -> str:
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in found["loc"])
        return f"{place}: {found['msg']}" if place else str(found["msg"])
    return str(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """What may differ from call to call; None is what the definition says.

    retry: True for the default policy, False for none. timeout: seconds of one attempt.
    run_after / run_at: not before then. name: what the journal and the page call it.
    """

    retry: "bool | Retry | None" = None
    timeout: float | None = None
    pool: str | None = None
    priority: int | None = None
    run_after: float | timedelta | None = None
    run_at: datetime | None = None
    name: str | None = None


class Step(Generic[P, R]):
    """A registered function: call it directly, or as a step of a workflow, or ``enqueue`` it."""

    def __init__(
        self, function: Callable[P, R], name: str, kind: Kind, options: StepOptions, lease: float
    ) -> None:
        self.function = function
        self.name = name
        self.kind = kind
        self.call_options = options
        self.lease = lease
        self.is_async = inspect.iscoroutinefunction(function)
        if self.is_async and kind == Kind.TRANSACTION:
            raise TypeError(f"{name}: a transaction runs in a database thread; make it a plain def")
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<step {self.name}>"

    @cached_property
    def signature(self) -> Signature:
        return Signature(self.function)

    def options(self, **changes: Any) -> "Step[P, R]":
        """The same step with other options for one call: see StepOptions."""
        changed = replace(self.call_options, **changes)
        made = Step(self.function, self.name, self.kind, changed, self.lease)
        made.__dict__["signature"] = self.signature  # it takes long to make
        return made


class Workflow(Generic[P, R]):
    """A registered workflow function of one version."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        version: int,
        *,
        retry: Retry | None,
        timeout: float | None,
        retention_days: float | None,
    ) -> None:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{name}: a workflow is an async def that is given its context first")
        self.function = function
        self.name = name
        self.version = version
        self.retry = retry
        self.timeout = timeout
        self.retention_days = retention_days
        self.__doc__ = function.__doc__

    def __repr__(self) -> str:
        return f"<workflow {self.name} v{self.version}>"

    @cached_property
    def signature(self) -> Signature:
        return Signature(self.function, skip=1)


_pools: dict[str, int | None] = {}
_steps: dict[str, Step[..., Any]] = {}
_workflows: dict[str, dict[int, Workflow[..., Any]]] = {}


def step(
    *,
    kind: str = Kind.ACTION,
    name: str = "",
    retry: "bool | Retry | None" = None,
    timeout: float | None = None,
    pool: str = DEFAULT_POOL,
    priority: int = 0,
    lease: float = LEASE,
) -> Callable[[Callable[P, R]], Step[P, R]]:
    """Register a function as a step.

    kind: ``transaction`` runs in the same database transaction as its journal row (exactly once);
    ``action`` has side effects. An action without ``retry`` (None: as its workflow says) is started
    at most once; with a policy it is repeated until it succeeds or the policy ends, also after a
    crash (at least once).
    timeout, lease: seconds. The name (default module.function) is stored: keep it when you move
    the function.
    """

    def register(function: Callable[P, R]) -> Step[P, R]:
        options = StepOptions(retry=retry, timeout=timeout, pool=pool, priority=priority)
        known = name or f"{function.__module__}.{function.__qualname__}"
        made = Step(function, known, Kind(kind), options, lease)
        _refuse_second(known, _steps.get(known), function)
        _steps[known] = made
        return made

    return register


def workflow(
    *,
    name: str = "",
    version: int = 1,
    retry: "bool | Retry" = False,
    timeout: float | None = None,
    retention_days: float | None = RETENTION_DAYS,
) -> Callable[[Callable[..., Any]], Workflow[..., Any]]:
    """Register ``async def f(ctx, ...)`` as a workflow.

    version: runs keep the one they were started with; give changed code a new number and leave the
    old function in place until its runs have ended. retry: for its steps that do not say
    themselves. timeout: seconds for the whole run. retention_days: None keeps finished runs.
    """

    def register(function: Callable[..., Any]) -> Workflow[..., Any]:
        known = name or f"{function.__module__}.{function.__qualname__}"
        made: Workflow[..., Any] = Workflow(
            function,
            known,
            version,
            retry=Retry.of(retry),
            timeout=timeout,
            retention_days=retention_days,
        )
        versions = _workflows.setdefault(known, {})
        _refuse_second(f"{known} v{version}", versions.get(version), function)
        versions[version] = made
        return made

    return register


def _refuse_second(name: str, found: Any, function: Callable[..., Any]) -> None:
    if found is not None and found.function.__qualname__ != function.__qualname__:
        raise TypeError(f"{name} is registered twice")


def declare_pool(name: str, parallelism: int | None) -> str:
    """What the pool runs at once until an admin says otherwise; None sets no limit."""
    _pools[name] = parallelism
    return name


def declared_parallelism(name: str) -> int | None:
    return _pools.get(name, DEFAULT_PARALLELISM)


def find_step(name: str) -> Step[..., Any]:
    """Raises UnknownDefinition."""
    try:
        return _steps[name]
    except KeyError:
        raise UnknownDefinition(f"No step is registered as {name}.") from None


def find_workflow(name: str, version: int | None = None) -> Workflow[..., Any]:
    """The version asked for, or the newest. Raises UnknownDefinition."""
    versions = _workflows.get(name, {})
    if not versions:
        raise UnknownDefinition(f"No workflow is registered as {name}.")
    found = versions.get(max(versions) if version is None else version)
    if found is None:
        raise UnknownDefinition(f"No version {version} of the workflow {name} is registered.")
    return found


def known_workflows() -> dict[str, dict[int, Workflow[..., Any]]]:
    """All that are registered, by name and version."""
    return _workflows


def known_steps() -> list[str]:
    """Names of all steps this process has."""
    return list(_steps)
