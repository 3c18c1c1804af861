"""Which chat model answers and which one embeds, from the settings.

Reads `ONE_CHAT_MODEL`, `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `ONE_DEMO_URL`, `ONE_EMBEDDING_*` and
`ONE_LOCAL_EMBEDDINGS` at each call, so a test may override them. Knows nothing of agents, prices or
organisations.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from agents_app.providers.base import ChatModel
from agents_app.providers.embeddings import EmbeddingModel
from agents_app.providers.errors import ModelError
from agents_app.providers.local_embeddings import (
    LOCAL_MODEL,
    LocalEmbeddingModel,
    local_model_installed,
)
from agents_app.providers.openai import OPENAI_URL, OpenAIChatModel
from agents_app.providers.openai_embeddings import OpenAIEmbeddingModel

T = TypeVar("T")

DEMO_MODEL = "one-demo"
DEMO_KEY = "demo"
NO_KEY = "not-needed"  # servers without keys (Ollama, vLLM) still get a header
LOCAL_NAMES = ("local", LOCAL_MODEL)
NO_EMBEDDINGS = (
    "There is no embedding model here, so meaning cannot be compared. An administrator can install "
    "the local one (`make run` does) or set ONE_EMBEDDING_BASE_URL and ONE_EMBEDDING_MODEL."
)

# For tests only. A module global and not a context variable: turns run on a worker's loop thread,
# which inherits no context from the test.
_overrides: list[ChatModel] = []
_embedding_overrides: list[EmbeddingModel] = []
_overrides_lock = threading.Lock()


def using_demo_model() -> bool:
    """Whether the built-in demo model answers: neither a key nor a base URL is set."""
    return not (_setting("OPENAI_API_KEY") or _setting("OPENAI_BASE_URL"))


def resolve_chat_model(name: str | None = None) -> ChatModel:
    """Return the model called `name`, or the default one for None and "".

    With the demo model every name leads to it; with a provider, a name left over from the demo
    leads to the default. Raises ImproperlyConfigured when no default or no demo address is set.
    """
    with _overrides_lock:
        if _overrides:
            return _overrides[-1]
    wanted = name or ""
    default = _setting("ONE_CHAT_MODEL")
    if using_demo_model():
        demo_names = (found for found in (wanted, default) if _is_demo_name(found))
        return _demo_model(next(demo_names, DEMO_MODEL))
    model = wanted if wanted and not _is_demo_name(wanted) else default
    if not model:
        raise ImproperlyConfigured("ONE_CHAT_MODEL names no model")
    return OpenAIChatModel(
        model,
        api_key=_setting("OPENAI_API_KEY") or NO_KEY,
        base_url=_setting("OPENAI_BASE_URL") or OPENAI_URL,
        # Silence is watched by agents_app.runtime.ask; a second clock costs a tenth of a read.
        read_timeout=None,
    )


def resolve_embedding_model(
    name: str | None = None, *, dimensions: int | None = None
) -> EmbeddingModel | None:
    """Return the embedding model called `name`, or the default one for None and "".

    By default the provider's, where one is set up and `ONE_EMBEDDING_MODEL` names a model; else
    the one on this machine, where it is installed and not switched off; else None: then search
    goes by words only. "local" is the one on this machine, also as `ONE_EMBEDDING_MODEL`, which
    switches it on. A name that nobody here serves leads to None, never to another model: vectors
    of two models do not mix.

    dimensions: length of the vectors; None is `ONE_EMBEDDING_DIMENSIONS`, 0 leaves it to the
    model. The one on this machine always has 384.
    """
    with _overrides_lock:
        if _embedding_overrides:
            return _embedding_overrides[-1]
    asked = name if name and not _is_demo_name(name) else ""
    wanted = asked or _setting("ONE_EMBEDDING_MODEL")
    if wanted not in LOCAL_NAMES:
        if wanted and _embeddings_are_served():
            return _served_embeddings(wanted, dimensions)
        if asked:
            return None
    return LocalEmbeddingModel() if _local_is_on() else None


def require_embedding_model(
    name: str | None = None, *, dimensions: int | None = None
) -> EmbeddingModel:
    """As `resolve_embedding_model`, for those who cannot do without. Raises ModelError."""
    model = resolve_embedding_model(name, dimensions=dimensions)
    if model is None:
        raise ModelError("not_found", NO_EMBEDDINGS, detail=f"embedding model {name or 'default'}")
    return model


@contextmanager
def use_model(model: ChatModel) -> Iterator[ChatModel]:
    """Within the block, every name in this process leads to `model`. For tests; may be nested."""
    with _put_in(_overrides, model):
        yield model


@contextmanager
def use_embedding_model(model: EmbeddingModel) -> Iterator[EmbeddingModel]:
    """As `use_model`, for embeddings."""
    with _put_in(_embedding_overrides, model):
        yield model


@contextmanager
def _put_in(overrides: list[T], model: T) -> Iterator[None]:
    with _overrides_lock:
        overrides.append(model)
    try:
        yield
    finally:
        with _overrides_lock:
            # By identity: two equal models may be nested.
            index = next(i for i, found in enumerate(overrides) if found is model)
            del overrides[index]


def _is_demo_name(name: str) -> bool:
    # The pace may follow the name: "one-demo:tps=200,first=0".
    return name.partition(":")[0] == DEMO_MODEL


def _demo_model(name: str) -> ChatModel:
    return OpenAIChatModel(
        name, api_key=DEMO_KEY, base_url=_demo_url(), provider="demo", read_timeout=None
    )


def _embeddings_are_served() -> bool:
    return bool(
        _setting("ONE_EMBEDDING_BASE_URL")
        or _setting("ONE_EMBEDDING_API_KEY")
        or not using_demo_model()
    )


def _served_embeddings(model: str, dimensions: int | None) -> EmbeddingModel:
    own_url, key = _setting("ONE_EMBEDDING_BASE_URL"), _setting("ONE_EMBEDDING_API_KEY")
    if not own_url:
        # The chat provider's key never goes to another address.
        key = key or _setting("OPENAI_API_KEY")
    return OpenAIEmbeddingModel(
        model,
        api_key=key or NO_KEY,
        base_url=own_url or _setting("OPENAI_BASE_URL") or OPENAI_URL,
        dimensions=dimensions or int(_setting("ONE_EMBEDDING_DIMENSIONS") or 0) or None,
    )


def _local_is_on() -> bool:
    named = _setting("ONE_EMBEDDING_MODEL") in LOCAL_NAMES
    return (named or bool(_setting("ONE_LOCAL_EMBEDDINGS"))) and local_model_installed()


def _demo_url() -> str:
    url = _setting("ONE_DEMO_URL").rstrip("/")
    if not url:
        raise ImproperlyConfigured("ONE_DEMO_URL is not set, and neither is OPENAI_API_KEY")
    return url if url.endswith("/v1") else f"{url}/v1"


def _setting(name: str) -> str:
    return str(getattr(settings, name, "") or "")
