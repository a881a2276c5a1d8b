"""The demonstration in LlamaIndex: `KimiLLM` as any LlamaIndex code uses an LLM."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from llama_index.core import PromptTemplate
from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ToolCall, ToolCallResult
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ImageBlock, TextBlock, ThinkingBlock
from llama_index.core.base.response.schema import StreamingResponse
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import BaseNode, TextNode
from llama_index.retrievers.bm25 import BM25Retriever
from llama_index_instrumentation import get_dispatcher

from kimi_adapters.cli.demo_docs import Library
from kimi_adapters.cli.demo_target import Target
from kimi_adapters.cli.demo_tasks import FROM_PASSAGES, Order, Sources
from kimi_adapters.cli.demo_usage import Tally
from kimi_adapters.cli.demo_view import View
from llama_index_kimi import KimiLLM


class LlamaIndexDemo:
    """The tasks in LlamaIndex."""

    name: ClassVar = "LlamaIndex"
    how: ClassVar[Mapping[str, str]] = {
        "answer": "llm.stream_chat(messages)",
        "work": "FunctionAgent(tools, llm).run(…)",
        "extract": "llm.structured_predict(Order, …)",
        "look": "ChatMessage(blocks=[text, image])",
        "consult": "RetrieverQueryEngine.query(…)",
    }

    def __init__(self, where: Target) -> None:
        """Make the LLM."""
        self.title = f"KimiLLM in LlamaIndex {version('llama-index-core')}"
        self.tally = Tally()
        self._llm = KimiLLM(**where.options)
        get_dispatcher().add_event_handler(Meter(tally=self.tally))

    def answer(self, view: View, question: str) -> str:
        """Stream an answer."""
        text = ""
        for response in self._llm.stream_chat([ChatMessage(question)]):
            view.think(response.additional_kwargs.get("thinking_delta", ""))
            view.say(response.delta or "")
            text = response.message.content or ""
        return text

    def work(self, view: View, question: str, tools: list[Callable[..., Any]]) -> str:
        """Let an agent work with tools until it knows."""
        return asyncio.run(self._work(view, question, tools))

    async def _work(self, view: View, question: str, tools: list[Callable[..., Any]]) -> str:
        run = FunctionAgent(tools=tools, llm=self._llm).run(question)
        async for event in run.stream_events():
            match event:
                case AgentStream():
                    view.think(event.thinking_delta or "", glimpse=True)
                    view.say(event.delta)
                case ToolCallResult():
                    view.result(str(event.tool_output.content))
                case ToolCall():
                    view.call(event.tool_name, event.tool_kwargs)
        return str(await run)

    def extract(self, note: str) -> Order:
        """Fill an object."""
        return self._llm.structured_predict(Order, PromptTemplate("{note}"), note=note)

    def look(self, view: View, question: str, picture: Path) -> str:
        """Answer a question about a picture file."""
        message = ChatMessage(role="user", blocks=[TextBlock(text=question), ImageBlock(path=picture)])
        response = self._llm.chat([message])
        _show(view, response)
        return response.message.content or ""

    def consult(self, view: View, library: Library) -> tuple[str, Sources]:
        """Answer a question from documents; with the passages used."""
        nodes: list[BaseNode] = [_node(passage.text, passage.source) for passage in library.passages]
        retriever = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=min(4, len(nodes)))
        template = FROM_PASSAGES.replace("{passages}", "{context_str}").replace("{question}", "{query_str}")
        engine = RetrieverQueryEngine.from_args(
            retriever, llm=self._llm, text_qa_template=PromptTemplate(template), streaming=True
        )
        response = engine.query(library.question)
        assert isinstance(response, StreamingResponse)
        sources = [(node.metadata["source"], node.score or 0.0) for node in response.source_nodes]
        view.found(sources)
        text = ""
        for piece in response.response_gen:
            view.say(piece)
            text += piece
        return text, sources


def _show(view: View, response: ChatResponse) -> None:
    """Show the text of a response, the reasoning apart."""
    for block in response.message.blocks:
        if isinstance(block, ThinkingBlock):
            view.think(block.content or "", glimpse=True)
        elif isinstance(block, TextBlock):
            view.say(block.text)


def _node(text: str, source: str) -> TextNode:
    """Return a passage that names its source in the way that the prompt asks for."""
    return TextNode(
        text=text,
        metadata={"source": source},
        metadata_template="[{value}]",
        text_template="{metadata_str}\n{content}",
        excluded_embed_metadata_keys=["source"],
    )


class Meter(BaseEventHandler):
    """Adds up what calls report: LlamaIndex sends the end of a call to every event handler."""

    tally: Any

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which it is serialised."""
        return "Meter"

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        """Read usage and cost off the response."""
        if not isinstance(event, LLMChatEndEvent) or event.response is None:
            return
        facts = event.response.additional_kwargs
        self.tally.add(
            Tally(
                calls=1,
                input_tokens=facts.get("prompt_tokens", 0),
                cached_tokens=facts.get("cached_tokens", 0),
                output_tokens=facts.get("completion_tokens", 0),
                reasoning_tokens=facts.get("reasoning_tokens", 0),
                cost_usd=facts.get("cost_usd", 0.0),
                estimates=int(facts.get("cost_is_estimate", False)),
            )
        )
