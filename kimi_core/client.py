"""`KimiClient` and `AsyncKimiClient`: the whole surface that adapters may call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from kimi_core import answers, history, policy, redact
from kimi_core import errors as err
from kimi_core.codecs import WireRequest, codec
from kimi_core.events import Event, Finished, ResponseBuilder, Started, TextDelta, reduce
from kimi_core.hosts import find_by_url
from kimi_core.policy import Plan
from kimi_core.profile import Profile, find_host, resolve
from kimi_core.settings import Settings, check_headers, make_settings
from kimi_core.types import JsonObject, Options, Request, Response, Tool, ToolCall, ToolChoice

if TYPE_CHECKING:
    from kimi_core.account import Balance
    from kimi_core.attach import Steps
    from kimi_core.files import AsyncFiles, Files
    from kimi_core.rounds import Rounds
    from kimi_core.server_tools import FormulaResult, SearchResult
    from kimi_core.transport import AsyncTransport, OpenAsyncStream, OpenStream, Transport

T = TypeVar("T")
_PLAIN = Options()
_BEGUN = Started()


class _Client:
    """What both clients share: everything but the I/O."""

    def __init__(self, settings: Settings | None = None, **given: Any) -> None:
        """Make a client. No I/O, and the SDK is not imported yet.

        Args:
            settings: Ready-made settings.
            **given: Or the arguments of `kimi_core.settings.make_settings`: host, api_key, base_url, timeout, …
        """
        self.settings = settings if settings is not None else make_settings(**given)
        self._profiles: dict[str, Profile] = {}
        self._said: set[str] = set()
        self._formulas: dict[str, tuple[Tool, ...]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.settings,)

    def derived(self, **changes: Any) -> Self:
        """A client with other settings: those given, the rest as they are. Itself when nothing is given.

        Neither key nor headers are taken along to another host; the key is looked up anew there.
        """
        changes = {word: value for word, value in changes.items() if value is not None}
        if not changes:
            return self
        kept = self.settings.arguments()
        row = find_host(changes["host"]) if "host" in changes else find_by_url(changes.get("base_url", ""))
        if row and row is not self.settings.host:
            for word in ("host", "api_key", "base_url", "default_headers"):  # all that may hold credentials
                kept.pop(word)
        made = type(self)(**{**kept, **changes})
        made._said = self._said  # what was said once is not said again
        if made.settings.base_url == self.settings.base_url:
            made._formulas = self._formulas
        return made

    def profile(self, model: str) -> Profile:
        """The facts that steer calls to a model."""
        found = self._profiles.get(model)
        if found is None:
            found = self._profiles[model] = resolve(self.settings.host, model, self.settings.overrides)
        return found

    def prepare(self, request: Request, *, stream: bool = False) -> tuple[Plan, WireRequest]:
        """What would be sent for a request. Everything that can be wrong with it is found here, before any I/O.

        Raises:
            ConfigError: An option is wrong, or cannot be honoured and `on_unsupported="error"`.
            MessageError: A message or schema cannot be expressed for this host.
        """
        check_headers(request.options.extra_headers)
        profile = self.profile(request.model)
        plan = policy.plan(request, profile)
        self._report(plan)
        messages, repairs = history.repair(plan.request.messages, profile, plan.thinks)
        if messages is not plan.request.messages:
            self._report_repairs(repairs, profile)
            plan = replace(plan, request=replace(plan.request, messages=messages))
        return plan, codec(profile.host.codec).encode(plan, stream=stream)

    def _steps(self, request: Request) -> Steps | None:
        """What is to be done with media and documents first; None for nothing. Mistakes are found before that."""
        if all(type(message.content) is str for message in request.messages):
            return None
        from kimi_core import attach  # with the first picture

        profile = self.profile(request.model)
        rehearsed = attach.rehearsed(request, profile, self.settings)
        if rehearsed is request:
            return None
        self.prepare(rehearsed)
        return attach.steps(request, profile, self.settings)

    def _rehearse(self, request: Request) -> None:
        """Find mistakes before a host is asked what its formulas offer."""
        from kimi_core import server_tools  # with the first tool of a host's own

        if all(uri in self._formulas for uri in server_tools.formulas(request)):
            return
        known = server_tools.without_formulas(request)
        if self._steps(known) is None:
            self.prepare(known)

    @property
    def _account(self) -> Profile:
        """The facts for calls that are about no model."""
        return replace(self.profile("kimi-k2.6"), model_id="")

    def _report(self, plan: Plan) -> None:
        if plan.notes and self.settings.on_unsupported == "error":
            raise err.UnsupportedError(" ".join(note.text for note in plan.notes))
        for note in plan.notes:
            self._warn(f"{plan.profile.model_id} {note.option}", note.text)

    def _report_repairs(self, repairs: tuple[str, ...], profile: Profile) -> None:
        for key in repairs:
            self._warn(
                f"history {key}",
                f"The conversation was repaired for {profile.where}: {history.REPAIRS[key]}.",
            )

    def _warn(self, key: str, text: str) -> None:
        """Once for each client."""
        if key not in self._said and self.settings.on_unsupported != "ignore":
            self._said.add(key)
            err.warn(text)

    def _whole(self, plan: Plan, wire: WireRequest, body: Any, headers: Mapping[str, str]) -> Response:
        profile = plan.profile
        try:
            response = reduce(codec(profile.host.codec).decode(body, wire, profile, headers))
        except err.APIError as error:
            raise self._clean(error) from None
        self._check(plan, response)
        return response

    def _clean(self, error: err.APIError, partial: Response | None = None) -> err.APIError:
        error.partial = partial
        return redact.scrub(error, self.settings.api_key)

    def _check(self, plan: Plan, response: Response) -> None:
        """Say why an answer is empty."""
        eaten = response.finish_reason == "length" and not response.text and not response.tool_calls
        if eaten and plan.request.output is None:  # else the answer's parser says so
            self._warn(
                "length",
                f"The answer of {plan.profile.where} is empty: the token limit was used up by thinking, which counts "
                "against max_tokens. Raise it (16000 or more), or switch thinking off.",
            )

    def _again(self, plan: Plan, wire: WireRequest, response: Response) -> tuple[Plan, WireRequest] | None:
        """What to ask once more after an answer that is none; None when it is one."""
        if _lacks_call(plan, response):
            return self.prepare(_narrowed(plan))
        retried = answers.empty_answer(plan) == "retry" and answers.is_only_thought(response)
        return (plan, wire) if retried else None

    def _final(self, plan: Plan, response: Response) -> Response:
        """The answer as it is handed on."""
        self._demand_call(plan, response)
        if not answers.is_only_thought(response):
            return response
        if answers.empty_answer(plan) == "promote":
            return answers.promoted(response)
        self._say_thought(plan)
        return response

    def _say_thought(self, plan: Plan) -> None:
        if answers.empty_answer(plan) == "retry" and plan.request.output is None:
            self._warn(
                "only thought",
                f"The answer of {plan.profile.where} is empty: the model stopped after thinking. Call again, or set "
                "empty_answer='promote' to take the reasoning for the answer.",
            )

    def _ending(self, plan: Plan, builder: ResponseBuilder, events: Iterable[Event]) -> Iterator[Event]:
        """The last events of a stream; the reasoning among them where it is to be the answer."""
        for event in events:
            builder.add(event)
            if type(event) is Finished and answers.empty_answer(plan) == "promote":
                response = builder.response()
                if answers.is_only_thought(response):
                    delta = TextDelta(response.reasoning.text if response.reasoning else "")
                    event.extra = answers.promoted(response).extra
                    builder.add(delta)
                    yield delta
            yield event

    def _relented(self, plan: Plan, error: err.BadRequestError, *, stream: bool) -> tuple[Plan, WireRequest]:
        """The call without the option whose value the host refuses by name.

        Raises:
            BadRequestError: The error itself, when it names no option that could be left out.
        """
        less = answers.without_refused(plan, error)
        if less is None or self.settings.on_unsupported == "error":
            raise error
        plan, name = less
        self._warn(
            f"{plan.profile.model_id} refused {name}",
            f"{error} It was asked again without {name}. Leave it out, or say overrides={{'pinned_sampling': True}}.",
        )
        return plan, codec(plan.profile.host.codec).encode(plan, stream=stream)

    def _end(self, plan: Plan, builder: ResponseBuilder) -> None:
        """Judge a stream that has ended."""
        response = builder.response()
        if response.finish_reason is None:
            raise err.make(
                err.StreamError,
                f"{plan.profile.where} ended the stream before it was finished (no finish reason came). "
                "What arrived is in `.partial`; call again.",
                host=plan.profile.host.name,
                model=plan.profile.model_id,
            )
        self._check(plan, response)
        self._demand_call(plan, response)
        if answers.is_only_thought(response):
            self._say_thought(plan)

    def _demand_call(self, plan: Plan, response: Response) -> None:
        """A tool that had to be called was."""
        if _lacks_call(plan, response):
            names = " or ".join(sorted(plan.must_call))
            raise err.ToolNotCalledError(
                f"{plan.profile.where} was to call {names} and did not; it cannot be forced to while it thinks. "
                f"It answered: {response.text[:200]!r}",
                text=response.text,
                finish_reason=response.finish_reason,
            )


def _hosted(request: Request) -> bool:
    """Whether any tool is the host's own."""
    return bool(request.tools) and any(tool.type != "function" for tool in request.tools)


