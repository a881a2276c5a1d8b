"""What is imported, and when."""

from __future__ import annotations

import kimi_core
import llama_index_kimi


def test_the_version_is_that_of_the_distribution() -> None:
    assert llama_index_kimi.__version__ == kimi_core.__version__


def test_everything_that_is_promised_is_there() -> None:
    assert all(hasattr(llama_index_kimi, name) for name in llama_index_kimi.__all__)
