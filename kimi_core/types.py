"""What goes into a call and what comes out of it, independent of any framework or host.

Everything here is immutable: a conversation that was handed over is never changed, only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal, TypeAlias

from kimi_core.call_options import NO_OPTIONS, Options

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object as Python holds it."""

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
"""The four roles that Moonshot knows (`developer` and `function` are translated by the adapters)."""

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "other"]
"""Why generation ended. Any other value of a host is `other`; the value itself is kept beside it."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text inside a message of several parts."""

    text: str


@dataclass(frozen=True, slots=True)
class LeftOutPart(TextPart):
    """Tells the model of something in a tool's result, or in another model's turn, that cannot be sent."""


class _Media:
    """A part with an address: it has `_is_strict` when that is a `data:` URL with nothing to change or escape in it."""

    __slots__ = ("_is_strict",)


@dataclass(frozen=True, slots=True)
class ImagePart(_Media):
    """A picture: a `data:` URL, an `ms://<file id>` reference or (where the host takes it) an http URL."""

    url: str


@dataclass(frozen=True, slots=True)
class VideoPart(_Media):
    """A video: a `data:` URL, an `ms://<file id>` reference or (where the host takes it) an http URL."""

    url: str


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A document. Plain text is sent as text; of others a host may extract the text (`documents="extract"`).

    Attributes:
        url: A `data:` URL in base64, or an http URL. `kimi_core.media.documents.load` makes a part of bytes.
        filename: Its name, which the model gets too.
        mime: Its MIME type, where URL and name do not have it.
    """

    url: str
    filename: str | None = None
    mime: str | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of this machine, read when the request is sent (`local_files` limits which).

    Only in messages of the user and the system: elsewhere a text tells the model that it was left out.

    Attributes:
        path: Where it is. An object, and never text: text in a message may be anybody's.
        kind: What it is sent as.
        filename: The name of a document, which the model gets too. Default: that of the file.
        mime: The MIME type of a document, where its name does not have it.
    """

    path: PathLike[str]
    kind: Literal["image", "video", "document"]
    filename: str | None = None
    mime: str | None = None