def _toolless(request: Request) -> Request:
    """The request for a count of tokens, which takes no tools: what a formula offers need not be known for it."""
    return replace(request, tools=(), tool_choice=None) if _hosted(request) else request


def _all_served(response: Response, served: Container[str]) -> bool:
    """Whether an answer is nothing but calls that the client runs, so that the real one is still to come."""
    return bool(response.tool_calls) and all(call.name in served for call in response.tool_calls)


def _lacks_call(plan: Plan, response: Response) -> bool:
    return bool(plan.must_call) and plan.must_call.isdisjoint(call.name for call in response.tool_calls)


def _narrowed(plan: Plan) -> Request:
    """The same call with only those tools on offer of which one was to be called."""
    tools = tuple(tool for tool in plan.request.tools if tool.name in plan.must_call)
    return replace(plan.request, tools=tools, tool_choice=ToolChoice("auto"))


def _summed(first: Response, second: Response) -> Response:
    """The second answer with the price of both."""
    a, b = first.usage, second.usage
    cost = None if first.cost_usd is None or second.cost_usd is None else first.cost_usd + second.cost_usd
    if a is None or b is None:
        return replace(second, cost_usd=cost)
    return replace(second, usage=a.plus(b), cost_usd=cost)


def _estimate(profile: Profile, wire: WireRequest) -> WireRequest:
    path = profile.host.count_path
    if path is None:
        raise err.UnsupportedError(f"{profile.where} has no endpoint that counts tokens.")
    return WireRequest(path=path, body={"model": profile.model_id, "messages": wire.body["messages"]})


