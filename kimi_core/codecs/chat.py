"""The Chat Completions protocol, which nearly every host speaks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from kimi_core.call_options import Options
from kimi_core.codecs import WireRequest
from kimi_core.codecs.chat_stream import ChatStreamDecoder
from kimi_core.codecs.error_mapping import not_an_answer
from kimi_core.codecs.json_paths import merge_patch
from kimi_core.codecs.wire_schemas import RequestSchemas, WireSchema
from kimi_core.codecs.written import Written, write
from kimi_core.errors import ContextOverflowError, MessageError, UnsupportedError, make
from kimi_core.events import Event
from kimi_core.hosts.groups import DETAILS
from kimi_core.hosts.profile import Profile
from kimi_core.media import documents
from kimi_core.quoting import in_short
from kimi_core.request import tool_names
from kimi_core.request.plan import Plan
from kimi_core.schema import PropertyNames
from kimi_core.types import (
    DocumentPart,
    FilePart,
    ImagePart,
    JsonObject,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    TextPart,
    Tool,
    ToolCall,
    ToolChoice,
    VideoPart,
    is_builtin,
)

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
        request, profile = plan.request, plan.profile
        renamed = wire_names(plan)
        shapes = RequestSchemas(request, profile)
        names = shapes.output.names if shapes.output else None
        messages, begun = _as_sent(_prompted(plan), names)
        encoder = _MessageEncoder(profile, renamed, shapes.arguments, every=_keeps_reasoning(plan))
        written = encoder.messages(messages)
        body: JsonObject = {"model": profile.model_id, "messages": written.messages}
        if profile.host.messages.size_limit is not None:
            _check_size(body["messages"], profile.host.messages.size_limit, profile)
        body.update(_options(request.options, profile))
        if request.tools:
            given = zip(request.tools, shapes.tools, strict=True)
            body["tools"] = [_tool(tool, shape, renamed, profile) for tool, shape in given]
        if request.tool_choice:
            body["tool_choice"] = _tool_choice(request.tool_choice, renamed)
        if response_format := _response_format(request.output, shapes.output):
            body["response_format"] = response_format
        if stream:
            body["stream"] = True
            if profile.host.usage.stream_options:
                body["stream_options"] = {"include_usage": True}
        for patch in _patches(plan):
            body = merge_patch(body, patch)
        body = _in_mode(body, stream=stream)
        return WireRequest(
            path=profile.host.endpoints.chat,
            body=body,
            names=wire_to_user(renamed),
            arguments=shapes.arguments,
            output=names,
            begun=begun,
            thinks=plan.thinks,
            written=written,
        )

    def check(self, part: Part, profile: Profile) -> object:
        """See `Codec.check`."""
        return _part(part, profile)

    def decode(self, body: Any, wire: WireRequest, profile: Profile, headers: Mapping[str, str]) -> Iterable[Event]:
        """Decode a whole body like a stream of one chunk that holds everything."""
        decoder = self.decoder(wire, profile, headers)
        yield from decoder.feed(body)
        if not decoder.started:
            raise not_an_answer(body, profile)
        yield from decoder.end(whole=True)

    def decoder(
        self, wire: WireRequest, profile: Profile, headers: Mapping[str, str]
    ) -> ChatStreamDecoder | ChoicesDecoder:
        """Return a decoder for one stream."""
        if wire.body.get("n") in (None, 1):
            return ChatStreamDecoder(profile, wire, headers)
        from kimi_core.codecs.choices import ChoicesDecoder  # with the first answers of several

        return ChoicesDecoder(profile, wire, headers)


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


def _patches(plan: Plan) -> Iterable[Mapping[str, Any]]:
    yield from plan.patches
    host, request = plan.profile.host, plan.request
    if host.routing and (request.tools or request.output or plan.patches):
        yield host.routing
    if host.partial.body and request.messages[-1].partial:
        yield host.partial.body
    if request.options.extra_body:
        yield request.options.extra_body


def _keeps_reasoning(plan: Plan) -> bool:
    """Return whether every assistant message needs its reasoning, since that of all turns is kept in view."""
    host, model = plan.profile.host, plan.profile.model
    if plan.thinks is False or not host.reasoning.required_when_kept:
        return False
    return model.always_keeps or (plan.request.options.thinking.keep in model.keep and host.thinking.keep is not None)


def _in_mode(body: JsonObject, *, stream: bool) -> JsonObject:
    """Return the body without options of another mode, which `extra_body` may bring: it goes with calls of all modes.

    vLLM answers 400 otherwise ("Stream options can only be defined when `stream=True`.", "When using `tool_choice`,
    `tools` must be set.").
    """
    others = (() if body.get("tools") else WITH_TOOLS) + (() if stream else STREAMED)
    if not body.keys().isdisjoint(others):
        body = {key: value for key, value in body.items() if key not in others}
    return {**body, "stream": True} if stream and body.get("stream") is not True else body


def _options(options: Options, profile: Profile) -> JsonObject:
    fields = {name: value for name in _PLAIN if (value := getattr(options, name)) is not None}
    if options.max_tokens is not None:
        fields[profile.host.sampling.max_tokens_field] = options.max_tokens
    if options.stop:
        fields["stop"] = list(options.stop)
    return fields


# ---------------------------------------------------------------------------------------------------- messages


class _MessageEncoder:
    """Encodes messages as dicts. Raises for what a profile does not allow, before any I/O."""

    def __init__(
        self,
        profile: Profile,
        renamed: Mapping[str, str],
        arguments: Mapping[str, PropertyNames],
        *,
        every: bool,
    ) -> None:
        """Make an encoder; with `every`, each assistant message has its reasoning, be it an empty text."""
        host = profile.host
        self.profile = profile
        self.names = renamed
        self.arguments = arguments
        self.all_keys = tuple(key for key in host.reasoning.keys_in if key != DETAILS)
        first = next(iter(self.all_keys), DETAILS)
        self.reasoning_key = {"observed": None, DETAILS: first}.get(host.reasoning.key_out, host.reasoning.key_out)
        self.never_missing = (self.reasoning_key or first) if every else None
        self.details_back = host.reasoning.key_out in ("observed", DETAILS) and DETAILS in host.reasoning.keys_in
        self.text_back = host.reasoning.key_out != DETAILS
        self.omit_empty = host.messages.empty_content == "omit"
        self.builtins = host.tools.builtin  # a conversation can come from a host that has them

    def messages(self, messages: Sequence[Message]) -> Written:
        encoders = {"assistant": self._assistant, "tool": self._tool}
        manner = (self.reasoning_key, self.all_keys, self.never_missing, self.text_back, self.omit_empty, self.builtins)
        is_ordinary = self._is_ordinary if self.names or self.arguments else None
        return write(messages, manner, lambda message: encoders.get(message.role, self._plain)(message), is_ordinary)

    def _is_ordinary(self, message: Message) -> bool:
        """Return whether all that a message names is called the same on the wire."""
        return all(call.name not in self.names and call.name not in self.arguments for call in message.tool_calls)

    def _plain(self, message: Message) -> JsonObject:
        content = message.content
        wire: JsonObject = {
            "role": message.role,
            "content": content if isinstance(content, str) else self._parts(content),
        }
        if message.name:
            wire["name"] = message.name
        return wire

    def _tool(self, message: Message) -> JsonObject:
        content = message.content
        wire: JsonObject = {
            "role": "tool",
            "tool_call_id": message.tool_call_id,
            "content": content if isinstance(content, str) else self._parts(content),
        }
        if message.name and is_builtin(message.name):
            wire["name"] = message.name  # the protocol of builtin functions wants it
        return wire

    def _assistant(self, message: Message) -> JsonObject:
        wire = self._plain(message)
        if not message.content:
            if self.omit_empty:
                del wire["content"]
            else:
                wire["content"] = None
        if message.refusal:
            wire["refusal"] = message.refusal
        if message.reasoning:
            self._add_reasoning(message.reasoning, wire)
        if self.never_missing:
            wire.setdefault(self.never_missing, "")
        if message.tool_calls:
            wire["tool_calls"] = [self._call(call) for call in message.tool_calls]
        if message.partial and self.profile.host.partial.message:
            wire.update(self.profile.host.partial.message)
        return wire

    def _add_reasoning(self, reasoning: Reasoning, wire: JsonObject) -> None:
        if reasoning.details and self.details_back:
            wire[DETAILS] = list(reasoning.details)
        if reasoning.text and (self.text_back or DETAILS not in wire):
            # `observed`: it goes back under the key it came under; under all keys of the host when that is unknown.
            key = self.reasoning_key or (reasoning.key if reasoning.key in self.all_keys else None)
            wire.update(dict.fromkeys((key,) if key else self.all_keys, reasoning.text))

    def _call(self, call: ToolCall) -> JsonObject:
        name = self.names.get(call.name, call.name)
        arguments = call.arguments or "{}"
        if (properties := self.arguments.get(call.name)) is not None:
            arguments = properties.sent(arguments)
        return {
            "id": call.id,
            "type": call.type if self.builtins else "function",
            "function": {"name": name, "arguments": arguments},
        }

    def _parts(self, parts: tuple[Part, ...]) -> list[JsonObject]:
        return [_part(part, self.profile) for part in parts]


def _part(part: Part, profile: Profile) -> JsonObject:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image_url", "image_url": {"url": media_url("image", part.url, profile)}}
        case VideoPart():
            return {"type": "video_url", "video_url": {"url": media_url("video", part.url, profile)}}
        case DocumentPart():
            return {"type": "text", "text": document_text(part, profile)}
        case FilePart():
            raise unread(part)


def unread(part: FilePart) -> MessageError:
    """Return the error for a file that nobody has read: `prepare` does no I/O."""
    return MessageError(f"The {part.kind} is a file that was not read: prepare what client.attached(request) gives.")


def document_text(part: DocumentPart, profile: Profile) -> str:
    """Return a document as text.

    Raises:
        UnsupportedError: If the document is not plain text; the text has what to do instead.
        MediaError: If the document is labelled as text and is not, or is empty.
    """
    if (text := documents.text_of(part)) is not None:
        return text
    scheme = part.url.partition(":")[0].lower()
    what = documents.mime_of(part) if scheme == "data" else f"given by its {scheme} address"
    way = "extract its text and send that"
    if scheme in ("http", "https"):
        way = "with fetch_media='public' a call fetches it"
    elif scheme == "data" and "file-extract" in profile.host.media.file_purposes:
        way = "documents='extract' uploads it to the host and sends the text that the host extracts"
    raise UnsupportedError(f"{profile.where} reads text, and {documents.shown(part)} is {in_short(what)}: {way}.")


def media_url(kind: str, url: str, profile: Profile) -> str:
    """Return the URL of a picture or video.

    Raises:
        UnsupportedError: If the model takes no such media, or the host no such URL.
    """
    if kind not in profile.media:
        read = {"media": profile.model.media, "media.kinds": profile.host.media.kinds}
        lacking = [f"'{fact}': {{'{kind}'}}" for fact, kinds in read.items() if kinds is not None and kind not in kinds]
        raise UnsupportedError(
            f"{profile.where} takes no {kind} (it takes: {', '.join(sorted(profile.media)) or 'text only'}). "
            f"Use a model and host that do, or overrides={{{', '.join(lacking)}}} if you know that it does."
        )
    scheme = url.partition(":")[0].lower()
    scheme = "http" if scheme == "https" else scheme
    if scheme not in profile.host.media.urls:
        raise UnsupportedError(
            f"{profile.where} takes no {in_short(scheme)} URL for {_A[kind]}: {_shortened(url)!r}. "
            "Send the file's bytes or path, so that it goes inline as a data: URL"
            + (", or upload it and send ms://<file id>." if "ms" in profile.host.media.urls else ".")
            + (" With fetch_media='public' a call fetches it and sends it inline." if scheme == "http" else "")
        )
    return url


_A = {"image": "an image", "video": "a video"}


def _shortened(url: str) -> str:
    """Return enough of a URL to recognise it; its query may hold a signature."""
    return url.partition("?")[0][:80]


def _as_sent(messages: Sequence[Message], names: PropertyNames | None) -> tuple[Sequence[Message], str]:
    """Return the messages with an answer that was begun in the property names sent, and how it begins."""
    if names is None or not messages[-1].partial or not isinstance(messages[-1].content, str):
        return messages, ""
    *before, last = messages
    begun = names.sent(str(last.content))
    return (*before, replace(last, content=begun)), begun


def _prompted(plan: Plan) -> Sequence[Message]:
    """Return the messages, with the schema as a system message where it can be sent no other way (json_object)."""
    messages, output = plan.request.messages, plan.request.output
    if output is None or output.method != "json_object" or output.schema is None:
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


def _response_format(output: OutputFormat | None, written: WireSchema | None) -> JsonObject | None:
    if output is None:
        return None
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
