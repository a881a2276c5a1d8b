"""`KimiClient` and `AsyncKimiClient`: the whole surface that adapters may call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Generator
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from kimi_core import errors as err
from kimi_core.client.base_client import is_all_served, is_hosted, summed
from kimi_core.client.services import AsyncServices, Services
from kimi_core.codecs import WireRequest, codec
from kimi_core.events import Event, ResponseBuilder, Started
from kimi_core.hosts.profile import Profile
from kimi_core.request.plan import Plan
from kimi_core.types import Options, Request, Response, ToolCall

if TYPE_CHECKING:
    from kimi_core.client.tool_loop import ToolLoop
    from kimi_core.transport.transport import OpenAsyncStream, OpenStream

T = TypeVar("T")
_BEGUN = Started()


class KimiClient(Services):
    """Calls Kimi on any host, synchronously.

    Example:
        ```python
        client = KimiClient(host="moonshot")
        response = client.complete(Request(messages=[Message("user", "Hello")], model="kimi-k2.6"))
        ```
    """

    def complete(self, request: Request, *, pace: Callable[[], object] | None = None) -> Response:
        """Ask for a whole answer, or for several (`n`), of which the first has the others as its `alternatives`.

        Several answers of a host that gives fewer in one call are asked for side by side, in threads. When one of these
        requests fails for good, the call does.

        A tool that had to be called but could not be forced (see `policy`) is asked for once more when it was not; so
        is an answer that is nothing but reasoning, unless `empty_answer` says otherwise. An option that the host
        refuses by name is left out, and the call made again.

        Args:
            request: What is asked.
            pace: Called before each further request for several answers: a rate limiter's wait.

        Raises:
            ConfigError, MessageError: Before any I/O.
            APIError: The host refused or failed, and so did the fallback hosts.
            BudgetExceededError: The budget is used up.
            ToolNotCalledError: The second answer lacks the call as well.
            ServerRoundsError: The model kept calling the host's own tools.
        """
        self._admit(request.model)
        return self._several(request, self._complete_one, pace)

    def _several(
        self, request: Request, answer: Callable[[Request], Response], pace: Callable[[], object] | None = None
    ) -> Response:
        """All answers that are wanted. What a host owes that has given fewer than it was asked for is asked for too."""
        if request.options.n is None or request.options.n < 2:
            return answer(request)
        from kimi_core.client import several_answers

        parts = self._parts(request)
        if len(parts) > 1:
            parts = self._parts(self._shared(request))
        came = several_answers.ask(answer, parts, pace)
        if owed := several_answers.missing(request, came):
            came += several_answers.ask(answer, owed, pace, begun=True)
        return several_answers.together(came)

    def _shared(self, request: Request) -> Request:
        """The request after what its parts have in common: what is wrong with it, what is uploaded, what is offered."""
        if is_hosted(request):
            self._tool_loop(request)  # what the host's formulas offer is known from then on
        elif not self.settings.fallback_hosts:
            request = self.attached(request)
            self.prepare(request)
        return request

    def _complete_one(self, request: Request) -> Response:
        if not is_hosted(request):
            return self._complete(request)
        from kimi_core.client.tool_loop import serve, told

        loop = self._tool_loop(request)

        def ask(request: Request) -> Generator[Event]:
            return told(self._complete(request, loop.owners))

        for _ in serve(loop, ask, self._serve, ask(loop.request)):
            pass
        return loop.response

    def _complete(self, request: Request, served: Container[str] = ()) -> Response:
        """One answer of the model; `served` are the tools that the client runs."""
        if not self.settings.fallback_hosts:
            return self._complete_here(request, served)
        from kimi_core.client.fallback import complete

        return complete(self, request, served)

    def _complete_here(self, request: Request, served: Container[str]) -> Response:
        if len(self._parts(request)) > 1:  # this is a fallback host, which gives fewer answers in one call
            return self._several(request, partial(self._complete_here, served=served))
        plan, wire = self.prepare(self.attached(request))
        response = self._once(plan, wire)
        if served and is_all_served(response, served):
            return response
        if again := self._again(plan, wire, response):
            response = summed(response, self._once(*again))
        return self._final(plan, response)

    def stream(self, request: Request) -> Generator[Event]:
        """Ask for an answer in events. The request is sent at once; closing the iterator closes the connection.

        Raises:
            ConfigError, MessageError: Before any I/O.
            APIError: The host refused or failed; raised from the iterator, `partial` has what came before.
            ToolNotCalledError: At the end, when a tool that had to be called was not.
            ServerRoundsError: The model kept calling the host's own tools.
        """
        self._admit(request.model)
        if not is_hosted(request):
            return self._stream(request)
        from kimi_core.client.tool_loop import serve

        loop = self._tool_loop(request)
        events = serve(loop, self._stream, self._serve, self._stream(loop.request))
        next(events)
        return events

    def _stream(self, request: Request) -> Generator[Event]:
        if not self.settings.fallback_hosts:
            return self._stream_here(request)
        from kimi_core.client.fallback import stream

        return stream(self, request)

    def _stream_here(self, request: Request) -> Generator[Event]:
        prepared = self.prepare(self.attached(request), stream=True)
        plan, wire, opened = self._sent(self._transport.open, *prepared, stream=True)
        events = self._events(plan, wire, opened)
        next(events)  # a generator that was begun closes its connection even when nobody iterates it
        return events

    def _tool_loop(self, request: Request) -> ToolLoop:
        """The beginning of an answer for which the host's own tools may be run."""
        from kimi_core.client import tool_loop
        from kimi_core.endpoints import server_tools

        self._dry_run(request)
        offered = {uri: self.formula_tools(uri) for uri in server_tools.formulas(request)}
        known, owners = server_tools.resolved(request, offered)
        # A file that is uploaded here is not there at a fallback host, so each attaches what it is sent.
        return tool_loop.ToolLoop(known if self.settings.fallback_hosts else self.attached(known), owners)

    def _serve(self, uri: str, call: ToolCall) -> str:
        return self.run_formula(uri, call.name, call.arguments).output

    def _once(self, plan: Plan, wire: WireRequest) -> Response:
        plan, wire, (body, headers) = self._sent(self._transport.send, plan, wire)
        return self._whole(plan, wire, body, headers)

    def _sent(
        self,
        send: Callable[[WireRequest, Profile, Options], T],
        plan: Plan,
        wire: WireRequest,
        *,
        stream: bool = False,
    ) -> tuple[Plan, WireRequest, T]:
        """Send; again without an option that is refused by name. Each turn has one option less, so it ends."""
        while True:
            try:
                return plan, wire, send(wire, plan.profile, plan.request.options)
            except err.BadRequestError as error:
                plan, wire = self._relented(plan, error, stream=stream)

    def _events(self, plan: Plan, wire: WireRequest, opened: OpenStream) -> Generator[Event]:
        decoder = codec(plan.profile.host.codec).decoder(wire, plan.profile, opened.headers)
        builder, meter = ResponseBuilder(self._cleaner(plan).event), self._meter(plan)
        add = builder.add if meter is None else meter.through(builder)
        try:
            yield _BEGUN
            for frame in opened:
                for event in decoder.feed(frame):
                    add(event)
                    yield event
            for event in self._ending(plan, builder, decoder.end(), meter):
                yield event
            self._end(plan, builder)
        except err.APIError as error:
            raise self._broken(plan, builder, decoder, meter, error) from None
        finally:
            opened.close()


