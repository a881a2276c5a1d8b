"""Asks the questions, over the transport alone: what the client knows of a host must not hide what it does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from kimi_adapters.probe import answers, messages
from kimi_adapters.probe.answers import Answer
from kimi_adapters.probe.findings import Finding, Report, compared, known_spec, unknown
from kimi_adapters.probe.questions import QUESTIONS, Question
from kimi_adapters.probe.seen import Seen, Try
from kimi_core import errors as err
from kimi_core.call_options import NO_OPTIONS
from kimi_core.codecs import WireRequest
from kimi_core.codecs.json_values import dig, merge_patch
from kimi_core.hosts import models
from kimi_core.hosts.models import NEAREST
from kimi_core.hosts.profile import Profile, resolve
from kimi_core.hosts.registry import HOSTS
from kimi_core.settings import Settings, require_key
from kimi_core.transport.drivers import BLOCKING
from kimi_core.transport.redaction import Redactor
from kimi_core.transport.transport import Transport
from kimi_core.transport.waiting import wait
from kimi_core.types import JsonObject

Progress: TypeAlias = Callable[[str, int], None]
"""Told before each call: the question, and how many calls were made so far."""

_PLAIN = NO_OPTIONS
_ENOUGH = 4096
"""Tokens. Room for a short thought and an answer; what needs more is cut, and shows nothing."""
_LIMITS: tuple[JsonObject, ...] = ({"max_tokens": _ENOUGH}, {"max_completion_tokens": _ENOUGH}, {})
#: After these, no further call would be answered.
_FATAL = (err.AuthenticationError, err.QuotaExceededError)
#: About what a call takes and gives; a picture is taken for a thousand tokens.
_PER_CALL = (250, 300)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a probe may take.

    Attributes:
        calls: Most calls.
        input_tokens: About so many tokens.
        output_tokens: About so many, thinking included.
        usd: Their price in US dollars, as the host publishes it or else Moonshot; None when neither does.
    """

    calls: int
    input_tokens: int
    output_tokens: int
    usd: float | None


def estimate(settings: Settings, model: str = NEAREST) -> Estimate:
    """Return what a probe may take. No I/O."""
    profile = _profile(settings, model)
    calls = sum(question.most for question in QUESTIONS)
    taken, given = (calls * each for each in _PER_CALL)
    prices = (spec.usage.prices.get(profile.model.id) for spec in (profile.host, HOSTS["moonshot"]))
    price = next(filter(None, prices), None)
    usd = (taken * price.input + given * price.output) / 1e6 if price else None
    return Estimate(calls, taken, given, usd)


def _profile(settings: Settings, model: str) -> Profile:
    # The spec is only what the server is compared with: the server itself lists its ids.
    profile = resolve(settings.host, model, {"models.id_form": None, **settings.overrides})
    if profile.host.codec != "chat":
        other = next(
            (r for r in HOSTS.values() if r.codec == "chat" and r.address.base_url == profile.host.address.base_url),
            None,
        )
        hint = f" Probe host={other.name!r}." if other else ""
        raise err.ConfigError(f"Only Chat Completions can be probed, and {profile.where} speaks something else.{hint}")
    return profile


def probe(
    settings: Settings, model: str = NEAREST, *, key_env: str | None = None, progress: Progress | None = None
) -> Report:
    """Find out what an endpoint does. It takes some dozens of small calls, which cost money.

    Args:
        settings: Where to call, and with what key. The spec in it is compared with; `generic` compares with none.
        model: A family id, or an id as the host writes it.
        key_env: Environment variable of the key, for the spec.
        progress: Called before each call.

    Returns:
        The findings. What could not be resolved is `unknown`, with the reason.

    Raises:
        ConfigError: If the endpoint speaks a protocol of its own.
        MissingKeyError: If the host needs a key and there is none.
        APIError: If the first call failed: the host cannot be reached, or refuses the key or the model.
    """
    require_key(settings)
    profile = _listed(_profile(settings, model), Transport(settings.model_copy(update={"max_retries": 0}), BLOCKING))
    run = _Run(settings, profile, progress or (lambda name, done: None))
    run.begin()
    findings = tuple(one for question in QUESTIONS for one in run.ask(question))
    used = answers.merged_usage(run.seen.all_given())
    return Report(
        profile=profile,
        base_url=settings.base_url,
        key_env=key_env,
        findings=findings,
        calls=run.calls,
        input_tokens=used["input_tokens"],
        output_tokens=used["output_tokens"],
        day=dt.date.today(),
    )


