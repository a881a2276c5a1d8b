"""`KimiClient.batches` and `AsyncKimiClient.batches`: many requests in files that a host works through, for less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from kimi_core.client import batch_requests
from kimi_core.client.batch_progress import Watcher
from kimi_core.client.batch_run import BatchRun
from kimi_core.endpoints.batches import BatchLine, BatchObject
from kimi_core.errors import ConfigError
from kimi_core.transport.waiting import wait
from kimi_core.types import Request, Response

if TYPE_CHECKING:
    from kimi_core.client.async_client import AsyncKimiClient
    from kimi_core.transport.transport import Transport

T = TypeVar("T")
Lines: TypeAlias = list[BatchLine]
Outcomes: TypeAlias = list[Response | Exception]
"""For each request its response, or the error in its place."""


def inputs_of(given: Iterable[T]) -> list[T]:
    """Return the inputs of one call, which are gone through more than once.

    Raises:
        ConfigError: If they are one text or mapping, each letter or name of which would be asked.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigError(
            f"The inputs of a batch are a list, not {type(given).__name__}: put a single one into a list."
        )
    return [*given]


class AsyncBatches:
    """The batches of an account: `AsyncKimiClient.batches`."""

    def __init__(self, client: AsyncKimiClient, transport: Transport) -> None:
        """Use a client, and what it sends by."""
        self.client, self.transport = client, transport

    async def submit(
        self,
        requests: Sequence[Request],
        *,
        completion_window: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> BatchObject:
        """See `Batches.submit`."""
        run = BatchRun(self, requests, window=completion_window, metadata=metadata, only_whole=True)
        return await run.submitted()

    async def get(self, id: str) -> BatchObject:
        """See `Batches.get`."""
        return await batch_requests.get(self.transport, id, self.client.account)

    async def list(self) -> list[BatchObject]:
        """See `Batches.list`."""
        return await batch_requests.every(self.transport, self.client.account)

    async def cancel(self, id: str) -> BatchObject:
        """See `Batches.cancel`."""
        return await batch_requests.cancel(self.transport, id, self.client.account)

    async def lines(self, id: str) -> Lines:
        """See `Batches.lines`."""
        found: Lines = []
        await batch_requests.each_line(self.transport, await self.get(id), self.client.account, found.append)
        return found

    async def results(self, id: str, requests: Sequence[Request]) -> Outcomes:
        """See `Batches.results`."""
        return await BatchRun(self, requests).results(await self.get(id))

    async def run(
        self,
        requests: Sequence[Request | Exception],
        *,
        completion_window: str | None = None,
        poll_interval: float = 60.0,
        state: str | PathLike[str] | None = None,
        progress: bool | Watcher = True,
        metadata: Mapping[str, str] | None = None,
        only_whole: bool = False,
    ) -> Outcomes:
        """See `Batches.run`."""
        run = BatchRun(
            self,
            requests,
            window=completion_window,
            metadata=metadata,
            only_whole=only_whole,
        )
        return await run.answers(poll_interval, state, progress)


class Batches:
    """The batches of an account: `KimiClient.batches`."""

    def __init__(self, batches: AsyncBatches) -> None:
        """Wrap batches whose transport blocks."""
        self._batches = batches

    def submit(
        self,
        requests: Sequence[Request],
        *,
        completion_window: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> BatchObject:
        """Create one batch of requests to one model, without waiting for its answers.

        The `custom_id` of the n-th request is `input-n`, from 0.

        Args:
            requests: What is asked. Media and documents are attached as for any call.
            completion_window: How long the host may take: `12h`, `3d`; by default what its spec has (`24h`).
            metadata: Up to 15 pairs of texts that the host keeps with it.

        Raises:
            UnsupportedError: If the host has no batches, the model takes no part in them, or a request cannot be a line
                of one (tools of the host, several answers, headers of its own).
            ConfigError: If an option is wrong, or they are more than one batch takes.
            MessageError: If a message cannot be expressed for this host; before any I/O.
            APIError: If the host refused or failed.
        """
        return wait(self._batches.submit(requests, completion_window=completion_window, metadata=metadata))

    def get(self, id: str) -> BatchObject:
        """Return what the host knows about a batch.

        Raises:
            NotFoundError: If there is no such batch.
        """
        return wait(self._batches.get(id))

    def list(self) -> list[BatchObject]:
        """Return every batch of the account, newest first."""
        return wait(self._batches.list())

    def cancel(self, id: str) -> BatchObject:
        """Have the host work no further on a batch. What was answered can still be fetched, and is paid for."""
        return wait(self._batches.cancel(id))

    def lines(self, id: str) -> Lines:
        """Return the lines in the files of results of a batch, as the host wrote them, in its order."""
        return wait(self._batches.lines(id))

    def results(self, id: str, requests: Sequence[Request]) -> Outcomes:
        """Return the answers of a batch that is over.

        Args:
            id: The batch.
            requests: What was asked, as it was given to `submit`: answers are read by it (names of tools, schemas).

        Returns:
            For each request its response, or the error in its place, in the order of the requests.

        Raises:
            ConfigError: If the batch is not over yet.
        """
        return wait(self._batches.results(id, requests))

    def run(
        self,
        requests: Sequence[Request | Exception],
        *,
        completion_window: str | None = None,
        poll_interval: float = 60.0,
        state: str | PathLike[str] | None = None,
        progress: bool | Watcher = True,
        metadata: Mapping[str, str] | None = None,
        only_whole: bool = False,
    ) -> Outcomes:
        """Ask in batches, follow them, and return the answers in the order of the requests.

        As many batches are created as the host's limits ask for. They are no calls: neither `deadline` nor fallback
        hosts hold for them, a rate limiter is not asked, and no answer is asked for once more. A budget must have room
        for all that they may cost, since a batch cannot be stopped in time.

        Args:
            requests: What is asked. An error among them stays in its place.
            completion_window: See `submit`.
            poll_interval: Most seconds between two looks at a batch; the first ones follow each other sooner.
            state: A small file, without messages and keys, by which the same call goes on after the program has died,
                and creates no batch twice. Once it has returned, the same call asks again for what has an error that
                waiting may help against (`is_retryable`), and for nothing else. One program at a time may use it.
            progress: Whether a bar is shown on a terminal, or what is called with a `BatchProgress` after each look.
            metadata: See `submit`.
            only_whole: Send nothing if one of the requests cannot be sent, and raise its error. Else it is an error in
                its place, as are those that come of the others.

        Raises:
            ConfigError: If an option is wrong, or the file is of other requests, another model or host.
            BudgetExceededError: If the budget has no room for all of it.
            APIError: If the host cannot be asked any more. With a `state` the same call goes on.
        """
        return wait(
            self._batches.run(
                requests,
                completion_window=completion_window,
                poll_interval=poll_interval,
                state=state,
                progress=progress,
                metadata=metadata,
                only_whole=only_whole,
            )
        )
