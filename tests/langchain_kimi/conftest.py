"""What the LangChain tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi

PATH = ("langchain_kimi", "chat_models", "ChatKimi")


@pytest.fixture
def make(kimi: LocalKimi) -> Callable[..., ChatKimi]:
    """How a model on the local server is made, with further options."""
    return lambda **options: ChatKimi(**{"base_url": kimi.base_url, "api_key": kimi.api_key, **options})


@pytest.fixture
def model(make: Callable[..., ChatKimi]) -> ChatKimi:
    """A model on the local server, with nothing set."""
    return make()


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
