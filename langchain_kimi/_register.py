"""Making `ChatKimi` known where LangChain has tables and no way to get into them."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from kimi_core.errors import KimiError

PATH = ("langchain_kimi", "chat_models", "ChatKimi")
"""Where LangChain finds the class when it loads a dump."""
PROVIDERS = ("moonshot", "kimi")
"""The names of the provider for `init_chat_model`."""


class RegistrationError(KimiError, RuntimeError):
    """The installed LangChain keeps its tables elsewhere than this package knows."""


def register() -> None:
    """Let LangChain find `ChatKimi` by name. Nothing of this happens by itself; call it once in a program.

    Afterwards `langchain_core.load.load` and `loads` know the class with `allowed_objects="all"` (and
    `valid_namespaces=["langchain_kimi"]`), and `langchain.chat_models.init_chat_model` knows the providers `moonshot`
    and `kimi` (`init_chat_model("moonshot:kimi-k2.6")`), if `langchain` is installed.

    LangChain has no public way to do this: two of its tables get a spec. Without it, name the class:
    `load(…, allowed_objects=[ChatKimi], valid_namespaces=["langchain_kimi"])`, and make models by `ChatKimi(…)`.

    Raises:
        RegistrationError: If a table is not where it was. What was registered before stays.
    """
    _register_class()
    if find_spec("langchain") is not None:
        _register_providers()


def _register_class() -> None:
    known = importlib.import_module("langchain_core.load.load")  # as an attribute, `load` is the function
    table: Any = _of(known, "ALL_SERIALIZABLE_MAPPINGS")
    cache: Any = _of(known, "_default_class_paths_cache")
    if table.get(PATH) != PATH:
        table[PATH] = PATH
        cache.clear()


def _register_providers() -> None:
    table: Any = _of(importlib.import_module("langchain.chat_models.base"), "_BUILTIN_PROVIDERS")
    for provider in PROVIDERS:
        table.setdefault(provider, ("langchain_kimi", "ChatKimi", _make))


def _of(module: ModuleType, name: str) -> dict[Any, Any]:
    table = getattr(module, name, None)
    if not isinstance(table, dict):
        raise RegistrationError(
            f"{module.__name__} has no table {name} in this version, so ChatKimi cannot be registered there. Load "
            "models with allowed_objects=[ChatKimi], and make them by ChatKimi(…)."
        )
    return table


def _make(cls: Any, **given: Any) -> Any:
    return cls(**given)
