"""`KimiClient`: what `AsyncKimiClient` does, with blocking I/O and no event loop."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kimi_core import errors as err
from kimi_core.client.answer_stream import AnswerStream
from kimi_core.client.async_client import AsyncKimiClient, is_hosted
from kimi_core.client.base_client import BaseClient
from kimi_core.events import Event
from kimi_core.transport.attempts import Attempts, Hook
from kimi_core.transport.waiting import BEGUN, iterate, wait
from kimi_core.types import JsonObject, Request, Response, Tool

if TYPE_CHECKING:
    from kimi_core.client.batches import Batches
    from kimi_core.endpoints.balance import Balance
    from kimi_core.endpoints.files import Files
    from kimi_core.endpoints.server_tools import FormulaResult, SearchResult
    from kimi_core.transport.drivers import Driver
    from kimi_core.transport.stream import OpenStream
else:
    Balance = Batches = FormulaResult = SearchResult = Files = Any  # annotations resolve without the imports


class _BlockingCalls(AsyncKimiClient):
    """The coroutines of `AsyncKimiClient`, none of which suspends."""

    @cached_property
    def _driver(self) -> Driver:
        from kimi_core.transport.drivers import BLOCKING

        return BLOCKING


class KimiClient(BaseClient):
    """Calls Kimi on any host, synchronously.

    Example:
        ```python
        client = KimiClient(host="moonshot")
        response = client.complete(Request(messages=[Message("user", "Hello")], model="kimi-k2.6"))
        ```
    """

    @cached_property
    def _calls(self) -> AsyncKimiClient:
        calls = _BlockingCalls(self.settings)
        calls.pipeline, calls._formulas = self.pipeline, self._formulas
        return calls

    # --------------------------------------------------------------------------------------------------- answers

    def complete(self, request: Request, *, pace: Hook | None = None, on_retry: Hook | None = None) -> Response:
        """Ask for a whole answer, or for several (`n`), of which the first has the others as its `alternatives`.

        Several answers of a host that gives fewer in one call are asked for side by side, in threads. When one of these
        requests fails for good, the call does.

        A tool that had to be called but could not be forced (see `policy`) is asked for once more when it was not; so
        is an answer that is nothing but reasoning, unless `empty_answer` is something else. An option that the host
        refuses by name is left out, and the call made again.

        Args:
            request: What is asked.
            pace: Called before each request but the first, retries included: a rate limiter's wait.
            on_retry: Called with tenacity's `RetryCallState` when an attempt failed and is to be made again.

        Raises:
            ConfigError: If an option is wrong; before any I/O.
            MessageError: If a message cannot be expressed for this host; before any I/O.
            APIError: If the host refused or failed, and so did the fallback hosts.
            BudgetExceededError: If the budget is used up.
            ToolNotCalledError: If the second answer lacks the call as well.
            ServerRoundsError: If the model kept calling the host's own tools.
        """
        return wait(self._calls.complete(request, pace=pace, on_retry=on_retry))

    def stream(self, request: Request, *, pace: Hook | None = None, on_retry: Hook | None = None) -> Generator[Event]:
        """Ask for an answer in events. The request is sent at once; closing the iterator closes the connection.

        Args:
            request: What is asked.
            pace: See `complete`.
            on_retry: See `complete`. An answer that has begun is not asked for again.

        Raises:
            ConfigError: If an option is wrong; before any I/O.
            MessageError: If a message cannot be expressed for this host; before any I/O.
            APIError: If the host refused or failed; raised from the iterator, `partial` has what came before.
            ToolNotCalledError: If a tool that had to be called was not; raised at the end.
            ServerRoundsError: If the model kept calling the host's own tools.
        """
        if self._takes_over or (request.tools and is_hosted(request)):
            events = iterate(wait(self._calls.stream(request, pace=pace, on_retry=on_retry)))
        else:
            request = self._calls._begun(request)
            with Attempts(pace, on_retry):
                events = self._events(*wait(self._calls._open(request)))
        next(events)
        return events

    @staticmethod
    def _events(opened: OpenStream, answer: AnswerStream) -> Generator[Event]:
        """Yield the events of a stream: `AsyncKimiClient._events` without what `async` costs for each frame."""
        one, several, add = answer.feed_one, answer.feed, answer.add
        try:
            yield BEGUN
            for frames in opened:
                for event in one(frames[0]) if len(frames) == 1 else several(frames):
                    add(event)
                    yield event
            yield from answer.ending()
        except err.APIError as error:
            raise answer.broken(error) from None
        finally:
            wait(opened.close())

    def attached(self, request: Request) -> Request:
        """Return the request with its media and documents as the host takes them: fetched, uploaded, extracted.

        `complete` and `stream` begin with it; `prepare` does no I/O and takes its result. The settings `fetch_media`,
        `upload_media` and `documents` decide what is done. A request that needs nothing is handed back.

        Raises:
            ConfigError: If an option is wrong; before any I/O.
            MessageError: If a message cannot be expressed here, or something could not be fetched.
            APIError: If the host refused an upload, or failed.
        """
        return wait(self._calls.attached(request))

    # ---------------------------------------------------------------------------------------- beside chat completions

    def warm_up(self) -> bool:
        """Import what the first call needs and open a connection, without asking a model. It never raises.

        The host gets a `HEAD` of its address, without the key. The connection is closed when no call takes it within
        the few seconds for which the HTTP library keeps idle ones; what was imported stays.

        Returns:
            Whether the host answered, be it with an error.
        """
        return wait(self._calls.warm_up())

    @cached_property
    def files(self) -> Files:
        """The files that the host keeps for the account: `upload`, `list`, `retrieve`, `content`, `delete`."""
        from kimi_core.endpoints.files import Files

        return Files(self._calls.files)

    @cached_property
    def batches(self) -> Batches:
        """The batches of the account: `submit`, `get`, `list`, `cancel`, `results`; `run` does it all."""
        from kimi_core.client.batches import Batches

        return Batches(self._calls.batches)

    def search(
        self, query: str, *, limit: int = 5, include_content: bool = False, timeout_seconds: int | None = None
    ) -> list[SearchResult]:
        """Search the web with the host's own search. No model is asked.

        Args:
            query: What to look for.
            limit: Most results, 1 to 20.
            include_content: Whether the text of the pages comes along.
            timeout_seconds: How long the host may search, 1 to 60; None leaves it to the host.

        Returns:
            The results, best first; the host charges only for a search that found something.

        Raises:
            UnsupportedError: If the host has no search.
            ConfigError: If a value is not what the host takes.
        """
        return wait(
            self._calls.search(query, limit=limit, include_content=include_content, timeout_seconds=timeout_seconds)
        )

    def formula_tools(self, uri: str) -> tuple[Tool, ...]:
        """Return the functions of a formula; they are asked for once.

        Args:
            uri: `moonshot/web-search:latest`, …

        Raises:
            UnsupportedError: If the host has no formulas, or this one has no functions.
            NotFoundError: If there is no such formula.
        """
        return wait(self._calls.formula_tools(uri))

    def run_formula(self, uri: str, name: str, arguments: str | Mapping[str, Any]) -> FormulaResult:
        """Run a function of a formula.

        Args:
            uri: `moonshot/date:latest`, …
            name: The function's name.
            arguments: Its arguments, as a mapping or as the JSON text that a model wrote.

        Raises:
            UnsupportedError: If the host has no formulas.
            FormulaError: If the function failed.
        """
        return wait(self._calls.run_formula(uri, name, arguments))

    def balance(self) -> Balance:
        """Return what the account can still spend, where the host can be asked.

        Raises:
            UnsupportedError: If it cannot.
        """
        return wait(self._calls.balance())

    def models(self) -> list[JsonObject]:
        """Return the ids of the models that the host lists, as it writes them."""
        return wait(self._calls.models())

    def count_tokens(self, request: Request) -> int:
        """Return the prompt tokens of a request, by the host's own estimate; tools are not counted.

        Raises:
            UnsupportedError: If the host has no such estimate.
        """
        return wait(self._calls.count_tokens(request))
