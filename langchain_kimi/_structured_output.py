"""Structured output: a model that is given a schema, and what reads instances out of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, cast

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers.transform import BaseTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableConfig, RunnableMap
from langchain_core.runnables.utils import AddableDict
from pydantic import ConfigDict

from kimi_core import structured_output
from kimi_core.errors import ConfigError, OutputError, StructuredOutputError
from kimi_core.openai_shapes import refusal_of
from kimi_core.quoting import did_you_mean, quoted
from kimi_core.schema import SchemaError, tool_parameters
from kimi_core.types import JsonObject
from langchain_kimi._errors import as_parser_error
from langchain_kimi._messages_out import read_bill, to_usage
from langchain_kimi._output_schema import OutputSchema, output_schema_of, traced_schema
from langchain_kimi._server_tools import is_served, last_text

METHODS = {
    "auto": "auto",
    "json_schema": "json_schema",
    "function_calling": "function_calling",
    "json_mode": "json_object",
}
"""LangChain's names of the ways to a structured answer, and the core's."""


def with_schema(
    model: BaseChatModel,
    schema: Any,
    method: str,
    *,
    include_raw: bool,
    strict: bool | None,
    repair: bool | None,
    kwargs: JsonObject,
) -> Runnable[LanguageModelInput, Any]:
    """See `ChatKimi.with_structured_output`."""
    shape = output_schema_of(schema)
    _check(method, shape)
    asked = {
        "name": shape.name,
        "description": shape.description,
        "schema": shape.schema,
        "method": METHODS[method],
        "strict": structured_output.switch("strict", strict),
    }
    traced = {"kwargs": {"method": method, "strict": strict}, "schema": traced_schema(schema, shape)}
    bound = cast(
        "Runnable[LanguageModelInput, AIMessage]",
        model.bind(structured_output=asked, ls_structured_output_format=traced, **kwargs),
    )
    parser = AnswerParser(shape=shape)
    answering = Repairing(model, bound, parser) if structured_output.switch("repair", repair) else bound
    if include_raw:
        return RunnableMap(raw=answering) | RawAndParsed(parser)
    return answering | parser


def _check(method: str, shape: OutputSchema) -> None:
    if not isinstance(method, str) or method not in METHODS:
        hint = did_you_mean(method, METHODS) if isinstance(method, str) else ""
        raise ConfigError(
            f"There is no method {quoted(method)} of structured output.{hint} There are: {', '.join(METHODS)}."
        )
    if method != "json_mode":
        if shape.schema is None:
            raise ConfigError(f"Structured output by {method} needs a schema; only method='json_mode' goes without.")
        return
    try:
        tool_parameters(shape.schema)
    except SchemaError as error:
        raise ConfigError(f"json_mode answers with an object: {error} Or use method='json_schema'.") from error


# --------------------------------------------------------------------------------------------- reading answers


class AnswerParser(BaseTransformOutputParser[Any]):
    """Makes instances of a schema out of answers, whichever way they were given: as text or as a tool call.

    On a stream it yields what is known so far, each time more of it is known, and checks the whole at the end.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    shape: OutputSchema
    """What the answer is to be."""

    @property
    def _type(self) -> str:
        return "kimi-answer"

    @property
    def OutputType(self) -> Any:
        """Anything: what the schema makes."""
        return Any

    def parse(self, text: str) -> Any:
        """Return an instance of an answer's text."""
        return _read(text, self.shape.make)

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return an instance of a model's answer.

        Raises:
            OutputParserException: If it does not fit; also a `kimi_core.StructuredOutputError` with the raw text
                and the finish reason, or a `TruncatedError`.
            RefusedError: If the host's filter withheld it, or the model refused; also LangChain's
                `ModelRefusalError`, where it has one.
        """
        generation = result[0]
        message = generation.message if isinstance(generation, ChatGeneration) else AIMessage(generation.text)
        if partial:
            return self.part(structured_output.parse_partial(_answer(message, self.shape.name)))
        return self.of(message)

    def of(self, message: BaseMessage) -> Any:
        """See `parse_result`."""
        if refusal := refusal_of(message.additional_kwargs):
            raise _refused(refusal, message.response_metadata, message)
        return _read(_answer(message, self.shape.name), self.shape.make, _reason(message), message)

    def part(self, value: Any) -> Any:
        """Return what an unfinished value yields; None while it is no instance yet."""
        return None if value is None else self.shape.part(value)

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:
        reader = Reader(self)
        for chunk in input:
            if (parsed := reader.feed(chunk)) is not None:
                yield parsed
        whole = reader.whole()
        if reader.has_grown:
            yield whole

    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[Any]:
        reader = Reader(self)
        async for chunk in input:
            if (parsed := reader.feed(chunk)) is not None:
                yield parsed
        whole = reader.whole()
        if reader.has_grown:
            yield whole


_NOTHING: Any = object()


class Reader:
    """Follows one streamed answer."""

    def __init__(self, parser: AnswerParser) -> None:
        self._parser = parser
        self._begin()
        self._index: int | str | None = None
        self._metadata: Mapping[str, Any] = {}
        self._refusal: list[str] = []
        self._shown: Any = _NOTHING
        self._value: Any = _NOTHING

    def _begin(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._growth = structured_output.Growth()

    def feed(self, chunk: str | BaseMessage) -> Any:
        """Return what is known after one more chunk; None when that is nothing new."""
        if isinstance(chunk, BaseMessage):
            if _reason(chunk):
                self._metadata = chunk.response_metadata
            if refusal := refusal_of(chunk.additional_kwargs):
                self._refusal.append(refusal)
            chunk = self._new(chunk)
        if not chunk:
            return None
        self._pieces.append(chunk)
        self._length += len(chunk)
        if not self._growth.is_due(self._length):
            return None
        value = self._growth.read(self._text())
        parsed = self._parser.part(value)
        if parsed is not None:
            self._shown = value
        return parsed

    def whole(self) -> Any:
        """Return an instance of the whole answer.

        Raises:
            OutputParserException: If it does not fit; see `AnswerParser.parse_result`.
            RefusedError: If there is none; see there.
        """
        if self._refusal:
            raise _refused("".join(self._refusal), self._metadata)
        called = self._index is not None
        return _read(self._text() or ("{}" if called else ""), self._make, self._metadata.get("finish_reason"))

    @property
    def has_grown(self) -> bool:
        """Whether the whole has more than what was returned before."""
        return bool(self._value != self._shown)

    def _make(self, value: Any) -> Any:
        self._value = value
        return self._parser.shape.make(value)

    def _text(self) -> str:
        text = "".join(self._pieces)
        self._pieces = [text]
        return text

    def _new(self, chunk: BaseMessage) -> str:
        """Return what a chunk adds to the answer: text, or arguments of the first call that it is."""
        if not isinstance(chunk, AIMessageChunk):  # a whole message, from something that does not stream
            return _answer(chunk, self._parser.shape.name)
        calls = chunk.tool_call_chunks
        for call in calls:
            if call["name"] == self._parser.shape.name and self._index is None:
                self._index = call["index"]
                self._begin()
        if self._index is None:
            if is_served(chunk):  # the text before was no answer
                self._begin()
            return str(chunk.text)
        return "".join(call["args"] or "" for call in calls if call["index"] == self._index)


def _read(text: str, make: Callable[[Any], Any], reason: str | None = None, message: BaseMessage | None = None) -> Any:
    try:
        return structured_output.read(text, make, reason)
    except OutputError as error:
        raise as_parser_error(error, message) from error.__cause__


def _refused(refusal: str, metadata: Mapping[str, Any], message: BaseMessage | None = None) -> OutputError:
    facts = (metadata.get(name) for name in ("model_name", "host", "finish_reason"))
    return as_parser_error(structured_output.refused(refusal, *facts), message)


def _answer(message: BaseMessage, tool: str) -> str:
    """Return the JSON text of an answer: the arguments of the first call that it is, else its text."""
    if isinstance(message, AIMessage):
        for call in message.tool_calls:
            if call["name"] == tool:
                return structured_output.dump(call["args"])
        for invalid in message.invalid_tool_calls:
            if invalid["name"] == tool:
                return invalid["args"] or ""
        return last_text(message)
    return str(message.text)


def _reason(message: BaseMessage) -> str | None:
    return message.response_metadata.get("finish_reason")


# --------------------------------------------------------------------------------------------------- asking again


class Repairing(Runnable[LanguageModelInput, AIMessage]):
    """A model that is asked once more when its answer does not fit. What it streams is left as it is."""

    def __init__(
        self, model: BaseChatModel, bound: Runnable[LanguageModelInput, AIMessage], parser: AnswerParser
    ) -> None:
        """Make one of a model, the same with the schema bound, and the parser that judges its answers."""
        self._model = model
        self._bound = bound
        self._parser = parser

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        """Return the answer; the second one, if the first did not fit, with the usage of both."""
        first = self._bound.invoke(input, config, **kwargs)
        again = self._again(input, first)
        return _summed(first, self._bound.invoke(again, config, **kwargs)) if again else first

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        """See `invoke`."""
        first = await self._bound.ainvoke(input, config, **kwargs)
        again = self._again(input, first)
        return _summed(first, await self._bound.ainvoke(again, config, **kwargs)) if again else first

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessage]:
        """Return the model's stream: what was shown cannot be taken back."""
        return self._bound.stream(input, config, **kwargs)

    def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessage]:
        """See `stream`."""
        return self._bound.astream(input, config, **kwargs)

    def _again(self, input: LanguageModelInput, answer: AIMessage) -> list[BaseMessage] | None:
        """Return the conversation with the answer and what is wrong with it; None when asking again mends nothing."""
        try:
            self._parser.of(answer)
        except StructuredOutputError as error:
            conversation = self._model._convert_input(input).to_messages()
            return [*conversation, *_turn(answer, structured_output.complaint(error), error.text)]
        except Exception:  # the parser raises it where it belongs
            return None
        return None


