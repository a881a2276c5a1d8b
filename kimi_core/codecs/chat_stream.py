"""Decodes Chat Completions chunks (and whole bodies, which are one big chunk) into events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kimi_core.characters import LOST, join_halves
from kimi_core.codecs import merging
from kimi_core.codecs.call_sections import WITHHELD, RecoveredCalls, SectionReader, WithheldCalls
from kimi_core.codecs.error_mapping import MALFORMED, complains, error_in_frame, not_an_answer
from kimi_core.codecs.inline_markup import MarkupReader
from kimi_core.codecs.json_values import amount, dig, first, usage_of
from kimi_core.codecs.original_names import OriginalNames
from kimi_core.codecs.reasoning_details import Details
from kimi_core.codecs.tool_calls import ToolCallAssembler
from kimi_core.errors import KimiError
from kimi_core.events import UNASKED, Clean, Event, Finished, ReasoningDelta, RefusalDelta, Started, TextDelta
from kimi_core.hosts.groups import DETAILS
from kimi_core.hosts.profile import Profile
from kimi_core.structured_output import dump
from kimi_core.types import FinishReason, JsonObject, Usage

if TYPE_CHECKING:
    from kimi_core.codecs import WireRequest

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_CHUNK = "chat.completion.chunk"
_KNOWN = frozenset({"id", "object", "created", "model", "choices", "usage", "system_fingerprint"})


class ChatStreamDecoder:
    """Decodes one answer. Tolerant by design: hosts differ in where they put usage, ids and indexes.

    Attributes:
        started: Whether any answer has come.
    """

    __slots__ = (
        "_calls",
        "_clean",
        "_cost",
        "_details",
        "_extra",
        "_finish",
        "_half",
        "_half_refusal",
        "_half_thought",
        "_headers",
        "_index",
        "_key",
        "_keys",
        "_logprobs",
        "_markup",
        "_originals",
        "_price_keys",
        "_profile",
        "_texts",
        "_usage",
        "_wire",
        "_withheld",
        "started",
    )

    def __init__(
        self, profile: Profile, wire: WireRequest, headers: Mapping[str, str], clean: Clean | None = None
    ) -> None:
        host = profile.host
        self._clean = clean
        self._profile = profile
        self._wire = wire
        self._headers = headers
        self._keys = host.reasoning.keys_in
        # A host that reports its price does so under one of these.
        self._price_keys = {path.partition(".")[0] for path in host.usage.cost_paths} - {"usage"}
        self._calls: ToolCallAssembler | None = None
        self._withheld: WithheldCalls | None = None
        self._markup: MarkupReader | None = None
        if host.tools.leaked_calls or host.reasoning.think_tags != "no":
            self._expect_markup()
        self._originals = OriginalNames(wire) if wire.arguments or wire.output else None
        self._details = Details() if DETAILS in host.reasoning.keys_in else None
        self._texts: frozenset[str] = frozenset()
        """Keys whose text is handed on as it came."""
        if self._markup is None and self._originals is None:
            self._texts = frozenset({"content", *host.reasoning.keys_in}) - {DETAILS}
        self._key = ""
        self.started = False
        self._index: Any = None
        self._half = self._half_thought = self._half_refusal = ""
        self._finish: str | None = None
        self._usage: JsonObject | None = None
        self._cost: float | None = None
        self._logprobs: list[JsonObject] = []
        self._extra: JsonObject = {"endpoint": host.endpoint} if host.endpoint else {}

    def _expect_markup(self) -> None:
        """Begin to read what the host may leave in the text: thoughts, and calls where tools were sent."""
        host, wire = self._profile.host, self._wire
        sections: SectionReader | None = None
        if host.tools.leaked_calls and wire.body.get("tools"):
            if wire.body.get("tool_choice") == "none":
                sections = self._withheld = WithheldCalls()
            else:
                self._calls = ToolCallAssembler(wire)
                sections = RecoveredCalls(self._calls)
        where: str = host.reasoning.think_tags
        if where == "opened" and wire.thinks is False:
            where = "leading"  # the template closes the thought in the prompt already
        if sections is not None or where != "no":
            self._markup = MarkupReader(where, sections)

    def feed(self, frame: Any) -> list[Event]:
        """Return the events of one chunk.

        Raises:
            APIError: If the chunk is an error object, or not a chunk at all.
        """
        events: list[Event] = []
        try:
            choices = frame.get("choices") if type(frame) is dict else None
            if choices:
                self._take(frame, choices, events)
            else:
                self._rare(frame, {})
            return events if self._originals is None else self._originals.of(events)
        except KimiError:
            raise
        except MALFORMED:
            raise not_an_answer(frame, self._profile) from None

    def feed_all(self, frames: Iterable[Any], events: list[Event]) -> None:
        """See `StreamDecoder.feed_all`. A run of frames that hold text alone, as nearly all do, is read at once."""
        kind, texts = "", list[str]()
        for frame in frames:
            key, text = self._only_text(frame) if self._texts else ("", "")
            if key != kind and kind:
                self._add_run(kind, texts, events)
            if key:
                texts.append(text)
            else:
                merging.extend(events, self.feed(frame))
            kind = key
        if kind:
            self._add_run(kind, texts, events)

    def _only_text(self, frame: Any) -> tuple[str, str]:
        """Return the key and the text of a frame that holds nothing else; two empty texts for another."""
        try:
            (choice,) = frame["choices"]
            ((key, text),) = choice["delta"].items()
        except (AttributeError, LookupError, TypeError, ValueError):
            return "", ""
        get = choice.get
        if key not in self._texts or type(text) is not str or not self.started or get("index") != self._index:
            return "", ""
        if self._half or self._half_thought or not (text.isascii() or text.isprintable()):
            return "", ""
        if get("finish_reason") or frame.get("usage") or get("usage") or get("logprobs") or frame.get("error"):
            return "", ""
        return (key, text) if self._price_keys.isdisjoint(frame) else ("", "")

    def _add_run(self, key: str, texts: list[str], events: list[Event]) -> None:
        text = "".join(texts)
        texts.clear()
        if key != "content":
            self._key = key
        if text:
            merging.extend(events, [TextDelta(text) if key == "content" else ReasoningDelta(text, key)])

    def _take(self, frame: JsonObject, choices: Sequence[JsonObject], events: list[Event]) -> None:
        """Add the events of a chunk of the answer: reasoning first, then text, then calls."""
        choice = choices[0]
        if not self.started:
            self.started, self._index = True, choice.get("index")
            id_, model, created = frame.get("id"), frame.get("model"), frame.get("created")
            began = Started(id_, model, created, frame.get("system_fingerprint"), self._headers)
            if self._clean is not None:
                self._clean(began)
            events.append(began)
        if len(choices) > 1 or choice.get("index") != self._index:
            choice = self._own(choices)
        get = choice.get
        delta = get("delta") or get("message") or {}
        text = delta.get("content")
        alone = text and len(delta) == 1  # as in nearly all chunks: there is nothing else to look for
        if not alone:
            self._take_reasoning(delta, events)
        if text:
            text = text if type(text) is str else _joined(text, events)
            if self._half or not (text.isascii() or text.isprintable()):  # half a character cannot be printed
                text, self._half = join_halves(self._half, text)
            if self._markup is None:
                events.append(TextDelta(text))
            else:
                self._markup.add_text(text, events)
        if "tool_calls" in delta or "refusal" in delta:
            self._take_calls(delta, events, whole=not get("delta") and frame.get("object") != _CHUNK)
        ends = get("finish_reason") or frame.get("usage") or get("usage") or get("logprobs")
        if ends or frame.get("error") or not self._price_keys.isdisjoint(frame):
            self._rare(frame, choice)

    def _take_reasoning(self, delta: JsonObject, events: list[Event]) -> None:
        """Add the reasoning of a delta: from the first key that holds text, or from an array."""
        for key in self._keys:
            text = delta.get(key)
            if text and type(text) is str:
                self._key = key
                if self._half_thought or not (text.isascii() or text.isprintable()):
                    text, self._half_thought = join_halves(self._half_thought, text)
                if self._markup is None:
                    events.append(ReasoningDelta(text, key))
                else:
                    self._markup.add_reasoning(text, key, events)
                break
        if self._details is not None and (items := delta.get(DETAILS)):
            text = self._details.add(items)
            if text and not self._key:
                text, self._half_thought = join_halves(self._half_thought, text)
                events.append(ReasoningDelta(text, DETAILS))

    def _take_calls(self, delta: JsonObject, events: list[Event], *, whole: bool) -> None:
        """Add tool calls, or a refusal."""
        if calls := delta.get("tool_calls"):
            if self._calls is None:
                self._calls = ToolCallAssembler(self._wire)
            self._calls.feed(calls, events, whole=whole)
        if refusal := delta.get("refusal"):
            text = refusal if type(refusal) is str else dump(refusal)
            text, self._half_refusal = join_halves(self._half_refusal, text)
            events.append(RefusalDelta(text))

    def end(self, *, whole: bool = False) -> list[Event]:
        """Return what was held back and the `Finished` event; nothing for a stream without a finish reason.

        Such a stream was cut off. A whole body needs no finish reason.
        """
        if self._finish is None and not (whole and self.started):
            return []
        usage = usage_of(self._usage, self._profile)
        cost, estimated = self._price(usage)
        events = self._halves() if self._half or self._half_thought or self._half_refusal else []
        if self._markup is not None:
            self._markup.rest(self._key, events)
        if self._withheld is not None and self._withheld.text:
            self._extra[WITHHELD] = self._withheld.text
        if self._calls is not None:
            events += self._calls.rest()
        if self._originals is not None:
            events = self._originals.of(events) + self._originals.rest()
        reason = _REASONS.get(self._finish or "", "other")
        if reason == "stop" and self._calls is not None and self._calls.seen:
            # vLLM finishes a named call with `stop`; a turn that calls tools is a tool turn.
            reason = "tool_calls"
        details = self._details.result() if self._details is not None else ()
        logprobs = merging.logprobs(self._logprobs) if self._logprobs else None
        end = Finished(reason, self._finish, usage, cost, estimated, logprobs, self._extra, details)
        end.host = self._profile.host.name
        if self._clean is not None:
            self._clean(end)
        events.append(end)
        return events

    def _halves(self) -> list[Event]:
        """Return replacements for halves of characters whose other half never came."""
        held: list[Event] = []
        if self._half_thought:
            held.append(ReasoningDelta(LOST, self._key or DETAILS))
        if self._half:
            held.append(TextDelta(LOST))
        if self._half_refusal:
            held.append(RefusalDelta(LOST))
        return held

    def so_far(self) -> Finished | None:
        """See `StreamDecoder.so_far`."""
        usage, logprobs = usage_of(self._usage, self._profile), merging.logprobs(self._logprobs)
        if usage is None and logprobs is None:
            return None
        return Finished(None, None, usage, *self._price(usage), logprobs)

    def _own(self, choices: Sequence[JsonObject]) -> JsonObject:
        """Return the choice of this answer; none of another that nobody asked for, which is not mixed in but noted."""
        own: JsonObject = {}
        for choice in choices:
            index = choice.get("index")
            if own or (type(index) is int and type(self._index) is int and index != self._index):
                self._extra[UNASKED] = True
            else:
                own = choice
        return own

    def _rare(self, frame: Any, choice: JsonObject) -> None:
        """Take what hardly any frame has: the end, usage, cost and the host's own fields; raise its error."""
        if type(frame) is not dict:
            return  # `null` keeps a connection alive
        if finish := choice.get("finish_reason"):
            self._finish = str(finish)
        if error := choice.get("error"):  # OpenRouter, beside `finish_reason: "error"`
            raise error_in_frame({"error": error}, self._profile)
        logprobs = choice.get("logprobs")
        if logprobs and isinstance(logprobs, dict):
            self._logprobs.append(logprobs)
        if frame.get("error") or frame.get("errors") or ("choices" not in frame and complains(frame)):
            raise error_in_frame(frame, self._profile)
        host = self._profile.host
        # Moonshot sends the same usage in the last choice and in a chunk of its own: last wins, never added.
        usage = first(frame, host.usage.paths)
        self._usage = usage if isinstance(usage, dict) and usage else self._usage
        paths = host.usage.cost_paths
        if paths and (cost := amount(first(frame, paths))) is not None:
            self._cost = cost
        for key, value in frame.items():
            if key not in _KNOWN and value is not None:
                self._extra[key] = value

    def _price(self, usage: Usage | None) -> tuple[float | None, bool]:
        if self._cost is not None:
            return self._cost, False
        for header in self._profile.host.usage.cost_headers:
            if (cost := amount(self._headers.get(header))) is not None:
                return cost, False
        price = self._profile.host.usage.prices.get(self._profile.model.id)
        if usage is None or price is None:
            return None, False
        cached = usage.cached_tokens or 0
        written = usage.cache_write_tokens or 0
        fresh = usage.input_tokens - cached - written
        read = cached * price.cached + fresh * price.input
        if written:
            read += written * price.writes.get(self._ttl(), price.input)
        return (read + usage.output_tokens * price.output) / 1_000_000, True

    def _ttl(self) -> str:
        """Return how long cached tokens are kept, which sets their price."""
        asked = dig(self._wire.body, "prompt_cache_options.ttl")
        return str(asked) if asked else next(iter(self._profile.host.usage.cache_ttls), "")


def _joined(parts: Any, events: list[Event]) -> str:
    """Return the text of content that came as parts. Their refusals are added to the events."""
    refusals = (part.get("refusal") for part in parts if isinstance(part, dict))
    events += [RefusalDelta(refusal) for refusal in refusals if refusal and isinstance(refusal, str)]
    return "".join(part.get("text") or "" for part in parts if isinstance(part, dict))
