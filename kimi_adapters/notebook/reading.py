"""Any answer or conversation as entries, by the class it is of. A framework that is not loaded has no objects."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kimi_adapters.notebook import core, langchain, llama_index
from kimi_adapters.notebook.entries import Entry, Part, Text, Thought
from kimi_core.errors import ConfigError
from kimi_core.types import Message, Response

_LANGCHAIN = "langchain_core.messages.base"
_LLAMA_INDEX = "llama_index.core.base.llms.types"


def entries(answer: Any) -> list[Entry]:
    """Return what is shown of an answer, a message, or a list of messages.

    Raises:
        ConfigError: If it is nothing that can be shown.
    """
    if isinstance(answer, list | tuple):
        return [found for one in answer for found in entries(one)]
    if isinstance(answer, Mapping) and isinstance(answer.get("messages"), list | tuple):
        return entries(answer["messages"])
    found = _entry(answer)
    if found is None:
        raise ConfigError(
            f"show() takes messages, responses and streams of LangChain, LlamaIndex and kimi_core, "
            f"not {type(answer).__name__}."
        )
    return [replace(found, parts=tuple(part for part in found.parts if not _is_blank(part)))]


def _is_blank(part: Part) -> bool:
    return isinstance(part, Text | Thought) and not part.text.strip()


def _entry(answer: Any) -> Entry | None:
    if isinstance(answer, str):
        return Entry("assistant", (Text(answer),))
    if isinstance(answer, Response):
        return core.of_response(answer)
    if isinstance(answer, Message):
        return core.of_message(answer)
    if is_langchain(answer):
        return langchain.entry(answer)
    return _of_llama_index(answer)


def _of_llama_index(answer: Any) -> Entry | None:
    if _is(answer, _LLAMA_INDEX, "ChatMessage"):
        return llama_index.of_message(answer)
    if _is(answer, _LLAMA_INDEX, "ChatResponse"):
        return llama_index.of_message(answer.message, answer)
    if _is(answer, _LLAMA_INDEX, "CompletionResponse"):
        return llama_index.of_completion(answer)
    # An agent's output has a message, a query engine's answer a text.
    within = getattr(answer, "response", None)
    if _is(within, _LLAMA_INDEX, "ChatMessage"):
        return llama_index.of_message(within, answer)
    if hasattr(answer, "source_nodes") and (within is None or isinstance(within, str)):
        return llama_index.of_query(answer)
    return None


def is_langchain(answer: Any) -> bool:
    """Return whether it is a message, or a chunk of one, of LangChain."""
    return _is(answer, _LANGCHAIN, "BaseMessage")


def is_event(answer: Any) -> bool:
    """Return whether it is an event of a workflow of LlamaIndex."""
    return _is(answer, "workflows.events", "Event")


def _is(answer: Any, module: str, name: str) -> bool:
    cls = getattr(sys.modules.get(module), name, None)
    return cls is not None and isinstance(answer, cls)