class KimiClient(_Client):
    """Calls Kimi on any host, synchronously.

    Example:
        ```python
        client = KimiClient(host="moonshot")
        response = client.complete(Request(messages=[Message("user", "Hello")], model="kimi-k2.6"))
        ```
    """

    @cached_property
    def _transport(self) -> Transport:
        from kimi_core.transport import Transport  # with the first call: it brings tenacity and the SDK

        return Transport(self.settings)

    @cached_property
    def files(self) -> Files:
        """The files that the host keeps for the account: `upload`, `list`, `retrieve`, `content`, `delete`."""
        from kimi_core.files import Files

        return Files(self._transport, self._account)

    def complete(self, request: Request) -> Response:
        """Ask for a whole answer.

        A tool that had to be called but could not be forced (see `policy`) is asked for once more when it was not; so
        is an answer that is nothing but reasoning, unless `empty_answer` says otherwise. An option that the host
        refuses by name is left out, and the call made again.

        Raises:
            ConfigError, MessageError: Before any I/O.
            APIError: The host refused or failed.
            ToolNotCalledError: The second answer lacks the call as well.
            ServerRoundsError: The model kept calling the host's own tools.
        """
        if not _hosted(request):
            return self._complete(request)
        from kimi_core.rounds import serve, told

        rounds = self._rounds(request)

        def ask(request: Request) -> Generator[Event]:
            return told(self._complete(request, rounds.owners))

        for _ in serve(rounds, ask, self._serve, ask(rounds.request)):
            pass
        return rounds.response

    def _complete(self, request: Request, served: Container[str] = ()) -> Response:
        """One answer of the model; `served` are the tools that the client runs."""
        plan, wire = self.prepare(self.attached(request))
        response = self._once(plan, wire)
        if served and _all_served(response, served):
            return response
        if again := self._again(plan, wire, response):
            response = _summed(response, self._once(*again))
        return self._final(plan, response)

    def stream(self, request: Request) -> Generator[Event]:
        """Ask for an answer in events. The request is sent at once; closing the iterator closes the connection.

        Raises:
            ConfigError, MessageError: Before any I/O.
            APIError: The host refused or failed; raised from the iterator, `partial` has what came before.
            ToolNotCalledError: At the end, when a tool that had to be called was not.
            ServerRoundsError: The model kept calling the host's own tools.
        """
        if not _hosted(request):
            return self._stream(request)
        from kimi_core.rounds import serve

        rounds = self._rounds(request)
        events = serve(rounds, self._stream, self._serve, self._stream(rounds.request))
        next(events)
        return events

    def _stream(self, request: Request) -> Generator[Event]:
        prepared = self.prepare(self.attached(request), stream=True)
        plan, wire, opened = self._sent(self._transport.open, *prepared, stream=True)
        events = self._events(plan, wire, opened)
        next(events)  # a generator that was begun closes its connection even when nobody iterates it
        return events

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
        from kimi_core import attach

        return attach.run(todo, self.files, self.profile(request.model), self.settings)

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
        from kimi_core import server_tools

        profile = self._account
        wire = server_tools.search(query, limit, timeout_seconds, profile, include_content=include_content)
        body, _ = self._transport.send(wire, profile, _PLAIN)
        return server_tools.read_results(redact.clean(body, self.settings.api_key), profile)

    def formula_tools(self, uri: str) -> tuple[Tool, ...]:
        """The functions of a formula, asked for once.

        Args:
            uri: `moonshot/web-search:latest`, …

        Raises:
            UnsupportedError: The host has no formulas, or this one has no functions.
            NotFoundError: There is no such formula.
        """
        from kimi_core import server_tools

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
        from kimi_core import server_tools

        profile = self._account
        body, _ = self._transport.send(server_tools.fiber(uri, name, arguments, profile), profile, _PLAIN)
        return server_tools.read_fiber(redact.clean(body, self.settings.api_key), uri, name, profile)

    def _rounds(self, request: Request) -> Rounds:
        """The beginning of an answer for which the host's own tools may be run."""
        from kimi_core import rounds, server_tools

        self._rehearse(request)
        offered = {uri: self.formula_tools(uri) for uri in server_tools.formulas(request)}
        known, owners = server_tools.resolved(request, offered)
        return rounds.Rounds(self.attached(known), owners)

    def _serve(self, uri: str, call: ToolCall) -> str:
        return self.run_formula(uri, call.name, call.arguments).output

    def balance(self) -> Balance:
        """What the account can still spend, where the host can be asked.

        Raises:
            UnsupportedError: It cannot.
        """
        from kimi_core import account

        profile = self._account
        body, _ = self._transport.get(account.balance_path(profile), profile)
        return account.balance(body, profile)

    def models(self) -> list[JsonObject]:
        """What the host says it serves, as it says it."""
        body, _ = self._transport.get("/models", self.profile("kimi-k2.6"))
        return list(body.get("data", []))

    def count_tokens(self, request: Request) -> int:
        """Prompt tokens of a request, by the host's own estimate, where it has one; tools are not counted."""
        plan, wire = self.prepare(self.attached(_toolless(request)))
        body, _ = self._transport.send(_estimate(plan.profile, wire), plan.profile, _PLAIN)
        return int(body["data"]["total_tokens"])

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
        builder = ResponseBuilder()
        try:
            yield _BEGUN
            for frame in opened:
                for event in decoder.feed(frame):
                    builder.add(event)
                    yield event
            for event in self._ending(plan, builder, decoder.end()):
                yield event
            self._end(plan, builder)
        except err.APIError as error:
            raise self._clean(error, builder.response()) from None
        finally:
            opened.close()


