"""The storages of this process, one for each Redis."""

from __future__ import annotations

import threading

from kimi_core.limiting.asks import Storage
from kimi_core.limiting.memory import MEMORY
from kimi_core.limits import Limits

_known: dict[str, Storage] = {}
_lock = threading.Lock()


def storage_of(limits: Limits) -> Storage:
    """Return where limits are counted. The package `redis` is imported with the first that are in one.

    Raises:
        ConfigError: If that package is missing, or the URL is none.
    """
    if limits.url is None:
        return MEMORY
    url = limits.url.get_secret_value()
    with _lock:
        if url not in _known:
            from kimi_core.limiting.shared import Shared

            _known[url] = Shared(limits.url, limits.storage)
        return _known[url]
