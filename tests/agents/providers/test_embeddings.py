"""Vectors: the demo server's over HTTP, other servers' answers, and the choice of the model."""

import struct
from base64 import b64encode

import pytest

from agents_app.providers import registry
from agents_app.providers.demo.vectors import vector_of
from agents_app.providers.embeddings import MAX_BATCH_CHARS, MAX_BATCH_TEXTS, batches_of
from agents_app.providers.errors import ModelError
from agents_app.providers.openai import close_clients
from agents_app.providers.openai_embeddings import OpenAIEmbeddingModel
from agents_app.providers.registry import (
    require_embedding_model,
    resolve_embedding_model,
    use_embedding_model,
)
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from tests.agents.providers.raw_server import json_reply
from tests.agents.providers.test_demo_http import http_request


def near(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.fixture
def demo(demo_url, clients_closed):
    return OpenAIEmbeddingModel(
        "one-demo", api_key="x", base_url=f"{demo_url}/v1", provider="demo", dimensions=256
    )


async def test_texts_that_share_words_are_near(demo):
    texts = ["How do refunds work?", "Refund policy: we refund within 30 days", "Tea from China"]
    found = await demo.embed(texts)
    question, refunds, tea = found.vectors
    assert {len(one) for one in found.vectors} == {256}
    assert all(abs(near(one, one) - 1) < 1e-5 for one in found.vectors)
    assert near(question, refunds) > near(question, tea) + 0.1
    assert found.usage.input_tokens > 10
    assert not found.usage.estimated
    assert (await demo.embed(texts)).vectors == found.vectors


async def test_many_texts_come_back_in_order(demo):
    texts = [f"text {number}" for number in range(MAX_BATCH_TEXTS + 20)]
    found = await demo.embed([*texts, ""])
    assert len(found.vectors) == len(texts) + 1
    for vector, text in zip(found.vectors, texts, strict=False):
        assert near(vector, vector_of(text, 256)) > 0.9999
    assert (await demo.embed([])).vectors == ()


def test_batches_keep_to_the_limits():
    texts = ["x"] * 600 + ["y" * MAX_BATCH_CHARS, "z" * 2 * MAX_BATCH_CHARS, "a"]
    batches = list(batches_of(texts))
    assert [text for batch in batches for text in batch] == texts
    assert [len(batch) for batch in batches] == [256, 256, 88, 1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"input": [1, 2, 3]}, 200),
        ({"input": [[1, 2], [3]]}, 200),
        ({"model": "other"}, 404),
        ({"model": None}, 404),
        ({"input": []}, 400),
        ({"input": [""]}, 400),
        ({"input": ["x", None]}, 400),
        ({"input": None}, 400),
        ({"input": ["x"] * 2049}, 400),
        ({"dimensions": 0}, 400),
        ({"dimensions": "8"}, 400),
        ({"encoding_format": "hex"}, 400),
    ],
)
def test_requests_are_checked(demo_url, changes, status):
    body = {"model": "one-demo", "input": "hello", "dimensions": 8, **changes}
    assert http_request(demo_url, "POST", "/v1/embeddings", body)[0] == status


def test_both_encodings_say_the_same(demo_url):
    body = {"model": "one-demo", "input": "hello there"}
    _, _, plain = http_request(demo_url, "POST", "/v1/embeddings", body)
    body["encoding_format"] = "base64"
    _, _, packed = http_request(demo_url, "POST", "/v1/embeddings", body)
    vector = plain["data"][0]["embedding"]
    assert len(vector) == 384
    raw = struct.pack("<384f", *vector)
    assert packed["data"][0]["embedding"] == b64encode(raw).decode()


def answer(*rows, **extra):
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in rows]
    return json_reply({"object": "list", "data": data, "model": "m-1", **extra})


@pytest.fixture
def model(raw):
    return OpenAIEmbeddingModel("m", api_key="sk-test-key-123456", base_url=raw.url)


async def test_rows_out_of_order_and_no_usage(raw, model):
    raw.add(answer((1, [0.0, 1.0]), (0, [1.0, 0.0])))
    found = await model.embed(["abcd", ""])
    assert found.vectors == ((1.0, 0.0), (0.0, 1.0))
    assert (found.usage.estimated, found.model) == (True, "m-1")
    assert raw.requests[0]["input"] == ["abcd", " "]
    assert "dimensions" not in raw.requests[0]


