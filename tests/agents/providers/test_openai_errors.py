"""Every refusal of a server becomes one of our codes, and no secret gets into a message."""

from datetime import UTC, datetime

import pytest

from agents_app.providers.openai_errors import error_from_response, error_in_stream, retry_after

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "body", "code", "retryable"),
    [
        (400, {"error": {"message": "bad"}}, "bad_request", False),
        (400, {"error": {"code": "context_length_exceeded"}}, "context_too_long", False),
        (400, {"message": "maximum context length is 8192 tokens"}, "context_too_long", False),
        (400, {"error": {"code": "content_filter"}}, "content_filter", False),
        (400, {"innererror": {"code": "ResponsibleAIPolicyViolation"}}, "content_filter", False),
        (401, {"error": {"code": "invalid_api_key"}}, "auth", False),
        (402, None, "quota_exhausted", False),
        (403, "Forbidden", "auth", False),
        (404, {"error": {"code": "model_not_found"}}, "not_found", False),
        (405, None, "bad_request", False),
        (408, None, "timeout", True),
        (409, None, "server_error", True),
        (413, None, "context_too_long", False),
        (422, {"detail": []}, "bad_request", False),
        (429, {"error": {"type": "rate_limit_error"}}, "rate_limited", True),
        (429, {"error": {"code": "insufficient_quota"}}, "quota_exhausted", False),
        (500, {"error": "boom"}, "server_error", True),
        (500, [{"error": {"message": "in a list"}}], "server_error", True),
        (502, "<html>", "overloaded", True),
        (503, None, "overloaded", True),
        (504, None, "timeout", True),
        (529, {"type": "overloaded_error"}, "overloaded", True),
        (599, None, "server_error", True),
        (302, None, "invalid_response", False),
    ],
)
def test_statuses(status, body, code, retryable):
    error = error_from_response(status, body, {})
    assert (error.code, error.retryable, error.status) == (code, retryable, status)


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"error": {"message": "x", "type": "server_error"}}, "server_error", None),
        ({"error": {"message": "x", "code": 429}}, "rate_limited", 429),
        ({"error": {"message": "x", "code": "503"}}, "overloaded", 503),
        ({"error": "all gone"}, "server_error", None),
        ({"object": "error", "message": "m", "code": 400}, "bad_request", 400),
        ({"error": {"type": "invalid_request_error"}}, "bad_request", None),
        ({"error": {"code": "rate_limit_exceeded"}}, "rate_limited", None),
        ({"error": {"message": "prompt is too long: 9 tokens"}}, "context_too_long", None),
    ],
)
def test_errors_inside_a_stream(body, code, status):
    error = error_in_stream(body)
    assert (error.code, error.status) == (code, status)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "1"}, 1.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "999999999"}, 86400.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers, seconds):
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(("value", "retryable"), [("true", True), ("false", False)])
def test_the_server_may_say_whether_to_retry(value, retryable):
    assert error_from_response(500, None, {"x-should-retry": value}).retryable is retryable


def test_keys_stay_out_of_the_log_and_long_bodies_are_cut():
    body = {"error": {"message": f"Incorrect key sk-abcdef123456 and hush-hush {'x' * 9000}"}}
    error = error_from_response(401, body, {}, secret="hush-hush")
    assert "sk-abcdef" not in error.detail
    assert "hush-hush" not in error.detail
    assert len(error.detail) <= 500
    assert "[key]" in error.detail
    assert "Incorrect" not in error.message_for_person
