"""The turns of one call: before each request it waits, under the limits of its user, and afterwards makes room."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from kimi_core import errors as err
from kimi_core.asyncgens import in_event_loop
from kimi_core.budget import most_tokens
from kimi_core.held_stream import HeldStream, Read
from kimi_core.hosts.profile import Profile
from kimi_core.limiting import asks, line
from kimi_core.limiting.asks import Ask, AwayError, Delay, Outcome, Storage
from kimi_core.limiting.headers import pause_of_error, pause_of_headers
from kimi_core.limiting.memory import MEMORY
from kimi_core.limiting.storages import storage_of
from kimi_core.limits import Limits
from kimi_core.request.plan import Plan
from kimi_core.types import Response

if TYPE_CHECKING:
    from kimi_core.settings import Settings
    from kimi_core.transport.drivers import Driver

_log = logging.getLogger("kimi_core.limits")

LONGEST_AWAY: Final = 60.0
"""Seconds for which a Redis that cannot be reached is waited for."""
_LOOKS_AGAIN = 1.0
_READING: ContextVar[tuple[Turn, ...]] = ContextVar("kimi_core_turns_of_streams", default=())
"""The turns of the streams that were begun in this context: a thread, a task, or those that it has made."""


def of_call(settings: Settings, limits: Limits, plan: Plan) -> Turn:
    """Return the turns of one call."""
    tokens = sum(most_tokens(plan.request, plan.profile)) if limits.counts_tokens else 0
    return Turn(limits, place_of(settings, limits), plan.profile, tokens)


def place_of(settings: Settings, limits: Limits) -> str:
    """Return what shares the limits: a digest from which neither the key nor a name can be had."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    whose = f"name {limits.name}" if limits.name else f"key {key}"
    secret = hashlib.sha256(whose.encode()).digest()
    return hashlib.blake2b(settings.base_url.encode(), key=secret, digest_size=16).hexdigest()


