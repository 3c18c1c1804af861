"""Calls of an embedding model as they are kept in the ledger: counted, never with their texts."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from agents_app.models import AICallStatus, Purpose
from agents_app.providers.base import Usage
from agents_app.providers.embeddings import EmbeddingModel, Embeddings, Vector, batches_of
from agents_app.providers.errors import ModelError
from agents_app.runtime.recorded import Caller, RecordedCall
from agents_app.runtime.spending import Held, held_for_texts
from agents_app.tools.definitions import ToolContext
from one_project.common.ids import new_id


@dataclass(slots=True)
class RecordedEmbedder:
    """Asks an embedding model and notes every request, also those that failed.

    ``is_limited``: budgets have to cover each request before it is made (ModelError
    ``budget_exceeded``); else it is only counted.
    """

    model: EmbeddingModel
    caller: Caller
    is_limited: bool = False
    _noted: list[RecordedCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.caller = replace(self.caller, purpose=Purpose.EMBEDDING)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """See ``EmbeddingModel.embed``: as many requests as its batches. Raises ModelError."""
        vectors: list[Vector] = []
        usage, model = Usage(), self.model.model
        for batch in batches_of(texts):
            found = await self._embed(batch)
            vectors += found.vectors
            usage, model = usage + found.usage, found.model or model
        if len({len(vector) for vector in vectors}) > 1:
            raise ModelError("invalid_response", detail="vectors of different lengths")
        return Embeddings(tuple(vectors), usage, model)

    def take(self) -> list[RecordedCall]:
        """What has been noted since this was asked last: to be stored by who asks."""
        noted, self._noted = self._noted, []
        return noted

    async def _embed(self, batch: Sequence[str]) -> Embeddings:
        held = await held_for_texts(self.caller, self.model, batch, is_limited=self.is_limited)
        began = time.monotonic()
        try:
            found = await self.model.embed(batch)
        except ModelError as error:
            self._note(held, began, AICallStatus.FAILED, Usage(), error=error)
            raise
        except asyncio.CancelledError:
            # Sent, and so to be paid, whoever reads it.
            given = Usage.estimate(sum(map(len, batch)), 0)
            self._note(held, began, AICallStatus.STOPPED, given)
            raise
        self._note(held, began, AICallStatus.SUCCESS, found.usage, returned=found.model)
        return found

    def _note(
        self,
        held: Held,
        began: float,
        status: str,
        usage: Usage,
        *,
        returned: str = "",
        error: ModelError | None = None,
    ) -> None:
        self._noted.append(
            RecordedCall(
                id=held.call_id or new_id(),
                caller=self.caller,
                reservation_id=held.reservation_id,
                status=status,
                model=returned or self.model.model,
                model_requested=self.model.model,
                model_returned=returned,
                provider=self.model.provider,
                usage=usage,
                duration_ms=round((time.monotonic() - began) * 1000),
                error_code=error.code if error else "",
                error=(error.detail or error.message_for_person)[:2000] if error else "",
            )
        )


def searcher(context: ToolContext) -> Caller:
    """Whose call the vector of a question is that a tool was asked."""
    agent, organisation = context.agent, context.organisation
    return Caller(
        # Programs without an organisation have one that was never saved.
        organisation_id=None if organisation._state.adding else organisation.pk,
        user_id=context.user.pk if context.user else None,
        agent_id=agent.pk if agent else None,
        agent_name=agent.name if agent else "",
        thread_id=context.thread_id,
        turn_id=context.turn_id,
    )


def asked_by(organisation_id: UUID, user_id: UUID | None = None) -> Caller:
    """Whose call it is where nothing else is known."""
    return Caller(organisation_id=organisation_id, user_id=user_id)
