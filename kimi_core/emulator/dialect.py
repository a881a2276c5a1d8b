"""What one host does differently from another: a row of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kimi_core.emulator.completion import Completion
from kimi_core.emulator.exchange import HttpCall
from kimi_core.emulator.models import ModelRow
from kimi_core.emulator.refusal import Refusal

JsonObject = dict[str, Any]


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
    """

    name: str
    host: str
    models: Mapping[str, ModelRow]
    adopt: Callable[[JsonObject], JsonObject]
    unknown_model: Callable[[str], Refusal]
    no_key: Refusal
    wrong_key: Refusal
    error: Callable[[Refusal, HttpCall], tuple[JsonObject | None, str]]
    model_row: Callable[[ModelRow], JsonObject]
    open_paths: tuple[str, ...]
    body: Callable[[JsonObject, Completion], JsonObject]
    chunks: Callable[[list[JsonObject], Completion], list[JsonObject]]
    headers: Callable[[HttpCall], dict[str, str]]
    cost_headers: Callable[[Completion], dict[str, str]]
    retry_after: bool
    empty_length: str | None = None
