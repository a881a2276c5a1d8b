"""Structured output: a model that is told a schema, and what makes instances of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableMap
from langchain_core.runnables.utils import AddableDict

from kimi_core import structured_output
from kimi_core.errors import ConfigError, StructuredOutputError
from kimi_core.hosts.profile import did_you_mean
from kimi_core.quoting import quoted
from kimi_core.schema import SchemaError, tool_parameters
from kimi_core.types import JsonObject
from langchain_kimi._messages_out import read_bill, to_usage
from langchain_kimi._output_schema import OutputSchema, output_schema_of, traced_schema
from langchain_kimi._structured_answers import AnswerParser, Reader

METHODS = {
    "auto": "auto",
    "json_schema": "json_schema",
    "function_calling": "function_calling",
    "json_mode": "json_object",
}
"""LangChain's words for the ways to a structured answer, and the core's."""


def with_schema(
    model: BaseChatModel,
    schema: Any,
    *,
    method: str,
    include_raw: bool,
    strict: bool | None,
    repair: bool | None,
    words: JsonObject,
) -> Runnable[LanguageModelInput, Any]:
    """See `ChatKimi.with_structured_output`."""
    shape = output_schema_of(schema)
    _check(method, shape)
    asked = {
        "name": shape.name,
        "description": shape.description,
        "schema": shape.schema,
        "method": METHODS[method],
        "strict": structured_output.switch("strict", strict) is not False,
    }
    traced = {"kwargs": {"method": method, "strict": strict}, "schema": traced_schema(schema, shape)}
    bound = cast(
        "Runnable[LanguageModelInput, AIMessage]",
        model.bind(structured_output=asked, ls_structured_output_format=traced, **words),
    )
    parser = AnswerParser(shape=shape)
    answering = Repairing(model, bound, parser) if structured_output.switch("repair", repair) else bound
    if include_raw:
        return RunnableMap(raw=answering) | RawAndParsed(parser)
    return answering | parser


def _check(method: str, shape: OutputSchema) -> None:
    if method not in METHODS:
        hint = did_you_mean(method, METHODS)
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
        """The answer; the second one, if the first did not fit, with the usage of both."""
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
        """The model's stream: what was shown cannot be taken back."""
        return self._bound.stream(input, config, **kwargs)

    def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessage]:
        """See `stream`."""
        return self._bound.astream(input, config, **kwargs)

    def _again(self, input: LanguageModelInput, answer: AIMessage) -> list[BaseMessage] | None:
        """The conversation with the answer and what is wrong with it; None when nothing is that asking could mend."""
        try:
            self._parser.of(answer)
        except StructuredOutputError as error:
            said = self._model._convert_input(input).to_messages()
            return [*said, *_turn(answer, structured_output.complaint(error), error.text)]
        except Exception:  # the parser raises it where it belongs
            return None
        return None


def _turn(answer: AIMessage, complaint: str, text: str) -> list[BaseMessage]:
    if answer.tool_calls and not answer.invalid_tool_calls:
        return [answer, *(ToolMessage(complaint, tool_call_id=call["id"] or "") for call in answer.tool_calls)]
    # Arguments that are no JSON are told as text: servers that put them into a template parse them before.
    spoken = AIMessage(text) if answer.invalid_tool_calls else answer
    return [*([spoken] if text else []), HumanMessage(complaint)]


def _summed(first: AIMessage, second: AIMessage) -> AIMessage:
    """The second answer with the price of both."""
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
        """The answer as `raw`, with `parsed` and `parsing_error`."""
        return self._call_with_config(self._judged, input, config)

    async def ainvoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """See `invoke`."""
        return await self._acall_with_config(self._ajudged, input, config)

    def transform(
        self, input: Iterator[dict[str, Any]], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """The same in parts: `raw` as it comes, `parsed` as it grows, and at the end the last of it and the error."""
        yield from self._transform_stream_with_config(input, self._grown, config)

    async def atransform(
        self, input: AsyncIterator[dict[str, Any]], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """See `transform`."""
        async for part in self._atransform_stream_with_config(input, self._agrown, config):
            yield part

    def _judged(self, made: dict[str, Any]) -> dict[str, Any]:
        return {"raw": made["raw"], **_outcome(lambda: self._parser.of(made["raw"]))}

    async def _ajudged(self, made: dict[str, Any]) -> dict[str, Any]:
        return self._judged(made)

    def _grown(self, parts: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        reader = Reader(self._parser)
        for part in parts:
            yield from _more(reader, part)
        yield _Part(_outcome(reader.whole))

    async def _agrown(self, parts: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        reader = Reader(self._parser)
        async for part in parts:
            for more in _more(reader, part):
                yield more
        yield _Part(_outcome(reader.whole))


class _Part(AddableDict):
    """A part of such a stream. Of `raw` the parts make a whole together, of the rest the last one is it."""

    def __add__(self, other: dict[str, Any]) -> _Part:
        both = {**self, **other}
        if "raw" in self and "raw" in other:
            both["raw"] = self["raw"] + other["raw"]
        return _Part(both)


def _more(reader: Reader, part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield _Part(part)
    for parsed in reader.feed(part["raw"]):
        yield _Part(parsed=parsed)


def _outcome(parse: Any) -> JsonObject:
    try:
        return {"parsed": parse(), "parsing_error": None}
    except Exception as error:  # whatever a validator of the user's raises, as LangChain has it
        return {"parsed": None, "parsing_error": error}
