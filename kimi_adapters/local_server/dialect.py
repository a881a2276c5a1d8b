"""What one host does differently from another: a spec of functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kimi_adapters.local_server.checks import CHECKS, Check
from kimi_adapters.local_server.completion import Completion
from kimi_adapters.local_server.exchange import Frame, HttpCall
from kimi_adapters.local_server.models import ModelSpec
from kimi_adapters.local_server.refusal import Refusal
from kimi_adapters.local_server.reply import ReasoningAs, Reply
from kimi_adapters.local_server.request import ChatRequest

JsonObject = dict[str, Any]


def _typed(body: JsonObject, spec: ModelSpec) -> bool:
    """Whether a request thinks where `thinking.type` says it."""
    option = body.get("thinking")
    return not (isinstance(option, dict) and option.get("type") == "disabled")


def _anybody(call: HttpCall, admitted: Collection[str]) -> None:
    pass


def _bare(error: Mapping[str, Any]) -> JsonObject:
    return {"error": dict(error)}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One emulated host.

    Attributes:
        name: The name that `LocalKimi` takes.
        host: The host that it stands for.
        models: The models by id.
        adopt: Checks a body in the host's own way and gives what the operator of the model gets to see.
        unknown_model: The refusal of a model id.
        no_key: The refusal of a request without a key.
        wrong_key: The refusal of a key.
        error: The error body of a refusal (None sends none), and its media type.
        model_row: One element of the model list.
        open_paths: Paths that need no key.
        body: Puts the host's own facts into a whole body.
        chunks: The same for the chunks of a stream.
        headers: Headers of every response.
        cost_headers: Headers of a whole answer.
        retry_after: Whether an overload says when to come back.
        empty_length: The sentence with which an answer is refused whose text was eaten by the token limit.
        checks: What the operator of the model refuses.
        thinks: Whether an adopted body lets a model think.
        reasoning_as: Where the reasoning of an answer stands.
        usage_in_choice: Whether the finish chunk of a stream carries usage in its choice.
        admit: Refuses clients by what they say they are, before anything else of a chat request is looked at; gets the
            beginnings of user agents that are let in as well.
        finish: The last word on a reply, given the request.
        stream_error: The frame of an error inside a stream.
        most_answers: Most choices of one answer (`n`); with 1, a larger number changes nothing.
        tasks: Whether it takes arrays of tasks as well (Runware's own protocol).
    """

    name: str
    host: str
    models: Mapping[str, ModelSpec]
    adopt: Callable[[JsonObject], JsonObject]
    unknown_model: Callable[[str], Refusal]
    no_key: Refusal
    wrong_key: Refusal
    error: Callable[[Refusal, HttpCall], tuple[JsonObject | None, str]]
    model_entry: Callable[[ModelSpec], JsonObject]
    open_paths: tuple[str, ...]
    body: Callable[[JsonObject, Completion], JsonObject]
    chunks: Callable[[list[JsonObject], Completion], Sequence[Frame]]
    headers: Callable[[HttpCall], dict[str, str]]
    cost_headers: Callable[[Completion], dict[str, str]]
    retry_after: bool
    empty_length: str | None = None
    checks: tuple[Check, ...] = CHECKS
    thinks: Callable[[JsonObject, ModelSpec], bool] = _typed
    reasoning_as: ReasoningAs = "reasoning_content"
    usage_in_choice: bool = True
    admit: Callable[[HttpCall, Collection[str]], None] = _anybody
    finish: Callable[[Reply, ChatRequest], Reply] = lambda reply, request: reply
    stream_error: Callable[[Mapping[str, Any]], JsonObject] = _bare
    most_answers: int = 1
    tasks: bool = False