class AsyncKimiClient(AsyncServices):
    """Calls Kimi on any host, asynchronously. One object serves any number of event loops."""

    async def complete(self, request: Request, *, pace: Callable[[], Awaitable[object]] | None = None) -> Response:
        """See `KimiClient.complete`. Requests for several answers are tasks; when one fails, the rest is cancelled."""
        self._admit(request.model)
        return await self._several(request, self._complete_one, pace)

    async def _several(
        self,
        request: Request,
        answer: Callable[[Request], Awaitable[Response]],
        pace: Callable[[], Awaitable[object]] | None = None,
    ) -> Response:
        """See `KimiClient._several`."""
        if request.options.n is None or request.options.n < 2:
            return await answer(request)
        from kimi_core.client import several_answers

        parts = self._parts(request)
        if len(parts) > 1:
            parts = self._parts(await self._shared(request))
        came = await several_answers.aask(answer, parts, pace)
        if owed := several_answers.missing(request, came):
            came += await several_answers.aask(answer, owed, pace, begun=True)
        return several_answers.together(came)

    async def _shared(self, request: Request) -> Request:
        """See `KimiClient._shared`."""
        if is_hosted(request):
            await self._tool_loop(request)
        elif not self.settings.fallback_hosts:
            request = await self.attached(request)
            self.prepare(request)
        return request

    async def _complete_one(self, request: Request) -> Response:
        if not is_hosted(request):
            return await self._complete(request)
        from kimi_core.client.tool_loop import aserve, atold

        loop = await self._tool_loop(request)

        async def ask(request: Request) -> AsyncGenerator[Event]:
            return atold(await self._complete(request, loop.owners))

        async for _ in aserve(loop, ask, self._serve, await ask(loop.request)):
            pass
        return loop.response

    async def _complete(self, request: Request, served: Container[str] = ()) -> Response:
        """See `KimiClient._complete`."""
        if not self.settings.fallback_hosts:
            return await self._complete_here(request, served)
        from kimi_core.client.fallback import acomplete

        return await acomplete(self, request, served)

    async def _complete_here(self, request: Request, served: Container[str]) -> Response:
        if len(self._parts(request)) > 1:
            return await self._several(request, partial(self._complete_here, served=served))
        plan, wire = self.prepare(await self.attached(request))
        response = await self._once(plan, wire)
        if served and is_all_served(response, served):
            return response
        if again := self._again(plan, wire, response):
            response = summed(response, await self._once(*again))
        return self._final(plan, response)

    async def stream(self, request: Request) -> AsyncGenerator[Event]:
        """See `KimiClient.stream`. Awaiting it sends the request, so that a refusal is raised right here."""
        self._admit(request.model)
        if not is_hosted(request):
            return await self._stream(request)
        from kimi_core.client.tool_loop import aserve

        loop = await self._tool_loop(request)
        events = aserve(loop, self._stream, self._serve, await self._stream(loop.request))
        await anext(events)
        return events

    async def _stream(self, request: Request) -> AsyncGenerator[Event]:
        if not self.settings.fallback_hosts:
            return await self._stream_here(request)
        from kimi_core.client.fallback import astream

        return await astream(self, request)

    async def _stream_here(self, request: Request) -> AsyncGenerator[Event]:
        prepared = self.prepare(await self.attached(request), stream=True)
        plan, wire, opened = await self._sent(self._transport.open, *prepared, stream=True)
        events = self._events(plan, wire, opened)
        await anext(events)
        return events

    async def _tool_loop(self, request: Request) -> ToolLoop:
        """See `KimiClient._rounds`."""
        from kimi_core.client import tool_loop
        from kimi_core.endpoints import server_tools

        self._dry_run(request)
        offered = {uri: await self.formula_tools(uri) for uri in server_tools.formulas(request)}
        known, owners = server_tools.resolved(request, offered)
        return tool_loop.ToolLoop(known if self.settings.fallback_hosts else await self.attached(known), owners)

    async def _serve(self, uri: str, call: ToolCall) -> str:
        return (await self.run_formula(uri, call.name, call.arguments)).output

    async def _once(self, plan: Plan, wire: WireRequest) -> Response:
        plan, wire, (body, headers) = await self._sent(self._transport.send, plan, wire)
        return self._whole(plan, wire, body, headers)

    async def _sent(
        self,
        send: Callable[[WireRequest, Profile, Options], Awaitable[T]],
        plan: Plan,
        wire: WireRequest,
        *,
        stream: bool = False,
    ) -> tuple[Plan, WireRequest, T]:
        """See `KimiClient._sent`."""
        while True:
            try:
                return plan, wire, await send(wire, plan.profile, plan.request.options)
            except err.BadRequestError as error:
                plan, wire = self._relented(plan, error, stream=stream)

    async def _events(self, plan: Plan, wire: WireRequest, opened: OpenAsyncStream) -> AsyncGenerator[Event]:
        decoder = codec(plan.profile.host.codec).decoder(wire, plan.profile, opened.headers)
        builder, meter = ResponseBuilder(self._cleaner(plan).event), self._meter(plan)
        add = builder.add if meter is None else meter.through(builder)
        try:
            yield _BEGUN
            async for frame in opened:
                for event in decoder.feed(frame):
                    add(event)
                    yield event
            for event in self._ending(plan, builder, decoder.end(), meter):
                yield event
            self._end(plan, builder)
        except err.APIError as error:
            raise self._broken(plan, builder, decoder, meter, error) from None
        finally:
            await opened.close()
