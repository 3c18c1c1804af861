"""The contract between search and a model that turns texts into vectors.

Pure value types, a protocol and the cutting into batches. Nothing here retries, stores or charges.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from agents_app.providers.events import Usage

Vector: TypeAlias = tuple[float, ...]

# Below the limits of providers: 2,048 texts and 300,000 tokens; a letter may be one.
MAX_BATCH_TEXTS: Final = 256
MAX_BATCH_CHARS: Final = 150_000


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each text, in their order, all of one length. usage: of all batches."""

    vectors: tuple[Vector, ...]
    usage: Usage = field(default_factory=Usage)
    model: str = ""


class EmbeddingModel(Protocol):
    """Turns texts into vectors whose dot product says how near they are."""

    @property
    def provider(self) -> str:
        """Who serves it: "openai", "local", "scripted"; used for prices and the log."""

    @property
    def model(self) -> str:
        """The model's name at the provider."""

    @property
    def dimensions(self) -> int | None:
        """Length of the vectors that is asked for; None leaves it to the model."""

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Vectors of all texts, in several requests if need be. Raises ModelError."""


def batches_of(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in pieces that one request may hold, in order; a long text is one of its own."""
    batch: list[str] = []
    chars = 0
    for text in texts:
        is_full = len(batch) >= MAX_BATCH_TEXTS or chars + len(text) > MAX_BATCH_CHARS
        if batch and is_full:
            yield batch
            batch, chars = [], 0
        batch.append(text)
        chars += len(text)
    if batch:
        yield batch
