"""An LLM that answers with objects, as LlamaIndex's agents and query engines ask for it.

LlamaIndex's own loses usage and reasoning, and shows a key that was given for one call in its traces.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, cast

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

from llama_index_kimi._messages_in import user_message
from llama_index_kimi._messages_out import to_completion
from llama_index_kimi._streaming import acompletions, completions
from llama_index_kimi._structured_output import (
    Question,
    aanswer,
    answer,
    as_json,
    astream,
    by_program,
    question,
    stream,
)
from llama_index_kimi._tracing import traced

if TYPE_CHECKING:
    from llama_index_kimi.llm import KimiLLM


class KimiStructuredLLM(StructuredLLM):
    """Answers with JSON in `message` and the object in `raw`.

    Reasoning stays in the message, and usage, cost and finish reason in `additional_kwargs`. The call inside emits the
    events of an LLM, so that nothing is counted twice.
    """

    @traced
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Ask for an object; see `KimiLLM.structured_predict` for options and errors."""
        if by_program(self.llm):
            return cast(ChatResponse, super().chat(messages, **kwargs))
        return _response(*answer(self._kimi, self._question(messages, kwargs)))

    @traced
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """See `chat`."""
        if by_program(self.llm):
            return cast(ChatResponse, await super().achat(messages, **kwargs))
        return _response(*await aanswer(self._kimi, self._question(messages, kwargs)))

    @traced
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Return the growing object; see `chat`."""
        if by_program(self.llm):
            return cast(Generator[ChatResponse], super().stream_chat(messages, **kwargs))
        return _responses(stream(self._kimi, self._question(messages, kwargs)))

    @traced
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """See `stream_chat`."""
        if by_program(self.llm):
            return cast(AsyncGenerator[ChatResponse], await super().astream_chat(messages, **kwargs))
        return _aresponses(await astream(self._kimi, self._question(messages, kwargs)))

    @traced
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Ask with a single user message; see `chat`."""
        return to_completion(self.chat(user_message(prompt), **kwargs))

    @traced
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """See `complete`."""
        return to_completion(await self.achat(user_message(prompt), **kwargs))

    @traced
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Ask with a single user message; see `stream_chat`."""
        return completions(self.stream_chat(user_message(prompt), **kwargs))

    @traced
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """See `stream_complete`."""
        return acompletions(await self.astream_chat(user_message(prompt), **kwargs))

    @property
    def _kimi(self) -> KimiLLM:
        return cast("KimiLLM", self.llm)

    def _question(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> Question:
        prompt = ChatPromptTemplate(message_templates=list(messages))
        return question(self._kimi, self.output_cls, prompt, kwargs, messages=messages)


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
