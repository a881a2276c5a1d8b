"""What a command needs beyond the core, and the message when it is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_OURS = ("kimi_adapters", "kimi_core", "langchain_kimi", "llama_index_kimi")


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import what an extra brings; end with a plain sentence when it is not installed.

    Args:
        extra: The extra of `kimi-adapters`.

    Raises:
        SystemExit: If a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _OURS:
            raise
        install = f'pip install "kimi-adapters[{extra}]"'
        sys.stderr.write(f"The package {missing!r} is missing. This command needs:\n\n    {install}\n")
        raise SystemExit(2) from None
