"""Server-sent events are read the same wherever the network cuts them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_app.providers import sse as sse_module
from agents_app.providers.sse import EventTooLongError, SseReader

SAMPLE = (
    b"\xef\xbb\xbf: keep-alive\n\n"
    b'data: {"a":"\xe2\x82\xac\xf0\x9f\x98\x80"}\n\n'
    b"event: x\r\nid: 1\r\ndata:one\r\ndata: two\r\n\r\n"
    b":\r\r"
    b"data:  three\rretry: 5\r\r"
    b"data\n\n"
    b"data: [DONE]\n\n"
)
EXPECTED = [
    '{"a":"\u20ac\U0001f600"}'.encode(),
    b"one\ntwo",
    b" three",
    b"[DONE]",
]


def read(pieces):
    reader = SseReader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.flush()


def test_whole():
    assert read([SAMPLE]) == EXPECTED


def test_byte_by_byte():
    assert read(SAMPLE[i : i + 1] for i in range(len(SAMPLE))) == EXPECTED


def test_every_pair_of_cuts():
    for first, second in itertools.combinations(range(len(SAMPLE)), 2):
        pieces = [SAMPLE[:first], SAMPLE[first:second], SAMPLE[second:]]
        assert read(pieces) == EXPECTED, (first, second)


@given(st.lists(st.integers(0, len(SAMPLE)), max_size=30))
def test_any_cuts(cuts):
    places = [0, *sorted(cuts), len(SAMPLE)]
    assert read(SAMPLE[a:b] for a, b in itertools.pairwise(places)) == EXPECTED


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))))
def test_what_is_written_is_read(lines):
    payloads = [line.encode() for line in lines]
    stream = b"".join(b"data: " + payload + b"\n\n" for payload in payloads)
    assert read([stream]) == payloads


def test_a_last_event_without_a_blank_line_is_not_lost():
    assert read([b"data: a\n\ndata: b"]) == [b"a", b"b"]


def test_nothing_gives_nothing():
    assert read([b"", b"\n\n\n", b""]) == []


def test_an_endless_event_is_refused(monkeypatch):
    monkeypatch.setattr(sse_module, "MAX_EVENT_BYTES", 100)
    with pytest.raises(EventTooLongError):
        read([b"data: aaaaaaaaaa"] * 20)
