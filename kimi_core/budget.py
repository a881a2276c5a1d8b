"""What calls may cost: one limit for any number of model objects, of both frameworks."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kimi_core import errors as err
from kimi_core.events import Event, ReasoningDelta, RefusalDelta, ResponseBuilder, TextDelta, ToolCallDelta
from kimi_core.hosts.groups import Price
from kimi_core.hosts.profile import Profile
from kimi_core.hosts.spec import HostSpec
from kimi_core.quoting import quoted
from kimi_core.reservations import Amount, Reservation, Reservations
from kimi_core.types import Request, Response, TextPart

CHARACTERS = 4
"""How many make a token, where nobody has counted."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent.

    Attributes:
        usd: US dollars, as far as prices are known.
        tokens: Tokens of prompts and answers together.
        steps: Requests that were sent to a model, those that failed and were repeated included.
    """

    usd: float = 0.0
    tokens: int = 0
    steps: int = 0


class Budget:
    """Limits for all calls that are made with this one object, in any thread and by any number of models.

    A call that finds a limit reached is not made; a stream that reaches one is stopped, and its connection closed.
    Both raise `BudgetExceededError`. For each answer the most that it can cost is held back until it has come
    (`max_tokens`, or what the model writes without it): calls that do not fit beside those under way wait for them, but
    not for a stream that nobody reads. So a limit is exceeded by one answer at most, and by streams left lying. Copies
    of a model share its budget; a pickle has a copy of it, with what was spent.

    Example:
        ```python
        budget = Budget(usd=0.50, steps=200)
        model = ChatKimi(budget=budget)
        llm = KimiLLM(budget=budget)
        budget.spent  # Spent(usd=0.0, tokens=0, steps=0)
        ```

    Attributes:
        usd: Most US dollars; None sets no limit.
        tokens: Most tokens, of prompts and answers together.
        steps: Most requests to a model. Retries, repairs, rounds with server tools and fallbacks are requests too.
    """

    def __init__(self, *, usd: float | None = None, tokens: int | None = None, steps: int | None = None) -> None:
        """Set limits.

        Raises:
            ConfigError: If no limit is given, or one is not a number above 0.
        """
        for name, limit, kinds in (("usd", usd, (int, float)), ("tokens", tokens, (int,)), ("steps", steps, (int,))):
            _check(name, limit, kinds)
        if usd is tokens is steps is None:
            raise err.ConfigError("A budget needs a limit: usd=…, tokens=… or steps=….")
        self.usd, self.tokens, self.steps = usd, tokens, steps
        self._usd, self._tokens, self._steps = 0.0, 0, 0
        self._unpriced = ""
        self._dearest: dict[str, float] = {}
        self._reservations = Reservations(self._give_back)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        given = {"usd": self.usd, "tokens": self.tokens, "steps": self.steps}
        limits = ", ".join(f"{name}={limit}" for name, limit in given.items() if limit is not None)
        return f"<Budget({limits}), spent: {self._said()}>"

    def __copy__(self) -> Budget:
        return self

    def __deepcopy__(self, memo: object) -> Budget:
        return self  # copies of a model spend the same money

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            return {k: v for k, v in self.__dict__.items() if k not in ("_lock", "_reservations")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reservations = Reservations(self._give_back)
        self._lock = threading.Lock()

    @property
    def spent(self) -> Spent:
        """What was spent so far; of streams under way an estimate."""
        with self._lock:
            return Spent(round(self._usd, 9), self._tokens, self._steps)

    @property
    def is_used_up(self) -> bool:
        """Whether the next call would be refused."""
        return bool(self._reached())

    def _reached(self) -> str:
        """Return the limit that is reached, or "". A cent that is missing by the error of floating point is spent."""
        if self.usd is not None and self._usd >= self.usd - 1e-12:
            return "usd"
        if self.tokens is not None and self._tokens >= self.tokens:
            return "tokens"
        return "steps" if self.steps is not None and self._steps >= self.steps else ""

    def _said(self) -> str:
        return f"{self._usd:.6g} USD, {self._tokens} tokens, {self._steps} steps"

    # ------------------------------------------------------------------------------------ what the client does

    def admit(self, profile: Profile) -> None:
        """Raise when a call may not be made. No I/O.

        Raises:
            BudgetExceededError: If a limit is reached.
            ConfigError: If there is a limit in dollars, and nobody knows what the call will cost.
        """
        if reached := self._reached():
            raise self._error(profile, f"was not asked: the budget's {reached} are spent")
        if self.usd is None:
            return
        if self._unpriced or not (_price(profile) or reports_price(profile.host)):
            why = f"{self._unpriced} reported no price" if self._unpriced else "the host reports no price"
            raise err.ConfigError(
                f"A budget in usd cannot be kept for {profile.where}: {why}, and its spec has none. Give "
                "tokens=… instead, or overrides={'usage.prices': {family: Price(…)}}."
            )

    def step(self, profile: Profile) -> None:
        """Count one request that is about to be sent.

        Raises:
            BudgetExceededError: If a limit is reached.
        """
        with self._lock:
            reached = self._reached()
            self._steps += not reached
        if reached:
            raise self._error(profile, f"was not asked again: the budget's {reached} are spent")

    def reserve(
        self, request: Request, profile: Profile, *, stream: bool, freed: Callable[[], None] | None
    ) -> Reservation | None:
        """Hold back what a call may cost.

        Args:
            request: What is about to be sent.
            profile: Where it goes.
            stream: Whether it is a stream.
            freed: Called once, from any thread, when it is worth trying again; None for a call that cannot wait.

        Returns:
            What gives it back; None when it does not fit now.

        Raises:
            BudgetExceededError: If a limit is reached.
        """
        most = self._most(request, profile)
        with self._lock:
            reached = self._reached()
            left = Amount(
                sys.maxsize if self.tokens is None else self.tokens - self._tokens,
                math.inf if self.usd is None else self.usd - self._usd,
            )
            held = None if reached else self._reservations.try_hold(most, left, freed, stream=stream)
        if reached:
            raise self._error(profile, f"was not asked: the budget's {reached} are spent")
        return held

    def reserve_batch(self, requests: Sequence[Request], profile: Profile) -> Reservation:
        """Hold back what the requests of a batch may cost together, and count them as requests.

        Raises:
            BudgetExceededError: If that does not fit: what a host works through by itself cannot be stopped in time.
        """
        self.admit(profile)
        most = sum((self._most(request, profile) for request in requests), Amount())
        if _price(profile) is None:  # the host's own price is known when it has answered
            most = Amount(most.tokens)
        with self._lock:
            held = self._reservations.held
            steps = math.inf if self.steps is None else self.steps - self._steps
            tokens = math.inf if self.tokens is None else self.tokens - self._tokens - held.tokens
            usd = math.inf if self.usd is None else self.usd - self._usd - held.usd
            fits = len(requests) <= steps and most.tokens <= tokens and most.usd <= usd
            if fits:
                self._steps += len(requests)
                made = self._reservations.hold(most)
        if not fits:
            raise self._error(
                profile,
                f"was not asked: {len(requests):,} requests of a batch may cost up to {most.usd:.6g} USD and "
                f"{most.tokens:,} tokens, for which the budget has no room. A smaller max_tokens makes them cost less",
            )
        return made

    def waited(self, profile: Profile, seconds: float) -> err.BudgetExceededError:
        """Return the error of a call that has waited for others in vain."""
        return self._error(
            profile,
            f"was not asked: beside the calls under way it does not fit into the budget, and in {seconds:g} "
            "seconds none of them ended. A smaller max_tokens lets more of them run at once, and a stream that nobody "
            "reads to its end is to be closed",
        )

    def _give_back(self, number: int) -> None:
        with self._lock:
            waiting = self._reservations.give_back(number)
        for freed in waiting:
            freed()

    def _most(self, request: Request, profile: Profile) -> Amount:
        """Return the most that a call can cost; where only the host knows its price, what its dearest answer cost."""
        price = _price(profile)
        prompt, answer = most_tokens(request, profile)
        if price is None:
            return Amount(prompt + answer, self._dearest.get(profile.where, math.inf))
        return Amount(prompt + answer, (prompt * price.input + answer * price.output) / 1_000_000)

    def settle(self, response: Response, profile: Profile, meter: Meter | None = None) -> None:
        """Count an answer, in place of its meter's estimate. The estimate is kept for what the host did not report."""
        tokens, usd = meter.counted if meter else (0, 0.0)
        if response.usage is not None:
            parts = response.usage.input_tokens + response.usage.output_tokens
            self.add(max(response.usage.total_tokens, parts) - tokens, 0.0)
            tokens = 0
        if response.cost_usd is not None:
            self._dearest[profile.where] = max(self._dearest.get(profile.where, 0.0), response.cost_usd)
            self.add(0, response.cost_usd - usd)
            usd = 0.0
        elif _price(profile) is None and (response.usage is not None or response.finish_reason is not None):
            self._unpriced = profile.where
        if meter:
            meter.counted = (tokens, usd)

    def add(self, tokens: int, usd: float) -> None:
        """Count."""
        with self._lock:
            self._tokens += tokens
            self._usd += usd

    def meter(self, request: Request, profile: Profile) -> Meter:
        """Return what counts a stream while it comes."""
        return Meter(self, request, profile)

    def _error(self, profile: Profile, what: str) -> err.BudgetExceededError:
        return err.make(
            err.BudgetExceededError,
            f"{profile.where} {what} ({self._said()}). Raise the limit, or begin a new Budget.",
            host=profile.host.name,
            model=profile.model_id,
            spent=self.spent,
        )


