"""Runware's own protocol: requests are arrays of tasks; data and errors come back under the task's UUID."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from kimi_core import structured_output
from kimi_core.call_options import Options
from kimi_core.codecs import Poll, WireRequest
from kimi_core.codecs.chat import STREAMED, WITH_TOOLS, wire_names, wire_to_user
from kimi_core.codecs.error_mapping import error_in_body, not_an_answer
from kimi_core.codecs.json_values import merge_patch
from kimi_core.codecs.messages import document_text, media_url, unread
from kimi_core.codecs.runware.options import check as check_options
from kimi_core.codecs.runware.stream import RunwareStreamDecoder, is_of
from kimi_core.codecs.wire_schemas import wire_schema
from kimi_core.errors import MessageError
from kimi_core.events import Clean, Event, Finished, ResponseBuilder
from kimi_core.hosts.profile import Profile
from kimi_core.media import documents
from kimi_core.quoting import quoted
from kimi_core.request.plan import Plan
from kimi_core.types import (
    DocumentPart,
    FilePart,
    ImagePart,
    JsonObject,
    Message,
    Part,
    Request,
    Response,
    TextPart,
    Tool,
    ToolCall,
    ToolChoice,
    VideoPart,
)
from kimi_core.usage import Bill, bill_of, billed

_SETTINGS = {
    "temperature": "temperature",
    "top_p": "topP",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "max_tokens": "maxTokens",
    "prompt_cache_key": "promptCacheKey",
}
_OWN_SETTINGS = {"top_k": "topK", "min_p": "minP", "repetition_penalty": "repetitionPenalty"}
_OF_A_MODE = frozenset((*STREAMED, *WITH_TOOLS))
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}
# Runware's own SDK: after 1 s first, then ever later up to 10 s, 20 minutes in all.
_POLL_SECONDS, _LONGEST_PAUSE, _WAIT_SECONDS = 1.0, 10.0, 1200.0


class RunwareCodec:
    """Encodes and decodes tasks of the type `textInference`."""

    def encode(self, plan: Plan, *, stream: bool) -> WireRequest:
        """Encode a plan as one task. The user's `extra_body` is merged into it last.

        OpenAI's fields for streaming in it are left out: they are for calls to the compatible endpoint.
        """
        request, profile, renamed = plan.request, plan.profile, wire_names(plan)
        check_options(request.options.host_options or {})
        task = _task(request, profile, renamed, stream=stream)
        extra = {key: value for key, value in (request.options.extra_body or {}).items() if key not in _OF_A_MODE}
        for patch in (*plan.patches, extra):
            task = merge_patch(task, patch)
        return WireRequest(
            path=profile.host.endpoints.chat,
            body=[task],
            headers={"Accept": "text/event-stream"} if stream else {},
            names=wire_to_user(renamed),
            thinks=plan.thinks,
            poll=_poll(task, request.options) if task["deliveryMethod"] == "async" else None,
        )

    def check(self, part: Part, profile: Profile) -> object:
        """See `Codec.check`."""
        return _Writer(profile, {})._part(part)

    def decode(self, body: Any, wire: WireRequest, profile: Profile, headers: Mapping[str, str]) -> Iterable[Event]:
        """Decode a whole body: its first item into events, the others into alternatives."""
        items, errors = _sorted(body, wire, profile)
        if not items:
            raise error_in_body({"errors": errors}, headers, profile) if errors else not_an_answer(body, profile)
        first, *others = (list(self._events(item, wire, profile, headers)) for item in items)
        *events, end = first
        alternatives = tuple(map(_reduced, others))
        yield from events
        if isinstance(end, Finished):
            yield _together(end, alternatives, errors)

    def decoder(
        self, wire: WireRequest, profile: Profile, headers: Mapping[str, str], clean: Clean | None = None
    ) -> RunwareStreamDecoder:
        """See `Codec.decoder`."""
        return RunwareStreamDecoder(profile, wire, headers, clean)

    def _events(self, item: Any, wire: WireRequest, profile: Profile, headers: Mapping[str, str]) -> Iterator[Event]:
        decoder = self.decoder(wire, profile, headers)
        yield from decoder.feed(item)
        yield from decoder.end(whole=True)


# ---------------------------------------------------------------------------------------------------- what is sent


def _task(request: Request, profile: Profile, renamed: Mapping[str, str], *, stream: bool) -> JsonObject:
    options, own = request.options, request.options.host_options or {}
    writer = _Writer(profile, renamed)
    system, spoken = _split(request.messages)
    task: JsonObject = {
        "taskType": "textInference",
        "taskUUID": str(uuid.uuid4()),
        "model": profile.model_id,
        "deliveryMethod": "stream" if stream else own.get("delivery", "sync"),
        "includeCost": True,  # both are left out unless they are asked for
        "includeUsage": True,
        "messages": [writer.message(message) for message in spoken],
    }
    given = {
        "numberResults": options.n,
        "seed": options.seed,
        "webhookURL": own.get("webhook_url"),
        "inputs": writer.inputs,
        "settings": _settings(options, "\n\n".join(map(writer.text, system))),
        "tools": [_tool(tool, renamed, profile) for tool in request.tools],
        "toolChoice": request.tool_choice and _tool_choice(request.tool_choice, renamed),
    }
    task |= {name: value for name, value in given.items() if value or value == 0}
    if request.output is not None:
        task["jsonSchema"] = wire_schema(request.output.schema or {}, profile, "output", request.output.name)
    return task


def _settings(options: Options, system: str) -> JsonObject:
    own = options.host_options or {}
    settings: JsonObject = {"systemPrompt": system} if system else {}
    settings |= {wire: value for name, wire in _SETTINGS.items() if (value := getattr(options, name)) is not None}
    settings |= {wire: own[name] for name, wire in _OWN_SETTINGS.items() if name in own}
    if options.stop:
        settings["stopSequences"] = list(options.stop)
    return settings


def _split(messages: Iterable[Message]) -> tuple[list[Message], list[Message]]:
    """Split off the system messages at the beginning, which become a setting; one message at least must remain."""
    system: list[Message] = []
    spoken: list[Message] = []
    for message in messages:
        (spoken if spoken or message.role != "system" else system).append(message)
    return (system, spoken) if spoken else ([], system)


def _tool(tool: Tool, renamed: Mapping[str, str], profile: Profile) -> JsonObject:
    if tool.type != "function":
        return {"type": tool.type}
    sent: JsonObject = {"type": "function", "name": renamed.get(tool.name, tool.name)}
    if tool.description:
        sent["description"] = tool.description
    return {**sent, "schema": wire_schema(tool.parameters or {}, profile, "tool", tool.name)}


def _tool_choice(choice: ToolChoice, renamed: Mapping[str, str]) -> JsonObject:
    sent: JsonObject = {"type": _CHOICES[choice.mode]}
    return {**sent, "name": renamed.get(choice.name, choice.name)} if choice.name else sent


class _Writer:
    """Writes messages as strings, and collects pictures, videos and documents as inputs of the whole task."""

    def __init__(self, profile: Profile, renamed: Mapping[str, str]) -> None:
        self.profile = profile
        self.renamed = renamed
        self.inputs: dict[str, list[str]] = {}

    def message(self, message: Message) -> JsonObject:
        text = self.text(message)
        if message.role == "tool":
            return {"role": "tool", "id": message.tool_call_id, "content": text}
        if not message.tool_calls:
            return {"role": message.role, "content": text}
        calls = [self._call(call) for call in message.tool_calls]
        return {"role": "assistant", **({"content": text} if text else {}), "tools": calls}

    def text(self, message: Message) -> str:
        content = message.content
        if isinstance(content, str):
            return content
        return "\n\n".join(text for part in content if (text := self._part(part)))

    def _part(self, part: Part) -> str:
        """Return the text of a part; an empty text for media, which are added to the inputs."""
        match part:
            case TextPart():
                return part.text
            case ImagePart():
                self._collect("images", media_url("image", part.url, self.profile))
            case VideoPart():
                self._collect("videos", media_url("video", part.url, self.profile))
            case DocumentPart() if documents.text_of(part) is None and _is_address(part.url):
                self._collect("documents", part.url)
            case DocumentPart():
                return document_text(part, self.profile)
            case FilePart():
                raise unread(part)
        return ""

    def _collect(self, kind: str, url: str) -> None:
        self.inputs.setdefault(kind, []).append(url)

    def _call(self, call: ToolCall) -> JsonObject:
        try:
            arguments = structured_output.parse_json(call.arguments or "{}")
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            raise MessageError(
                f"The arguments of a call of {quoted(call.name)} are no JSON object, and {self.profile.where} takes no "
                f"others: {call.arguments[:200]!r}. Its compatible endpoint does (overrides without 'compatible')."
            )
        return {"id": call.id, "name": self.renamed.get(call.name, call.name), "input": arguments}


def _is_address(url: str) -> bool:
    return url.partition(":")[0].lower() in ("data", "http", "https")


# ------------------------------------------------------------------------------------------------------- polling


def _poll(task: JsonObject, options: Options) -> Poll:
    own, id_ = options.host_options or {}, task["taskUUID"]
    wanted = task.get("numberResults", 1)
    return Poll(
        body=[{"taskType": "getResponse", "taskUUID": id_}],
        pending=lambda body: _is_pending(body, id_, wanted),
        label=f"the task {id_}",
        every=own.get("poll_seconds", _POLL_SECONDS),
        longest=_LONGEST_PAUSE,
        within=own.get("wait_seconds", _WAIT_SECONDS),
    )


def _is_pending(body: Any, id_: str, wanted: int) -> bool:
    """Return whether results are missing. An acknowledgment has neither a status nor a text."""
    if not isinstance(body, dict):
        return False
    items = [item for item in body.get("data") or () if is_of(item, id_)]
    done = sum("text" in item or item.get("status") in ("success", "error") for item in items)
    return done + sum(is_of(error, id_) for error in body.get("errors") or ()) < wanted


# ------------------------------------------------------------------------------------------------ what came back


def _sorted(body: Any, wire: WireRequest, profile: Profile) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return the items and the errors of our task, whatever else the body holds."""
    if not isinstance(body, dict):
        raise not_an_answer(body, profile)
    id_ = wire.body[0]["taskUUID"]
    ours = [item for item in body.get("data") or () if is_of(item, id_)]
    errors = [error for error in body.get("errors") or () if is_of(error, id_)]
    errors += [item for item in ours if item.get("status") == "error"]
    ours = [item for item in ours if item.get("status") != "error"]
    return [item for item in ours if "text" in item or item.get("status") != "processing"], errors


def _reduced(events: Iterable[Event]) -> Response:
    builder = ResponseBuilder()
    for event in events:
        builder.add(event)
    return builder.response()


def _together(end: Finished, alternatives: tuple[Response, ...], errors: list[JsonObject]) -> Finished:
    """Return the end of the first answer with the other answers, the price of all, and the errors."""
    extra = {**end.extra, "errors": errors} if errors else end.extra
    bill = sum(map(bill_of, alternatives), Bill()) + bill_of(end)
    return replace(billed(end, bill), alternatives=alternatives, extra=extra)