def _listed(profile: Profile, transport: Transport) -> Profile:
    """Return the profile with the model id that an unknown host lists; unchanged if it lists none."""
    if known_spec(profile) is not None:
        return profile
    try:
        body, _ = wait(transport.get("/models", profile))
    except err.APIConnectionError:
        raise
    except err.APIError:  # few servers lack the list; the first call will show what is wrong
        return profile
    ids = [one["id"] for one in dig(body, "data") or () if isinstance(one, dict) and isinstance(one.get("id"), str)]
    same = [id for id in ids if (spec := models.find(id)) and spec.id == profile.model.id]
    if profile.model_id in ids or not same:
        return profile
    return replace(profile, model_id=min(same, key=len))


class _Run:
    """One probe."""

    def __init__(self, settings: Settings, profile: Profile, progress: Progress) -> None:
        self.seen = Seen(profile, keyed=settings.api_key is not None)
        self.calls = 0
        self._settings = settings
        self._transport = Transport(settings, BLOCKING)
        self._progress = progress
        self._base: JsonObject = {}
        self._lost: Answer | None = None

    def begin(self) -> None:
        """Make the first call, which must succeed, with the first name for a token limit that the host accepts."""
        question, error = QUESTIONS[0], None
        for limit in _LIMITS:
            self._base = {"model": self.seen.profile.model_id, **limit}
            try:
                answer = self._first(Try(question.name, messages.THINK), question.name)
            except err.BadRequestError as refused:
                error = error or refused
                continue
            if not answer.ok:
                raise err.make(err.DecodeError, answer.error, host=self.seen.profile.host.name)
            self.seen.answers[question.name] = {question.name: answer}
            return
        assert error is not None
        raise error

    def _first(self, one: Try, question: str) -> Answer:
        """Make a call that fails at once if the host cannot be reached, and is retried if the host is busy."""
        patient, self._transport = (
            self._transport,
            Transport(self._settings.model_copy(update={"max_retries": 0}), BLOCKING),
        )
        try:
            return self._called(one, question)
        except (err.RateLimitError, err.InternalServerError) as error:
            if isinstance(error, err.QuotaExceededError):
                raise
        finally:
            self._transport = patient
        return self._called(one, question)

    def ask(self, question: Question) -> list[Finding]:
        """Return the findings of one question."""
        if why := question.hinders(self.seen):
            return [Finding(question=question.name, text=f"Not asked: {why}")]
        if question.name not in self.seen.answers:
            given = self.seen.answers.setdefault(question.name, {})
            for one in question.tries(self.seen):
                given[one.name] = self._answer(one, question.name)
                if question.enough(given[one.name], self.seen):
                    break
        spec = self.seen.spec
        found = [compared(one, spec) for one in question.judge(self.seen.answers[question.name], self.seen)]
        self.seen.facts |= {one.field: one.value for one in found if one.field and one.verdict != "unknown"}
        return found or self._silences(question)

    def _silences(self, question: Question) -> list[Finding]:
        """Return the failure, if any, of a question that has no findings of its own."""
        failed = [one for one in self.seen.answers[question.name].values() if not one.ok]
        return [unknown(question.name, one.error) for one in failed[:1]]

    def _answer(self, one: Try, question: str) -> Answer:
        """Make a call and return its answer, also when it was refused or failed."""
        if self._lost is not None:
            return self._lost
        try:
            return self._called(one, question)
        except err.APIError as error:
            answer = answers.refused(error)
            if isinstance(error, _FATAL):
                self._lost = answer
            return answer

    def _called(self, one: Try, question: str) -> Answer:
        self._progress(question, self.calls)
        self.calls += 1
        profile, transport = self.seen.profile, self._transport
        body = merge_patch({**self._base, "messages": one.messages}, one.patch)
        wire = WireRequest(path=profile.host.endpoints.chat, body=body)
        if not one.stream:
            given, headers = wait(transport.send(wire, profile, _PLAIN))
            return answers.whole(Redactor(self._settings).clean(given), headers)
        opened = wait(transport.open(wire, profile, _PLAIN))
        try:
            frames = Redactor(self._settings).clean([frame for together in opened for frame in together])
        finally:
            wait(opened.close())
        return answers.streamed(frames, opened.headers)
