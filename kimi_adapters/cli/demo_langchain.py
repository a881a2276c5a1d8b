"""The demonstration in LangChain: `ChatKimi` as any LangChain code uses a chat model."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import bm25s  # type: ignore[import-untyped]
import Stemmer  # type: ignore[import-not-found]
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from pydantic import PrivateAttr

from kimi_adapters.cli.demo_docs import Library
from kimi_adapters.cli.demo_target import Target
from kimi_adapters.cli.demo_tasks import FROM_PASSAGES, Order, Sources
from kimi_adapters.cli.demo_usage import Tally
from kimi_adapters.cli.demo_view import View
from langchain_kimi import ChatKimi


class LangChainDemo:
    """The tasks in LangChain."""

    name: ClassVar = "LangChain"
    how: ClassVar[Mapping[str, str]] = {
        "answer": "model.stream(question)",
        "work": "create_agent(model, tools).stream(…)",
        "extract": "model.with_structured_output(Order)",
        "look": "HumanMessage([text, image])",
        "consult": "retriever | prompt | model",
    }

    def __init__(self, where: Target) -> None:
        """Make the model."""
        self.title = f"ChatKimi in LangChain {version('langchain')}"
        self.tally = Tally()
        self._model = ChatKimi(**where.options, callbacks=[Meter(self.tally)])

    def answer(self, view: View, question: str) -> str:
        """Stream an answer."""
        text = ""
        for chunk in self._model.stream(question):
            _show(view, chunk)
            text += chunk.text
        return text

    def work(self, view: View, question: str, tools: list[Callable[..., Any]]) -> str:
        """Let an agent work with tools until it knows."""
        agent = create_agent(self._model, tools)
        asked: Any = {"messages": [HumanMessage(question)]}
        text = ""
        steps: Iterator[Any] = agent.stream(asked, stream_mode=["messages", "updates"])
        for mode, data in steps:
            if mode == "messages" and isinstance(data[0], AIMessage):
                _show(view, data[0], glimpse=True)
            elif mode == "updates":
                for step in data.values():
                    text = _show_step(view, step["messages"]) or text
        return text

    def extract(self, note: str) -> Order:
        """Fill an object."""
        order = self._model.with_structured_output(Order).invoke(note)
        assert isinstance(order, Order)
        return order

    def look(self, view: View, question: str, picture: Path) -> str:
        """Answer a question about a picture file."""
        data = base64.b64encode(picture.read_bytes()).decode()
        image = {"type": "image", "base64": data, "mime_type": "image/png"}
        answer = self._model.invoke([HumanMessage([{"type": "text", "text": question}, image])])
        _show(view, answer, glimpse=True)
        return answer.text

    def consult(self, view: View, library: Library) -> tuple[str, Sources]:
        """Answer a question from documents; with the passages used."""
        retriever = Bm25Retriever(
            documents=[Document(passage.text, metadata={"source": passage.source}) for passage in library.passages]
        )
        found = retriever.invoke(library.question)
        sources = [(document.metadata["source"], document.metadata["score"]) for document in found]
        view.found(sources)
        passages = "\n\n".join(f"[{document.metadata['source']}]\n{document.page_content}" for document in found)
        chain = ChatPromptTemplate.from_template(FROM_PASSAGES) | self._model | StrOutputParser()
        text = ""
        for piece in chain.stream({"passages": passages, "question": library.question}):
            view.say(piece)
            text += piece
        return text, sources


def _show(view: View, message: BaseMessage, *, glimpse: bool = False) -> None:
    """Show the text of a message or a chunk of it, the reasoning apart."""
    for block in message.content_blocks:
        if block["type"] == "reasoning":
            view.think(block["reasoning"], glimpse=glimpse)
        elif block["type"] == "text":
            view.say(block["text"])


def _show_step(view: View, messages: list[BaseMessage]) -> str:
    """Show the calls and results of one step of an agent; the answer, when it is the last."""
    for message in messages:
        if isinstance(message, ToolMessage):
            view.result(message.text)
        elif isinstance(message, AIMessage):
            for call in message.tool_calls:
                view.call(call["name"], call["args"])
    last = messages[-1]
    return last.text if isinstance(last, AIMessage) else ""


class Bm25Retriever(BaseRetriever):
    """Finds passages by their words, with BM25."""

    documents: list[Document]
    k: int = 4

    _index: bm25s.BM25 = PrivateAttr()

    def model_post_init(self, _: Any) -> None:
        """Index the documents."""
        self._index = bm25s.BM25()
        self._index.index(_tokens([document.page_content for document in self.documents]), show_progress=False)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        k = min(self.k, len(self.documents))
        places, scores = self._index.retrieve(_tokens([query]), k=k, show_progress=False)
        return [
            Document(self.documents[at].page_content, metadata={**self.documents[at].metadata, "score": float(score)})
            for at, score in zip(places[0], scores[0], strict=True)
        ]


def _tokens(texts: list[str]) -> Any:
    return bm25s.tokenize(texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)


class Meter(BaseCallbackHandler):
    """Adds up what calls report: LangChain sends the end of a call to every callback."""

    def __init__(self, tally: Tally) -> None:
        """Add to a tally."""
        self._tally = tally

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        """Read usage and cost off the message."""
        generation = response.generations[0][0]
        assert isinstance(generation, ChatGeneration)
        message = generation.message
        assert isinstance(message, AIMessage)
        usage: Any = message.usage_metadata or {}
        facts = message.response_metadata
        self._tally.add(
            Tally(
                calls=1,
                input_tokens=usage.get("input_tokens", 0),
                cached_tokens=usage.get("input_token_details", {}).get("cache_read", 0),
                output_tokens=usage.get("output_tokens", 0),
                reasoning_tokens=usage.get("output_token_details", {}).get("reasoning", 0),
                cost_usd=facts.get("cost_usd", 0.0),
                estimates=int(facts.get("cost_is_estimate", False)),
            )
        )
