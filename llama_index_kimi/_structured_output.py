"""Structured output: asking for objects through chat, and reading them out of responses, whole or while they stream.

LlamaIndex's own way is a forced tool call, which Kimi refuses while it thinks. Here the host gets the schema in the way
it can do best; and since the call is a chat, callbacks, usage, retries and thinking settings apply.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.llm import LLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.types import Model, PydanticProgramMode
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.span import active_span_id
from pydantic import AliasChoices, BaseModel, Field, RootModel, create_model
from pydantic_core import to_json

from kimi_core import openai_shapes, server_tool_record, structured_output
from kimi_core.errors import ConfigError, OutputError, StructuredOutputError
from kimi_core.quoting import quoted
from kimi_core.schema import wrapped
from kimi_core.schema.empty_lists import may_leave_out, with_empty_lists
from kimi_core.server_tool_record import TURNS
from kimi_core.types import OutputFormat
from llama_index_kimi._messages_out import bill_facts, read_bill

if TYPE_CHECKING:
    from llama_index.core.program.utils import FlexibleModel

    from llama_index_kimi.llm import KimiLLM

dispatcher = get_dispatcher(__name__)

# ----------------------------------------------------------------------------------------------------- formats


def to_output(response_format: Any) -> OutputFormat | None:
    """Return the format of an answer, from a pydantic class or from OpenAI's `response_format`.

    Raises:
        MessageError: If it is neither.
    """
    if response_format is None or isinstance(response_format, OutputFormat):
        return response_format
    if isinstance(response_format, type) and issubclass(response_format, BaseModel):
        return output_of(response_format)
    return openai_shapes.to_output(response_format)


def output_of(output_cls: type[BaseModel]) -> OutputFormat:
    """Return the format that a class asks for, in the way this host and model can do best."""
    schema = output_cls.model_json_schema()
    return OutputFormat("auto", schema, output_cls.__name__, schema.get("description") or "")


_cached_output_of = lru_cache(maxsize=256)(output_of)


def by_program(llm: LLM) -> bool:
    """Return whether one of LlamaIndex's own programs was chosen instead."""
    return llm.pydantic_program_mode != PydanticProgramMode.DEFAULT


# --------------------------------------------------------------------------------------------------- questions

# Options of LlamaIndex's tool-calling programs: there the object is a forced tool call, here the host has its schema.
_PROGRAM_OPTIONS = frozenset({"tool_choice", "tool_required", "allow_parallel_tool_calls"})


class Question(NamedTuple):
    """One call that is to answer with an object.

    Attributes:
        output_cls: The object's class.
        messages: The conversation.
        kwargs: Keyword arguments of the chat.
        repair: Ask once more when the answer does not fit.
        prompt: What the messages were made of, for events.
        prompt_args: The values of its variables.
    """

    output_cls: type[BaseModel]
    messages: list[ChatMessage]
    kwargs: dict[str, Any]
    repair: bool
    prompt: BasePromptTemplate
    prompt_args: dict[str, Any]


def question(
    llm: KimiLLM,
    output_cls: type[BaseModel],
    prompt: BasePromptTemplate,
    llm_kwargs: Mapping[str, Any] | None,
    prompt_args: dict[str, Any] | None = None,
    messages: Sequence[ChatMessage] | None = None,
) -> Question:
    """Return what is asked: the prompt, or messages as they were written.

    Raises:
        ConfigError: If the class is none of pydantic's, or an option has a wrong value.
    """
    if not (isinstance(output_cls, type) and issubclass(output_cls, BaseModel)):
        raise ConfigError(
            f"output_cls must be a pydantic class (version 2), got {quoted(output_cls)}. Put any other type into one: "
            "class People(RootModel[list[Person]])."
        )
    kwargs = {name: value for name, value in (llm_kwargs or {}).items() if name not in _PROGRAM_OPTIONS}
    strict = structured_output.switch("strict", kwargs.pop("strict", None))
    repair = structured_output.switch("repair", kwargs.pop("repair", None))
    values = prompt_args or {}
    written = prompt.format_messages(llm=llm, **values) if messages is None else [*messages]
    output = replace(_cached_output_of(output_cls), strict=strict)
    return Question(
        output_cls=output_cls,
        messages=llm._extend_messages(written),
        kwargs={**kwargs, "response_format": output},
        repair=llm.repair if repair is None else repair,
        prompt=prompt,
        prompt_args=values,
    )


def answer(llm: KimiLLM, asked: Question) -> tuple[Any, ChatResponse]:
    """Ask, and return the object with the response that it was read from."""
    _emit_start(asked)
    response = llm.chat(asked.messages, **asked.kwargs)
    if again := _correction(asked, response):
        response = _with_both_prices(response, llm.chat(again, **asked.kwargs))
    return _emit_end(read(response, asked.output_cls)), response