def _turn(answer: AIMessage, complaint: str, text: str) -> list[BaseMessage]:
    if answer.tool_calls and not answer.invalid_tool_calls:
        return [answer, *(ToolMessage(complaint, tool_call_id=call["id"] or "") for call in answer.tool_calls)]
    # Arguments that are no JSON go back as text: servers that put them into a template parse them before.
    answered = AIMessage(text) if answer.invalid_tool_calls else answer
    return [*([answered] if text else []), HumanMessage(complaint)]


def _summed(first: AIMessage, second: AIMessage) -> AIMessage:
    """Return the second answer with the price of both."""
    bill = read_bill(first) + read_bill(second)
    metadata = dict(second.response_metadata)
    if bill.cost_usd is not None:
        metadata |= {"cost_usd": bill.cost_usd, "cost_is_estimate": bill.cost_is_estimate}
    return second.model_copy(update={"usage_metadata": to_usage(bill.usage), "response_metadata": metadata})


# -------------------------------------------------------------------------------------------- errors as results


class RawAndParsed(Runnable[dict[str, Any], dict[str, Any]]):
    """Adds to a raw answer what it was parsed to, or why it could not be."""

    def __init__(self, parser: AnswerParser) -> None:
        """Make one of the parser."""
        self._parser = parser

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        """Return the answer as `raw`, with `parsed` and `parsing_error`."""
        return self._call_with_config(self._judged, input, config)

    async def ainvoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """See `invoke`."""
        return await self._acall_with_config(self._ajudged, input, config)

    def transform(
        self, input: Iterator[dict[str, Any]], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """Do the same in parts: `raw` as it comes, `parsed` as it grows, at the end the last of it and the error."""
        return self._transform_stream_with_config(input, self._grown, config)

    def atransform(
        self, input: AsyncIterator[dict[str, Any]], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """See `transform`."""
        return self._atransform_stream_with_config(input, self._agrown, config)

    def _judged(self, made: dict[str, Any]) -> dict[str, Any]:
        return {"raw": made["raw"], **_outcome(lambda: self._parser.of(made["raw"]))}

    async def _ajudged(self, made: dict[str, Any]) -> dict[str, Any]:
        return {"raw": made["raw"], **_outcome(lambda: self._parser.of(made["raw"]))}

    def _grown(self, parts: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        reader = Reader(self._parser)
        for part in parts:
            yield _Part(part)
            if (parsed := reader.feed(part["raw"])) is not None:
                yield _Part(parsed=parsed)
        yield _Part(_outcome(reader.whole))

    async def _agrown(self, parts: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        reader = Reader(self._parser)
        async for part in parts:
            yield _Part(part)
            if (parsed := reader.feed(part["raw"])) is not None:
                yield _Part(parsed=parsed)
        yield _Part(_outcome(reader.whole))


class _Part(AddableDict):
    """A part of such a stream. Of `raw` the parts make a whole together, of the rest the last one is it."""

    def __add__(self, other: dict[str, Any]) -> _Part:
        both = {**self, **other}
        if "raw" in self and "raw" in other:
            both["raw"] = self["raw"] + other["raw"]
        return _Part(both)


def _outcome(parse: Any) -> JsonObject:
    try:
        return {"parsed": parse(), "parsing_error": None}
    except Exception as error:  # whatever a validator of the user's raises, as LangChain has it
        return {"parsed": None, "parsing_error": error}
