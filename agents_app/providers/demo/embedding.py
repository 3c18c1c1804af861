"""An embeddings request as the demo model reads it, and its answer on the wire."""

import base64
import struct
from typing import Any

from agents_app.providers.demo.request import MODEL, RequestError
from agents_app.providers.demo.vectors import vector_of
from agents_app.providers.demo.words import count_tokens

DEFAULT_DIMENSIONS = 384
MAX_DIMENSIONS = 4096
MAX_TEXTS = 2048


def embeddings_answer(body: object) -> dict[str, Any]:
    """The whole answer in OpenAI's format. Raises RequestError."""
    if not isinstance(body, dict):
        raise RequestError(400, "The body must be a JSON object.")
    model = body.get("model")
    if not isinstance(model, str) or model.partition(":")[0] != MODEL:
        message = f"The demo serves {MODEL!r} only."
        raise RequestError(404, message, param="model", code="model_not_found")
    texts = _texts(body.get("input"))
    dimensions = _dimensions(body.get("dimensions"))
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise RequestError(400, "It is float or base64.", param="encoding_format")
    rows = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(vector_of(text, dimensions), encoding),
        }
        for index, text in enumerate(texts)
    ]
    tokens = sum(map(count_tokens, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": model, "usage": usage}


def _texts(value: object) -> list[str]:
    """One text, several, or token numbers, which stand for words here."""
    items = value if isinstance(value, list) else [value]
    if items and all(isinstance(item, int) for item in items):
        items = [items]
    texts = [_text(item) for item in items]
    if not texts or len(texts) > MAX_TEXTS or not all(texts):
        message = f"input is a text or a list of 1 to {MAX_TEXTS} texts, none of them empty."
        raise RequestError(400, message, param="input")
    return texts


def _text(item: object) -> str:
    if isinstance(item, list) and all(isinstance(one, int) for one in item):
        return " ".join(map(str, item))
    return item if isinstance(item, str) else ""


def _dimensions(value: object) -> int:
    if value is None:
        return DEFAULT_DIMENSIONS
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_DIMENSIONS:
        raise RequestError(400, f"It is 1 to {MAX_DIMENSIONS}.", param="dimensions")
    return value


def _packed(vector: tuple[float, ...], encoding: str) -> list[float] | str:
    if encoding == "float":
        return list(vector)
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
