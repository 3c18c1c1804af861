"""all-MiniLM-L6-v2 in numpy: texts to vectors, with weights read from a folder.

A BERT of six layers, the mean over its word pieces, made one long. Knows nothing of packages,
settings or asyncio. Importing it imports numpy: ``local_embeddings`` does so at the first use.
"""

import json
import struct
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

Array = npt.NDArray[np.float32]
Spans = list[tuple[int, int]]  # where each text begins and ends among all pieces

DIMENSIONS: Final = 384
LAYERS: Final = 6
HEADS: Final = 12
MAX_PIECES: Final = 256  # what the model was trained for; the rest of a text is not read
ROWS_IN_CACHE: Final = 32  # of 1,536 numbers: a third quicker than all at once
MAX_CHARS: Final = 20_000  # more than so many pieces ever have, so that long texts cost no more


class MiniLM:
    """The model of the folder with ``model.safetensors`` and ``tokenizer.json``.

    Weights are mapped from the file, float32: processes share them. Read only, so that any
    number of threads may use one.
    """

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_PIECES)
        self._tokenizer.no_padding()
        self._weights = _mapped(folder / "model.safetensors")

    def pieces_of(self, texts: Sequence[str]) -> list[list[int]]:
        """Numbers of the word pieces of each text, 2 to 256: a beginning and an end are added."""
        clean = [text[:MAX_CHARS].encode("utf-8", "replace").decode() for text in texts]
        return [found.ids for found in self._tokenizer.encode_batch(clean)]

    def vectors_of(self, pieces: Sequence[Sequence[int]]) -> Array:
        """One row of 384 numbers and length 1 for each text. Memory grows with all their pieces.

        The pieces of all texts lie one after the other, without padding: only attention has to
        know where a text ends.
        """
        ends = list(accumulate(map(len, pieces)))
        spans = list(zip([0, *ends], ends, strict=False))
        places = np.concatenate([np.arange(len(one)) for one in pieces])
        words = self._weights["embeddings.word_embeddings.weight"][np.concatenate(pieces)]
        found = words + self._weights["embeddings.position_embeddings.weight"][places]
        found += self._weights["embeddings.token_type_embeddings.weight"][0]
        found = self._normed("embeddings", found)
        for number in range(LAYERS):
            found = self._layer(f"encoder.layer.{number}", found, spans)
        # The sum points where the mean does.
        sums: Array = np.add.reduceat(found, [start for start, _ in spans], axis=0)
        sums /= np.sqrt((sums * sums).sum(axis=1, keepdims=True))
        return sums

    def _layer(self, name: str, given: Array, spans: Spans) -> Array:
        heads = f"{name}.attention.self"
        query, key, value = (
            self._linear(f"{heads}.{part}", given) for part in ("query", "key", "value")
        )
        seen = np.empty_like(given)
        for start, end in spans:
            seen[start:end] = _attention(query[start:end], key[start:end], value[start:end])
        seen = self._linear(f"{name}.attention.output.dense", seen)
        seen = self._normed(f"{name}.attention.output", seen + given)
        wide = _gelu(self._linear(f"{name}.intermediate.dense", seen))
        return self._normed(f"{name}.output", self._linear(f"{name}.output.dense", wide) + seen)

    def _linear(self, name: str, given: Array) -> Array:
        found: Array = given @ self._weights[f"{name}.weight"].T
        found += self._weights[f"{name}.bias"]
        return found

    def _normed(self, name: str, given: Array) -> Array:
        given = given - given.mean(axis=1, keepdims=True)
        given /= np.sqrt((given * given).mean(axis=1, keepdims=True) + np.float32(1e-12))
        given *= self._weights[f"{name}.LayerNorm.weight"]
        given += self._weights[f"{name}.LayerNorm.bias"]
        return given


def _attention(query: Array, key: Array, value: Array) -> Array:
    """What each piece of one text takes from the others: rows of 384, as those given."""
    query, key, value = (
        one.reshape(len(one), HEADS, -1).transpose(1, 0, 2) for one in (query, key, value)
    )
    scores: Array = query @ key.transpose(0, 2, 1)
    scores /= np.float32((DIMENSIONS // HEADS) ** 0.5)
    scores -= scores.max(axis=2, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=2, keepdims=True)
    found: Array = (scores @ value).transpose(1, 0, 2).reshape(-1, DIMENSIONS)
    return found


def _gelu(given: Array) -> Array:
    """x/2 · (1 + erf(x/√2)) of each number, in place."""
    for start in range(0, len(given), ROWS_IN_CACHE):
        rows = given[start : start + ROWS_IN_CACHE]
        np.multiply(rows, (1 + _erf(rows * np.float32(0.5**0.5))) / 2, out=rows)
    return given


def _erf(given: Array) -> Array:
    """Abramowitz and Stegun 7.1.26, which numpy lacks: off by 5e-7 at most, rounding included."""
    x = np.abs(given)
    t = np.reciprocal(1 + np.float32(0.3275911) * x)
    tail = np.full_like(x, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail *= t
        tail += np.float32(factor)
    tail *= t
    tail *= np.exp(-x * x)
    found: Array = np.copysign(1 - tail, given)
    return found


def _mapped(path: Path) -> dict[str, Array]:
    """Every float32 tensor of a safetensors file: length of a JSON head, the head, the bytes."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        head = json.loads(file.read(length))
    raw = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length)
    found: dict[str, Array] = {}
    for name, tensor in head.items():
        if tensor.get("dtype") == "F32":
            start, end = tensor["data_offsets"]
            view = np.asarray(raw)[start:end].view(np.float32)
            found[name] = view.reshape(tensor["shape"])
    return found
