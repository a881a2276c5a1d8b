"""Reading structured answers out of LangChain's messages, whole or while they stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers.transform import BaseTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from pydantic import ConfigDict

from kimi_core import structured_output
from kimi_core.errors import OutputError
from kimi_core.openai_shapes import refusal_of
from langchain_kimi._errors import as_parser_error
from langchain_kimi._output_schema import OutputSchema
from langchain_kimi._turns import is_served, last_text


class AnswerParser(BaseTransformOutputParser[Any]):
    """Makes an instance of the schema of an answer, whichever way it was given: as text or as a tool call.

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
        """An instance of anything."""
        return Any

    def parse(self, text: str) -> Any:
        """An instance of an answer's text."""
        return _read(text, self.shape.make)

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """An instance of a model's answer.

        Raises:
            OutputParserException: It does not fit; also a `kimi_core.StructuredOutputError` with the raw text
                and the finish reason, or a `TruncatedError`.
            RefusedError: The host's filter withheld it, or the model refused; also LangChain's `ModelRefusalError`,
                where it has one.
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
        """What an unfinished value yields; None while it is no instance yet."""
        return None if value is None else self.shape.part(value)

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:
        reader = Reader(self)
        for chunk in input:
            yield from reader.feed(chunk)
        yield from reader.end()

    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[Any]:
        reader = Reader(self)
        async for chunk in input:
            for parsed in reader.feed(chunk):
                yield parsed
        for parsed in reader.end():
            yield parsed


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

    def feed(self, chunk: str | BaseMessage) -> Iterator[Any]:
        """What is known after one more chunk, if that is new."""
        if isinstance(chunk, BaseMessage):
            if _reason(chunk):
                self._metadata = chunk.response_metadata
            if refusal := refusal_of(chunk.additional_kwargs):
                self._refusal.append(refusal)
            chunk = self._new(chunk)
        if not chunk:
            return
        self._pieces.append(chunk)
        self._length += len(chunk)
        if self._growth.is_due(self._length):
            value = self._growth.read(self._text())
            parsed = self._parser.part(value)
            if parsed is not None:
                self._shown = value
                yield parsed

    def end(self) -> Iterator[Any]:
        """The whole, if it was not yielded already.

        Raises:
            OutputParserException, RefusedError: See `AnswerParser.parse_result`.
        """
        whole = self.whole()
        if self._value != self._shown:
            yield whole

    def whole(self) -> Any:
        """See `end`."""
        if self._refusal:
            raise _refused("".join(self._refusal), self._metadata)
        called = self._index is not None
        return _read(self._text() or ("{}" if called else ""), self._make, self._metadata.get("finish_reason"))

    def _make(self, value: Any) -> Any:
        self._value = value
        return self._parser.shape.make(value)

    def _text(self) -> str:
        text = "".join(self._pieces)
        self._pieces = [text]
        return text

    def _new(self, chunk: BaseMessage) -> str:
        """What a chunk adds to the answer: text, or arguments of the first call that it is."""
        if not isinstance(chunk, AIMessageChunk):  # a whole message, from something that does not stream
            return _answer(chunk, self._parser.shape.name)
        calls = chunk.tool_call_chunks
        for call in calls:
            if call["name"] == self._parser.shape.name and self._index is None:
                self._index = call["index"]
                self._begin()
        if self._index is None:
            if is_served(chunk):  # what was said before was no answer
                self._begin()
            return str(chunk.text)
        return "".join(call["args"] or "" for call in calls if call["index"] == self._index)


def _read(text: str, make: Callable[[Any], Any], reason: str | None = None, message: BaseMessage | None = None) -> Any:
    try:
        return structured_output.read(text, make, reason)
    except OutputError as error:
        raise as_parser_error(error, message) from error.__cause__


def _refused(refusal: str, metadata: Mapping[str, Any], message: BaseMessage | None = None) -> OutputError:
    told = (metadata.get(name) for name in ("model_name", "host", "finish_reason"))
    return as_parser_error(structured_output.refused(refusal, *told), message)


def _answer(message: BaseMessage, tool: str) -> str:
    """The JSON text of an answer: the arguments of the first call that it is, else what was said."""
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
