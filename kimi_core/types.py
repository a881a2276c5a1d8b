"""What goes into a call and what comes out of it, without any framework's or host's words.

Everything here is immutable: a conversation that was handed over is never changed, only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object as Python holds it."""

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
"""The four roles that Moonshot knows (`developer` and `function` are translated by the adapters)."""

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "other"]
"""Why generation ended. What a host says beyond the first four is `other`; its own word is kept beside it."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text inside a message of several parts."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture: a `data:` URL, an `ms://<file id>` reference or (where the host takes it) an http URL."""

    url: str


@dataclass(frozen=True, slots=True)
class VideoPart:
    """A video: a `data:` URL, an `ms://<file id>` reference or (where the host takes it) an http URL."""

    url: str


Part: TypeAlias = TextPart | ImagePart | VideoPart
"""A piece of a message's content."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The text that thinking yielded.

    Attributes:
        text: The reasoning as one string.
        key: The wire key under which the host sent it (`reasoning_content`, `reasoning`), if known. Hosts
            that answer under one key want it back under the same one.
    """

    text: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asked for.

    Attributes:
        id: As the host gave it. Never rewritten: Kimi reads `functions.<name>:<index>` ids as part of its format.
        name: The tool's name as the user knows it.
        arguments: The JSON text as the model wrote it, possibly invalid.
        type: `function`, or `builtin_function` for the host's own tools (`$web_search`).
    """

    id: str
    name: str
    arguments: str
    type: str = "function"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    Attributes:
        role: Who speaks.
        content: Text, or parts when there is more than text. Empty for a turn that only calls tools.
        reasoning: What the model thought before (assistant only).
        tool_calls: The calls it asked for (assistant only).
        tool_call_id: Which call this answers (tool only).
        name: The speaker's or the tool's name.
        partial: The model is to continue this message (assistant, last only).
    """

    role: Role
    content: str | tuple[Part, ...] = ""
    reasoning: Reasoning | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the model may call.

    Attributes:
        name: As the user named it; mapped to what the host takes when the request is encoded.
        description: What it does.
        parameters: JSON Schema of its arguments; None for a host's builtin function.
        strict: Constrain decoding to the schema; None leaves the host's default.
        type: `function` or `builtin_function`.
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
        strict: Constrain decoding to the schema.
    """

    method: Literal["auto", "json_schema", "function_calling", "json_object", "text"] = "auto"
    schema: Mapping[str, Any] | None = None
    name: str = "output"
    description: str = ""
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Thinking:
    """The thinking option, tri-state.

    Attributes:
        enabled: None sends nothing and leaves the host's default; True and False are said to the host.
        keep: `"all"` keeps the reasoning of earlier turns in the model's view; None is the host's default.
        effort: How hard to think, for models that have levels (`low`, `high`, `max`).
    """

    enabled: bool | None = None
    keep: str | None = None
    effort: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set on a model object and again for each call. None means: not set, nothing is sent."""

    thinking: Thinking = Thinking()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    parallel_tool_calls: bool | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    extra_body: Mapping[str, Any] | None = None
    extra_headers: Mapping[str, str] | None = None


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
    """

    messages: Sequence[Message]
    model: str
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    output: OutputFormat | None = None
    options: Options = Options()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, in one vocabulary for all hosts.

    Attributes:
        input_tokens: Tokens of the prompt, cached ones included.
        output_tokens: Tokens generated, reasoning included.
        total_tokens: Their sum as the host reports it.
        cached_tokens: Part of the input that came from the host's cache; None when the host does not say.
        reasoning_tokens: Part of the output that was thinking, never more than the output; None when not said.
        raw: The host's own object.
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a call yielded, the same for a whole body and for a stream.

    Attributes:
        text: The answer.
        reasoning: What the model thought, if anything.
        tool_calls: The calls it asks for, in order.
        finish_reason: Why it ended.
        raw_finish_reason: The host's own word for it.
        usage: Tokens; None when the host reported none.
        cost_usd: Price of the call in US dollars; None when unknown.
        cost_is_estimate: True when `cost_usd` was computed from the dated price table, False when the host said it.
        id: The host's id of the answer.
        model: The model's name as the host echoed it.
        created: Unix time in seconds.
        system_fingerprint: As the host sent it.
        logprobs: Log probabilities as the host sent them, when asked for.
        extra: Answer-level fields without a neutral meaning, as sent (for instance AI/ML API's `meta`).
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
