"""Decodes frames of Runware's streams (and items of whole bodies, which are one big frame) into events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kimi_core import errors as err
from kimi_core.characters import LOST, join_halves
from kimi_core.codecs import merging
from kimi_core.codecs.error_mapping import MALFORMED, error_in_frame, not_an_answer
from kimi_core.codecs.json_values import amount, first, usage_of
from kimi_core.codecs.tool_calls import ToolCallAssembler
from kimi_core.events import Clean, Event, Finished, ReasoningDelta, Started, TextDelta
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short
from kimi_core.types import FinishReason, JsonObject

if TYPE_CHECKING:
    from kimi_core.codecs import WireRequest

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
}
# No published type of an answer has calls: these are the keys by analogy with messages, and OpenAI's.
_CALLS = ("tools", "toolCalls", "tool_calls")
_REASONING = "reasoningContent"
_KNOWN = frozenset(
    {"taskType", "taskUUID", "model", "text", "delta", "finishReason", "usage", "cost", "status", "resultIndex"}
) | {_REASONING, *_CALLS}


def is_of(item: Any, id_: str) -> bool:
    """Return whether an item belongs to a task. Some streams leave its UUID out, or empty."""
    return isinstance(item, dict) and item.get("taskUUID") in (id_, "", None)


class RunwareStreamDecoder:
    """Decodes one answer."""

    __slots__ = (
        "_calls",
        "_clean",
        "_cost",
        "_extra",
        "_finish",
        "_half",
        "_half_thought",
        "_headers",
        "_id",
        "_last",
        "_profile",
        "_started",
        "_usage",
    )

    def __init__(
        self, profile: Profile, wire: WireRequest, headers: Mapping[str, str], clean: Clean | None = None
    ) -> None:
        self._clean = clean
        self._profile = profile
        self._headers = headers
        self._id = wire.body[0]["taskUUID"]
        self._calls = ToolCallAssembler(wire)
        self._started = False
        self._half = self._half_thought = ""
        self._finish: str | None = None
        self._usage: JsonObject | None = None
        self._cost: float | None = None
        self._last: Any = None
        self._extra: JsonObject = {"endpoint": profile.host.endpoint} if profile.host.endpoint else {}

    def feed(self, frame: Any) -> list[Event]:
        """Return the events of one frame, which may be wrapped in an array, or in `data`.

        Raises:
            APIError: If the frame is an error, or not a frame at all.
        """
        events: list[Event] = []
        try:
            for item in _items(frame):
                self._item(item, events)
        except err.KimiError:
            raise
        except MALFORMED:
            raise not_an_answer(frame, self._profile) from None
        return events

    def feed_all(self, frames: Iterable[Any], events: list[Event]) -> None:
        """See `StreamDecoder.feed_all`."""
        for frame in frames:
            merging.extend(events, self.feed(frame))

    def _item(self, item: JsonObject, events: list[Event]) -> None:
        if item.get("errors") or item.get("error"):
            raise error_in_frame(item, self._profile)
        if not is_of(item, self._id) or item.get("resultIndex"):
            return
        if not self._started:
            self._started = True
            began = Started(self._id, item.get("model") or self._profile.model_id, headers=self._headers)
            if self._clean is not None:
                self._clean(began)
            events.append(began)
        delta = item.get("delta")
        self._delta(item if delta is None else delta, events, whole=delta is None)
        if item.get("finishReason") or "usage" in item or "cost" in item or delta is None:
            self._ending(item)

    def _delta(self, delta: JsonObject, events: list[Event], *, whole: bool) -> None:
        if thought := delta.get(_REASONING):
            # Text in three of the published types, a list of texts in a fourth.
            text = thought if type(thought) is str else "".join(thought)
            text, self._half_thought = join_halves(self._half_thought, text)
            events.append(ReasoningDelta(text, _REASONING))
        if more := delta.get("text"):
            text, self._half = join_halves(self._half, more)
            events.append(TextDelta(text))
        for key in _CALLS:
            if calls := delta.get(key):
                self._calls.feed(list(_as_deltas(calls)), events, whole=whole)

    def _ending(self, item: JsonObject) -> None:
        host = self._profile.host
        self._finish = item.get("finishReason") or self._finish
        usage = first(item, host.usage.paths)
        self._usage = usage if isinstance(usage, dict) and usage else self._usage
        if (cost := amount(first(item, host.usage.cost_paths))) is not None:
            self._cost = cost
        self._last = item
        self._extra |= {key: value for key, value in item.items() if key not in _KNOWN and value is not None}

    def end(self, *, whole: bool = False) -> list[Event]:
        """Return what was held back and the `Finished` event; nothing for a stream that was cut off.

        A whole item needs no finish reason.

        Raises:
            DecodeError: If the answer ended with tool calls, and no tool calls were found in it.
        """
        if self._finish is None and not (whole and self._started):
            return []
        events: list[Event] = []
        if self._half_thought:
            events.append(ReasoningDelta(LOST, _REASONING))
        if self._half:
            events.append(TextDelta(LOST))
        events += self._calls.rest()
        reason = _REASONS.get(self._finish or "", "other")
        if reason == "tool_calls" and not self._calls.seen:
            raise self._callless()
        if reason == "stop" and self._calls.seen:
            reason = "tool_calls"
        usage = usage_of(self._usage, self._profile, "Tokens")
        host = self._profile.host.name
        end = Finished(reason, self._finish, usage, self._cost, extra=self._extra, host=host)
        if self._clean is not None:
            self._clean(end)
        events.append(end)
        return events

    def so_far(self) -> Finished | None:
        """See `StreamDecoder.so_far`."""
        usage = usage_of(self._usage, self._profile, "Tokens")
        return None if usage is None and self._cost is None else Finished(None, None, usage, self._cost)

    def _callless(self) -> err.DecodeError:
        where = self._profile.where
        return err.make(
            err.DecodeError,
            f"{where} ended its answer with calls of tools, in a form that is not known: {in_short(self._last, 500)}. "
            "Its compatible endpoint has them in OpenAI's form: leave `compatible` as the spec has it.",
            host=self._profile.host.name,
            model=self._profile.model_id,
            body=self._last,
        )


def _items(frame: Any) -> Iterable[JsonObject]:
    if type(frame) is dict:
        wrapped = frame.get("data")
        return wrapped if type(wrapped) is list and not frame.get("errors") else (frame,)
    return frame if type(frame) is list else ()  # `null` keeps a connection alive


def _as_deltas(calls: Iterable[JsonObject | None]) -> Iterator[JsonObject]:
    """Yield calls in OpenAI's form, whether they came so or in the form of Runware's messages."""
    for call in calls:
        if call is None:
            continue
        function = call.get("function") or {"name": call.get("name"), "arguments": call.get("input")}
        yield {"id": call.get("id"), "index": call.get("index"), "function": function}
