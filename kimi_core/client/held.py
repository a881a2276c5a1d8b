"""What a call holds while it runs: what it may cost, from the budget, and its turn under the rate limits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from kimi_core.client.answer_stream import AnswerStream
from kimi_core.request.plan import Plan
from kimi_core.reservations import Reservation
from kimi_core.settings import Settings
from kimi_core.transport import attempts
from kimi_core.transport.deadlines import when_left
from kimi_core.types import Response

if TYPE_CHECKING:
    from kimi_core.budget import Budget
    from kimi_core.limiting.turn import Turn
    from kimi_core.transport.drivers import Driver
    from kimi_core.transport.stream import OpenStream


class Held:
    """What one call holds.

    Attributes:
        turn: What each of its attempts waits for; None without limits.
    """

    def __init__(self, give_back: Callable[[], None] | None, turn: Turn | None) -> None:
        self.turn = turn
        self._give_back = give_back

    def end(self, response: Response | None = None) -> None:
        """Give all of it back; `response` is what has come."""
        if self._give_back is not None:
            self._give_back()
        if self.turn is not None:
            self.turn.end(response)

    def end_whole(self, response: Response | None) -> None:
        """Do the same after a whole answer, and note how long it waited."""
        self.end(response)
        if self.turn is not None:
            attempts.current().waited += self.turn.waited

    def until_closed(self, opened: OpenStream, answer: AnswerStream) -> None:
        """Hold it until a stream is closed, or dropped."""
        if isinstance(self._give_back, Reservation):
            self._give_back.stream.of(opened)
        if self.turn is not None:
            answer.limits_waited = self.turn.waited
            self.turn.of(opened)
        opened.when_closed = partial(_end, self, answer)


def _end(held: Held, answer: AnswerStream) -> None:
    held.end(answer.so_far)


async def hold(settings: Settings, driver: Driver, plan: Plan, *, stream: bool = False) -> Held:
    """Hold what a call needs whose settings have a budget or limits; wait where it does not fit into the budget.

    Raises:
        BudgetExceededError: If a limit of the budget is reached, or the wait was in vain.
    """
    give_back = None if settings.budget is None else await _reserved(settings.budget, driver, plan, stream=stream)
    turn = None
    if settings.limits is not None:
        from kimi_core.limiting.turn import of_call  # with the first call that has limits

        turn = of_call(settings, settings.limits, plan)
        when_left(turn.end)
    return Held(give_back, turn)


async def _reserved(budget: Budget, driver: Driver, plan: Plan, *, stream: bool) -> Callable[[], None]:
    """Hold back what a call may cost; return what gives it back."""
    patience = plan.profile.host.timeouts.answer
    give_back = await driver.when_freed(
        lambda freed: budget.reserve(plan.request, plan.profile, stream=stream, freed=freed), patience
    )
    if give_back is None:
        raise budget.waited(plan.profile, patience)
    when_left(give_back)
    return give_back
