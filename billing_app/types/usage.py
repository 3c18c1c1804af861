"""What is handed to billing: uses of models, and whose they are."""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One call of a provider that has ended, however it ended.

    ``id`` is that of the attempt: the same again is recorded once. ``cached_input_tokens`` and
    ``cache_write_tokens`` are part of ``input_tokens``, ``reasoning_tokens`` of ``output_tokens``.
    ``is_estimated``: the provider sent no count. ``is_aborted``: stopped or failed. Without a user
    it is the organisation's own; without an organisation the installation's. ``reservation_id``:
    what was reserved for it (``services.budgets.reserve``).
    """

    id: UUID
    occurred_at: datetime
    provider: str
    model_requested: str
    model_returned: str = ""
    service_tier: str = ""
    purpose: str = "answer"
    organisation_id: UUID | None = None
    user_id: UUID | None = None
    team_id: UUID | None = None
    agent_id: UUID | None = None
    agent_name: str = ""
    thread_id: UUID | None = None
    turn_id: UUID | None = None
    message_id: UUID | None = None
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    is_estimated: bool = False
    is_aborted: bool = False
    reservation_id: UUID | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, without those that say nothing."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: str(value) if isinstance(value, UUID | datetime) else value
            for name, value in found.items()
            if value not in (None, "", 0)
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Use":
        """What ``to_json`` gave."""
        ids = {name: UUID(value) for name, value in told.items() if name in _IDS}
        moment = datetime.fromisoformat(told["occurred_at"])
        return cls(**told | ids | {"occurred_at": moment})


_IDS = frozenset(one.name for one in fields(Use) if "UUID" in str(one.type))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """On whose account a call is made: what budgets look at."""

    organisation_id: UUID
    user_id: UUID | None = None
    team_id: UUID | None = None
    agent_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What is left of the tightest budget or of the credits that apply to somebody.

    ``name`` says which, as people read it. ``left`` is never negative. ``is_low``: the soft limit
    is passed, or credits are nearly used up.
    """

    name: str
    limit: Decimal
    used: Decimal
    left: Decimal
    is_low: bool
    window: str  # "day", "month" or "" for credits
