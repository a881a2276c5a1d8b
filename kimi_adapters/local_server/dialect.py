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
    """Return whether a request thinks, by its `thinking.type`."""
    option = body.get("thinking")
    return not (isinstance(option, dict) and option.get("type") == "disabled")


def _anybody(call: HttpCall, admitted: Collection[str]) -> None:
    pass


def _bare(error: Mapping[str, Any]) -> JsonObject:
    return {"error": dict(error)}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One host that the local server imitates.

    Attributes:
        name: The name that `LocalKimi` takes.
        host: The host that it imitates.
        models: The models by id.
        adopt: Checks a body by the host's own rules and returns what the operator of the model gets.
        unknown_model: Makes the refusal of an unknown model id.
        no_key: The refusal of a request without a key.
        wrong_key: The refusal of a wrong key.
        error: Makes the error body of a refusal (None sends none), and its media type.
        model_entry: Makes one element of the model list.
        open_paths: Paths that need no key.
        body: Puts the host's own facts into a whole body.
        chunks: The same for the chunks of a stream.
        headers: Makes the headers of every response.
        cost_headers: Makes the headers of a whole answer.
        retry_after: Whether an overload error has the header ``Retry-After``.
        empty_length: The error message when the token limit leaves no text; None sends the empty answer.
        checks: What the operator of the model refuses.
        thinks: Whether an adopted body lets a model think.
        reasoning_as: Where the reasoning of an answer is.
        usage_in_choice: Whether the finish chunk of a stream carries usage in its choice.
        admit: Refuses clients by their user agent, before anything else of a chat request is looked at. It also gets
            the beginnings of further user agents to let in.
        finish: Makes the last changes to a reply, given the request.
        stream_error: Makes the frame of an error inside a stream.
        most_answers: Most choices of one answer (`n`); with 1, a larger number changes nothing.
        tasks: Whether it takes arrays of tasks as well (Runware's own protocol).
        batch_models: The models that take part in batches; empty where there are none.
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
    batch_models: tuple[str, ...] = ()
