"""Warnings of a client: each is given once."""

from __future__ import annotations

from kimi_core.errors import warn


class WarnOnce:
    """Warns of each thing once.

    Attributes:
        given: Keys of the warnings that were given; clients that are derived from each other share them.
    """

    def __init__(self, *, silent: bool) -> None:
        """Begin to warn.

        Args:
            silent: Whether no warnings are given, as with `on_unsupported="ignore"`.
        """
        self.given: set[str] = set()
        self._silent = silent

    def __call__(self, key: str, text: str) -> None:
        """Warn, unless that was done with this key before."""
        if key not in self.given and not self._silent:
            self.given.add(key)
            warn(text)
