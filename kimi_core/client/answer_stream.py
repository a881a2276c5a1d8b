"""One streamed answer: frames in, events out, and a judgement at its end. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kimi_core import errors as err
from kimi_core.client import empty_answers
from kimi_core.client.accounting import Accounting
from kimi_core.client.repetition import RepetitionWatch
from kimi_core.client.warn_once import WarnOnce
from kimi_core.codecs import WireRequest, codec
from kimi_core.codecs.error_mapping import MALFORMED, not_an_answer
from kimi_core.events import Event, Finished, ResponseBuilder, TextDelta
from kimi_core.request.plan import Plan
from kimi_core.transport.redaction import Redactor
from kimi_core.types import Response


class AnswerStream:
    """A streamed answer in the making.

    Attributes:
        feed_one: Takes one frame in, and returns its events.
        add: Takes an event in. It is called with each event before that is handed on.
        retries: The attempts to begin it that failed.
        limits_waited: Seconds that were waited for its turn under the user's limits.
    """

    retries: tuple[Mapping[str, Any], ...] = ()
    limits_waited: float = 0.0

    def __init__(
        self,
        plan: Plan,
        wire: WireRequest,
        headers: Mapping[str, str],
        redactor: Redactor,
        accounting: Accounting,
        warn: WarnOnce,
    ) -> None:
        self._plan = plan
        self._decoder = codec(plan.profile.host.codec).decoder(wire, plan.profile, headers, redactor.event)
        self._builder = ResponseBuilder()
        self.feed_one = self._decoder.feed
        self._merge = plan.request.options.merge_deltas is not False
        self._meter = None if accounting.budget is None else accounting.budget.meter(plan.request, plan.profile)
        self._redactor, self._accounting, self._warn = redactor, accounting, warn
        self.add = self._builder.add if self._meter is None else self._meter.through(self._builder)
        self._watch: RepetitionWatch | None = None
        if (wanted := plan.request.options.stop_repetition) is not None:
            self._watch = RepetitionWatch(wanted, plan.profile)
            self.add = self._watch.through(self.add)

    def feed(self, frames: Sequence[Any]) -> Iterable[Event]:
        """Return the events of the frames that one network read held; deltas of one kind that follow each other as one.

        Nothing is waited for: frames that came alone are events of their own.

        Raises:
            APIError: If a frame is an error, or none at all; the events before it come first.
        """
        return self._merged(frames) if self._merge else self._apart(frames)

    def _apart(self, frames: Sequence[Any]) -> Iterator[Event]:
        for frame in frames:
            yield from self._decoder.feed(frame)

    def _merged(self, frames: Sequence[Any]) -> Iterator[Event]:
        events: list[Event] = []
        try:
            self._decoder.feed_all(frames, events)
        except err.APIError as error:
            yield from events
            raise error from None
        yield from events

    def ending(self) -> Iterator[Event]:
        """Yield the last events, the reasoning among them where it is to be the answer; then judge the answer.

        Raises:
            StreamError: If the host ended the stream before the answer was finished.
            RepetitionError: If the answer ended in a loop.
            ToolNotCalledError: If a tool that had to be called was not.
        """
        if self._watch is not None:
            self._watch.check()
        try:
            events = self._decoder.end()
        except MALFORMED:
            raise not_an_answer("the end of its stream", self._plan.profile) from None
        response = None
        for event in events:
            self._builder.add(event)
            if type(event) is Finished:
                event.retries = self.retries
                event.limits_waited = round(self.limits_waited, 3)
                response = self._builder.response()
                self._accounting.count(self._plan, response, self._meter)  # nobody need wait for what comes after it
                if self._plan.request.options.empty_answer == "promote" and empty_answers.is_only_thought(response):
                    yield self._promoted(event, response)
                    response = self._builder.response()
                event.response = response
            yield event
        self._judge(self._builder.response() if response is None else response)

    def _promoted(self, end: Finished, response: Response) -> TextDelta:
        """Return the reasoning as the answer's text, and mark it as that in the last event."""
        end.extra = empty_answers.promoted(response).extra
        delta = TextDelta(response.reasoning.text if response.reasoning else "")
        self._builder.add(delta)
        return delta

    @property
    def so_far(self) -> Response:
        """What has come."""
        return self._builder.response()

    def _judge(self, response: Response) -> None:
        plan = self._plan
        if response.finish_reason is None:
            raise err.make(
                err.StreamError,
                f"{plan.profile.where} ended the stream before it was finished (no finish reason came). "
                "What arrived is in `.partial`; call again.",
                host=plan.profile.host.name,
                model=plan.profile.model_id,
            )
        for key, text in empty_answers.oddities(plan, response):
            self._warn(key, text)
        if response.text.strip() and not plan.must_call:  # a text is an answer where no call is due
            return
        if empty_answers.lacks_call(plan, response):
            raise empty_answers.not_called(plan, response)
        for key, text in empty_answers.left_empty(plan, response):
            self._warn(key, text)

    def broken(self, error: err.APIError) -> err.APIError:
        """Return the error of a stream that broke, with what came and what that has cost, if the host reported it."""
        builder = self._builder
        if builder.response().finish_reason is None and (known := self._decoder.so_far()) is not None:
            builder.add(known)
        error.partial = builder.response()
        self._accounting.count(self._plan, error.partial, self._meter)
        return self._redactor.scrub(error)
