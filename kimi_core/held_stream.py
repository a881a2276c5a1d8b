"""The stream for which a call under way holds something: room in a budget, or a turn under limits."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Final, Protocol

LONGEST_REST: Final = 5.0
"""Seconds. A stream that was not read for so long is not waited for: who is to read it may be waiting itself."""


class Read(Protocol):
    """What is read bit by bit.

    Attributes:
        rests_since: The moment of `time.monotonic()` since which nobody reads; None while somebody waits for the host.
    """

    rests_since: float | None


class HeldStream:
    """A stream, once there is one. It is not kept alive."""

    _stream: Callable[[], Read | None] | None = None

    def of(self, stream: Read) -> None:
        """Name the stream."""
        self._stream = weakref.ref(stream)

    @property
    def rests(self) -> bool:
        """Whether nobody has read it for a while."""
        since = getattr(self._stream() if self._stream else None, "rests_since", None)
        return since is not None and time.monotonic() - since >= LONGEST_REST
