"""The Chat Completions protocol, which nearly every host speaks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from kimi_core.call_options import NO_OPTIONS, Options
from kimi_core.codecs import WireRequest
from kimi_core.codecs.chat_stream import ChatStreamDecoder
from kimi_core.codecs.error_mapping import not_an_answer
from kimi_core.codecs.json_values import merge_patch
from kimi_core.codecs.messages import MessageEncoder, encode_part
from kimi_core.codecs.wire_schemas import NO_SCHEMAS, WireSchema, request_schemas
from kimi_core.errors import ContextOverflowError, make
from kimi_core.events import Clean, Event
from kimi_core.hosts.profile import Profile
from kimi_core.request import tool_names
from kimi_core.request.plan import Plan
from kimi_core.schema import PropertyNames
from kimi_core.types import JsonObject, Message, OutputFormat, Part, Tool, ToolChoice, is_builtin

if TYPE_CHECKING:
    from kimi_core.codecs.choices import ChoicesDecoder

# Options that every host of this protocol writes alike.
_PLAIN = (
    "temperature",
    "top_p",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "logprobs",
    "top_logprobs",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "safety_identifier",
)


STREAMED = ("stream", "stream_options")
"""Options that go with streams alone."""
WITH_TOOLS = ("tool_choice", "parallel_tool_calls")
"""Options that go with tools alone."""


class ChatCodec:
    """Encodes and decodes Chat Completions by the facts of a profile."""

    def encode(self, plan: Plan, *, stream: bool) -> WireRequest:
        """Encode a plan. The user's `extra_body` is merged last; it cannot change whether the call streams."""
        request, profile, options = plan.request, plan.profile, plan.request.options
        messages, begun, host = request.messages, "", profile.host
        names_tools = request.tools or any(message.tool_calls for message in messages)
        renamed = wire_names(plan) if names_tools else {}
        shapes = request_schemas(request, profile) if request.tools or request.output else NO_SCHEMAS
        names = shapes.output.names if shapes.output else None
        if request.output:
            messages, begun = _as_sent(_prompted(messages, request.output), names)
        written = MessageEncoder(plan, renamed, shapes.arguments).encode(messages)
        body: JsonObject = {"model": profile.model_id, "messages": written.messages}
        if host.messages.size_limit is not None:
            _check_size(body["messages"], host.messages.size_limit, profile)
        if options is not NO_OPTIONS:
            body.update(_options(options, profile))
        if request.tools:
            given = zip(request.tools, shapes.tools, strict=True)
            body["tools"] = [_tool(tool, shape, renamed, profile) for tool, shape in given]
        if request.tool_choice:
            body["tool_choice"] = _tool_choice(request.tool_choice, renamed)
        if request.output:
            body["response_format"] = _response_format(request.output, shapes.output)
        if stream:
            body["stream"] = True
            if host.usage.stream_options:
                body["stream_options"] = {"include_usage": True}
        if plan.patches or host.routing or host.partial.body or options is not NO_OPTIONS:
            body = _patched(body, plan, stream=stream)
        return WireRequest(
            path=host.endpoints.chat,
            body=body,
            names=wire_to_user(renamed) if renamed else {},
            arguments=shapes.arguments,
            output=names,
            begun=begun,
            thinks=plan.thinks,
            written=written,
        )

    def check(self, part: Part, profile: Profile) -> object:
        """See `Codec.check`."""
        return encode_part(part, profile)

    def decode(self, body: Any, wire: WireRequest, profile: Profile, headers: Mapping[str, str]) -> Iterable[Event]:
        """Decode a whole body like a stream of one chunk that holds everything."""
        decoder = self.decoder(wire, profile, headers)
        events = decoder.feed(body)
        if not decoder.started:
            raise not_an_answer(body, profile)
        return [*events, *decoder.end(whole=True)]

    def decoder(
        self, wire: WireRequest, profile: Profile, headers: Mapping[str, str], clean: Clean | None = None
    ) -> ChatStreamDecoder | ChoicesDecoder:
        """See `Codec.decoder`."""
        if wire.body.get("n") in (None, 1):
            return ChatStreamDecoder(profile, wire, headers, clean)
        from kimi_core.codecs.choices import ChoicesDecoder  # with the first answers of several

        return ChoicesDecoder(profile, wire, headers, clean)


def _check_size(messages: list[JsonObject], limit: int, profile: Profile) -> None:
    """Raise the error that the host's refusal of too large messages would become, before anything is sent."""
    try:
        size = len(to_json(messages))
    except ValueError:  # halves of characters, which go as escapes
        size = len(json.dumps(messages))
    if size <= limit:
        return
    media = sum(len(part.get(part["type"], {}).get("url", "")) for part in _shown(messages))
    way = "send smaller or fewer pictures" if media > size // 2 else "shorten or summarise the conversation"
    text = f"{profile.where} takes messages of at most {limit} bytes together; these have {size}: {way}."
    raise make(ContextOverflowError, text, host=profile.host.name, model=profile.model_id)


