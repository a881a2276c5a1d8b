"""What is imported, and when."""

from __future__ import annotations

import subprocess
import sys

import kimi_core
import llama_index_kimi

LATE = """
import sys
import llama_index_kimi
llm = llama_index_kimi.KimiLLM(api_key="k")
llm.metadata, llm.to_dict(), llm.to_payload()
print([name for name in ("openai", "tiktoken", "kimi_adapters.local_server") if name in sys.modules])
"""


def test_the_sdk_is_imported_when_the_first_call_is_made() -> None:
    ran = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_version_is_that_of_the_distribution() -> None:
    assert llama_index_kimi.__version__ == kimi_core.__version__


def test_everything_that_is_promised_is_there() -> None:
    assert all(hasattr(llama_index_kimi, name) for name in llama_index_kimi.__all__)
