"""`AsyncKimiClient`: all that calls do, written once. `KimiClient` runs the same coroutines with blocking I/O."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Coroutine, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from kimi_core import errors as err
from kimi_core.asyncgens import begin
from kimi_core.call_options import NO_OPTIONS, Options
from kimi_core.client import empty_answers
from kimi_core.client.answer_stream import AnswerStream
from kimi_core.client.base_client import BaseClient
from kimi_core.client.held import Held, hold
from kimi_core.codecs import WireRequest
from kimi_core.events import Event
from kimi_core.hosts.profile import Profile, model_there, of_host
from kimi_core.quoting import in_short
from kimi_core.request.plan import Plan
from kimi_core.settings import Settings, fallback_settings
from kimi_core.transport import attempts
from kimi_core.transport.attempts import Attempts, Hook
from kimi_core.transport.deadlines import DeadlineError
from kimi_core.transport.waiting import BEGUN
from kimi_core.types import JsonObject, Request, Response, Tool, ToolCall
from kimi_core.usage import bill_of, billed

if TYPE_CHECKING:
    from kimi_core.attachments.attachments import Steps
    from kimi_core.budget import Budget
    from kimi_core.client.batches import AsyncBatches
    from kimi_core.client.tool_loop import ToolLoop
    from kimi_core.endpoints.balance import Balance
    from kimi_core.endpoints.files import AsyncFiles
    from kimi_core.endpoints.server_tools import FormulaResult, SearchResult
    from kimi_core.limiting.turn import Turn
    from kimi_core.transport.drivers import Driver
    from kimi_core.transport.stream import OpenStream
    from kimi_core.transport.transport import Transport
else:
    AsyncBatches = AsyncFiles = Balance = FormulaResult = SearchResult = Any  # annotations resolve without the imports

T = TypeVar("T")


class AsyncKimiClient(BaseClient):
    """Calls Kimi on any host, asynchronously. One object serves any number of event loops."""

    def __init__(self, settings: Settings | None = None, **given: Any) -> None:
        """See `BaseClient`."""
        super().__init__(settings, **given)
        self._fallbacks: dict[int, AsyncKimiClient] = {}

    @cached_property
    def _driver(self) -> Driver:
        from kimi_core.transport.drivers import ASYNCIO  # with the first call: it brings what I/O needs

        return ASYNCIO

    @cached_property
    def _transport(self) -> Transport:
        from kimi_core.transport.transport import Transport

        return Transport(self.settings, self._driver)

    # --------------------------------------------------------------------------------------------------- answers

    async def complete(self, request: Request, *, pace: Hook | None = None, on_retry: Hook | None = None) -> Response:
        """See `KimiClient.complete`. Requests for several answers are tasks; when one fails, the rest is cancelled."""
        request = self._begun(request)
        with Attempts(pace, on_retry) as made:
            answer = self._with_served_tools if request.tools and is_hosted(request) else self._complete
            do = partial(answer, request)
            if (request.options.n or 1) > 1:
                do = partial(self._several, request, answer, pace)
            response = await (do() if request.until is None else self._within(request, do))
        if not (made.failed or made.waited):
            return response
        return replace(response, retries=tuple(made.failed), limits_waited=round(made.waited, 3))

    def _begun(self, request: Request) -> Request:
        """Begin a call that the budget allows; return its request with the moment at which it is given up, if any.

        Raises:
            BudgetExceededError: If the budget is used up.
            ConfigError: If it is in dollars, and nobody knows a price.
        """
        if self.settings.budget is not None:
            self._admit(self.settings.budget, request.model)
        seconds = self.settings.deadline
        return request if seconds is None else replace(request, until=time.monotonic() + seconds)

    async def _within(self, request: Request, do: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do something for a request, up to its deadline.

        Raises:
            APITimeoutError: If it takes longer.
        """
        if request.until is None:
            return await do()
        try:
            return await self._driver.within(request.until - time.monotonic(), do)
        except DeadlineError:
            raise self.pipeline.late(request) from None

    async def _several(
        self,
        request: Request,
        answer: Callable[[Request], Awaitable[Response]],
        pace: Callable[[], Any] | None = None,
    ) -> Response:
        """Return all answers that are wanted; ask again for those that a host left out."""
        from kimi_core.client import several_answers

        parts = self._parts(request)
        if len(parts) > 1:
            parts = self._parts(await self._shared(request))
        came = await several_answers.ask(self._driver, answer, parts, pace)
        if owed := several_answers.missing(request, came):
            came += await several_answers.ask(self._driver, answer, owed, pace, begun=True)
        return several_answers.together(came)

    def _parts(self, request: Request) -> list[Request]:
        """Return the requests that together give all answers; the request alone where it gives them all."""
        from kimi_core.client import several_answers

        most = 1 if is_hosted(request) else self.pipeline.route(request).host.sampling.most_answers
        return several_answers.requests(request, most)

    async def _shared(self, request: Request) -> Request:
        """Do once what all parts of a request need (checks, uploads, formulas), and return the request."""
        if is_hosted(request):
            await self._tool_loop(request)  # what the host's formulas offer is known from then on
        elif not self.settings.fallback_hosts:
            request = await self.attached(request)
            self.pipeline.prepare(request)
        return request

    async def _with_served_tools(self, request: Request) -> Response:
        """Return an answer in whose course the client runs tools of the host."""
        from kimi_core.client.tool_loop import events_of, run

        loop = await self._tool_loop(request)
        run_tool = partial(self._run_tool, request)

        async def ask(request: Request) -> AsyncGenerator[Event]:
            return events_of(await self._complete(request, loop.owners))

        async for _ in run(loop, ask, run_tool, await ask(loop.request), self._driver):
            pass
        return loop.response

    async def _complete(self, request: Request, served: Container[str] = ()) -> Response:
        """Return one answer, from a fallback host where this one fails; `served` are the tools that the client runs."""
        if not self.settings.fallback_hosts:
            return await self._complete_here(request, served)
        from kimi_core.client.fallback import complete

        return await complete(self, request, served)

    async def _complete_here(self, request: Request, served: Container[str]) -> Response:
        """Ask this host alone for an answer; again where what comes is none."""
        # A fallback host may give fewer answers in one call.
        if (request.options.n or 1) > 1 and len(self._parts(request)) > 1:
            return await self._several(request, partial(self._complete_here, served=served))
        plan, wire = self.pipeline.prepare(await self.attached(request))
        plan, response = await self._answered(plan, wire)
        # A text is an answer where no call is due. After calls that the client runs, the tool loop asks on.
        if (response.text.strip() and not plan.must_call) or empty_answers.is_all_served(response, served):
            return response
        if again := self.pipeline.again(plan, response):
            _, second = await self._answered(*again)
            response = billed(second, bill_of(response) + bill_of(second))
        return self.pipeline.final(plan, response)

    async def _answered(self, plan: Plan, wire: WireRequest) -> tuple[Plan, Response]:
        """Send a request, and return its answer with the plan that was followed at last."""
        held, response = await hold(self.settings, self._driver, plan) if self._holds else None, None
        try:
            plan, wire, (body, headers) = await self._sent(self._transport.send, plan, wire, held)
            response = self.pipeline.decode(plan, wire, body, headers)
            return plan, response
        finally:
            if held is not None:
                held.end_whole(response)

    async def stream(
        self, request: Request, *, pace: Hook | None = None, on_retry: Hook | None = None
    ) -> AsyncGenerator[Event]:
        """See `KimiClient.stream`. Awaiting it sends the request, so that a refusal is raised right here."""
        request = self._begun(request)
        with Attempts(pace, on_retry):
            return await (self._served if is_hosted(request) else self._stream)(request)

    async def _served(self, request: Request) -> AsyncGenerator[Event]:
        """Return an answer in whose course the client runs tools of the host."""
        from kimi_core.client.tool_loop import run

        loop = await self._within(request, partial(self._tool_loop, request))
        made = attempts.current()  # turns and tools come while the stream is read

        async def ask(request: Request) -> AsyncGenerator[Event]:
            with attempts.resumed(made):
                return await self._stream(request)

        async def run_tool(uri: str, call: ToolCall) -> str:
            with attempts.resumed(made):
                return await self._run_tool(request, uri, call)

        events = run(loop, ask, run_tool, await ask(loop.request), self._driver)
        await begin(events)
        return events

    async def _stream(self, request: Request) -> AsyncGenerator[Event]:
        if not self._takes_over:
            events = self._events(*await self._open(request))
            await begin(events)
            return events
        from kimi_core.client.fallback import stream

        return await stream(self, request)

    async def _open(self, request: Request) -> tuple[OpenStream, AnswerStream]:
        """Send a request for a stream to this host alone."""
        if request.until is not None:
            opened, answer = await self._within(request, partial(self._open, replace(request, until=None)))
            opened.end_at(request.until, 0)
            return opened, answer
        failed = attempts.current().failed
        before = len(failed)  # of this call, in its earlier turns or parts
        plan, wire = self.pipeline.prepare(await self.attached(request), stream=True)
        held = await hold(self.settings, self._driver, plan, stream=True) if self._holds else None
        try:
            plan, wire, opened = await self._sent(self._transport.open, plan, wire, held, stream=True)
            answer = self.pipeline.stream(plan, wire, opened.headers)
        except BaseException:
            if held is not None:
                held.end()
            raise
        answer.retries = tuple(failed[before:])
        if held is not None:
            held.until_closed(opened, answer)
        return opened, answer

    @staticmethod
    async def _events(opened: OpenStream, answer: AnswerStream) -> AsyncGenerator[Event]:
        """Yield the events of a stream; `KimiClient._events` is the same loop without `async`, for its speed."""
        one, several, add = answer.feed_one, answer.feed, answer.add
        try:
            yield BEGUN
            async for frames in opened:
                for event in one(frames[0]) if len(frames) == 1 else several(frames):
                    add(event)
                    yield event
            for event in answer.ending():
                yield event
        except err.APIError as error:
            raise answer.broken(error) from None
        finally:
            await opened.close()

    async def _sent(
        self,
        send: Callable[[WireRequest, Profile, Options, Turn | None], Awaitable[T]],
        plan: Plan,
        wire: WireRequest,
        held: Held | None,
        *,
        stream: bool = False,
    ) -> tuple[Plan, WireRequest, T]:
        """Send; again without an option that is refused by name. Each turn has one option less, so it ends."""
        turn = None if held is None else held.turn
        while True:
            try:
                return plan, wire, await send(wire, plan.profile, plan.request.options, turn)
            except err.BadRequestError as error:
                plan, wire = self.pipeline.relented(plan, error, stream=stream)

    def _admit(self, budget: Budget, model: str) -> None:
        """See that the budget allows a call, here and at the fallback hosts."""
        profile = self.profile(model)
        budget.admit(profile)
        for index, there in enumerate(self.settings.fallback_hosts):
            budget.admit(self._fallback(index).profile(model_there(profile, there)))

    def _fallback(self, index: int) -> AsyncKimiClient:
        """Return the client for one of the fallback hosts."""
        if index not in self._fallbacks:
            self._fallbacks[index] = self._sibling(fallback_settings(self.settings, index))
        return self._fallbacks[index]

    # ------------------------------------------------------------------------- what is done before a request is sent

    async def attached(self, request: Request) -> Request:
        """See `KimiClient.attached`."""
        if all(type(message.content) is str for message in request.messages):
            return request
        todo = self._steps(request)
        if todo is None:
            return request
        from kimi_core.attachments import attachments

        return await attachments.run(todo, self.files, self.profile(request.model), self.settings, self._driver)

    def _steps(self, request: Request) -> Steps | None:
        """Return what to do with media and documents first; None for nothing. Mistakes are found before that."""
        from kimi_core.attachments import attachments
        from kimi_core.media import parts  # with the first picture

        profile = self.pipeline.route(request)
        messages = parts.normalized(request.messages)
        normalized = request if messages is request.messages else replace(request, messages=messages)
        dry_run = attachments.dry_run(normalized, profile, self.settings)
        if dry_run is request:
            return None
        if dry_run is not normalized:
            self.pipeline.prepare(dry_run)
        return attachments.steps(normalized, profile, self.settings)

    async def _tool_loop(self, request: Request) -> ToolLoop:
        """Begin an answer for which the host's own tools may be run."""
        from kimi_core.client import tool_loop
        from kimi_core.endpoints import server_tools

        formulas = server_tools.formulas(request)
        if any(uri not in self._formulas for uri in formulas):  # mistakes are found before the host is asked for these
            known = server_tools.without_formulas(request)
            if self._steps(known) is None:
                self.pipeline.prepare(known)
        offered = {uri: await self.formula_tools(uri) for uri in formulas}
        known, owners = server_tools.resolved(request, offered)
        # A file that is uploaded here is not there at a fallback host, so each attaches what it is sent.
        return tool_loop.ToolLoop(known if self.settings.fallback_hosts else await self.attached(known), owners)

    async def _run_tool(self, request: Request, uri: str, call: ToolCall) -> str:
        return (await self._within(request, partial(self.run_formula, uri, call.name, call.arguments))).output

    # ---------------------------------------------------------------------------------------- beside chat completions

    async def warm_up(self) -> bool:
        """See `KimiClient.warm_up`. The connection is of this event loop."""
        from kimi_core.transport.warm_up import connect

        return await connect(self._transport)

    @property
    def account(self) -> Profile:
        """The facts for calls that are about no model."""
        return of_host(self.settings.host, self.settings.overrides)

    @cached_property
    def files(self) -> AsyncFiles:
        """See `KimiClient.files`."""
        from kimi_core.endpoints.files import AsyncFiles

        return AsyncFiles(self._transport, self.account)

    @cached_property
    def batches(self) -> AsyncBatches:
        """See `KimiClient.batches`."""
        from kimi_core.client.batches import AsyncBatches

        return AsyncBatches(self, self._transport)

    async def search(
        self, query: str, *, limit: int = 5, include_content: bool = False, timeout_seconds: int | None = None
    ) -> list[SearchResult]:
        """See `KimiClient.search`."""
        from kimi_core.endpoints import server_tools

        profile = self.account
        wire = server_tools.search(query, limit, timeout_seconds, profile, include_content=include_content)
        body, _ = await self._transport.send(wire, profile, NO_OPTIONS)
        return server_tools.read_results(body, profile)

    async def formula_tools(self, uri: str) -> tuple[Tool, ...]:
        """See `KimiClient.formula_tools`."""
        from kimi_core.endpoints import server_tools

        if uri not in self._formulas:
            profile = self.account
            body, _ = await self._transport.get(server_tools.tools_path(uri, profile), profile)
            self._formulas[uri] = server_tools.read_tools(body, uri, profile)
        return self._formulas[uri]

    async def run_formula(self, uri: str, name: str, arguments: str | Mapping[str, Any]) -> FormulaResult:
        """See `KimiClient.run_formula`."""
        from kimi_core.endpoints import server_tools

        profile = self.account
        body, _ = await self._transport.send(server_tools.fiber(uri, name, arguments, profile), profile, NO_OPTIONS)
        return server_tools.read_fiber(body, uri, name, profile)

    async def balance(self) -> Balance:
        """See `KimiClient.balance`."""
        from kimi_core.endpoints import balance

        profile = self.account
        body, _ = await self._transport.get(balance.balance_path(profile), profile)
        return balance.balance(body, profile)

    async def models(self) -> list[JsonObject]:
        """See `KimiClient.models`."""
        from kimi_core.endpoints.paths import path_of

        profile = self.account
        body, _ = await self._transport.get(path_of("models", profile, "has no list of models"), profile)
        listed = body.get("data", []) if isinstance(body, dict) else None
        if not isinstance(listed, list):
            raise err.make(
                err.DecodeError,
                f"{profile.where} answered something that is no list of models: {in_short(body)!r}. Check base_url.",
                host=profile.host.name,
                body=body,
            )
        return listed

    async def count_tokens(self, request: Request) -> int:
        """See `KimiClient.count_tokens`."""
        from kimi_core.endpoints import token_count

        if is_hosted(request):  # it takes no tools: what a formula offers need not be known for it
            request = replace(request, tools=(), tool_choice=None)
        plan, wire = self.pipeline.prepare(await self.attached(request))
        body, _ = await self._transport.send(token_count.request(plan.profile, wire), plan.profile, NO_OPTIONS)
        return token_count.read(body, plan.profile)


def is_hosted(request: Request) -> bool:
    """Return whether any tool is the host's own and run by the client."""
    return bool(request.tools) and any(tool.type in ("builtin_function", "formula") for tool in request.tools)
