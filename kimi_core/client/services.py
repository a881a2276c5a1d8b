"""What a host offers beside answers: files, search, formulas, the account. Both clients have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kimi_core import errors as err
from kimi_core.client.base_client import BaseClient, is_hosted
from kimi_core.codecs import WireRequest
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short
from kimi_core.types import JsonObject, Options, Request, Tool

if TYPE_CHECKING:
    from kimi_core.endpoints.balance import Balance
    from kimi_core.endpoints.files import AsyncFiles, Files
    from kimi_core.endpoints.server_tools import FormulaResult, SearchResult
    from kimi_core.transport.transport import AsyncTransport, Transport
else:
    Balance = FormulaResult = SearchResult = AsyncFiles = Files = Any  # annotations resolve without the imports

_PLAIN = Options()


def _toolless(request: Request) -> Request:
    """The request for a count of tokens, which takes no tools: what a formula offers need not be known for it."""
    return replace(request, tools=(), tool_choice=None) if is_hosted(request) else request


def _estimate(profile: Profile, wire: WireRequest) -> WireRequest:
    path = profile.host.count_path
    if path is None:
        raise err.UnsupportedError(f"{profile.where} has no endpoint that counts tokens.")
    return WireRequest(path=path, body={"model": profile.model_id, "messages": wire.body["messages"]})


def _counted(body: Any, profile: Profile) -> int:
    try:
        return int(body["data"]["total_tokens"])
    except (TypeError, KeyError, ValueError):
        words = f"{profile.where} answered something that is no count of tokens: {in_short(body)!r}."
        raise err.make(err.DecodeError, words, host=profile.host.name, model=profile.model_id, body=body) from None


class Services(BaseClient):
    """The services of a host, synchronously."""

    @cached_property
    def _transport(self) -> Transport:
        from kimi_core.transport.transport import Transport  # with the first call: it brings tenacity and the SDK

        return Transport(self.settings)

    @cached_property
    def files(self) -> Files:
        """The files that the host keeps for the account: `upload`, `list`, `retrieve`, `content`, `delete`."""
        from kimi_core.endpoints.files import Files

        return Files(self._transport, self._account)

    def attached(self, request: Request) -> Request:
        """The request with its media and documents as the host takes them: fetched, uploaded, extracted.

        `complete` and `stream` begin with it; `prepare` does no I/O and takes its result. The settings `fetch_media`,
        `upload_media` and `documents` say what is done. A request that needs nothing is handed back.

        Raises:
            ConfigError, MessageError: Before any I/O, or something could not be fetched.
            APIError: The host refused an upload, or failed.
        """
        todo = self._steps(request)
        if todo is None:
            return request
        from kimi_core.attachments import attachments

        return attachments.run(todo, self.files, self.profile(request.model), self.settings)

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
            UnsupportedError: The host has no search.
            ConfigError: A value is not what the host takes.
        """
        from kimi_core.endpoints import server_tools

        profile = self._account
        wire = server_tools.search(query, limit, timeout_seconds, profile, include_content=include_content)
        body, _ = self._transport.send(wire, profile, _PLAIN)
        return server_tools.read_results(body, profile)

    def formula_tools(self, uri: str) -> tuple[Tool, ...]:
        """The functions of a formula, asked for once.

        Args:
            uri: `moonshot/web-search:latest`, …

        Raises:
            UnsupportedError: The host has no formulas, or this one has no functions.
            NotFoundError: There is no such formula.
        """
        from kimi_core.endpoints import server_tools

        if uri not in self._formulas:
            profile = self._account
            body, _ = self._transport.get(server_tools.tools_path(uri, profile), profile)
            self._formulas[uri] = server_tools.read_tools(body, uri, profile)
        return self._formulas[uri]

    def run_formula(self, uri: str, name: str, arguments: str | Mapping[str, Any]) -> FormulaResult:
        """Run a function of a formula.

        Args:
            uri: `moonshot/date:latest`, …
            name: The function's name.
            arguments: Its arguments, as a mapping or as the JSON text that a model wrote.

        Raises:
            UnsupportedError: The host has no formulas.
            FormulaError: The function failed.
        """
        from kimi_core.endpoints import server_tools

        profile = self._account
        body, _ = self._transport.send(server_tools.fiber(uri, name, arguments, profile), profile, _PLAIN)
        return server_tools.read_fiber(body, uri, name, profile)

    def balance(self) -> Balance:
        """What the account can still spend, where the host can be asked.

        Raises:
            UnsupportedError: It cannot.
        """
        from kimi_core.endpoints import balance

        profile = self._account
        body, _ = self._transport.get(balance.balance_path(profile), profile)
        return balance.balance(body, profile)

    def models(self) -> list[JsonObject]:
        """What the host says it serves, as it says it."""
        body, _ = self._transport.get("/models", self.profile("kimi-k2.6"))
        return list(body.get("data", []))

    def count_tokens(self, request: Request) -> int:
        """Prompt tokens of a request, by the host's own estimate, where it has one; tools are not counted."""
        plan, wire = self.prepare(self.attached(_toolless(request)))
        body, _ = self._transport.send(_estimate(plan.profile, wire), plan.profile, _PLAIN)
        return _counted(body, plan.profile)


