"""Calls of an embedding model as they are kept in the ledger: counted, never with their texts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from agents_app.models import AICallStatus, Purpose
from agents_app.providers.base import Usage
from agents_app.providers.embeddings import EmbeddingModel, Embeddings
from agents_app.providers.errors import ModelError
from agents_app.runtime.recorded import Caller, RecordedCall


@dataclass(slots=True)
class RecordedEmbedder:
    """Asks an embedding model and notes every call.

    Those that ended alike are one entry: its tokens and times are sums, so that a piece of work of
    a thousand texts is no more than one row in the ledger.
    """

    model: EmbeddingModel
    organisation_id: UUID | None
    _noted: dict[str, RecordedCall] = field(default_factory=dict)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """See ``EmbeddingModel.embed``. Raises ModelError."""
        began = time.monotonic()
        try:
            found = await self.model.embed(texts)
        except ModelError as error:
            self._note(began, Embeddings(()), error)
            raise
        self._note(began, found, None)
        return found

    def take(self) -> list[RecordedCall]:
        """What has been noted since this was asked last: to be stored by who asks."""
        noted, self._noted = list(self._noted.values()), {}
        return noted

    def _note(self, began: float, found: Embeddings, error: ModelError | None) -> None:
        duration = round((time.monotonic() - began) * 1000)
        code = error.code if error else ""
        if known := self._noted.get(code):
            known.usage = known.usage + found.usage
            known.duration_ms += duration
            return
        self._noted[code] = RecordedCall(
            caller=Caller(organisation_id=self.organisation_id, purpose=Purpose.EMBEDDING),
            status=AICallStatus.FAILED if error else AICallStatus.SUCCESS,
            model=found.model or self.model.model,
            provider=self.model.provider,
            usage=found.usage if found.vectors else Usage(),
            duration_ms=duration,
            error_code=code,
            error=(error.detail or error.message_for_person)[:2000] if error else "",
        )