class Meter:
    """Counts one stream by its characters, until the host reports its usage.

    Attributes:
        counted: The tokens and dollars of this stream that are in the budget as an estimate.
    """

    def __init__(self, budget: Budget, request: Request, profile: Profile) -> None:
        """Count the prompt."""
        self._budget = budget
        self._profile = profile
        price = _price(profile)
        self._rate = price.output / 1_000_000 if price else 0.0
        self._characters = 0
        prompt = _characters(request) // CHARACTERS
        self.counted = (0, 0.0)
        self._count(prompt, prompt * price.input / 1_000_000 if price else 0.0)
        self._reported = 0

    def through(self, builder: ResponseBuilder) -> Callable[[Event], None]:
        """Return the builder's `add`, which raises when the budget is used up: earlier events are in the builder.

        Raises (when called):
            BudgetExceededError: If a limit is reached.
        """

        def add(event: Event) -> None:
            if self._reported and (reached := self._budget._reached()) and reached != "steps":
                raise self._budget._error(self._profile, f"was stopped: the budget's {reached} are spent")
            builder.add(event)
            self._feed(event)

        return add

    def estimate(self, response: Response) -> None:
        """Count a whole answer."""
        for answer in (response, *response.alternatives):
            texts = (answer.text, answer.reasoning.text if answer.reasoning else "", answer.refusal)
            calls = (call.arguments for call in answer.tool_calls)
            self._take(sum(map(len, (*texts, *calls))))

    def _feed(self, event: Event) -> None:
        match event:
            case (
                TextDelta(text=text)
                | ReasoningDelta(text=text)
                | RefusalDelta(text=text)
                | ToolCallDelta(arguments=text)
            ):
                self._take(len(text))

    def _take(self, characters: int) -> None:
        self._characters += characters
        fresh = self._characters // CHARACTERS - self._reported
        self._reported += fresh
        self._count(fresh, fresh * self._rate)

    def _count(self, tokens: int, usd: float) -> None:
        if tokens:
            self.counted = (self.counted[0] + tokens, self.counted[1] + usd)
            self._budget.add(tokens, usd)


