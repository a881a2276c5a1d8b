"""Reading structured answers out of LangChain's messages, whole or while they stream."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers.transform import BaseTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_function
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, ConfigDict, Field
from pydantic.v1 import BaseModel as BaseModelV1

from kimi_core import structured
from kimi_core.errors import OutputError
from kimi_core.types import JsonObject
from langchain_kimi._errors import as_parser_error

GROWTH = 128
"""An unfinished answer is read again when it has grown by one part in so many: reading it for each token of a long one
would cost more than everything else."""


def describe(schema: Any) -> JsonObject:
    """A schema in any of LangChain's forms, as JSON Schema with a name."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        described = schema.model_json_schema()
        return {"name": schema.__name__, "description": schema.__doc__ or "", "schema": described}
    if isinstance(schema, Mapping) and _is_json_schema(schema):
        name = re.sub(r"[^a-zA-Z0-9_-]+", "_", str(schema.get("title") or "output"))[:64]
        return {"name": name, "description": str(schema.get("description") or ""), "schema": dict(schema)}
    function = convert_to_openai_function(schema)
    return {
        "name": function["name"],
        "description": function.get("description", ""),
        "schema": convert_to_json_schema(schema),
    }


def _is_json_schema(schema: Mapping[str, Any]) -> bool:
    """Whether a mapping is a schema itself, and not a function or tool that has one.

    LangChain's converter keeps nothing of a schema but its `properties`.
    """
    if schema.get("type") == "function" or "parameters" in schema or "input_schema" in schema:
        return False
    return not {"type", "properties", "anyOf", "oneOf", "allOf", "$ref", "enum"}.isdisjoint(schema)


class AnswerParser(BaseTransformOutputParser[Any]):
    """Makes an instance of the schema of an answer, whichever way it was given: as text or as a tool call.

    On a stream it yields what is known so far, each time more of it is known, and checks the whole at the end.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    target: Any = None
    """What the user gave: a pydantic class (v1 or v2), a TypedDict, a JSON schema, or None for any object."""

    tool: str = ""
    """The tool's name, when the answer comes as a call."""

    described: JsonObject = Field(default_factory=dict)
    """JSON Schema of the answer, by which a target that is no class is checked."""

    @property
    def _type(self) -> str:
        return "kimi-answer"

    def parse(self, text: str) -> Any:
        """An instance of an answer's text."""
        return self._whole(text, None)

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """An instance of a model's answer.

        Raises:
            OutputParserException: It does not fit; also a `kimi_core.StructuredOutputError` with the raw text
                and the finish reason, or a `TruncatedError`.
        """
        generation = result[0]
        if not isinstance(generation, ChatGeneration):
            return self._part(generation.text) if partial else self._whole(generation.text, None)
        text = _answer(generation.message, self.tool)
        return self._part(text) if partial else self._whole(text, _reason(generation.message))

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:
        reader = _Reader(self)
        for chunk in input:
            yield from reader.feed(chunk)
        yield from reader.end()

    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[Any]:
        reader = _Reader(self)
        async for chunk in input:
            for parsed in reader.feed(chunk):
                yield parsed
        for parsed in reader.end():
            yield parsed

    def _whole(self, text: str, reason: str | None) -> Any:
        try:
            return self._instance(structured.parse_json(text, reason), text, reason)
        except OutputError as error:
            raise as_parser_error(error) from error.__cause__

    def _instance(self, value: Any, text: str, reason: str | None) -> Any:
        try:
            return _validated(self.target, structured.check(value, self.described, text, reason))
        except OutputError:
            raise
        except ValueError as error:  # pydantic's own, of both versions
            raise structured.failure(text, reason, str(error)) from error

    def _part(self, text: str) -> Any:
        """What an unfinished answer yields; None while it is no instance yet."""
        value = structured.parse_partial(text)
        if not isinstance(value, dict):
            return None
        try:
            return _validated(self.target, value)
        except ValueError:
            return None


def _validated(target: Any, value: Any) -> Any:
    if not (isinstance(target, type) and is_basemodel_subclass(target)):
        return value
    v1 = issubclass(target, BaseModelV1)
    return target.parse_obj(value) if v1 else target.model_validate(value)  # type: ignore[attr-defined]


class _Reader:
    """Follows one streamed answer."""

    def __init__(self, parser: AnswerParser) -> None:
        self._parser = parser
        self._text = ""
        self._read = 0
        self._index: int | None = None
        self._reason: str | None = None
        self._last: Any = None

    def feed(self, chunk: str | BaseMessage) -> Iterator[Any]:
        new = chunk if isinstance(chunk, str) else self._new(chunk)
        self._reason = self._reason if isinstance(chunk, str) else _reason(chunk) or self._reason
        if not new:
            return
        self._text += new
        if len(self._text) - self._read >= len(self._text) // GROWTH:
            self._read = len(self._text)
            yield from self._changed(self._parser._part(self._text))

    def end(self) -> Iterator[Any]:
        yield from self._changed(self._parser._whole(self._text, self._reason))

    def _new(self, chunk: BaseMessage) -> str:
        """What a chunk adds to the answer: text, or arguments of the one call that it is."""
        calls = chunk.tool_call_chunks if isinstance(chunk, AIMessageChunk) else []
        for call in calls:
            if call["name"] == self._parser.tool and self._index is None:
                self._index, self._text, self._read = call["index"], "", 0
        if self._index is None:
            return str(chunk.text)
        return "".join(call["args"] or "" for call in calls if call["index"] == self._index)

    def _changed(self, parsed: Any) -> Iterator[Any]:
        if parsed is not None and parsed != self._last:
            self._last = parsed
            yield parsed


def _answer(message: BaseMessage, tool: str) -> str:
    """The JSON text of an answer: a call's arguments if there is one, else what was said."""
    if isinstance(message, AIMessage):
        for call in message.tool_calls:
            if call["name"] == tool:
                return structured.dump(call["args"])
        for invalid in message.invalid_tool_calls:
            return invalid["args"] or ""
    return str(message.text)


def _reason(message: BaseMessage) -> str | None:
    return message.response_metadata.get("finish_reason")
