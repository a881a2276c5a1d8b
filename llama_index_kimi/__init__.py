"""Kimi models in LlamaIndex, from any host."""

try:
    import llama_index.core  # noqa: F401
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"KimiLLM needs {missing.name}: pip install 'kimi-adapters[llama-index]'", name=missing.name
    ) from missing

from kimi_core import __version__
from llama_index_kimi.llm import KimiLLM

__all__ = ["KimiLLM", "__version__"]
