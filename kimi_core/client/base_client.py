"""What both clients share, everything but the I/O: what is sent, and whether what comes is an answer."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from kimi_core import errors as err
from kimi_core.client import empty_answers
from kimi_core.codecs import WireRequest, codec
from kimi_core.events import Event, Finished, ResponseBuilder, TextDelta, reduce
from kimi_core.header_rules import check_headers
from kimi_core.hosts.addresses import is_local
from kimi_core.hosts.profile import Profile, find_host, model_there, resolve
from kimi_core.hosts.registry import HostSpec, guess_by_url, named_by_url
from kimi_core.media import left_out
from kimi_core.quoting import in_short, listed
from kimi_core.request import endpoint_choice, history, policy
from kimi_core.request.plan import Plan
from kimi_core.settings import Settings, fallback_settings, make_settings
from kimi_core.transport.redaction import Redactor
from kimi_core.types import Message, Request, Response, Tool, ToolChoice
from kimi_core.usage import bill_of, billed

if TYPE_CHECKING:
    from kimi_core.attachments.attachments import Steps
    from kimi_core.budget import Budget, Meter
    from kimi_core.codecs import StreamDecoder


class BaseClient:
    """A client without its I/O."""

    def __init__(self, settings: Settings | None = None, **given: Any) -> None:
        """Make a client. No I/O, and the SDK is not imported yet.

        Args:
            settings: Ready-made settings.
            **given: Or the arguments of `kimi_core.settings.make_settings`: host, api_key, base_url, timeout, …

        Raises:
            ConfigError: A value is wrong.
        """
        if settings is None:
            settings = make_settings(**given)
        self.settings = settings
        self._profiles: dict[str, Profile] = {}
        self._spares: dict[int, Self] = {}
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
        if self.changes_host(changes):
            for word in ("host", "api_key", "base_url", "default_headers"):  # all that may hold credentials
                kept.pop(word)
        made = type(self)(make_settings(**{**kept, **changes}))
        made._said = self._said  # what was said once is not said again
        if made.settings.base_url == self.settings.base_url:
            made._formulas = self._formulas
        return made

    def changes_host(self, changes: Mapping[str, Any]) -> bool:
        """Whether calls with these settings go to another host, which the headers of this one are no business of."""
        host, base_url = changes.get("host"), changes.get("base_url")
        if host is None and not isinstance(base_url, str):
            return False
        spec = self._spec_there(base_url or "") if host is None else find_host(host)
        return spec is not None and spec is not self.settings.host

    def _spec_there(self, base_url: str) -> HostSpec | None:
        """Whose an address is. A server of one's own that has moved within one's network is still the same."""
        return (named_by_url if is_local(self.settings.base_url) else guess_by_url)(base_url)

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Its settings with some words changed (see `derived`); those with None as if they had not been given."""
        forgotten = {word for word, value in changes.items() if value is None}
        if not forgotten:
            return self.derived(**changes).settings
        kept = {word: value for word, value in self.settings.arguments().items() if word not in forgotten}
        return type(self)(make_settings(**kept)).derived(**changes).settings

    def spare(self, index: int) -> Self:
        """The client for one of the fallback hosts."""
        made = self._spares.get(index)
        if made is None:
            made = self._spares[index] = type(self)(fallback_settings(self.settings, index))
            made._said = self._said
        return made

    def _admit(self, model: str) -> None:
        """Raise when the budget does not allow a call, here or at a fallback host."""
        if (budget := self.settings.budget) is not None:
            budget.admit(self.profile(model))
            if self.settings.fallback_hosts:
                self._admit_spares(budget, self.profile(model))

    def _admit_spares(self, budget: Budget, profile: Profile) -> None:
        for index, said in enumerate(self.settings.fallback_hosts):
            budget.admit(self.spare(index).profile(model_there(profile, said)))

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
            UnsupportedError: Several answers are to be streamed, or the answer's shape cannot be had here.
            MessageError: A message or schema cannot be expressed for this host.
        """
        check_headers(request.options.extra_headers)
        profile = self._route(request)
        if stream and (request.options.n or 1) > 1:
            raise err.UnsupportedError(
                f"{profile.where} cannot stream n={request.options.n} answers: a stream is one answer. Give n=1 for "
                "this call, or do not stream it."
            )
        if profile.model.id in profile.host.retired:
            self._say_retired(profile)
        plan = policy.plan(request, profile)
        self._report(plan)
        encoder = codec(profile.host.codec)
        readable = left_out.readable(plan.request.messages, lambda part: encoder.check(part, profile))
        self._report_left_out(readable, profile)
        messages, repairs = history.repair(readable, profile, plan.thinks)
        if messages is not plan.request.messages:
            self._report_repairs(repairs, profile)
            if not messages:
                raise err.MessageError("There is nothing to send: every message is empty.")
            plan = replace(plan, request=replace(plan.request, messages=messages))
        return plan, encoder.encode(plan, stream=stream)

    def _route(self, request: Request) -> Profile:
        """The facts of the endpoint that a request goes to, where the host has several."""
        profile = self.profile(request.model)
        other = profile.host.compatible
        if other is None or not endpoint_choice.goes_elsewhere(request):
            return profile
        self._warn(f"{profile.host.name} endpoint", endpoint_choice.said(profile))
        key = f"{request.model} elsewhere"
        found = self._profiles.get(key)
        if found is None:
            host = replace(self.settings.host, **{"compatible": None, **other})
            found = self._profiles[key] = resolve(host, request.model, self.settings.overrides)
        return found

    def _parts(self, request: Request) -> list[Request]:
        """What is asked, one by one, for all answers that are wanted; itself, where one request gives them all."""
        n = request.options.n
        if n is None or n < 2:
            return [request]
        from kimi_core.client import several_answers  # with the first of them

        most = 1 if is_hosted(request) else self._route(request).host.most_answers
        return several_answers.requests(request, most)

    def _steps(self, request: Request) -> Steps | None:
        """What is to be done with media and documents first; None for nothing. Mistakes are found before that."""
        if all(type(message.content) is str for message in request.messages):
            return None
        from kimi_core.attachments import attachments
        from kimi_core.media import parts  # with the first picture

        profile = self._route(request)
        messages = parts.settled(request.messages)
        settled = request if messages is request.messages else replace(request, messages=messages)
        dry_run = attachments.dry_run(settled, profile, self.settings)
        if dry_run is request:
            return None
        if dry_run is not settled:
            self.prepare(dry_run)
        return attachments.steps(settled, profile, self.settings)

    def _dry_run(self, request: Request) -> None:
        """Find mistakes before a host is asked what its formulas offer."""
        from kimi_core.endpoints import server_tools  # with the first tool of a host's own

        if all(uri in self._formulas for uri in server_tools.formulas(request)):
            return
        known = server_tools.without_formulas(request)
        if self._steps(known) is None:
            self.prepare(known)

    @property
    def _account(self) -> Profile:
        """The facts for calls that are about no model."""
        return replace(self.profile("kimi-k2.6"), model_id="")

    def _say_retired(self, profile: Profile) -> None:
        end = profile.host.retired[profile.model.id]
        instead = f"it serves {end.instead} instead: say model={end.instead!r}" if end.instead else "say another model"
        self._warn(
            f"{profile.model_id} retired",
            f"{profile.host.title} does not serve {profile.model_id} any more, since {end.day}; {instead}, or another "
            "host. The call is made all the same; overrides={'retired': {}} says that it is served.",
        )

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

    def _report_left_out(self, messages: Sequence[Message], profile: Profile) -> None:
        if (told := left_out.first(messages)) is not None:
            self._warn(
                "left out",
                f"{profile.where} cannot take what a tool returned or another model said; it is told in text instead: "
                f"{told.text[:300]}",
            )

    def _warn(self, key: str, text: str) -> None:
        """Once for each client."""
        if key not in self._said and self.settings.on_unsupported != "ignore":
            self._said.add(key)
            err.warn(text)

    def _whole(self, plan: Plan, wire: WireRequest, body: Any, headers: Mapping[str, str]) -> Response:
        profile = plan.profile
        try:
            events = _signed(codec(profile.host.codec).decode(body, wire, profile, headers), profile)
            response = reduce(events, self._cleaner(plan).event)
        except err.APIError as error:
            raise self._clean(plan, error) from None
        self._count(plan, response)
        self._check(plan, response)
        return response

    def _meter(self, plan: Plan) -> Meter | None:
        """What counts a stream, where there is a budget."""
        budget = self.settings.budget
        return None if budget is None else budget.meter(plan.request, plan.profile)

    @property
    def _counts(self) -> bool:
        return self.settings.budget is not None or _usage_log.isEnabledFor(logging.INFO)

    def _count(self, plan: Plan, response: Response, meter: Meter | None = None) -> None:
        """Put an answer on the bill, and into the log."""
        if self.settings.budget is not None:
            self.settings.budget.settle(response, plan.profile, meter)
        if response.usage is not None and _usage_log.isEnabledFor(logging.INFO):
            _log_usage(plan.profile, response)

    @cached_property
    def _redactor(self) -> Redactor:
        return Redactor(self.settings)

    def _cleaner(self, plan: Plan) -> Redactor:
        """What keeps key and headers of a call out of what comes back."""
        return self._redactor.of_call(plan.request.options.extra_headers)

    def _clean(self, plan: Plan, error: err.APIError, partial: Response | None = None) -> err.APIError:
        error.partial = partial
        return self._cleaner(plan).scrub(error)

    def _broken(
        self, plan: Plan, builder: ResponseBuilder, decoder: StreamDecoder, meter: Meter | None, error: err.APIError
    ) -> err.APIError:
        """The error of a stream that broke, with what came of it and what that has cost, if the host said it."""
        if builder.response().finish_reason is None and (known := decoder.so_far()) is not None:
            builder.add(known)
        partial = builder.response()
        self._count(plan, partial, meter)
        return self._clean(plan, error, partial)

    def _check(self, plan: Plan, response: Response) -> None:
        for key, text in empty_answers.oddities(plan, response):
            self._warn(key, text)

    def _again(self, plan: Plan, wire: WireRequest, response: Response) -> tuple[Plan, WireRequest] | None:
        """What to ask once more after an answer that is none; None when it is one."""
        if _lacks_call(plan, response):
            return self.prepare(_narrowed(plan))
        retried = empty_answers.empty_answer(plan) == "retry" and empty_answers.is_only_thought(response)
        # Encoded anew: what is asked once more may need a name of its own.
        return (plan, codec(plan.profile.host.codec).encode(plan, stream=False)) if retried else None

    def _final(self, plan: Plan, response: Response) -> Response:
        """The answer as it is handed on."""
        self._demand_call(plan, response)
        if not empty_answers.is_only_thought(response):
            return response
        if empty_answers.empty_answer(plan) == "promote":
            return empty_answers.promoted(response)
        self._say_thought(plan)
        return response

    def _say_thought(self, plan: Plan) -> None:
        if empty_answers.empty_answer(plan) == "retry" and plan.request.output is None:
            self._warn(
                "only thought",
                f"The answer of {plan.profile.where} is empty: the model stopped after thinking. Call again, or set "
                "empty_answer='promote' to take the reasoning for the answer.",
            )

    def _ending(
        self, plan: Plan, builder: ResponseBuilder, events: Iterable[Event], meter: Meter | None
    ) -> Iterator[Event]:
        """The last events of a stream; the reasoning among them where it is to be the answer."""
        for event in _signed(events, plan.profile):
            builder.add(event)
            if type(event) is Finished and self._counts:  # here, since nobody need wait for what comes after it
                self._count(plan, builder.response(), meter)
            if type(event) is Finished and empty_answers.empty_answer(plan) == "promote":
                response = builder.response()
                if empty_answers.is_only_thought(response):
                    delta = TextDelta(response.reasoning.text if response.reasoning else "")
                    event.extra = empty_answers.promoted(response).extra
                    builder.add(delta)
                    yield delta
            yield event

    def _relented(self, plan: Plan, error: err.BadRequestError, *, stream: bool) -> tuple[Plan, WireRequest]:
        """The call without the option whose value the host refuses by name.

        Raises:
            BadRequestError: The error itself, when it names no option that could be left out.
        """
        less = empty_answers.without_refused(plan, error)
        if less is None or self.settings.on_unsupported == "error":
            raise error
        plan, name = less
        advice = "Leave it out, or say overrides={'pinned_sampling': True}."
        if name == "n":
            advice = "Each answer is asked for by itself; overrides={'most_answers': 1} says so from the start."
        self._warn(f"{plan.profile.model_id} refused {name}", f"{error} It was asked again without {name}. {advice}")
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
        if empty_answers.is_only_thought(response):
            self._say_thought(plan)

    def _demand_call(self, plan: Plan, response: Response) -> None:
        """A tool that had to be called was."""
        if _lacks_call(plan, response):
            names = listed(sorted(plan.must_call), " or ")
            raise err.ToolNotCalledError(
                f"{plan.profile.where} was to call {names} and did not; it cannot be forced to while it thinks. "
                f"It answered: {response.text[:200]!r}",
                text=response.text,
                finish_reason=response.finish_reason,
            )


def _signed(events: Iterable[Event], profile: Profile) -> Iterator[Event]:
    """The events, with who answered in the last one."""
    for event in events:
        if type(event) is Finished:
            event.host = profile.host.name
        yield event


_usage_log = logging.getLogger("kimi_core.usage")


def _log_usage(profile: Profile, response: Response) -> None:
    """One line for each answer, for meters and alerts: no content, and no key."""
    usage = response.usage
    ids = (found for name in profile.host.id_headers if (found := response.headers.get(name)))
    facts = {
        "host": profile.host.name,
        "model": profile.model_id,
        "prompt_tokens": usage.input_tokens if usage else None,
        "completion_tokens": usage.output_tokens if usage else None,
        "total_tokens": usage.total_tokens if usage else None,
        "cost_usd": response.cost_usd,
        "request_id": next(ids, response.id),
    }
    _usage_log.info(" ".join(f"{name}={in_short(value)}" for name, value in facts.items()), extra=facts)


def is_hosted(request: Request) -> bool:
    """Whether any tool is the host's own and run by the client."""
    return bool(request.tools) and any(tool.type in ("builtin_function", "formula") for tool in request.tools)


def is_all_served(response: Response, served: Container[str]) -> bool:
    """Whether an answer is nothing but calls that the client runs, so that the real one is still to come."""
    return bool(response.tool_calls) and all(call.name in served for call in response.tool_calls)


def _lacks_call(plan: Plan, response: Response) -> bool:
    if not plan.must_call or response.refusal:  # a refusal is an answer, and stays one when it is asked for again
        return False
    return plan.must_call.isdisjoint(call.name for call in response.tool_calls)


def _narrowed(plan: Plan) -> Request:
    """The same call with only those tools on offer of which one was to be called."""
    tools = tuple(tool for tool in plan.request.tools if tool.name in plan.must_call)
    return replace(plan.request, tools=tools, tool_choice=ToolChoice("auto"))


def summed(first: Response, second: Response) -> Response:
    """The second answer with the price of both."""
    return billed(second, bill_of(first) + bill_of(second))
