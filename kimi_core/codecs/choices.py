"""Several answers in one body or stream (`n`): each choice is decoded for itself, the first is the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kimi_core.codecs import merging
from kimi_core.codecs.chat_stream import ChatStreamDecoder
from kimi_core.codecs.error_mapping import MALFORMED, not_an_answer
from kimi_core.events import Clean, Event, Finished, ResponseBuilder
from kimi_core.hosts.profile import Profile
from kimi_core.types import JsonObject, Response

if TYPE_CHECKING:
    from kimi_core.codecs import WireRequest


class ChoicesDecoder:
    """Decodes the choices of one answer, which a stream sends in turns.

    Events are those of the choice that came first. The others come whole, as the alternatives of its `Finished` event,
    in the order of their indexes. Usage and price are those of all choices together, as hosts report them.
    """

    def __init__(
        self, profile: Profile, wire: WireRequest, headers: Mapping[str, str], clean: Clean | None = None
    ) -> None:
        self._profile, self._wire, self._headers, self._clean = profile, wire, headers, clean
        self._first = ChatStreamDecoder(profile, wire, headers, clean)
        self._index = 0
        self._others: dict[int, _Other] = {}

    @property
    def started(self) -> bool:
        """Return whether any answer has come."""
        return self._first.started

    def feed(self, frame: Any) -> list[Event]:
        """Return the events of one chunk.

        Raises:
            APIError: If the chunk is an error object, or not a chunk at all.
        """
        choices = frame.get("choices") if isinstance(frame, dict) else None
        if not choices:
            return self._first.feed(frame)
        try:
            indexes = _indexes(choices)
        except MALFORMED:
            raise not_an_answer(frame, self._profile) from None
        if not self.started:
            self._index = indexes[0]
        events: list[Event] = []
        for index, choice in zip(indexes, choices, strict=True):
            if index == self._index:
                events += self._first.feed({**frame, "choices": [choice]})
            else:
                self._other(index).feed({**frame, "choices": [choice]})
        if self._index not in indexes:
            self._first.feed({**frame, "choices": []})  # the usage beside the last choice is of all
        return events

    def feed_all(self, frames: Iterable[Any], events: list[Event]) -> None:
        """See `StreamDecoder.feed_all`."""
        for frame in frames:
            merging.extend(events, self.feed(frame))

    def _other(self, index: int) -> _Other:
        if index not in self._others:
            self._others[index] = _Other(ChatStreamDecoder(self._profile, self._wire, self._headers, self._clean))
        return self._others[index]

    def end(self, *, whole: bool = False) -> list[Event]:
        """See `ChatStreamDecoder.end`. A stream in which any of the answers was cut off is not finished."""
        events = self._first.end(whole=whole)
        others = [self._others[index].response(whole=whole) for index in sorted(self._others)]
        alternatives = tuple(other for other in others if other is not None)
        if len(alternatives) < len(others):
            return []
        return [replace(event, alternatives=alternatives) if isinstance(event, Finished) else event for event in events]

    def so_far(self) -> Finished | None:
        """See `StreamDecoder.so_far`."""
        return self._first.so_far()


def _indexes(choices: Sequence[JsonObject]) -> list[int]:
    """Return the index of each choice of a frame; their places where an index is no number or occurs twice."""
    indexes = [choice.get("index") for choice in choices]
    found = [index if type(index) is int else place for place, index in enumerate(indexes)]
    return found if len(set(found)) == len(found) else [*range(len(found))]


class _Other:
    """A choice beside the one that is the answer."""

    def __init__(self, decoder: ChatStreamDecoder) -> None:
        self._decoder = decoder
        self._builder = ResponseBuilder()

    def feed(self, frame: JsonObject) -> None:
        for event in self._decoder.feed({key: value for key, value in frame.items() if key != "usage"}):
            self._builder.add(event)

    def response(self, *, whole: bool) -> Response | None:
        """Return the choice as a response; None when it was cut off."""
        events = self._decoder.end(whole=whole)
        for event in events:
            # Tokens and price are reported for all choices together.
            self._builder.add(_unpriced(event) if isinstance(event, Finished) else event)
        return self._builder.response() if events else None


def _unpriced(end: Finished) -> Finished:
    return replace(end, usage=None, cost_usd=None, cost_is_estimate=False)
