"""Which chat model answers and which one embeds, from the settings.

Reads `ONE_CHAT_MODEL`, `ONE_EMBEDDING_MODEL`, `OPENAI_API_KEY`, `OPENAI_BASE_URL` and
`ONE_DEMO_URL` at each call, so a test may override them. Knows nothing of agents, prices or
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
from agents_app.providers.openai import OPENAI_URL, OpenAIChatModel
from agents_app.providers.openai_embeddings import OpenAIEmbeddingModel

T = TypeVar("T")

DEMO_MODEL = "one-demo"
DEMO_KEY = "demo"
NO_KEY = "not-needed"  # servers without keys (Ollama, vLLM) still get a header

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
) -> EmbeddingModel:
    """Return the embedding model called `name`, or the default one for None and "".

    dimensions: length of the vectors; None leaves it to the model (384 at the demo's). Raises
    ImproperlyConfigured when no default or no demo address is set.
    """
    with _overrides_lock:
        if _embedding_overrides:
            return _embedding_overrides[-1]
    if using_demo_model():
        return OpenAIEmbeddingModel(
            DEMO_MODEL,
            api_key=DEMO_KEY,
            base_url=_demo_url(),
            provider="demo",
            dimensions=dimensions,
        )
    model = name if name and not _is_demo_name(name) else _setting("ONE_EMBEDDING_MODEL")
    if not model:
        raise ImproperlyConfigured("ONE_EMBEDDING_MODEL names no model")
    return OpenAIEmbeddingModel(
        model,
        api_key=_setting("OPENAI_API_KEY") or NO_KEY,
        base_url=_setting("OPENAI_BASE_URL") or OPENAI_URL,
        dimensions=dimensions,
    )


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


def _demo_url() -> str:
    url = _setting("ONE_DEMO_URL").rstrip("/")
    if not url:
        raise ImproperlyConfigured("ONE_DEMO_URL is not set, and neither is OPENAI_API_KEY")
    return url if url.endswith("/v1") else f"{url}/v1"


def _setting(name: str) -> str:
    return str(getattr(settings, name, "") or "")
