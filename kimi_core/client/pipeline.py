"""The way of a request to its bytes, and from a whole body to its response: all of a call but its I/O.

`prepare` goes through the endpoint, the policy, the history and the codec, in this order. `decode` and `stream` begin
the way back; `again` and `final` judge what came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from kimi_core import errors as err
from kimi_core.client import empty_answers, repetition
from kimi_core.client.accounting import Accounting
from kimi_core.client.answer_stream import AnswerStream
from kimi_core.client.warn_once import WarnOnce
from kimi_core.codecs import WireRequest, codec
from kimi_core.codecs.error_mapping import MALFORMED, not_an_answer
from kimi_core.events import reduce
from kimi_core.header_rules import check_headers
from kimi_core.hosts.patches import patched
from kimi_core.hosts.profile import Profile, resolve
from kimi_core.media import left_out
from kimi_core.quoting import quoted
from kimi_core.request import endpoint_choice, history, policy
from kimi_core.request.plan import Plan
from kimi_core.settings import Settings
from kimi_core.transport.redaction import Redactor
from kimi_core.types import Message, Part, Request, Response


class Pipeline:
    """The way of a client's calls.

    Attributes:
        settings: Host, address, key and all that holds for every call.
        warn: Warns once of each thing.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.warn = WarnOnce(silent=settings.on_unsupported == "ignore")
        self._accounting = Accounting(settings.budget)
        self._profiles: dict[str, Profile] = {}

    @cached_property
    def _redactor(self) -> Redactor:
        return Redactor(self.settings)

    def profile(self, model: str) -> Profile:
        """Return the facts that steer calls to a model.

        Raises:
            ConfigError: If it is no model of the host.
        """
        if not isinstance(model, str):
            raise err.ConfigError(f"model must be a model's id, got {quoted(model)}.")
        found = self._profiles.get(model)
        if found is None:
            found = self._profiles[model] = resolve(self.settings.host, model, self.settings.overrides)
        return found

    def route(self, request: Request) -> Profile:
        """Return the facts of the endpoint that a request goes to, where the host has several."""
        profile = self.profile(request.model)
        other = profile.host.compatible
        if other is None or not endpoint_choice.goes_elsewhere(request):
            return profile
        self.warn(f"{profile.host.name} endpoint", endpoint_choice.warning(profile))
        key = f"{request.model} elsewhere"
        found = self._profiles.get(key)
        if found is None:
            host = patched(self.settings.host, {"compatible": None, **other})
            found = self._profiles[key] = resolve(host, request.model, self.settings.overrides)
        return found

    # -------------------------------------------------------------------------------------------- what is sent

    def prepare(self, request: Request, *, stream: bool = False) -> tuple[Plan, WireRequest]:
        """Work out what is sent for a request. Everything that can be wrong with it is found here, before any I/O.

        Raises:
            ConfigError: If an option is wrong, or cannot be honoured and `on_unsupported="error"`.
            UnsupportedError: If several answers are to be streamed, or the answer's shape cannot be had here.
            MessageError: If a message or schema cannot be expressed for this host.
        """
        if request.options.extra_headers:
            check_headers(request.options.extra_headers)
        profile = self.profile(request.model)
        if profile.host.compatible is not None:
            profile = self.route(request)
        if stream and (request.options.n or 1) > 1:
            raise err.UnsupportedError(
                f"{profile.where} cannot stream n={request.options.n} answers: a stream is one answer. Give n=1 for "
                "this call, or do not stream it."
            )
        if profile.model.id in profile.host.models.retired:
            self._warn_of_retirement(profile)
        plan = policy.plan(request, profile)
        if plan.notes and self.settings.on_unsupported == "error":
            raise err.UnsupportedError(" ".join(note.text for note in plan.notes))
        for note in plan.notes:
            self.warn(f"{profile.model_id} {note.option}", note.text)
        messages = request.messages  # the policy leaves them as they are
        has_parts = any(type(message.content) is not str for message in messages)
        if has_parts or history.needs_repair(messages, profile.host, plan.thinks):
            plan = self._repaired(plan)
        return plan, codec(profile.host.codec).encode(plan, stream=stream)

    def _repaired(self, plan: Plan) -> Plan:
        """Return the plan with messages that the host takes. Others' parts are repaired, with a warning."""
        profile = plan.profile
        messages = self._readable(plan.request.messages, profile)
        messages, repairs = history.repair(messages, profile, plan.thinks)
        if messages is plan.request.messages:
            return plan
        for key in repairs:
            self.warn(f"history {key}", f"The conversation was repaired for {profile.where}: {history.REPAIRS[key]}.")
        if not messages:
            raise err.MessageError("There is nothing to send: every message is empty.")
        return replace(plan, request=replace(plan.request, messages=messages))

    def _readable(self, messages: Sequence[Message], profile: Profile) -> Sequence[Message]:
        """Return messages without parts that the host cannot take and no user wrote."""
        encoder = codec(profile.host.codec)

        def check(part: Part) -> None:
            if left_out.is_foreign(part, profile.host.media.foreign_files):
                raise err.MessageError("The file is another provider's.")
            encoder.check(part, profile)

        readable = left_out.readable(messages, check)
        if (first := left_out.first(readable)) is not None:
            self.warn(
                "left out",
                f"{profile.where} cannot take what a tool returned or another model wrote; it is sent as text instead: "
                f"{first.text[:300]}",
            )
        return readable

    def _warn_of_retirement(self, profile: Profile) -> None:
        end = profile.host.models.retired[profile.model.id]
        instead = f"it serves {end.instead}: give model={end.instead!r}" if end.instead else "give another model"
        self.warn(
            f"{profile.model_id} retired",
            f"{profile.host.title} does not serve {profile.model_id} any more, since {end.day}; {instead}, or another "
            "host. The call is made all the same; overrides={'models.retired': {}} declares that it is served.",
        )

    def late(self, request: Request) -> err.APITimeoutError:
        """Return the error of a call that has not ended at its deadline. It is not repeated."""
        profile = self.profile(request.model)
        error = err.make(
            err.APITimeoutError,
            f"{profile.where} had not answered at the deadline of {self.settings.deadline:g} seconds for the whole "
            "call, retries and all. Raise deadline=…",
            host=profile.host.name,
            model=profile.model_id,
        )
        error.is_retryable = False
        return error

    def relented(self, plan: Plan, error: err.BadRequestError, *, stream: bool) -> tuple[Plan, WireRequest]:
        """Return the call without the option whose value the host refuses by name.

        Raises:
            BadRequestError: If the error names no option that could be left out; it is the error itself.
        """
        less = empty_answers.without_refused(plan, error)
        if less is None or self.settings.on_unsupported == "error":
            raise error
        plan, name = less
        advice = "Leave it out, or give overrides={'sampling.pinned': True}."
        if name == "n":
            advice = (
                "Each answer is asked for by itself; overrides={'sampling.most_answers': 1} does that from the start."
            )
        self.warn(f"{plan.profile.model_id} refused {name}", f"{error} It was asked again without {name}. {advice}")
        return plan, codec(plan.profile.host.codec).encode(plan, stream=stream)

    # --------------------------------------------------------------------------------------------- what comes back

    def stream(self, plan: Plan, wire: WireRequest, headers: Mapping[str, str]) -> AnswerStream:
        """Begin to read a streamed answer."""
        given = plan.request.options.extra_headers
        redactor = self._redactor.of_call(given) if given else self._redactor
        return AnswerStream(plan, wire, headers, redactor, self._accounting, self.warn)

    def decode(
        self, plan: Plan, wire: WireRequest, body: Any, headers: Mapping[str, str], *, known: bool = False
    ) -> Response:
        """Read a whole answer, count it unless it is `known`, and warn of what is odd about it.

        Raises:
            APIError: If the body is no answer.
            RepetitionError: If the answer ends in a loop, and `stop_repetition` was given.
        """
        profile, given = plan.profile, plan.request.options.extra_headers
        redactor = self._redactor.of_call(given) if given else self._redactor
        try:
            events = codec(profile.host.codec).decode(body, wire, profile, headers)
            response = reduce(events, redactor.event)
        except err.APIError as error:
            error.partial = None
            raise redactor.scrub(error) from None
        except MALFORMED:
            raise redactor.scrub(not_an_answer(body, profile)) from None
        if not known:
            self._accounting.count(plan, response)
        wanted = plan.request.options.stop_repetition
        if wanted is not None and (loop := repetition.of_whole(response, wanted, profile)) is not None:
            raise redactor.scrub(loop)
        for key, text in empty_answers.oddities(plan, response):
            self.warn(key, text)
        return response

    def again(self, plan: Plan, response: Response) -> tuple[Plan, WireRequest] | None:
        """Return what to ask once more after an answer that is none; None when it is one."""
        if empty_answers.lacks_call(plan, response):
            return self.prepare(empty_answers.narrowed(plan))
        retried = empty_answers.empty_answer(plan) == "retry" and empty_answers.is_only_thought(response)
        # Encoded anew: what is asked once more may need a name of its own.
        return (plan, codec(plan.profile.host.codec).encode(plan, stream=False)) if retried else None

    def final(self, plan: Plan, response: Response) -> Response:
        """Return the answer as it is handed on.

        Raises:
            ToolNotCalledError: If a tool that had to be called was not.
        """
        if empty_answers.lacks_call(plan, response):
            raise empty_answers.not_called(plan, response)
        if empty_answers.empty_answer(plan) == "promote" and empty_answers.is_only_thought(response):
            return empty_answers.promoted(response)
        for key, text in empty_answers.left_empty(plan, response):
            self.warn(key, text)
        return response
