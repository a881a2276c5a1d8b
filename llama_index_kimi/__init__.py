"""Kimi models in LlamaIndex, from any host."""

from kimi_core import __version__
from llama_index_kimi.llm import KimiLLM

__all__ = ["KimiLLM", "__version__"]
