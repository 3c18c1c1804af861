"""Logs and shown values without what has the form of a secret."""

import io
import logging
import time

import pytest

from one_project.common.masking import shown
from one_project.common.sealing import new_key, seal
from one_project.common.secrets_log import SecretlessFormatter, without_secrets

SECRETS = [
    "Authorization: Bearer canary-9f2b7c", "{'Authorization': 'Basic canary-dXNlcjpwdw=='}",
    "b'authorization', b'Bearer canary-9f2b7c'", "Authorization: canary-9f2b7c",
    "xoxb-12-canary", "xoxe.xoxp-1-canary", "sk-proj-1canary234", "SG.canary_canary.canary-1",
    "password=canary-hunter2&x=1", '{"api_key": "canary-abcd1234"}', "client_secret='canary-x1'",
    "https://user:canary-pw@host/x", "https://h/cb?access_token=canary-1", "Cookie: canary-session",
    "https://api.telegram.test/bot1234567:canary-AAF-bcdefghijklmnop/sendMessage",
    "https://discord.test/api/webhooks/1/canary-abcdefghijkl", "one_canary-abcdef0123456789",
    "https://hooks.test/services/T0/B0/canary00", "whsec_canary00", "AKIACANARY0123456789",
]  # fmt: skip


@pytest.mark.parametrize("line", SECRETS)
def test_no_secret_is_left_in_a_line(line: str) -> None:
    found = without_secrets(f"before {line} after")
    # Up to a dash the name of the kind may stay.
    assert "(hidden)" in found
    assert "canary-" not in found.lower()
    assert found.startswith("before ")


def test_what_is_sealed_is_hidden_too() -> None:
    assert without_secrets(seal({"a": "b"}, "x:1:y")) == "v1:test:(hidden)"
    assert new_key()[:20] not in without_secrets(f"secret_key={new_key()}")


@pytest.mark.parametrize(
    "line",
    ["one_project.common.secrets_log: basic knowledge of tokens", "Basic settings of the page",
     "INFO token count: 5", "re_embedding_of_all_documents", "run 0198-ab of v1:x goes on",
     "GET https://example.test:443/path?page=2 200", "one_knowledge_collection_item"],
)  # fmt: skip
def test_words_stay(line: str) -> None:
    assert without_secrets(line) == line


def test_arguments_and_exceptions_are_looked_through() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(SecretlessFormatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.Logger("tests.secrets")  # noqa: LOG001  not of the tree
    logger.addHandler(handler)
    try:
        raise ValueError("refused: Authorization: Bearer canary-in-exception-1")
    except ValueError:
        logger.exception("%s failed with %s", "send", {"password": "canary-in-argument"})
    text = out.getvalue()
    assert "send failed" in text
    assert "ValueError: refused" in text
    assert "canary" not in text


def test_every_handler_of_ours_does_so() -> None:
    from django.conf import settings

    assert all(one["formatter"] == "plain" for one in settings.LOGGING["handlers"].values())
    handlers = [
        *logging.getLogger("django").handlers,
        *logging.getLogger("django.request").handlers,
    ]
    assert handlers == []


@pytest.mark.parametrize(
    "piece", ["a", "sk-", "eyJ-", "password", "a.a.", "://:", "Bearer ", "one_"]
)
def test_a_line_that_somebody_wrote_to_be_slow_is_not(piece: str) -> None:
    begun = time.process_time()
    without_secrets(piece * 100_000)
    assert time.process_time() - begun < 5


def test_shown_values_hide_keys_within_texts() -> None:
    value = {"headers": ["Bearer canary-12345"], "password": "canary", "text": "Basic facts"}
    assert shown(value) == {
        "headers": ["Bearer (hidden)"],
        "password": "(hidden)",
        "text": "Basic facts",
    }
    cut = shown(["xoxb-canary-1 " * 20_000])
    assert cut["cut"].startswith("The first 100,000 of 280")
    assert "canary" not in cut["text"]
