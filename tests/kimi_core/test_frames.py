"""Events of a stream are read as the SDK's own decoder reads them, however lines end and bytes are cut."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from kimi_core.transport.frames import FrameReader
from kimi_core.transport.sse import EventReader

_DATA = (b"data: {}", b"data:1", b"data: a\xe6\x9d\xb1", b"data:  x", b"data", b"data:", b"datax: 1", b"data : 1")
_OTHER = (b": ping", b"event: m", b"id: 7", b"retry: 9", b"nonsense", b":")
LINES = st.sampled_from([*_DATA, *_OTHER, b"", b"", b""])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
TEXTS = st.lists(st.tuples(LINES, ENDS), max_size=12).map(lambda lines: b"".join(a + b for a, b in lines) + b"\n\n")


def cut(text: bytes, places: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def read(pieces: Iterable[bytes]) -> list[bytes]:
    reader = EventReader()
    return [data for piece in pieces for data in reader.feed(piece)]


@given(TEXTS, st.lists(st.integers(0, 400), max_size=12))
def test_any_split_is_read_as_the_sdk_reads_the_whole(text: bytes, places: list[int]) -> None:
    sdk = [event.data for event in SSEDecoder().iter_bytes(iter([text])) if event.data]
    assert [data.decode() for data in read(cut(text, places))] == sdk
    assert read([text]) == read(cut(text, range(len(text))))


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    text = b"\xef\xbb\xbfdata: 1\n\ndata: 2\n\n"
    assert read([text]) == read(cut(text, range(len(text)))) == [b"1", b"2"]


def test_an_event_that_does_not_end_is_none() -> None:
    assert read([b"data: 1\n\ndata: 2\n"]) == [b"1"]


def test_a_frame_of_many_lines_is_one() -> None:
    assert list(FrameReader().feed(b'data: {"a":\ndata: 1}\n\n')) == [[{"a": 1}]]


def test_frames_of_one_read_come_together_up_to_the_end() -> None:
    reader = FrameReader()
    assert list(reader.feed(b"data: 1\n\ndata: [2]\n\ndata: [DONE]\n\ndata: 3\n\n")) == [[1, [2]]]
    assert reader.ended


@pytest.mark.parametrize("broken", [b"{", b"{},{}", b'"a', b"nothing", b"[1], [2"])
def test_frames_before_one_that_is_no_json_are_handed_on(broken: bytes) -> None:
    feeding = FrameReader().feed(b"data: 1\n\ndata: 2\n\ndata: " + broken + b"\n\ndata: [DONE]\n\n")
    assert [next(feeding), next(feeding)] == [[1], [2]]
    with pytest.raises(ValueError, match=r".+"):
        next(feeding)


def test_half_of_a_surrogate_pair_is_read_beside_other_frames() -> None:
    read = b'data: {"delta": "\\ud83d"}\n\ndata: "b"\n\n'
    assert [f for some in FrameReader().feed(read) for f in some] == [{"delta": "\ud83d"}, "b"]
