"""What came of one call, as a probe looks at it: the host's own message, before any reading of ours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kimi_core import errors as err
from kimi_core.codecs.json_values import dig, first
from kimi_core.hosts.groups import DETAILS
from kimi_core.types import JsonObject

Kind = Literal["answered", "refused", "failed"]

_REFUSALS = (err.BadRequestError, err.NotFoundError, err.RequestTooLargeError)
#: Statuses by which servers refuse what they do not know, beside those of the errors above.
_UNKNOWN_THERE = (405, 415, 501)
#: These are about the conversation or the day, not about what the host can do.
_NO_REFUSALS = (err.ContentFilterError, err.ContextOverflowError)
_LONGEST = 300
_MESSAGES = ("error.message", "message", "detail", "error")
_UPSTREAM = "error.metadata.raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one call.

    Attributes:
        kind: `answered`, `refused` (the host does not take this), or `failed`: nothing is known then.
        message: The assistant message; of a stream, what its deltas come to.
        finish: The finish reason.
        bodies: The body, or the frames of a stream.
        headers: The headers of the response.
        streamed: Whether it came as a stream.
        error: The host's message when it refused, or why there is no answer.
    """

    kind: Kind = "answered"
    message: Mapping[str, Any] = field(default_factory=dict)
    finish: str | None = None
    bodies: tuple[Any, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    streamed: bool = False
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the host answered."""
        return self.kind == "answered"

    @property
    def text(self) -> str:
        """The text of the answer, without a thought that was left in it."""
        return self._content.rpartition("</think>")[2]

    @property
    def _content(self) -> str:
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def reasoning(self) -> dict[str, Any]:
        """The keys of the message that hold reasoning, with what they hold."""
        return {key: value for key, value in self.message.items() if value and _is_reasoning(key, value)}

    @property
    def thought(self) -> str:
        """The text of the reasoning; empty when no key holds text."""
        return next((value for value in self.reasoning.values() if isinstance(value, str)), "")

    @property
    def tags(self) -> Literal["", "leading", "opened"]:
        """Whether the text begins with a thought between tags, or inside of one."""
        if "</think>" not in self._content:
            return ""
        return "leading" if self._content.lstrip().startswith("<think>") else "opened"

    @property
    def thinks(self) -> bool:
        """Whether the model thought."""
        return bool(self.reasoning or self.tags or self._reasoning_tokens)

    @property
    def calls(self) -> list[tuple[str, Any]]:
        """The calls, as name and parsed arguments; None for arguments that are no JSON."""
        calls = self.message.get("tool_calls")
        return [_call(call) for call in calls] if isinstance(calls, list) else []

    @property
    def cut(self) -> bool:
        """Whether the token limit ended it."""
        return self.finish == "length"

    @property
    def prompt_tokens(self) -> int | None:
        """The tokens of the prompt as the host counts them."""
        return self._counted("prompt_tokens")

    @property
    def output_tokens(self) -> int | None:
        """The tokens of the answer as the host counts them."""
        return self._counted("completion_tokens")

    @property
    def _reasoning_tokens(self) -> int:
        return self._counted("completion_tokens_details.reasoning_tokens") or 0

    def _counted(self, path: str) -> int | None:
        usages = (first(body, ("usage", "choices.0.usage")) for body in reversed(self.bodies))
        found = next((dig(usage, path) for usage in usages if usage), None)
        return found if isinstance(found, int) else None


def _is_reasoning(key: str, value: Any) -> bool:
    """Return whether a key is one for reasoning: hosts have several names for it."""
    named = "reason" in key or "think" in key
    return named and (isinstance(value, str) or (key == DETAILS and isinstance(value, list)))


def _call(call: Any) -> tuple[str, Any]:
    name, arguments = dig(call, "function.name"), dig(call, "function.arguments")
    try:
        return str(name), json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return str(name), None


def whole(body: Any, headers: Mapping[str, str]) -> Answer:
    """Return the answer in a body."""
    message = dig(body, "choices.0.message")
    if not isinstance(message, dict):
        return Answer(kind="failed", error="It answered something that is not a chat completion.")
    return Answer(message=message, finish=dig(body, "choices.0.finish_reason"), bodies=(body,), headers=headers)


def streamed(frames: Iterable[Any], headers: Mapping[str, str]) -> Answer:
    """Return the answer in the frames of a stream."""
    kept: list[Any] = []
    message: JsonObject = {}
    finish = None
    for frame in frames:
        kept.append(frame)
        delta = dig(frame, "choices.0.delta")
        for key, value in delta.items() if isinstance(delta, dict) else ():
            message[key] = _joined(message.get(key), value)
        finish = dig(frame, "choices.0.finish_reason") or finish
    return Answer(message=message, finish=finish, bodies=tuple(kept), headers=headers, streamed=True)


def _joined(before: Any, more: Any) -> Any:
    match before, more:
        case (str(), str()) | (list(), list()):
            return before + more
    return before if more is None else more


def refused(error: err.APIError) -> Answer:
    """Return the answer for a failed call: refused, or failed."""
    is_refusal = isinstance(error, _REFUSALS) or error.status_code in _UNKNOWN_THERE
    kind: Kind = "refused" if is_refusal and not isinstance(error, _NO_REFUSALS) else "failed"
    text = _message(error) if kind == "refused" else error.message
    return Answer(kind=kind, error=" ".join(text.split())[:_LONGEST])


def _message(error: err.APIError) -> str:
    """Return the host's own message, without our text around it; a gateway's with that of the server behind it."""
    messages = [first(error.body, (path,)) for path in _MESSAGES]
    found = [one for one in messages if isinstance(one, str)]
    return ": ".join([*found[:1], *(one for one in [dig(error.body, _UPSTREAM)] if isinstance(one, str))]) or str(error)


def numbers(value: Any, path: str = "") -> Iterable[tuple[str, float]]:
    """Yield every number in a JSON value, by its dotted path, the outer ones first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner: list[tuple[str, Any]] = []
    for key, one in items:
        at = f"{path}.{key}" if path else str(key)
        if isinstance(one, int | float) and not isinstance(one, bool):
            yield at, float(one)
        elif isinstance(one, dict | list):
            inner.append((at, one))
    for at, one in inner:
        yield from numbers(one, at)


def merged_usage(answers: Iterable[Answer]) -> JsonObject:
    """Return the tokens of several answers together."""
    both = [(one.prompt_tokens or 0, one.output_tokens or 0) for one in answers]
    return {"input_tokens": sum(a for a, _ in both), "output_tokens": sum(b for _, b in both)}
