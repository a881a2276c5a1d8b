"""The host's batches in LlamaIndex: messages in, responses or objects out, in order.

A request is what `chat` would send. What came of it goes through `chat` as well, of a copy of the LLM whose client has
the answer already: so events, callbacks, reading and errors are those of any call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import ChatPromptTemplate
from pydantic import BaseModel

from kimi_core.errors import ConfigError, UnsupportedError, short_traceback
from kimi_core.types import JsonObject, Request, Response
from llama_index_kimi import _structured_output as structured
from llama_index_kimi._messages_in import to_request, user_message

if TYPE_CHECKING:
    from kimi_core.client.batch_progress import Watcher
    from llama_index_kimi.llm import KimiLLM
else:
    Watcher = Any  # annotations resolve without the import


class BatchApi:
    """The methods of `KimiLLM` that ask in batches."""

    def batch_api(
        self,
        inputs: Sequence[str | Sequence[ChatMessage]],
        *,
        output_cls: type[BaseModel] | None = None,
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
            inputs: Conversations, or prompts as texts.
            output_cls: The class of the answers, as in `structured_predict`; None for a `ChatResponse` each.
            completion_window: How long the host may take: `12h`, `3d`; by default what its spec has (`24h`).
            poll_interval: Most seconds between two looks at a batch; the first ones follow each other sooner.
            state: A small file, without messages and keys, by which the same call goes on after the program has died,
                and submits nothing twice. Once it has returned, the same call asks again for what expired, was
                cancelled or met an error that passes, and for nothing else. One program at a time may use it.
            progress: Whether a bar is shown on a terminal, or what is called with a `BatchProgress` after each look.
            batch_metadata: Up to 15 pairs of texts that the host keeps with a batch.
            return_exceptions: Return errors in their places instead of raising the first. An answer that is raised
                over is not lost: with a `state` the same call returns it.
            **kwargs: What `chat` takes: options, `tools`, `tool_choice`, `response_format`; with `output_cls` also
                `strict`. An answer that does not fit the class is an error: it is not asked for again (`repair`).

        Raises:
            UnsupportedError: If the host has no batches, or cannot be asked for this in one.
            ConfigError: If an option is wrong, or the file is of other inputs, another model or host.
            BudgetExceededError: If the budget has no room for all that the batches may cost.
            APIError: If the host refused or failed.
        """
        from kimi_core.client.replay import Replay  # with the first batch

        with short_traceback:
            model = cast("KimiLLM", self)
            asked = _Asked(model, model._client, output_cls, kwargs)
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
            for one in asked.each(Replay, came):
                try:
                    answers.append(asked.answer(one))
                except Exception as error:
                    if not return_exceptions:
                        raise
                    answers.append(error)
            return answers

    async def abatch_api(
        self,
        inputs: Sequence[str | Sequence[ChatMessage]],
        *,
        output_cls: type[BaseModel] | None = None,
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
            model = cast("KimiLLM", self)
            asked = _Asked(model, model._aclient, output_cls, kwargs)
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
            for one in asked.each(AsyncReplay, came):
                try:
                    answers.append(await asked.aanswer(one))
                except Exception as error:
                    if not return_exceptions:
                        raise
                    answers.append(error)
            return answers


class _Asked:
    """One call: what is asked for each input, and what makes an answer of what came.

    Attributes:
        made: The requests, or the errors of inputs of which none could be made.
    """

    def __init__(self, llm: KimiLLM, client: Any, output_cls: type[BaseModel] | None, kwargs: JsonObject) -> None:
        if output_cls is not None and structured.by_program(llm):
            raise ConfigError("batch_api asks for objects by itself: leave pydantic_program_mode at its default.")
        if kwargs.get("repair"):
            raise UnsupportedError("repair=True asks a second time, which a batch does not. Leave it out.")
        self._llm, self._client = llm, client
        self._output_cls, self._kwargs = output_cls, kwargs
        self._said: list[Any] = []
        self.made: list[Request | Exception] = []

    def requests(self, inputs: Sequence[str | Sequence[ChatMessage]], *, raises: bool) -> Any:
        """Make the requests; return the client that they go to."""
        from kimi_core.client.batches import inputs_of  # with the first batch

        connection: JsonObject = {}
        for given in inputs_of(inputs):
            try:
                said, kwargs = self._question(user_message(given) if isinstance(given, str) else [*given])
                request, connection, _ = to_request(self._llm, said, kwargs)
                self.made.append(request)
            except Exception as error:
                if raises:
                    raise
                self._said[len(self.made) :] = [()]
                self.made.append(error)
        self._client = self._client.derived(**connection)
        return self._client

    def _question(self, messages: Sequence[ChatMessage]) -> tuple[Sequence[ChatMessage], JsonObject]:
        if self._output_cls is None:
            self._said.append(messages)
            return messages, self._kwargs
        prompt = ChatPromptTemplate(message_templates=list(messages))
        asked = structured.question(
            self._llm, self._output_cls, prompt, {**self._kwargs, "repair": False}, messages=messages
        )
        self._said.append(asked)
        return asked.messages, asked.kwargs

    def each(self, kind: Any, came: Sequence[Response | Exception]) -> Iterator[Any]:
        """Yield what was asked for each input, when the answer to it is ready."""
        replay = kind(self._client)
        self._llm = self._llm.model_copy()
        self._llm._client = self._llm._aclient = replay
        self._llm.__dict__["rate_limiter"] = None  # nobody is asked
        for said, outcome in zip(self._said, came, strict=True):
            replay.outcome = outcome
            yield said

    def answer(self, said: Any) -> Any:
        """Return the answer to what was asked."""
        if isinstance(said, structured.Question):
            return structured.answer(self._llm, said)[0]
        return self._llm.chat(said, **self._kwargs)

    async def aanswer(self, said: Any) -> Any:
        """See `answer`."""
        if isinstance(said, structured.Question):
            return (await structured.aanswer(self._llm, said))[0]
        return await self._llm.achat(said, **self._kwargs)
