"""Asking for an object: through chat, so that callbacks, usage, retries and thinking settings apply."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ChatResponseAsyncGen, ChatResponseGen
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.prompts import BasePromptTemplate
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.span import active_span_id
from pydantic import BaseModel

from kimi_core.errors import ConfigError
from kimi_core.quoting import quoted
from kimi_core.structured_output import switch
from kimi_core.types import OutputFormat
from llama_index_kimi._offers import output_of
from llama_index_kimi._structured_answers import PartialReader, correction, read, summed

if TYPE_CHECKING:
    from llama_index_kimi._structured_output import StructuredAnswers

dispatcher = get_dispatcher(__name__)

# Words of LlamaIndex's tool-calling programs: there the object is a forced tool call, here the host knows its schema.
_PROGRAM_WORDS = frozenset({"tool_choice", "tool_required", "allow_parallel_tool_calls"})


class Question(NamedTuple):
    """One call that is to answer with an object.

    Attributes:
        output_cls: The object's class.
        messages: What is said.
        words: Keyword arguments of the chat.
        repair: Ask once more when the answer does not fit.
        prompt: What the messages were made of, for events.
        prompt_args: The values of its variables.
    """

    output_cls: type[BaseModel]
    messages: list[ChatMessage]
    words: dict[str, Any]
    repair: bool
    prompt: BasePromptTemplate
    prompt_args: dict[str, Any]


def question(
    llm: StructuredAnswers,
    output_cls: type[BaseModel],
    prompt: BasePromptTemplate,
    llm_kwargs: Mapping[str, Any] | None,
    prompt_args: dict[str, Any] | None = None,
    messages: Sequence[ChatMessage] | None = None,
) -> Question:
    """What is asked: the prompt, or messages as they were written.

    Raises:
        ConfigError: The class is none of pydantic's, or a word has a wrong value.
    """
    given = {word: value for word, value in (llm_kwargs or {}).items() if word not in _PROGRAM_WORDS}
    strict = switch("strict", given.pop("strict", None))
    repair = switch("repair", given.pop("repair", None))
    values = prompt_args or {}
    said = prompt.format_messages(llm=llm, **values) if messages is None else [*messages]
    return Question(
        output_cls=output_cls,
        messages=llm._extend_messages(said),
        words={**given, "response_format": replace(_format(output_cls), strict=strict is not False)},
        repair=llm.repair if repair is None else repair,
        prompt=prompt,
        prompt_args=values,
    )


def _format(output_cls: Any) -> OutputFormat:
    if not (isinstance(output_cls, type) and issubclass(output_cls, BaseModel)):
        raise ConfigError(
            f"output_cls must be a pydantic class (version 2), got {quoted(output_cls)}. Put any other type into one: "
            "class People(RootModel[list[Person]])."
        )
    return _output(output_cls)


_output = lru_cache(maxsize=256)(output_of)


# ------------------------------------------------------------------------------------------------------ asking


def answered(llm: StructuredAnswers, asked: Question) -> tuple[Any, ChatResponse]:
    """The object, and the response that it is."""
    dispatcher.event(_started(asked))
    response = llm.chat(asked.messages, **asked.words)
    if again := _again(asked, response):
        response = summed(response, llm.chat(again, **asked.words))
    return _ended(read(response, asked.output_cls)), response


async def aanswered(llm: StructuredAnswers, asked: Question) -> tuple[Any, ChatResponse]:
    """See `answered`."""
    dispatcher.event(_started(asked))
    response = await llm.achat(asked.messages, **asked.words)
    if again := _again(asked, response):
        response = summed(response, await llm.achat(again, **asked.words))
    return _ended(read(response, asked.output_cls)), response


# The request is sent before the first object is asked for: within the span of the call, which is over by then.


def growing(llm: StructuredAnswers, asked: Question) -> Generator[tuple[Any, ChatResponse]]:
    """The object as it grows, each time with the response so far. The last one is complete and of the class."""
    dispatcher.event(_started(asked))
    return _growing(asked, llm.stream_chat(asked.messages, **asked.words), active_span_id.get())


def _growing(asked: Question, stream: ChatResponseGen, span: str | None) -> Generator[tuple[Any, ChatResponse]]:
    reader = PartialReader(asked.output_cls)
    with closing(stream) as responses:
        for response in responses:
            if (partial := reader.read(response)) is not None:
                yield _told(partial), response
    output = read(response, asked.output_cls)
    yield _told(output), response
    _ended(output, span)


async def agrowing(llm: StructuredAnswers, asked: Question) -> AsyncGenerator[tuple[Any, ChatResponse]]:
    """See `growing`."""
    dispatcher.event(_started(asked))
    return _agrowing(asked, await llm.astream_chat(asked.messages, **asked.words), active_span_id.get())


async def _agrowing(
    asked: Question, stream: ChatResponseAsyncGen, span: str | None
) -> AsyncGenerator[tuple[Any, ChatResponse]]:
    reader = PartialReader(asked.output_cls)
    async with aclosing(stream) as responses:
        async for response in responses:
            if (partial := reader.read(response)) is not None:
                yield _told(partial), response
    output = read(response, asked.output_cls)
    yield _told(output), response
    _ended(output, span)


def _again(asked: Question, response: ChatResponse) -> list[ChatMessage] | None:
    return correction(asked.messages, response, asked.output_cls) if asked.repair else None


# ------------------------------------------------------------------------------------------------------ events


def _started(asked: Question) -> Any:
    return LLMStructuredPredictStartEvent(
        output_cls=asked.output_cls, template=asked.prompt, template_args=asked.prompt_args
    )


def _told(output: BaseModel) -> BaseModel:
    dispatcher.event(LLMStructuredPredictInProgressEvent(output=output))
    return output


def _ended(output: BaseModel, span: str | None = None) -> BaseModel:
    """Tell of the end: within a span, or of one that is over."""
    dispatcher.event(LLMStructuredPredictEndEvent(output=output, span_id=span or active_span_id.get()))
    return output
