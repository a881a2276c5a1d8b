"""`KimiClient` and `AsyncKimiClient`: the whole surface that adapters may call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from kimi_core import errors as err
from kimi_core import history, policy, redact
from kimi_core.codecs import WireRequest, codec
from kimi_core.events import Event, ResponseBuilder, Started, reduce
from kimi_core.hosts import find_by_url
from kimi_core.policy import Plan
from kimi_core.profile import Profile, find_host, resolve
from kimi_core.settings import Settings, check_headers, make_settings
from kimi_core.types import JsonObject, Options, Request, Response, ToolChoice, Usage

if TYPE_CHECKING:
    from kimi_core.transport import AsyncTransport, OpenAsyncStream, OpenStream, Transport

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
        if repairs:
            self._report_repairs(repairs, profile)
            plan = replace(plan, request=replace(plan.request, messages=messages))
        return plan, codec(profile.host.codec).encode(plan, stream=stream)

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
    usage = Usage(
        a.input_tokens + b.input_tokens,
        a.output_tokens + b.output_tokens,
        a.total_tokens + b.total_tokens,
        _sum(a.cached_tokens, b.cached_tokens),
        _sum(a.reasoning_tokens, b.reasoning_tokens),
        b.raw,
    )
    return replace(second, usage=usage, cost_usd=cost)


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None and b is None else (a or 0) + (b or 0)


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

    def complete(self, request: Request) -> Response:
        """Ask for a whole answer.

        A tool that had to be called but could not be forced (see `policy`) is asked for once more when it was not.

        Raises:
            ConfigError, MessageError: Before any I/O.
            APIError: The host refused or failed.
            ToolNotCalledError: The second answer lacks the call as well.
        """
        plan, wire = self.prepare(request)
        response = self._once(plan, wire)
        if _lacks_call(plan, response):
            again, wire = self.prepare(_narrowed(plan))
            response = _summed(response, self._once(again, wire))
            self._demand_call(plan, response)
        return response

    def stream(self, request: Request) -> Generator[Event]:
        """Ask for an answer in events. The request is sent at once; closing the iterator closes the connection.

        Raises:
            ConfigError, MessageError: Before any I/O.
            APIError: The host refused or failed; raised from the iterator, `partial` has what came before.
            ToolNotCalledError: At the end, when a tool that had to be called was not.
        """
        plan, wire = self.prepare(request, stream=True)
        events = self._events(plan, wire, self._transport.open(wire, plan.profile, plan.request.options))
        next(events)  # a generator that was begun closes its connection even when nobody iterates it
        return events

    def models(self) -> list[JsonObject]:
        """What the host says it serves, as it says it."""
        body, _ = self._transport.get("/models", self.profile("kimi-k2.6"))
        return list(body.get("data", []))

    def count_tokens(self, request: Request) -> int:
        """Prompt tokens of a request, by the host's own estimate, where it has one; tools are not counted."""
        plan, wire = self.prepare(request)
        body, _ = self._transport.send(_estimate(plan.profile, wire), plan.profile, _PLAIN)
        return int(body["data"]["total_tokens"])

    def _once(self, plan: Plan, wire: WireRequest) -> Response:
        body, headers = self._transport.send(wire, plan.profile, plan.request.options)
        return self._whole(plan, wire, body, headers)

    def _events(self, plan: Plan, wire: WireRequest, opened: OpenStream) -> Generator[Event]:
        decoder = codec(plan.profile.host.codec).decoder(wire, plan.profile, opened.headers)
        builder = ResponseBuilder()
        try:
            yield _BEGUN
            for frame in opened:
                for event in decoder.feed(frame):
                    builder.add(event)
                    yield event
            for event in decoder.end():
                builder.add(event)
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

    async def complete(self, request: Request) -> Response:
        """See `KimiClient.complete`."""
        plan, wire = self.prepare(request)
        response = await self._once(plan, wire)
        if _lacks_call(plan, response):
            again, wire = self.prepare(_narrowed(plan))
            response = _summed(response, await self._once(again, wire))
            self._demand_call(plan, response)
        return response

    async def stream(self, request: Request) -> AsyncGenerator[Event]:
        """See `KimiClient.stream`. Awaiting it sends the request, so that a refusal is raised right here."""
        plan, wire = self.prepare(request, stream=True)
        events = self._events(plan, wire, await self._transport.open(wire, plan.profile, plan.request.options))
        await anext(events)
        return events

    async def models(self) -> list[JsonObject]:
        """See `KimiClient.models`."""
        body, _ = await self._transport.get("/models", self.profile("kimi-k2.6"))
        return list(body.get("data", []))

    async def count_tokens(self, request: Request) -> int:
        """See `KimiClient.count_tokens`."""
        plan, wire = self.prepare(request)
        body, _ = await self._transport.send(_estimate(plan.profile, wire), plan.profile, _PLAIN)
        return int(body["data"]["total_tokens"])

    async def _once(self, plan: Plan, wire: WireRequest) -> Response:
        body, headers = await self._transport.send(wire, plan.profile, plan.request.options)
        return self._whole(plan, wire, body, headers)

    async def _events(self, plan: Plan, wire: WireRequest, opened: OpenAsyncStream) -> AsyncGenerator[Event]:
        decoder = codec(plan.profile.host.codec).decoder(wire, plan.profile, opened.headers)
        builder = ResponseBuilder()
        try:
            yield _BEGUN
            async for frame in opened:
                for event in decoder.feed(frame):
                    builder.add(event)
                    yield event
            for event in decoder.end():
                builder.add(event)
                yield event
            self._end(plan, builder)
        except err.APIError as error:
            raise self._clean(error, builder.response()) from None
        finally:
            await opened.close()