@pytest.mark.parametrize(
    "rows",
    [[(0, [1.0])], [(0, [1.0]), (0, [1.0])], [(0, [1.0]), (1, [1.0, 2.0])], [(0, []), (1, [])]],
)
async def test_a_wrong_answer_is_an_error(raw, model, rows):
    raw.add(answer(*rows))
    with pytest.raises(ModelError) as caught:
        await model.embed(["a", "b"])
    assert caught.value.code == "invalid_response"


async def test_errors_are_those_of_chat(raw, model):
    limited = {"error": {"message": "slow down sk-test-key-123456"}}
    raw.add(json_reply(limited, status=429, headers={"Retry-After": "2"}))
    with pytest.raises(ModelError) as caught:
        await model.embed(["a"])
    assert (caught.value.code, caught.value.retry_after) == ("rate_limited", 2.0)
    assert "sk-test" not in caught.value.detail
    await close_clients()


@pytest.fixture
def nothing_set(settings):
    settings.OPENAI_API_KEY = settings.OPENAI_BASE_URL = ""
    settings.ONE_EMBEDDING_BASE_URL = settings.ONE_EMBEDDING_API_KEY = ""
    settings.ONE_EMBEDDING_MODEL = "embed-x"
    settings.ONE_EMBEDDING_DIMENSIONS = 0
    settings.ONE_LOCAL_EMBEDDINGS = True
    return settings


@pytest.fixture
def installed(monkeypatch):
    """Says whether the local model is there."""

    def say(there):
        monkeypatch.setattr(registry, "local_model_installed", lambda: there)

    say(True)
    return say


def test_a_provider_comes_before_the_local_model(nothing_set, installed):
    nothing_set.OPENAI_API_KEY = "k"
    assert resolve_embedding_model().model == "embed-x"
    assert resolve_embedding_model("one-demo").model == "embed-x"
    assert resolve_embedding_model("other").provider == "openai"
    assert resolve_embedding_model("all-MiniLM-L6-v2").provider == "local"
    nothing_set.ONE_EMBEDDING_MODEL = "local"
    assert resolve_embedding_model().provider == "local"
    nothing_set.ONE_EMBEDDING_MODEL = ""
    assert resolve_embedding_model().provider == "local"


def test_without_a_provider_the_local_model_or_none(nothing_set, installed):
    found = resolve_embedding_model(dimensions=64)
    assert (found.provider, found.model, found.dimensions) == ("local", "all-MiniLM-L6-v2", 384)
    assert resolve_embedding_model("embed-x") is None
    nothing_set.ONE_LOCAL_EMBEDDINGS = False
    assert resolve_embedding_model() is None
    assert resolve_embedding_model("all-MiniLM-L6-v2") is None
    nothing_set.ONE_EMBEDDING_MODEL = "local"
    assert require_embedding_model().provider == "local"
    installed(False)
    assert resolve_embedding_model() is None
    with pytest.raises(ModelError, match="There is no embedding model here"):
        require_embedding_model()


async def test_vectors_may_come_from_a_server_of_their_own(raw, nothing_set, installed):
    nothing_set.OPENAI_API_KEY = "sk-of-the-chat-provider"
    nothing_set.ONE_EMBEDDING_BASE_URL = raw.url
    nothing_set.ONE_EMBEDDING_DIMENSIONS = 2
    raw.add(answer((0, [1.0, 0.0])))
    found = await resolve_embedding_model().embed(["a"])
    assert found.vectors == ((1.0, 0.0),)
    assert raw.requests[0]["dimensions"] == 2
    assert "sk-of-the-chat-provider" not in raw.heads[0]


async def test_tests_may_put_a_model_in():
    model = ScriptedEmbeddingModel({"north": [0.0, 1.0]}, dimensions=2)
    with use_embedding_model(model):
        found = await resolve_embedding_model().embed(["north", "south"])
    assert found.vectors[0] == (0.0, 1.0)
    assert abs(near(found.vectors[1], found.vectors[1]) - 1) < 1e-9
    assert model.requests == [["north", "south"]]
    model.fail = ModelError("overloaded")
    with pytest.raises(ModelError):
        await model.embed(["x"])
