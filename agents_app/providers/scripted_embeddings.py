"""An embedding model for tests: deterministic, without any network."""

from collections.abc import Mapping, Sequence

from agents_app.providers.demo.vectors import vector_of
from agents_app.providers.embeddings import Embeddings, Vector
from agents_app.providers.events import Usage


class ScriptedEmbeddingModel:
    """Texts that share words are near, as with the demo model; ``known`` texts as they are given.

    fail: raised by every call while it is set. ``requests`` holds what was asked.
    """

    provider = "scripted"

    def __init__(
        self,
        known: Mapping[str, Sequence[float]] | None = None,
        *,
        dimensions: int = 64,
        model: str = "scripted-embedding",
        fail: BaseException | None = None,
    ) -> None:
        self.model = model
        self.dimensions: int | None = dimensions
        self.requests: list[list[str]] = []
        self.fail = fail
        self._known = dict(known or {})
        self._length = dimensions

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """See ``EmbeddingModel.embed``. Raises what ``fail`` is."""
        self.requests.append(list(texts))
        if self.fail is not None:
            raise self.fail
        vectors = tuple(self._vector(text) for text in texts)
        return Embeddings(vectors, Usage.estimate(sum(map(len, texts)), 0), self.model)

    def _vector(self, text: str) -> Vector:
        known = self._known.get(text)
        return tuple(known) if known is not None else vector_of(text, self._length)