def most_tokens(request: Request, profile: Profile) -> tuple[int, int]:
    """Return the tokens of a prompt, which are an estimate, and the most that its answers may have."""
    longest = request.options.max_tokens or profile.model.default_output
    return _characters(request) // CHARACTERS, longest * (request.options.n or 1)


def reports_price(spec: HostSpec) -> bool:
    """Return whether a host reports what an answer cost: its own spec names the place. The default only looks there."""
    return bool(spec.usage.cost_headers) or bool(spec.usage.cost_paths and spec.usage.cost_paths != _ANYWHERE)


_ANYWHERE = HostSpec(name="", title="").usage.cost_paths


def _price(profile: Profile) -> Price | None:
    return profile.host.usage.prices.get(profile.model.id)


def _characters(request: Request) -> int:
    """Return the characters in the text of a conversation and its tools; pictures are not counted."""
    given = sum(
        len(m.content) if isinstance(m.content, str) else sum(len(p.text) for p in m.content if isinstance(p, TextPart))
        for m in request.messages
    )
    return given + sum(len(tool.name) + len(tool.description) + len(str(tool.parameters)) for tool in request.tools)


def _check(name: str, limit: float | None, kinds: tuple[type, ...]) -> None:
    wrong = isinstance(limit, bool) or not isinstance(limit, kinds)
    if limit is not None and (wrong or not limit > 0):
        what = "a number" if float in kinds else "a whole number"
        raise err.ConfigError(f"A budget's {name} must be {what} above 0, got {quoted(limit)}.")
