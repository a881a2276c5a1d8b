"""An LLM that answers with objects, as LlamaIndex's agents and query engines ask for it.

LlamaIndex's own loses usage and reasoning, and shows a key that was given for one call in its traces.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, closing
from typing import Any, cast

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    MessageRole,
    TextBlock,
    ThinkingBlock,
)
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts import ChatPromptTemplate
from pydantic import BaseModel

from llama_index_kimi._asking import Question, aanswered, agrowing, answered, growing, question
from llama_index_kimi._messages_in import to_completion
from llama_index_kimi._structured_answers import as_json
from llama_index_kimi._structured_output import StructuredAnswers, by_program
from llama_index_kimi._tracing import traced


class KimiStructuredLLM(StructuredLLM):
    """Answers with JSON in `message` and the object in `raw`.

    Reasoning stays in the message, and usage, cost and finish reason in `additional_kwargs`. The call inside tells the
    events of an LLM, so that nothing is counted twice.
    """

    @traced
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Ask for an object; see `KimiLLM.structured_predict` for words and errors."""
        if by_program(self.llm):
            return cast(ChatResponse, super().chat(messages, **kwargs))
        return _response(*answered(self._kimi, self._question(messages, kwargs)))

    @traced
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """See `chat`."""
        if by_program(self.llm):
            return cast(ChatResponse, await super().achat(messages, **kwargs))
        return _response(*await aanswered(self._kimi, self._question(messages, kwargs)))

    @traced
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """The growing object; see `chat`."""
        if by_program(self.llm):
            return cast(ChatResponseGen, super().stream_chat(messages, **kwargs))
        return _responses(growing(self._kimi, self._question(messages, kwargs)))

    @traced
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """See `stream_chat`."""
        if by_program(self.llm):
            return cast(ChatResponseAsyncGen, await super().astream_chat(messages, **kwargs))
        return _aresponses(await agrowing(self._kimi, self._question(messages, kwargs)))

    @traced
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Ask with a single user message; see `chat`."""
        return to_completion(self.chat(_said(prompt), **kwargs))

    @traced
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """See `complete`."""
        return to_completion(await self.achat(_said(prompt), **kwargs))

    @traced
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Ask with a single user message; see `stream_chat`."""
        responses = self.stream_chat(_said(prompt), **kwargs)
        return (to_completion(response) for response in responses)

    @traced
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """See `stream_complete`."""
        return _completions(await self.astream_chat(_said(prompt), **kwargs))

    @property
    def _kimi(self) -> StructuredAnswers:
        return cast(StructuredAnswers, self.llm)

    def _question(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> Question:
        prompt = ChatPromptTemplate(message_templates=list(messages))
        return question(self._kimi, self.output_cls, prompt, kwargs, messages=messages)


def _said(prompt: str) -> list[ChatMessage]:
    return [ChatMessage(role=MessageRole.USER, content=prompt)]


def _response(output: BaseModel, response: ChatResponse) -> ChatResponse:
    thoughts = [block for block in response.message.blocks if isinstance(block, ThinkingBlock)]
    text = TextBlock(text=as_json(output, response))
    return ChatResponse(
        message=ChatMessage(role=MessageRole.ASSISTANT, blocks=[*thoughts, text]),
        raw=output,
        logprobs=response.logprobs,
        additional_kwargs=dict(response.additional_kwargs),
    )


def _responses(pairs: Generator[tuple[BaseModel, ChatResponse]]) -> ChatResponseGen:
    with closing(pairs):
        for output, response in pairs:
            yield _response(output, response)


async def _aresponses(pairs: AsyncGenerator[tuple[BaseModel, ChatResponse]]) -> ChatResponseAsyncGen:
    async with aclosing(pairs):
        async for output, response in pairs:
            yield _response(output, response)


async def _completions(responses: ChatResponseAsyncGen) -> CompletionResponseAsyncGen:
    async with aclosing(responses):
        async for response in responses:
            yield to_completion(response)
