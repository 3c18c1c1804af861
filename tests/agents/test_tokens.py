"""Counting tokens: exact where the vocabulary is here, never too few elsewhere, no downloads."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiktoken
from django.test import override_settings
from tiktoken import registry

from agents_app.providers.base import ChatMessage, ChatRequest, ToolSpec
from agents_app.providers.parts import FilePart, TextPart, ToolCallPart, ToolResultPart
from agents_app.runtime import tokens
from agents_app.runtime.tokens import (
    context_window,
    count_message,
    count_request,
    count_tokens,
    estimate_tokens,
    most_tokens,
)

# Text and the most tokens that the vocabularies in use today make of it, as published.
PUBLISHED = [
    ("tiktoken is great!", 6),
    ("antidisestablishmentarianism", 6),
    ("2 + 2 = 4", 7),
    ("お誕生日おめでとう", 9),
]
# Characters to a token, as rules of thumb have it for vocabularies in use: four for English; the
# others are on the low side on purpose, since an estimate may be too high but not too low.
PROSE = (
    "The committee met on Tuesday and decided, after a long discussion, to postpone the vote until "
    "every member had read the report. Nobody was surprised; some were relieved. "
) * 20
FINNISH = (
    "Kokouksessa päätettiin lykätä äänestystä, kunnes kaikki jäsenet ovat lukeneet raportin. "
) * 20
CHINESE = "会议在星期二举行，大家决定推迟投票。" * 20
CODE = Path(tokens.__file__).read_text(encoding="utf-8")
RATIOS = [(PROSE, 4.0), (FINNISH, 2.6), (CODE, 3.0), (CHINESE, 0.75)]
FAMILY = "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{MAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
OTHERS = [FAMILY, "\N{FOX FACE}" * 50, "ქართული", "नमस्ते दुनिया", "שלום", "a" * 500, "\ud800", ""]


@pytest.mark.parametrize(("text", "most"), PUBLISHED)
def test_estimate_is_not_below_what_vocabularies_make_of_it(text: str, most: int) -> None:
    assert estimate_tokens(text) >= most


@pytest.mark.parametrize(("text", "chars"), RATIOS, ids=["prose", "finnish", "code", "chinese"])
def test_estimate_is_not_below_known_ratios_and_not_far_above(text: str, chars: float) -> None:
    truth = len(text) / chars
    assert truth <= estimate_tokens(text) <= truth * 2.5


@pytest.mark.parametrize(
    "text", ["👩‍👩‍👧‍👦", "🦊" * 50, "ქართული", "नमस्ते दुनिया", "שלום", "a" * 500, "\ud800", ""]
)
def test_estimate_is_at_most_the_bytes_and_at_least_half_the_characters_of_other_scripts(
    text: str,
) -> None:
    size = len(text.encode("utf-8", "replace"))
    assert estimate_tokens(text) <= size
    if not text.isascii() and "\ud800" not in text:
        assert estimate_tokens(text) >= len(text.replace(" ", ""))


def test_words_that_never_end_count_more_than_prose() -> None:
    assert estimate_tokens("xkqzjvwy" * 100) >= 400


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of vocabularies, and nothing known of the real one."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    tokens._encoding.cache_clear()
    tokens._encoding_of.cache_clear()
    yield tmp_path
    tokens._encoding.cache_clear()
    tokens._encoding_of.cache_clear()


def _no_download(*args: object) -> bytes:
    raise AssertionError("a vocabulary was to be downloaded")


def test_a_vocabulary_that_is_not_here_is_never_fetched(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktoken.load.read_file", _no_download)
    for model in ("gpt-5-mini", "gpt-4", "ft:gpt-4o:acme", "gpt-oss-20b", "davinci", "unheard-of"):
        assert count_tokens("Hello there", model) == estimate_tokens("Hello there")


def test_a_damaged_vocabulary_is_neither_used_nor_fetched(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktoken.load.read_file", _no_download)
    tiktoken.list_encoding_names()
    assert registry.ENCODING_CONSTRUCTORS is not None
    code = registry.ENCODING_CONSTRUCTORS["o200k_base"].__code__
    address = next(one for one in code.co_consts if isinstance(one, str) and "://" in one)
    file = own_cache / hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
    file.write_bytes(b"half of it")
    assert count_tokens("Hello there", "gpt-5") == estimate_tokens("Hello there")
    assert file.exists()


def test_a_vocabulary_that_is_here_counts_exactly(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = {bytes([one]): one for one in range(256)} | {b"Hello": 256}

    def tiny() -> dict[str, object]:
        return {
            "name": "o200k_base",
            "pat_str": r"\S+|\s+",
            "mergeable_ranks": ranks,
            "special_tokens": {},
        }

    monkeypatch.setattr(tokens, "_is_at_hand", lambda name: True)
    tiktoken.list_encoding_names()
    monkeypatch.setitem(registry.ENCODING_CONSTRUCTORS, "o200k_base", tiny)  # type: ignore[arg-type]
    monkeypatch.delitem(registry.ENCODINGS, "o200k_base", raising=False)
    assert count_tokens("Hello Hello", "gpt-5-mini") == 3
    registry.ENCODINGS.pop("o200k_base", None)


def test_a_cache_that_is_switched_off_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert not tokens._is_at_hand("o200k_base")


def test_windows_follow_the_family_and_the_setting() -> None:
    assert context_window("gpt-4") == 8_192
    assert context_window("gpt-4o-mini") == context_window("openai/gpt-4o") == 128_000
    assert context_window("ft:gpt-4.1-mini:acme") == 1_047_576
    assert context_window("one-demo:tps=20") == 100_000
    assert context_window("") == context_window("something-new") == tokens.UNKNOWN_WINDOW
    with override_settings(ONE_CONTEXT_TOKENS=5_000):
        assert context_window("gpt-4o") == 5_000


def test_a_request_counts_all_that_is_sent() -> None:
    said = ChatMessage.text("user", "Hello")
    plain = count_request(ChatRequest(messages=(said,)))
    tool = ToolSpec("look_up", "Look something up.", {"type": "object", "properties": {}})
    with_tool = count_request(ChatRequest(messages=(said,), tools=(tool,)))
    call = ChatMessage("assistant", (ToolCallPart("1", "look_up", {"word": "tea"}),))
    result = ChatMessage("tool", (ToolResultPart("1", "look_up", {"found": ["tea"]}),))
    image = ChatMessage("user", (TextPart("See"), FilePart("image/png", data=b"x" * 90_000)))
    assert (
        plain < with_tool < count_request(ChatRequest(messages=(said, call, result), tools=(tool,)))
    )
    assert 750 <= count_message(image) < 800
    for message in (said, call, result, image):
        assert count_message(message) <= most_tokens(message)
