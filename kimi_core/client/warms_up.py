"""`warm_up` and `awarm_up` of the frameworks' classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kimi_core.client.async_client import AsyncKimiClient
    from kimi_core.client.client import KimiClient


class _HasClients(Protocol):
    @property
    def _client(self) -> KimiClient: ...
    @property
    def _aclient(self) -> AsyncKimiClient: ...


class WarmsUp:
    """A class with clients, which can be made ready ahead of the first question."""

    def warm_up(self: _HasClients) -> bool:
        """Import what the first call needs and open a connection, so that the first question need not wait for that.

        No model is asked and nothing is billed: the host gets a `HEAD` of its address, without the key. The connection
        is that of synchronous calls, and is closed when none takes it within the few seconds for which the HTTP library
        keeps idle ones; what was imported stays. It never raises: whatever is wrong is said by the first call.

        Returns:
            Whether the host answered, be it with an error.
        """
        return self._client.warm_up()

    async def awarm_up(self: _HasClients) -> bool:
        """See `warm_up`. The connection is that of asynchronous calls in this event loop."""
        return await self._aclient.warm_up()