class AsyncKimiClient(_Client):
    """Calls Kimi on any host, asynchronously. One object serves any number of event loops."""

    @cached_property
    def _transport(self) -> AsyncTransport:
        from kimi_core.transport import AsyncTransport

        return AsyncTransport(self.settings)

    @cached_property
    def files(self) -> AsyncFiles:
        """See `KimiClient.files`."""
        from kimi_core.files import AsyncFiles

        return AsyncFiles(self._transport, self._account)

    async def complete(self, request: Request) -> Response:
        """See `KimiClient.complete`."""
        if not _hosted(request):
            return await self._complete(request)
        from kimi_core.rounds import aserve, atold

        rounds = await self._rounds(request)

        async def ask(request: Request) -> AsyncGenerator[Event]:
            return atold(await self._complete(request, rounds.owners))

        async for _ in aserve(rounds, ask, self._serve, await ask(rounds.request)):
            pass
        return rounds.response

    async def _complete(self, request: Request, served: Container[str] = ()) -> Response:
        """See `KimiClient._complete`."""
        plan, wire = self.prepare(await self.attached(request))
        response = await self._once(plan, wire)
        if served and _all_served(response, served):
            return response
        if again := self._again(plan, wire, response):
            response = _summed(response, await self._once(*again))
        return self._final(plan, response)

    async def stream(self, request: Request) -> AsyncGenerator[Event]:
        """See `KimiClient.stream`. Awaiting it sends the request, so that a refusal is raised right here."""
        if not _hosted(request):
            return await self._stream(request)
        from kimi_core.rounds import aserve

        rounds = await self._rounds(request)
        events = aserve(rounds, self._stream, self._serve, await self._stream(rounds.request))
        await anext(events)
        return events

    async def _stream(self, request: Request) -> AsyncGenerator[Event]:
        prepared = self.prepare(await self.attached(request), stream=True)
        plan, wire, opened = await self._sent(self._transport.open, *prepared, stream=True)
        events = self._events(plan, wire, opened)
        await anext(events)
        return events

    async def attached(self, request: Request) -> Request:
        """See `KimiClient.attached`."""
        todo = self._steps(request)
        if todo is None:
            return request
        from kimi_core import attach

        return await attach.arun(todo, self.files, self.profile(request.model), self.settings)

    async def search(
        self, query: str, *, limit: int = 5, include_content: bool = False, timeout_seconds: int | None = None
    ) -> list[SearchResult]:
        """See `KimiClient.search`."""
        from kimi_core import server_tools

        profile = self._account
        wire = server_tools.search(query, limit, timeout_seconds, profile, include_content=include_content)
        body, _ = await self._transport.send(wire, profile, _PLAIN)
        return server_tools.read_results(redact.clean(body, self.settings.api_key), profile)

    async def formula_tools(self, uri: str) -> tuple[Tool, ...]:
        """See `KimiClient.formula_tools`."""
        from kimi_core import server_tools

        if uri not in self._formulas:
            profile = self._account
            body, _ = await self._transport.get(server_tools.tools_path(uri, profile), profile)
            self._formulas[uri] = server_tools.read_tools(body, uri, profile)
        return self._formulas[uri]

    async def run_formula(self, uri: str, name: str, arguments: str | Mapping[str, Any]) -> FormulaResult:
        """See `KimiClient.run_formula`."""
        from kimi_core import server_tools

        profile = self._account
        body, _ = await self._transport.send(server_tools.fiber(uri, name, arguments, profile), profile, _PLAIN)
        return server_tools.read_fiber(redact.clean(body, self.settings.api_key), uri, name, profile)

    async def _rounds(self, request: Request) -> Rounds:
        """See `KimiClient._rounds`."""
        from kimi_core import rounds, server_tools

        self._rehearse(request)
        offered = {uri: await self.formula_tools(uri) for uri in server_tools.formulas(request)}
        known, owners = server_tools.resolved(request, offered)
        return rounds.Rounds(await self.attached(known), owners)

    async def _serve(self, uri: str, call: ToolCall) -> str:
        return (await self.run_formula(uri, call.name, call.arguments)).output

    async def balance(self) -> Balance:
        """See `KimiClient.balance`."""
        from kimi_core import account

        profile = self._account
        body, _ = await self._transport.get(account.balance_path(profile), profile)
        return account.balance(body, profile)

    async def models(self) -> list[JsonObject]:
        """See `KimiClient.models`."""
        body, _ = await self._transport.get("/models", self.profile("kimi-k2.6"))
        return list(body.get("data", []))

    async def count_tokens(self, request: Request) -> int:
        """See `KimiClient.count_tokens`."""
        plan, wire = self.prepare(await self.attached(_toolless(request)))
        body, _ = await self._transport.send(_estimate(plan.profile, wire), plan.profile, _PLAIN)
        return int(body["data"]["total_tokens"])

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
        builder = ResponseBuilder()
        try:
            yield _BEGUN
            async for frame in opened:
                for event in decoder.feed(frame):
                    builder.add(event)
                    yield event
            for event in self._ending(plan, builder, decoder.end()):
                yield event
            self._end(plan, builder)
        except err.APIError as error:
            raise self._clean(error, builder.response()) from None
        finally:
            await opened.close()
