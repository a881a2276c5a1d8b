"""Clients that have their answer already, so that adapters make of a batch's answers what they make of any call's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from kimi_core.endpoints.batches import at_batch_price
from kimi_core.hosts.profile import Profile
from kimi_core.types import Request, Response

if TYPE_CHECKING:
    from kimi_core.client.async_client import AsyncKimiClient
    from kimi_core.client.client import KimiClient


class Replay:
    """A client that asks nobody.

    Attributes:
        outcome: What it answers: a response, or an error that it raises.
    """

    outcome: Response | Exception

    def __init__(self, client: KimiClient | AsyncKimiClient) -> None:
        """Take the place of a client, of whom all else is."""
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def derived(self, **changes: Any) -> Self:
        """Return itself: it was asked by a client that has these settings."""
        return self

    def profile(self, model: str) -> Profile:
        """Return the facts of a model, with the prices of batches."""
        return at_batch_price(self._client.profile(model))

    def complete(self, request: Request, **hooks: Any) -> Response:
        """Return the answer, whatever is asked.

        Raises:
            Exception: If there is an error in its place.
        """
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class AsyncReplay(Replay):
    """The same, awaited."""

    async def complete(self, request: Request, **hooks: Any) -> Response:  # type: ignore[override]
        """See `Replay.complete`."""
        return super().complete(request)
