"""Embedding models behind any OpenAI-compatible server.

Shares the client, its connections and the translation of errors with ``openai``.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

from agents_app.providers.embeddings import Embeddings, Vector, batches_of
from agents_app.providers.errors import ModelError
from agents_app.providers.events import Usage
from agents_app.providers.openai import OPENAI_URL, errors_translated, shared_client
from agents_app.providers.openai_usage import read_usage

EMBED_SECONDS: Final = 60.0  # for one batch


class OpenAIEmbeddingModel:
    """One embedding model of one server. Cheap to make: connections are shared.

    dimensions: asked for where given; a server that cannot shorten its vectors refuses it.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str,
        base_url: str = OPENAI_URL,
        provider: str = "openai",
        dimensions: int | None = None,
        timeout: float = EMBED_SECONDS,
    ) -> None:
        self.provider = provider
        self.model = model
        self.dimensions = dimensions
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"OpenAIEmbeddingModel({self.model!r}, provider={self.provider!r})"

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """See ``EmbeddingModel.embed``. Usage is estimated when the server reports none."""
        vectors: list[Vector] = []
        usage, model = Usage(), self.model
        for batch in batches_of(texts):
            found = await self._embed(batch)
            vectors += found.vectors
            usage, model = usage + found.usage, found.model or model
        if len({len(vector) for vector in vectors}) > 1:
            raise ModelError("invalid_response", detail="vectors of different lengths")
        return Embeddings(tuple(vectors), usage, model)

    async def _embed(self, batch: list[str]) -> Embeddings:
        # An empty text is refused by most servers; a blank is not.
        given: dict[str, Any] = {"input": [text or " " for text in batch], "model": self.model}
        if self.dimensions is not None:
            given["dimensions"] = self.dimensions
        async with errors_translated(self._api_key):
            # The client asks for base64 by itself, which is a third of the bytes.
            answer = await shared_client(self._base_url, self._api_key).embeddings.create(
                **given, timeout=self._timeout
            )
        rows = sorted(_rows_of(answer), key=lambda one: one[0])
        if [index for index, _ in rows] != list(range(len(batch))):
            raise ModelError("invalid_response", detail="not one vector for each text")
        raw = answer.usage.model_dump() if answer.usage else None
        usage = read_usage(raw) or Usage.estimate(sum(map(len, batch)), 0)
        return Embeddings(tuple(vector for _, vector in rows), usage, answer.model or "")


def _rows_of(answer: Any) -> list[tuple[int, Vector]]:
    try:
        rows = [
            (int(row.index), tuple(float(value) for value in row.embedding)) for row in answer.data
        ]
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError("invalid_response", detail=type(error).__name__) from error
    if not all(vector and all(map(isfinite, vector)) for _, vector in rows):
        raise ModelError("invalid_response", detail="a vector that is none")
    return rows
