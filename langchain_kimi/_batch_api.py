"""The host's batches in LangChain: messages in, messages or objects out, in order.

A request is what `invoke` would send. What came of it goes through `invoke` as well, of a copy of the model whose
client has the answer already: so callbacks, traces, parsers and errors are those of any call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import get_config_list

from kimi_core.errors import short_traceback
from kimi_core.types import JsonObject, Request, Response
from langchain_kimi import _calls

if TYPE_CHECKING:
    from kimi_core.client.batch_progress import Watcher
    from langchain_kimi.chat_models import ChatKimi
else:
    Watcher = Any  # annotations resolve without the import

_TRACED = "ls_structured_output_format"
"""What LangChain takes out of a call for its traces."""


class BatchApi:
    """The methods of `ChatKimi` that ask in batches."""

    def batch_api(
        self,
        inputs: Sequence[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        schema: Any = None,
        method: str = "auto",
        include_raw: bool = False,
        strict: bool | None = None,
        completion_window: str | None = None,
        poll_interval: float = 60.0,
        state: str | PathLike[str] | None = None,
        progress: bool | Watcher = True,
        batch_metadata: Mapping[str, str] | None = None,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Ask through the host's batches, which take hours and cost less, and return the answers in order.

        Args:
            inputs: What `batch` takes.
            config: As in `batch`: for all inputs, or one for each.
            schema: What the answers are to be, as in `with_structured_output`; None for messages.
            method: See `with_structured_output`.
            include_raw: See there.
            strict: See there.
            completion_window: How long the host may take: `12h`, `3d`; by default what its spec has (`24h`).
            poll_interval: Most seconds between two looks at a batch; the first ones follow each other sooner.
            state: A small file, without messages and keys, by which the same call goes on after the program has died,
                and submits nothing twice. Once it has returned, the same call asks again for what expired, was
                cancelled or met an error that passes, and for nothing else. One program at a time may use it.
            progress: Whether a bar is shown on a terminal, or what is called with a `BatchProgress` after each look.
            batch_metadata: Up to 15 pairs of texts that the host keeps with a batch.
            return_exceptions: Return errors in their places instead of raising the first. An answer that is raised
                over is not lost: with a `state` the same call returns it.
            **kwargs: Options for the calls, `tools`, `tool_choice` and `stop` among them.

        Raises:
            UnsupportedError: If the host has no batches, or cannot be asked for this in one.
            ConfigError: If an option is wrong, or the file is of other inputs, another model or host.
            BudgetExceededError: If the budget has no room for all that the batches may cost.
            APIError: If the host refused or failed.
        """
        from kimi_core.client.replay import Replay  # with the first batch

        with short_traceback:
            model = cast("ChatKimi", self)
            asked = _Asked(model, model._client, schema, method, include_raw, strict, kwargs)
            came = asked.requests(inputs, raises=not return_exceptions).batches.run(
                asked.made,
                completion_window=completion_window,
                poll_interval=poll_interval,
                state=state,
                progress=progress,
                metadata=batch_metadata,
                only_whole=not return_exceptions,
            )
            answers: list[Any] = []
            for given, chosen in asked.each(Replay, config, came):
                try:
                    answers.append(asked.answering.invoke(given, chosen))
                except Exception as error:
                    if not return_exceptions:
                        raise
                    answers.append(error)
            return answers

    async def abatch_api(
        self,
        inputs: Sequence[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        schema: Any = None,
        method: str = "auto",
        include_raw: bool = False,
        strict: bool | None = None,
        completion_window: str | None = None,
        poll_interval: float = 60.0,
        state: str | PathLike[str] | None = None,
        progress: bool | Watcher = True,
        batch_metadata: Mapping[str, str] | None = None,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """See `batch_api`."""
        from kimi_core.client.replay import AsyncReplay  # with the first batch

        with short_traceback:
            model = cast("ChatKimi", self)
            asked = _Asked(model, model._aclient, schema, method, include_raw, strict, kwargs)
            came = await asked.requests(inputs, raises=not return_exceptions).batches.run(
                asked.made,
                completion_window=completion_window,
                poll_interval=poll_interval,
                state=state,
                progress=progress,
                metadata=batch_metadata,
                only_whole=not return_exceptions,
            )
            answers: list[Any] = []
            for given, chosen in asked.each(AsyncReplay, config, came):
                try:
                    answers.append(await asked.answering.ainvoke(given, chosen))
                except Exception as error:
                    if not return_exceptions:
                        raise
                    answers.append(error)
            return answers


class _Asked:
    """One call: what is asked for each input, and what makes an answer of what came.

    Attributes:
        made: The requests, or the errors of inputs of which none could be made.
        answering: What answers by what came, once `each` has been begun.
    """

    def __init__(
        self,
        model: ChatKimi,
        client: Any,
        schema: Any,
        method: str,
        include_raw: bool,
        strict: bool | None,
        kwargs: JsonObject,
    ) -> None:
        self._model, self._client = model, client
        self._shape = None if schema is None and method == "auto" else (schema, method, strict)
        self._include_raw, self._kwargs = include_raw, kwargs
        self.made: list[Request | Exception] = []
        self.answering: Runnable[Any, Any] = model
        self._inputs: list[LanguageModelInput] = []

    def requests(self, inputs: Sequence[LanguageModelInput], *, raises: bool) -> Any:
        """Make the requests; return the client that they go to."""
        from kimi_core.client.batches import inputs_of  # with the first batch

        kwargs = self._bound_kwargs()
        asked, self._inputs = self._client, inputs_of(inputs)
        for given in self._inputs:
            try:
                messages = self._model._convert_input(given).to_messages()
                asked, request, _ = _calls.prepare(self._model, self._client, messages, None, kwargs)
                self.made.append(request)
            except Exception as error:
                if raises:
                    raise
                self.made.append(error)
        self._client = asked
        return asked

    def _bound_kwargs(self) -> JsonObject:
        if self._shape is None:
            return self._kwargs
        bound: Any = self._with_schema(self._model, include_raw=False)
        return {name: value for name, value in bound.first.kwargs.items() if name != _TRACED}

    def _with_schema(self, model: ChatKimi, *, include_raw: bool) -> Runnable[Any, Any]:
        schema, method, strict = self._shape or (None, "auto", None)
        return model.with_structured_output(
            schema, method=cast("Any", method), include_raw=include_raw, strict=strict, **self._kwargs
        )

    def each(
        self, kind: Any, config: Any, came: Sequence[Response | Exception]
    ) -> Iterator[tuple[LanguageModelInput, RunnableConfig]]:
        """Yield each input with its configuration, when the answer to it is ready."""
        replay = kind(self._client)
        copied = self._model.__copy__()
        copied._client = copied._aclient = replay
        # They were waited for, looked up or shown when these were asked: answers that came are neither.
        copied.__dict__.update(rate_limiter=None, cache=False, disable_streaming=True)
        if self._shape is None:
            self.answering = copied.bind(**self._kwargs) if self._kwargs else copied
        else:
            self.answering = self._with_schema(copied, include_raw=self._include_raw)
        chosen = get_config_list(config, len(self._inputs))
        for given, one, outcome in zip(self._inputs, chosen, came, strict=True):
            replay.outcome = outcome
            yield given, one