async def aanswer(llm: KimiLLM, asked: Question) -> tuple[Any, ChatResponse]:
    """See `answer`."""
    _emit_start(asked)
    response = await llm.achat(asked.messages, **asked.kwargs)
    if again := _correction(asked, response):
        response = _with_both_prices(response, await llm.achat(again, **asked.kwargs))
    return _emit_end(read(response, asked.output_cls)), response


# The request is sent before the first object is asked for: within the span of the call, which is over by then.


def stream(llm: KimiLLM, asked: Question) -> Generator[tuple[Any, ChatResponse]]:
    """Ask, and return the object as it grows, each time with the response so far. The last one is of the class."""
    _emit_start(asked)
    return _objects(asked, llm.stream_chat(asked.messages, **asked.kwargs), active_span_id.get())


async def astream(llm: KimiLLM, asked: Question) -> AsyncGenerator[tuple[Any, ChatResponse]]:
    """See `stream`."""
    _emit_start(asked)
    return _aobjects(asked, await llm.astream_chat(asked.messages, **asked.kwargs), active_span_id.get())


def _objects(asked: Question, chat: ChatResponseGen, span: str | None) -> Generator[tuple[Any, ChatResponse]]:
    reader = PartialReader(asked.output_cls)
    with closing(chat) as responses:
        for response in responses:
            if (partial := reader.read(response)) is not None:
                yield _emit_progress(partial), response
    output = read(response, asked.output_cls)
    yield _emit_progress(output), response
    _emit_end(output, span)


async def _aobjects(
    asked: Question, chat: ChatResponseAsyncGen, span: str | None
) -> AsyncGenerator[tuple[Any, ChatResponse]]:
    reader = PartialReader(asked.output_cls)
    async with aclosing(chat) as responses:
        async for response in responses:
            if (partial := reader.read(response)) is not None:
                yield _emit_progress(partial), response
    output = read(response, asked.output_cls)
    yield _emit_progress(output), response
    _emit_end(output, span)


def outputs(pairs: Generator[tuple[Any, ChatResponse]]) -> Generator[Any]:
    """Yield the objects of a stream alone."""
    with closing(pairs):
        for output, _ in pairs:
            yield output


async def aoutputs(pairs: AsyncGenerator[tuple[Any, ChatResponse]]) -> AsyncGenerator[Any]:
    """See `outputs`."""
    async with aclosing(pairs):
        async for output, _ in pairs:
            yield output


# ------------------------------------------------------------------------------------------------------ events


def _emit_start(asked: Question) -> None:
    dispatcher.event(
        LLMStructuredPredictStartEvent(
            output_cls=asked.output_cls, template=asked.prompt, template_args=asked.prompt_args
        )
    )


def _emit_progress(output: BaseModel) -> BaseModel:
    dispatcher.event(LLMStructuredPredictInProgressEvent(output=output))
    return output


def _emit_end(output: BaseModel, span: str | None = None) -> BaseModel:
    """Emit the event of the end: within a span, or of one that is over."""
    dispatcher.event(LLMStructuredPredictEndEvent(output=output, span_id=span or active_span_id.get()))
    return output


# ----------------------------------------------------------------------------------------------------- reading


def read(response: ChatResponse, output_cls: type[Model]) -> Model:
    """Return the object that a response is.

    Raises:
        StructuredOutputError: If the answer does not fit the class.
        TruncatedError: If the token limit cut it.
        RefusedError: If the host's filter withheld it, or the model refused.
    """
    if refusal := openai_shapes.refusal_of(response.message.additional_kwargs):
        raw, reason = response.raw or {}, response.additional_kwargs.get("finish_reason")
        raise structured_output.refused(refusal, raw.get("model"), raw.get("host"), reason)
    # As JSON, since a class may be stricter about Python values than about those that JSON can hold.
    return structured_output.read(
        _json_text(response, output_cls, empty="{}"),
        lambda value: output_cls.model_validate_json(to_json(_unwrapped(value, output_cls))),
        response.additional_kwargs.get("finish_reason"),
    )


def _json_text(response: ChatResponse, output_cls: type[BaseModel], *, empty: str = "") -> str:
    """Return the text of the last turn, or the arguments of the first call of the tool that gives the answer."""
    message = response.message
    for call in message.additional_kwargs.get("tool_calls") or ():
        if call["function"]["name"] == output_cls.__name__:
            return str(call["function"]["arguments"]) or empty
    text, record = message.content or "", message.additional_kwargs.get(TURNS)
    return server_tool_record.read(record, text, "").text if record else text


