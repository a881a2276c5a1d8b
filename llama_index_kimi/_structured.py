"""Structured answers: telling the host the schema, and reading what comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import Model, PydanticProgramMode
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from kimi_core.structured import failure, parse_json, parse_partial
from kimi_core.types import OutputFormat
from llama_index_kimi._convert import output_of
from llama_index_kimi._traced import traced

if TYPE_CHECKING:
    from llama_index.core.program.utils import FlexibleModel

dispatcher = get_dispatcher(__name__)

GROWTH = 256
"""A growing object is read again whenever its text has grown by one part in so many: reading costs what it is long."""

# Words of LlamaIndex's tool-calling programs: there the object is a forced tool call, here the host knows its schema.
_PROGRAM_WORDS = frozenset({"tool_choice", "tool_required", "allow_parallel_tool_calls"})


class StructuredAnswers(FunctionCallingLLM):
    """The part of `KimiLLM` that is about structured output.

    LlamaIndex's own way is a forced tool call, which Kimi refuses while it thinks. Here the host is told the schema
    in the way it can do best. Another `pydantic_program_mode` than the default still leads to LlamaIndex's programs.
    """

    @traced
    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Ask for an object.

        Args:
            output_cls: Its class.
            prompt: The question.
            llm_kwargs: Options for the call.
            **prompt_args: Values for the prompt's variables.

        Raises:
            StructuredOutputError: The answer does not fit the class; `.text` has it.
            TruncatedError: It was cut by the token limit.
        """
        if self._by_program:
            made: Model = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return made
        dispatcher.event(_started(output_cls, prompt, prompt_args))
        response = self.chat(self._question(prompt, prompt_args), **_words(output_cls, llm_kwargs))
        output = _read(response, output_cls)
        dispatcher.event(LLMStructuredPredictEndEvent(output=output))
        return output

    @traced
    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """See `structured_predict`."""
        if self._by_program:
            made: Model = await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return made
        dispatcher.event(_started(output_cls, prompt, prompt_args))
        response = await self.achat(self._question(prompt, prompt_args), **_words(output_cls, llm_kwargs))
        output = _read(response, output_cls)
        dispatcher.event(LLMStructuredPredictEndEvent(output=output))
        return output

    def _structured_stream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any, None, None]:
        """The growing object; the last one is complete and of the class."""
        if self._by_program:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        responses = self.stream_chat(self._question(prompt, prompt_args), **_words(output_cls, llm_kwargs))
        return _objects(responses, output_cls)

    async def _structured_astream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any, None]:
        """See `_structured_stream_call`."""
        if self._by_program:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        question = self._question(prompt, prompt_args)
        responses = await self.astream_chat(question, **_words(output_cls, llm_kwargs))
        return _aobjects(responses, output_cls)

    # LlamaIndex's own, which ask `_structured_stream_call` and `_structured_astream_call`.
    stream_structured_predict: ClassVar[Any] = traced(FunctionCallingLLM.stream_structured_predict)
    astream_structured_predict: ClassVar[Any] = traced(FunctionCallingLLM.astream_structured_predict)

    @property
    def _by_program(self) -> bool:
        return self.pydantic_program_mode != PydanticProgramMode.DEFAULT

    def _question(self, prompt: PromptTemplate, prompt_args: Mapping[str, Any]) -> list[ChatMessage]:
        return self._extend_messages(prompt.format_messages(llm=self, **prompt_args))


def _started(output_cls: type[BaseModel], prompt: PromptTemplate, prompt_args: dict[str, Any]) -> Any:
    return LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)


def _words(output_cls: type[BaseModel], llm_kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Keyword arguments for a call that is to answer with an object of that class."""
    given = {word: value for word, value in (llm_kwargs or {}).items() if word not in _PROGRAM_WORDS}
    return {**given, "response_format": _output(output_cls)}


# ---------------------------------------------------------------------------------------------------- reading


def _read(response: ChatResponse, output_cls: type[Model]) -> Model:
    """The object that a response is."""
    text, reason = _written(response, output_cls), response.additional_kwargs.get("finish_reason")
    value = parse_json(text, reason)
    try:
        # As JSON, since a class may be stricter about Python values than about what JSON can say.
        return output_cls.model_validate_json(to_json(value))
    except ValidationError as error:
        raise failure(text, reason, str(error)) from error


def _written(response: ChatResponse, output_cls: type[BaseModel]) -> str:
    """The answer, or the arguments of the tool that stands for it on hosts without response formats."""
    for call in response.message.additional_kwargs.get("tool_calls") or ():
        if call["function"]["name"] == output_cls.__name__:
            return str(call["function"]["arguments"])
    return response.message.content or ""


def _objects(responses: Any, output_cls: type[Model]) -> Generator[Any, None, None]:
    reader = _PartialReader(output_cls)
    for response in responses:
        if (partial := reader.read(response)) is not None:
            yield partial
    yield _read(response, output_cls)


async def _aobjects(responses: Any, output_cls: type[Model]) -> AsyncGenerator[Any, None]:
    reader = _PartialReader(output_cls)
    async for response in responses:
        if (partial := reader.read(response)) is not None:
            yield partial
    yield _read(response, output_cls)


class _PartialReader:
    """Reads the growing object of a stream.

    What fits the class already is of that class; until then it is of one with the same fields, all of them optional.
    """

    def __init__(self, output_cls: type[BaseModel]) -> None:
        self._output_cls = output_cls
        self._flexible = _flexible(output_cls)
        self._length = 0
        self._value: Any = None

    def read(self, response: ChatResponse) -> BaseModel | None:
        """The object so far; None when not enough was added to it."""
        text = _written(response, self._output_cls)
        if len(text) - self._length <= self._length // GROWTH:
            return None
        self._length = len(text)
        value = parse_partial(text)
        if not isinstance(value, dict) or value == self._value:
            return None
        self._value = value
        try:
            return self._output_cls.model_validate_json(to_json(value))
        except ValidationError:
            return self._flexible.model_validate(value)


@lru_cache(maxsize=256)
def _output(output_cls: type[BaseModel]) -> OutputFormat:
    return output_of(output_cls)


@lru_cache(maxsize=256)
def _flexible(output_cls: type[BaseModel]) -> type[FlexibleModel]:
    from llama_index.core.program.utils import create_flexible_model

    return create_flexible_model(output_cls)