class AsyncServices(BaseClient):
    """The services of a host, asynchronously."""

    @cached_property
    def _transport(self) -> AsyncTransport:
        from kimi_core.transport.transport import AsyncTransport

        return AsyncTransport(self.settings)

    @cached_property
    def files(self) -> AsyncFiles:
        """See `Services.files`."""
        from kimi_core.endpoints.files import AsyncFiles

        return AsyncFiles(self._transport, self._account)

    async def attached(self, request: Request) -> Request:
        """See `Services.attached`."""
        todo = self._steps(request)
        if todo is None:
            return request
        from kimi_core.attachments import attachments

        return await attachments.arun(todo, self.files, self.profile(request.model), self.settings)

    async def search(
        self, query: str, *, limit: int = 5, include_content: bool = False, timeout_seconds: int | None = None
    ) -> list[SearchResult]:
        """See `Services.search`."""
        from kimi_core.endpoints import server_tools

        profile = self._account
        wire = server_tools.search(query, limit, timeout_seconds, profile, include_content=include_content)
        body, _ = await self._transport.send(wire, profile, _PLAIN)
        return server_tools.read_results(body, profile)

    async def formula_tools(self, uri: str) -> tuple[Tool, ...]:
        """See `Services.formula_tools`."""
        from kimi_core.endpoints import server_tools

        if uri not in self._formulas:
            profile = self._account
            body, _ = await self._transport.get(server_tools.tools_path(uri, profile), profile)
            self._formulas[uri] = server_tools.read_tools(body, uri, profile)
        return self._formulas[uri]

    async def run_formula(self, uri: str, name: str, arguments: str | Mapping[str, Any]) -> FormulaResult:
        """See `Services.run_formula`."""
        from kimi_core.endpoints import server_tools

        profile = self._account
        body, _ = await self._transport.send(server_tools.fiber(uri, name, arguments, profile), profile, _PLAIN)
        return server_tools.read_fiber(body, uri, name, profile)

    async def balance(self) -> Balance:
        """See `Services.balance`."""
        from kimi_core.endpoints import balance

        profile = self._account
        body, _ = await self._transport.get(balance.balance_path(profile), profile)
        return balance.balance(body, profile)

    async def models(self) -> list[JsonObject]:
        """See `Services.models`."""
        body, _ = await self._transport.get("/models", self.profile("kimi-k2.6"))
        return list(body.get("data", []))

    async def count_tokens(self, request: Request) -> int:
        """See `Services.count_tokens`."""
        plan, wire = self.prepare(await self.attached(_toolless(request)))
        body, _ = await self._transport.send(_estimate(plan.profile, wire), plan.profile, _PLAIN)
        return _counted(body, plan.profile)
