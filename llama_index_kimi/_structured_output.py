"""Structured answers: objects instead of text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Any, cast

from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import Model, PydanticProgramMode
from pydantic import BaseModel, Field

from llama_index_kimi._asking import aanswered, agrowing, answered, growing, question
from llama_index_kimi._tracing import traced


class StructuredAnswers(FunctionCallingLLM):
    """The part of `KimiLLM` that is about structured output.

    LlamaIndex's own way is a forced tool call, which Kimi refuses while it thinks. Here the host is told the schema
    in the way it can do best. Another `pydantic_program_mode` than the default still leads to LlamaIndex's programs.
    """

    repair: bool = Field(
        default=False,
        description="Ask once more when a structured answer does not fit, with the answer and what is wrong with it "
        "as further messages. Not after a token limit or a refusal, and not in streams.",
    )

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
            output_cls: Its class: a pydantic model, or a `RootModel` of anything else.
            prompt: The question.
            llm_kwargs: Options for the call; besides `strict` (False leaves decoding free) and `repair` (see the
                field).
            **prompt_args: Values for the prompt's variables.

        Raises:
            StructuredOutputError: The answer does not fit the class; `.text` has it, `.finish_reason` why it ended.
            TruncatedError: It was cut by the token limit.
            RefusedError: The host's filter withheld it, or the model refused.
        """
        if by_program(self):
            made: Model = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return made
        output, _ = answered(self, question(self, output_cls, prompt, llm_kwargs, prompt_args))
        return cast(Model, output)

    @traced
    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """See `structured_predict`."""
        if by_program(self):
            made: Model = await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return made
        output, _ = await aanswered(self, question(self, output_cls, prompt, llm_kwargs, prompt_args))
        return cast(Model, output)

    @traced
    def stream_structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any, None, None]:
        """The growing object; the last one is complete and of the class. See `structured_predict`.

        Calling it sends the request, so that a refusal is raised right here.
        """
        if by_program(self):
            return super().stream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        return _outputs(growing(self, question(self, output_cls, prompt, llm_kwargs, prompt_args)))

    @traced
    async def astream_structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any, None]:
        """See `stream_structured_predict`. Awaiting it sends the request."""
        if by_program(self):
            made: AsyncGenerator[Any, None] = await super().astream_structured_predict(
                output_cls, prompt, llm_kwargs, **prompt_args
            )
            return made
        return _aoutputs(await agrowing(self, question(self, output_cls, prompt, llm_kwargs, prompt_args)))

    def as_structured_llm(self, output_cls: type[BaseModel], **kwargs: Any) -> StructuredLLM:
        """An LLM that answers with objects of a class, in `raw`; usage and reasoning stay on its responses."""
        from llama_index_kimi.structured_llm import KimiStructuredLLM

        return KimiStructuredLLM(llm=self, output_cls=output_cls, **kwargs)


def by_program(llm: LLM) -> bool:
    """Whether one of LlamaIndex's own programs was chosen."""
    return llm.pydantic_program_mode != PydanticProgramMode.DEFAULT


def _outputs(pairs: Generator[tuple[Any, ChatResponse]]) -> Generator[Any, None, None]:
    with closing(pairs):
        for output, _ in pairs:
            yield output


async def _aoutputs(pairs: AsyncGenerator[tuple[Any, ChatResponse]]) -> AsyncGenerator[Any, None]:
    async with aclosing(pairs):
        async for output, _ in pairs:
            yield output