def _unwrapped(value: Any, output_cls: type[BaseModel]) -> Any:
    """Return the value of a class with all its lists; where that is no object, a tool gives it inside of one."""
    value = structured_output.unwrapped(value) if _is_wrapped(output_cls) else value
    schema = _schema_with_own_lists(output_cls)
    return value if schema is None else with_empty_lists(value, schema)


@lru_cache(maxsize=256)
def _schema_with_own_lists(output_cls: type[BaseModel]) -> dict[str, Any] | None:
    schema = output_cls.model_json_schema()
    return schema if may_leave_out(schema) else None


@lru_cache(maxsize=256)
def _is_wrapped(output_cls: type[BaseModel]) -> bool:
    return issubclass(output_cls, RootModel) and wrapped(output_cls.model_json_schema()) is not None


def as_json(output: BaseModel, response: ChatResponse) -> str:
    """Return the object as JSON that its class reads: agents and query engines make it anew from that.

    That is how LlamaIndex itself writes it, unless the class does not take that back (aliases, computed fields of a
    class that forbids others). Then it is the answer as the model gave it, which the class has just read.
    """
    text = output.model_dump_json()
    try:
        type(output).model_validate_json(text)
    except ValueError:
        written = _json_text(response, type(output), empty="{}")
        value = structured_output.parse_partial(written) or structured_output.parse_json(written)
        return to_json(_unwrapped(value, type(output))).decode()
    return text


class PartialReader:
    """Reads the growing object of a stream.

    What fits the class already is of that class; until then it is of one with the same fields, all of them optional.
    """

    def __init__(self, output_cls: type[BaseModel]) -> None:
        self._output_cls = output_cls
        self._growth = structured_output.Growth()

    def read(self, response: ChatResponse) -> BaseModel | None:
        """Return the object so far; None when not enough was added to it."""
        text = _json_text(response, self._output_cls)
        if not self._growth.is_due(len(text)):
            return None
        value = _unwrapped(self._growth.read(text), self._output_cls)
        return None if value is None or (value == {} and _is_wrapped(self._output_cls)) else self._object(value)

    def _object(self, value: Any) -> BaseModel | None:
        try:
            return self._output_cls.model_validate_json(to_json(value))
        except Exception:  # validators of the user's own expect whole values
            if not isinstance(value, Mapping):
                return None
            fields = {"root": value} if issubclass(self._output_cls, RootModel) else value
            return _flexible(self._output_cls).model_validate(fields)


@lru_cache(maxsize=256)
def _flexible(output_cls: type[BaseModel]) -> type[FlexibleModel]:
    """Return a class with the same fields, all optional and of any type."""
    from llama_index.core.program.utils import FlexibleModel

    fields: dict[str, Any] = {
        name: (Any, Field(default=None, validation_alias=AliasChoices(name, *_aliases(field))))
        for name, field in output_cls.model_fields.items()
    }
    return create_model(f"Flexible{output_cls.__name__}", __base__=FlexibleModel, **fields)


def _aliases(field: Any) -> list[Any]:
    """Return the other names of a field in JSON."""
    alias = field.validation_alias or field.alias
    return list(alias.choices) if isinstance(alias, AliasChoices) else [alias] if alias else []


# ------------------------------------------------------------------------------------------------ asking again


def _correction(asked: Question, response: ChatResponse) -> list[ChatMessage] | None:
    """Return the conversation with the answer and what is wrong with it; None when asking again could mend nothing."""
    if not asked.repair:
        return None
    try:
        read(response, asked.output_cls)
    except StructuredOutputError as error:
        complaint = structured_output.complaint(error)
        return [*asked.messages, *_corrected_turn(response.message, complaint, error.text)]
    except OutputError:
        return None
    return None


def _corrected_turn(wrong: ChatMessage, complaint: str, text: str) -> list[ChatMessage]:
    calls = [block for block in wrong.blocks if isinstance(block, ToolCallBlock)]
    if calls and all(isinstance(call.tool_kwargs, dict) for call in calls):
        ids = ({"tool_call_id": call.tool_call_id} for call in calls)
        return [wrong, *(ChatMessage(role=MessageRole.TOOL, content=complaint, additional_kwargs=id_) for id_ in ids)]
    # Arguments that are no JSON are sent as text: servers that put them into a template parse them before.
    turn = ChatMessage(role=MessageRole.ASSISTANT, content=text) if calls else wrong
    return [*([turn] if text else []), ChatMessage(role=MessageRole.USER, content=complaint)]


def _with_both_prices(first: ChatResponse, second: ChatResponse) -> ChatResponse:
    """Return the second response with the price of both. Its `raw` stays the host's."""
    bill = read_bill(first.additional_kwargs) + read_bill(second.additional_kwargs)
    return second.model_copy(update={"additional_kwargs": {**second.additional_kwargs, **bill_facts(bill)}})
