"""`KimiLLM` where LlamaIndex's integrations are looked for; it lives in `llama_index_kimi`.

`llama_index` and `llama_index.llms` are shared by many distributions, so neither may have an `__init__.py` here.
"""

from llama_index_kimi import KimiLLM

__all__ = ["KimiLLM"]