class Turn:
    """The turns of one call, one after the other: each attempt has its own.

    Attributes:
        waited: Seconds that were waited for them.
        stream: The stream that has the turn.
    """

    def __init__(self, limits: Limits, place: str, profile: Profile, tokens: int) -> None:
        """Begin without one.

        Args:
            limits: The limits.
            place: See `place_of`.
            profile: Who is asked.
            tokens: The most tokens that an attempt may come to.
        """
        self.waited = 0.0
        self._limits, self._place, self._profile, self._tokens = limits, place, profile, tokens
        self._line = line.of_place(place)
        self._ask: Ask | None = None
        self._storage: Storage = MEMORY
        self._answered: float | None = None
        self._began = 0.0
        self._thread = 0
        self.stream = HeldStream()

    # ------------------------------------------------------------------------------------------------- to wait for it

    async def begin(self, driver: Driver) -> None:
        """Wait until a request may be sent.

        Raises:
            LimitsError: If that takes longer than it may, or the limits are counted where nobody can be reached.
            ConfigError: If the Redis does not let this program in.
        """
        began = self._began = time.monotonic()
        self._storage, self._answered = storage_of(self._limits), None
        ask = Ask(self._place, self._limits.numbers, self._tokens, asks.MINUTE)
        bell, blocks_loop = driver.bell(), driver.sync and in_event_loop()
        self._thread = 0 if driver.sync else threading.get_ident()
        self._line.enter(bell)
        said, delayed = "", False
        try:
            # Those before it in line may be tasks of the loop that it blocks: it does not wait for them.
            while (delay := await self._delay(driver, ask, None if blocks_loop else bell)) is not None:
                delayed = True
                if delay.limit != "turn":
                    self._line.refused(bell)
                    if not said:
                        said = delay.limit
                        _log.info("%s: a request waits for %s", self._profile.where, _WORDS.get(said, said))
                self._check(delay, time.monotonic() - began, blocks_loop=blocks_loop)
                await bell.wait(min(delay.seconds, _LOOKS_AGAIN, self._left(began) or asks.GLANCE))
        except BaseException:
            self._storage.end(ask, Outcome(sent=False))
            raise
        finally:
            self._line.leave(bell)
        self._ask = ask
        self._line.under_way.add(self)
        if delayed:
            seconds = time.monotonic() - began
            self.waited += seconds
            _log.info("%s: a request has waited %.1f s for its turn", self._profile.where, seconds)

    async def _delay(self, driver: Driver, ask: Ask, bell: line.Bell | None) -> Delay | None:
        """Ask for the turn, if it is one's turn to ask; without a bell it is."""
        if bell is not None and not self._line.is_first(bell):
            return Delay(_LOOKS_AGAIN, "turn")
        if self._storage.is_local:
            return self._storage.take(ask)
        try:
            return await driver.compute(self._storage.take, ask)
        except AwayError as error:  # one minute for all in line, not one for each of them
            away = time.monotonic() - max(error.since, self._began)
        if self._limits.when_away == "wait" and away < LONGEST_AWAY:
            return Delay(_LOOKS_AGAIN, "storage")
        if self._limits.when_away != "local":
            raise self._error(
                f"its limits are counted in {self._limits.storage}, which cannot be reached. See that the Redis runs, "
                "or give when_away='local' to the limits"
            )
        _log.warning(
            "%s: %s cannot be reached; limits hold in this process alone", self._profile.where, self._limits.storage
        )
        self._storage.end(ask, Outcome(sent=False))
        self._storage = MEMORY
        return MEMORY.take(ask)

    def _left(self, began: float) -> float:
        """Return the seconds for which may be waited."""
        most = self._limits.max_wait
        return _LOOKS_AGAIN if most is None else max(0.0, most - (time.monotonic() - began))

    def _check(self, delay: Delay, waited: float, *, blocks_loop: bool) -> None:
        """Raise where waiting is in vain, or too long."""
        most = self._limits.max_wait
        # Until those under way have been answered, they count as if they had been sent later.
        known = 0.0 if delay.limit in ("turn", "concurrency", "storage") else delay.seconds - asks.TRAVEL
        asked = delay.limit != "turn" or self._line.is_held_up  # else nobody knows yet that there is no room
        if most is not None and asked and (waited >= most or waited + known > most):
            what = _WORDS.get(delay.limit, delay.limit)
            raise self._error(f"it would wait longer than max_wait={most:g} seconds for {what}")
        if self._limits.concurrency and delay.limit in ("concurrency", "turn"):
            self._check_who_holds(self._limits.concurrency, blocks_loop=blocks_loop)

    def _check_who_holds(self, most: int, *, blocks_loop: bool) -> None:
        """Raise where those that are waited for wait for this call themselves."""
        beside = [turn for turn in _READING.get() if turn.is_open and turn._place == self._place]
        if len(beside) >= most and all(turn.stream.rests for turn in beside):
            raise self._error(
                "it would wait for a stream beside which it was begun, and which nobody reads. Read that stream to its "
                "end or close it first, or raise concurrency"
            )
        thread = threading.get_ident()
        if blocks_loop and sum(turn._thread == thread for turn in list(self._line.under_way)) >= most:
            raise self._error(
                "it blocks the event loop of the calls that it would wait for. Await the asynchronous method, or call "
                "it in another thread (asyncio.to_thread)"
            )

    def _error(self, why: str) -> err.LimitsError:
        return err.make(
            err.LimitsError,
            f"{self._profile.where} was not asked: {why}.",
            host=self._profile.host.name,
            model=self._profile.model_id,
        )

    # --------------------------------------------------------------------------------------------------- to let it go

    def answered(self, headers: Mapping[str, str]) -> None:
        """Note that an answer has begun, and whether the host lets more through."""
        self._answered = time.monotonic()
        pause = pause_of_headers(headers, self._profile.host.limits)
        if pause and self._ask is not None:
            self._storage.pause(self._ask, pause)

    def failed(self, error: BaseException) -> None:
        """Give the turn back after an attempt that failed."""
        if isinstance(error, err.ConfigError | err.BudgetExceededError):
            self._end(Outcome(sent=False))
            return
        refused = isinstance(error, err.APIStatusError)
        if refused:
            self._answered = time.monotonic()
        pause = pause_of_error(error, self._profile.host.limits)
        self._end(Outcome(age=self._age(), tokens=0 if refused else None, pause=pause))

    def end(self, response: Response | None = None) -> None:
        """Give the turn back; any thread may call this, and more than once.

        Args:
            response: What has come, if anything. Its usage is counted in place of what was held back.
        """
        usage = response.usage if response is not None else None
        tokens = None if usage is None else max(usage.total_tokens, usage.input_tokens + usage.output_tokens)
        self._end(Outcome(age=self._age(), tokens=tokens, asked=self._profile.host.limits.counts_asked))

    def _age(self) -> float | None:
        return None if self._answered is None else time.monotonic() - self._answered

    def _end(self, outcome: Outcome) -> None:
        ask, self._ask = self._ask, None
        self._line.under_way.discard(self)
        if ask is not None:
            self._storage.end(ask, outcome)
            self._line.wake()

    # ------------------------------------------------------------------------------------------------------- a stream

    def of(self, stream: Read) -> None:
        """Name the stream that has the turn."""
        self.stream.of(stream)
        if self._limits.concurrency is not None:
            _READING.set((*(turn for turn in _READING.get() if turn.is_open), self))

    @property
    def is_open(self) -> bool:
        """Whether a request of it is under way."""
        return self._ask is not None


_WORDS: Final = {
    "concurrency": "one of those under way to end (concurrency)",
    "requests_per_minute": "the minute to pass (requests_per_minute)",
    "tokens_per_minute": "the minute to pass (tokens_per_minute)",
    "tokens_per_day": "the day to pass (tokens_per_day)",
    "host": "the time that the host has asked for",
    "storage": "the Redis that counts the limits to come back",
    "turn": "those that came before",
}