def _shown(messages: list[JsonObject]) -> Iterable[JsonObject]:
    parts = (message.get("content") for message in messages)
    return (part for some in parts if isinstance(some, list) for part in some if part["type"] != "text")


def wire_names(plan: Plan) -> Mapping[str, str]:
    """Map the user's tool names to the names sent, for tools on offer and tools called in the history."""
    request, pattern = plan.request, plan.profile.host.tools.names
    used = dict.fromkeys(tool.name for tool in request.tools)
    for message in request.messages:
        for call in message.tool_calls:
            used[call.name] = None
    illegal = [name for name in used if not _legal(pattern, name)]
    if not illegal:
        return {}
    safe = tool_names.safe_names(tuple(used))
    return {name: safe[name] for name in illegal}


def wire_to_user(renamed: Mapping[str, str]) -> dict[str, str]:
    """Map the names sent back to the user's, for the answer."""
    return {wire: user for user, wire in renamed.items() if wire != user}


@lru_cache(maxsize=4096)
def _legal(pattern: str, name: str) -> bool:
    return is_builtin(name) or re.fullmatch(pattern, name) is not None


def _patched(body: JsonObject, plan: Plan, *, stream: bool) -> JsonObject:
    """Return the body with all that is merged into it.

    Options of another mode are left out, which `extra_body` may bring: it goes with calls of all modes. vLLM answers
    400 otherwise ("Stream options can only be defined when `stream=True`.", "When using `tool_choice`, `tools` must be
    set.").
    """
    for patch in _patches(plan):
        body = merge_patch(body, patch)
    others = (() if body.get("tools") else WITH_TOOLS) + (() if stream else STREAMED)
    if not body.keys().isdisjoint(others):
        body = {key: value for key, value in body.items() if key not in others}
    return {**body, "stream": True} if stream and body.get("stream") is not True else body


def _patches(plan: Plan) -> Iterable[Mapping[str, Any]]:
    yield from plan.patches
    host, request = plan.profile.host, plan.request
    if host.routing and (request.tools or request.output or plan.patches):
        yield host.routing
    if host.partial.body and request.messages[-1].partial:
        yield host.partial.body
    if request.options.extra_body:
        yield request.options.extra_body


def _options(options: Options, profile: Profile) -> JsonObject:
    fields = {name: value for name in _PLAIN if (value := getattr(options, name)) is not None}
    if options.max_tokens is not None:
        fields[profile.host.sampling.max_tokens_field] = options.max_tokens
    if options.stop:
        fields["stop"] = list(options.stop)
    return fields


def _as_sent(messages: Sequence[Message], names: PropertyNames | None) -> tuple[Sequence[Message], str]:
    """Return the messages with an answer that was begun in the property names sent, and how it begins."""
    if names is None or not messages[-1].partial or not isinstance(messages[-1].content, str):
        return messages, ""
    *before, last = messages
    begun = names.sent(str(last.content))
    return (*before, replace(last, content=begun)), begun


def _prompted(messages: Sequence[Message], output: OutputFormat) -> Sequence[Message]:
    """Return the messages, with the schema as a system message where it can be sent no other way (json_object)."""
    if output.method != "json_object" or output.schema is None:
        return messages
    text = (
        "Answer with a single JSON object and nothing else. It must be an instance of this JSON Schema:\n"
        + json.dumps(dict(output.schema), ensure_ascii=False)
    )
    return (Message("system", text), *messages)


# ------------------------------------------------------------------------------------------- tools and schemas


def _tool(tool: Tool, shape: WireSchema | None, renamed: Mapping[str, str], profile: Profile) -> JsonObject:
    if shape is None:
        return {"type": tool.type, "function": {"name": tool.name}}
    function: JsonObject = {"name": renamed.get(tool.name, tool.name)}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = from_json(shape.text)
    if tool.strict is not None and profile.host.tools.send_strict:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice, renamed: Mapping[str, str]) -> Any:
    if choice.mode != "named":
        return choice.mode
    name = choice.name or ""
    return {"type": "function", "function": {"name": renamed.get(name, name)}}


def _response_format(output: OutputFormat, written: WireSchema | None) -> JsonObject:
    if written is None:
        return {"type": "json_object"}
    shape: JsonObject = {
        "name": re.sub(r"[^a-zA-Z0-9_-]+", "_", output.name)[:64] or "output",
        # Pages differ on what a missing `strict` means, so it is always sent.
        "strict": output.strict is not False,
        "schema": from_json(written.text),
    }
    if output.description:
        shape["description"] = output.description
    return {"type": "json_schema", "json_schema": shape}