Part: TypeAlias = TextPart | ImagePart | VideoPart | DocumentPart | FilePart
"""A piece of a message's content."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The text that thinking yielded.

    Attributes:
        text: The reasoning as one string.
        key: The wire key under which the host sent it (`reasoning_content`, `reasoning`), if known. Hosts
            that answer under one key want it back under the same one. An opening tag (`<think>`) when it stood
            in the text of the answer.
        details: The host's `reasoning_details`, in order and unchanged but for deltas of one item, which are put
            together. They may hold what no text has: signatures, encrypted reasoning.

    A reasoning without text and details means that the model is known not to have thought.
    """

    text: str
    key: str | None = None
    details: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asked for.

    Attributes:
        id: As the host gave it, since Kimi reads `functions.<name>:<index>` ids as part of its format; a second
            call of an answer with the same id has a number behind it.
        name: The tool's name as the user knows it.
        arguments: The JSON text as the model wrote it, possibly invalid.
        type: `function`, or `builtin_function` for the host's own tools (`$web_search`).
    """

    id: str
    name: str
    arguments: str
    type: str = "function"


@dataclass(frozen=True, slots=True)
class ServerCall:
    """A call of a tool that is not the user's to run, and what came of it.

    Attributes:
        call: As the model wrote it.
        output: What the model gets to read of it; for `$web_search` the call's arguments, unchanged. None when it
            was not run.
        failed: The tool failed; `output` has the reason.
        position: Its place among all calls of its turn, since the host wants them in the model's order.
    """

    call: ToolCall
    output: str | None = None
    failed: bool = False
    position: int = 0


@dataclass(frozen=True, slots=True)
class ServerToolTurn:
    """A turn of the model that called server tools; the client ran them and asked again by itself.

    Attributes:
        text: What the model wrote in this turn, before its calls.
        reasoning: What it thought before.
        calls: The server tools it called, in order, with their results.
        open: The calls were made in the same turn as the user's own tools (`tool_calls` of the message that holds
            this turn), so that the turn waits for the user's results. Its text and reasoning are the message's own;
            here they are empty. Only the last step of a message can be open.
    """

    text: str = ""
    reasoning: Reasoning | None = None
    calls: tuple[ServerCall, ...] = ()
    open: bool = False


class _Writable:
    """Keeps what was found out about a message, none of which is part of it: so none of it is a field.

    `_written` is how it was last written for a host (see `codecs.messages`); `_fit` says for which hosts its calls can
    be sent as they are, and has their ids (see `request.history`).
    """

    __slots__ = ("_fit", "_written")


@dataclass(frozen=True, slots=True)
class Message(_Writable):
    """One message of a conversation.

    Attributes:
        role: Who speaks.
        content: Text, or parts when there is more than text. Empty for a turn that only calls tools.
        reasoning: What the model thought before (assistant only).
        tool_calls: The calls it asked for (assistant only).
        tool_call_id: Which call this answers (tool only).
        name: The speaker's or the tool's name.
        partial: The model is to continue this message (assistant, last only).
        steps: The turns with server tools that led to this message (assistant only). They are sent again in full.
        refusal: What the model wrote in place of an answer (assistant only). Goes back under its own name where the
            host takes that (`messages.takes_refusal`), elsewhere as text.
    """

    role: Role
    content: str | tuple[Part, ...] = ""
    reasoning: Reasoning | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    partial: bool = False
    steps: tuple[ServerToolTurn, ...] = ()
    refusal: str = ""


def is_builtin(name: str) -> bool:
    """Return whether a tool's name is that of a builtin function (`$web_search`), which begins with a dollar."""
    return name.startswith("$")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the model may call.

    Attributes:
        name: As the user named it; mapped to what the host takes when the request is encoded. Of a formula, its URI.
        description: What it does.
        parameters: JSON Schema of its arguments; None for a host's own tools.
        strict: Constrain decoding to the schema; None leaves the host's default.
        type: `function`, or a tool of the host's own that the client runs: `builtin_function` (`$web_search`) or
            `formula` (replaced by all functions of the formula).
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None
    type: str = "function"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tool must be called.

    Attributes:
        mode: `auto` (the model decides), `none`, `required` (at least one) or `named`.
        name: The tool, when `mode` is `named`.
    """

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The shape an answer must have.

    Attributes:
        method: `auto` lets the policy choose what this host and model can do best; `json_schema`,
            `function_calling` and `json_object` insist; `text` asks for nothing.
        schema: JSON Schema of the answer; None only for `json_object` and `text`.
        name: The schema's name on the wire and of the tool when `function_calling` is used.
        description: What the object is.
        strict: Constrain decoding to the schema; None does where the host can.
    """

    method: Literal["auto", "json_schema", "function_calling", "json_object", "text"] = "auto"
    schema: Mapping[str, Any] | None = None
    name: str = "output"
    description: str = ""
    strict: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call.

    Attributes:
        messages: The conversation, oldest first.
        model: A Kimi family id (`kimi-k2.6`) or an id as the host writes it.
        tools: Tools on offer.
        tool_choice: Whether one must be called; None leaves it to the model.
        output: The shape the answer must have; None for free text.
        options: Everything else.
        max_server_rounds: How often the host's own tools are run before the call is given up; 0 runs none and hands
            their calls on like those of the user's tools.
        until: When the call is given up, by `time.monotonic()`; the client sets it from its option `deadline`.
    """

    messages: Sequence[Message]
    model: str
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    output: OutputFormat | None = None
    options: Options = NO_OPTIONS
    max_server_rounds: int = 8
    until: float | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, in one vocabulary for all hosts.

    Attributes:
        input_tokens: Tokens of the prompt, cached ones included.
        output_tokens: Tokens generated, reasoning included.
        total_tokens: Their sum as the host reports it.
        cached_tokens: Part of the input that came from the host's cache; None when the host does not report it.
        reasoning_tokens: Part of the output that was thinking, never more than the output; None when not reported.
        raw: The host's own object.
        cache_write_tokens: Part of the input that the host put into its cache, never one that came from it; None
            when the host does not report it.
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)
    cache_write_tokens: int | None = None

    def plus(self, other: Usage) -> Usage:
        """Return the tokens of two calls together; `raw` is that of the other."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.total_tokens + other.total_tokens,
            _sum(self.cached_tokens, other.cached_tokens),
            _sum(self.reasoning_tokens, other.reasoning_tokens),
            other.raw,
            _sum(self.cache_write_tokens, other.cache_write_tokens),
        )


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None and b is None else (a or 0) + (b or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a call yielded, the same for a whole body and for a stream.

    Attributes:
        text: The answer.
        reasoning: What the model thought, if anything.
        tool_calls: The calls it asks the user for, in order. Those of server tools are in `steps`.
        finish_reason: Why it ended.
        raw_finish_reason: The host's own name for the reason.
        usage: Tokens; None when the host reported none.
        cost_usd: Price of the call in US dollars; None when unknown.
        cost_is_estimate: True when `cost_usd` was computed from the dated price table, or lacks that of a call which
            was part of it; False when the host reported it.
        id: The host's id of the answer.
        model: The model's name as the host echoed it.
        created: Unix time in seconds.
        system_fingerprint: As the host sent it.
        logprobs: Log probabilities when asked for, `{"content": [...]}`, those of all chunks together.
        extra: Answer-level fields without a neutral meaning, as sent (for instance AI/ML API's `meta`). Ours is
            `promoted_reasoning`: True when the text is the reasoning of an answer that had no text; `withheld_calls`:
            the tool calls that a server left in the text of an answer that was to make none (`tool_choice="none"`);
            `resumed`: where a stream broke off and was continued by the same host (`{"at": characters, "error": …}`).
        steps: The turns in which server tools were run, before this answer and in it. Usage and cost are of all turns.
        headers: The headers that the host answered with.
        alternatives: The other answers, when several were asked for (`n`). Usage and cost here are those of all
            answers, there those of each, where they are known.
        host: The name of the host that answered.
        fallbacks: The hosts that were asked before and failed: `{"host": …, "error": …}` each.
        retries: The attempts that failed and were made again: `{"error": …, "status_code": …, "pause": …}` each, the
            pause in seconds.
        limits_waited: Seconds that were waited for a turn under the user's `Limits`.
        refusal: What the model wrote in place of an answer, where the host has a field for it; empty for none.
    """

    text: str = ""
    reasoning: Reasoning | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason | None = None
    raw_finish_reason: str | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    cost_is_estimate: bool = False
    id: str | None = None
    model: str | None = None
    created: int | None = None
    system_fingerprint: str | None = None
    logprobs: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[ServerToolTurn, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    alternatives: tuple[Response, ...] = ()
    host: str | None = field(default=None, compare=False)
    fallbacks: tuple[Mapping[str, str], ...] = ()
    retries: tuple[Mapping[str, Any], ...] = ()
    limits_waited: float = 0.0
    refusal: str = ""

    @property
    def message(self) -> Message:
        """The answer as a message of the conversation."""
        # No reasoning is known to be none here: nothing got lost on the way.
        reasoning = self.reasoning or Reasoning("")
        return Message("assistant", self.text, reasoning, self.tool_calls, steps=self.steps, refusal=self.refusal)
