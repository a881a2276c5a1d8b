"""Events of a stream are read as the SDK's own decoder reads them, however lines end and bytes are cut."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from kimi_core.transport.stream import FrameReader

# The lines with data of an event, and what else may be between them.
_GROUPS: list[list[bytes]] = [
    *([line] for line in (b"data: {}", b"data:1", b'data: "\xe6\x9d\xb1"', b"data:  2", b"data:", b"data: ", b"data")),
    *([b"data: [1,", b"data: 2]"], [b"data", b"data: 3"], [b"data: {", b'data:"a": 1', b"data:}"], []),
]
_OTHERS = st.lists(st.sampled_from([b": ping", b"event: m", b"id: 7", b"retry: 9", b"nonsense", b":", b"datax: 1"]))
EVENTS = st.builds(
    lambda before, group, after, blanks: [*before, *group, *after, *[b""] * blanks],
    *(_OTHERS, st.sampled_from(_GROUPS), _OTHERS, st.integers(1, 3)),
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
ONE_END = st.builds(
    lambda events, end: b"".join(line + end for event in events for line in event), st.lists(EVENTS), ENDS
)
MIXED = st.lists(EVENTS, max_size=4).flatmap(
    lambda events: st.tuples(
        *(st.sampled_from([b"\n", b"\r\n"]).map(line.__add__) for event in events for line in event)
    ).map(b"".join)
)


def cut(text: bytes, places: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def read(pieces: Iterable[bytes]) -> list[str]:
    """The data of events, each of which is a JSON text."""
    reader = FrameReader()
    return [json.dumps(frame) for piece in pieces for frame in reader.feed(piece)]


@given(ONE_END | MIXED, st.lists(st.integers(0, 400), max_size=12))
def test_any_split_is_read_as_the_sdk_reads_the_whole(text: bytes, places: list[int]) -> None:
    sdk = [event.data for event in SSEDecoder().iter_bytes(iter([text])) if event.data]
    assert read(cut(text, places)) == [json.dumps(json.loads(data)) for data in sdk]
    assert read([text]) == read(cut(text, range(len(text))))


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    text = b"\xef\xbb\xbfdata: 1\n\ndata: 2\n\n"
    assert read([text]) == read(cut(text, range(len(text)))) == ["1", "2"]


def test_empty_data_keep_a_stream_alive_however_they_are_cut() -> None:
    text = b'data: \n\ndata: {"a": 1}\n\ndata:\n\n'
    assert FrameReader().feed(text) == [{"a": 1}]
    reader = FrameReader()
    assert [f for i in range(len(text)) for f in reader.feed(text[i : i + 1])] == [{"a": 1}]
    assert not reader.ended


def test_an_event_that_does_not_end_is_none() -> None:
    assert read([b"data: 1\n\ndata: 2\n"]) == ["1"]


@pytest.mark.parametrize(
    "last", [b'data: {"a": 1}\n', b'data: {"a": 1}', b'data: {\ndata: "a": 1}\n', b'{"a": 1}', b'{"a": 1}\n']
)
def test_what_a_stream_leaves_at_its_end_is_its_last_event_or_the_body_in_its_place(last: bytes) -> None:
    for reads in ([last], cut(last, range(len(last)))):
        reader = FrameReader()
        assert [frame for read in reads for frame in reader.feed(read)] == []
        assert reader.rest() == [{"a": 1}]


@pytest.mark.parametrize(
    "last", [b"", b'data: {"a"', b"data: 7\n", b": ping\n", b'data: [DONE]\n\ndata: {"a": 1}', b"text"]
)
def test_what_is_no_whole_frame_is_not_left_at_the_end_of_a_stream(last: bytes) -> None:
    reader = FrameReader()
    assert reader.feed(b'data: {"a": 0}\n\n' + last) == [{"a": 0}]
    assert reader.rest() == []


def test_done_in_blanks_is_the_end() -> None:
    reader = FrameReader()
    assert reader.feed(b"data: 1\n\ndata:  [DONE] \n\ndata: 2\n\n") == [1]
    assert reader.ended
    reader.close()


def test_frames_of_one_read_come_together_up_to_the_end() -> None:
    reader = FrameReader()
    assert reader.feed(b"data: 1\n\ndata: [2]\n\ndata: [DONE]\n\ndata: 3\n\n") == [1, [2]]
    assert reader.ended
    reader.close()


@pytest.mark.parametrize("broken", [b"{", b"{},{}", b'"a', b"nothing", b"[1], [2", b"[" * 100_000])
def test_frames_before_one_that_is_no_json_are_handed_on(broken: bytes) -> None:
    reader = FrameReader()
    assert reader.feed(b"data: 1\n\ndata: 2\n\ndata: " + broken + b"\n\ndata: 3\n\n") == [1, 2]
    assert reader.ended
    with pytest.raises(ValueError, match=r".+"):
        reader.close()


def test_half_of_a_surrogate_pair_is_read_beside_other_frames() -> None:
    read = b'data: {"delta": "\\ud83d"}\n\ndata: "b"\n\n'
    assert FrameReader().feed(read) == [{"delta": "\ud83d"}, "b"]
