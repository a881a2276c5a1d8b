"""What the LangChain tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

PATH = ("langchain_kimi", "chat_models", "ChatKimi")


@pytest.fixture
def loadable() -> Iterator[None]:
    """`ChatKimi` is among the classes that LangChain's `load` knows as "all".

    Third-party classes are not, unless they are registered.
    """
    from langchain_core.load.load import ALL_SERIALIZABLE_MAPPINGS, _default_class_paths_cache

    before = dict(ALL_SERIALIZABLE_MAPPINGS)
    ALL_SERIALIZABLE_MAPPINGS[PATH] = PATH
    _default_class_paths_cache.clear()
    yield
    ALL_SERIALIZABLE_MAPPINGS.clear()
    ALL_SERIALIZABLE_MAPPINGS.update(before)
    _default_class_paths_cache.clear()
