"""Several answers (`n`) of hosts that give fewer in one call: by requests that are made side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kimi_core.errors import ConfigError
from kimi_core.quoting import quoted
from kimi_core.types import Request, Response
from kimi_core.usage import Bill, bill_of, billed

if TYPE_CHECKING:
    from kimi_core.transport.drivers import Driver

MOST_AT_ONCE = 16
"""Requests for one call that are under way at the same time."""

MOST_ANSWERS = 128
"""The largest `n` where the host takes no larger one itself: that of OpenAI's API."""


def wanted(request: Request) -> int:
    """Return how many answers are asked for."""
    return 1 if request.options.n is None else request.options.n


def requests(request: Request, most: int) -> list[Request]:
    """Return the requests that together ask for all answers.

    Args:
        request: What is asked.
        most: How many answers the host gives in one call.

    Raises:
        ConfigError: If more answers are wanted than one call is for.
    """
    n = wanted(request)
    if n > max(MOST_ANSWERS, most):
        raise ConfigError(f"n must be at most {max(MOST_ANSWERS, most)}, got {quoted(n)}: make several calls.")
    return [_part(request, start, min(most, n - start)) for start in range(0, n, most)]


def missing(request: Request, answers: Sequence[Response]) -> list[Request]:
    """Return requests for the answers that are missing where a host took `n` and gave fewer.

    An answer that lists its failed parts owes nothing: they are in its `extra`.
    """
    came = sum(1 + len(answer.alternatives) for answer in answers)
    if any(answer.extra.get("errors") for answer in answers):
        return []
    return [_part(request, at, 1) for at in range(came, wanted(request))]


def _part(request: Request, start: int, n: int) -> Request:
    options, seed = request.options, request.options.seed
    # The same seed would give the same answer over and over; hosts that give several count it up as well.
    seed = None if seed is None else seed + start
    return replace(request, options=options.changed(n=n, seed=seed))


def together(answers: Sequence[Response]) -> Response:
    """Return the first answer with the others as its alternatives. Usage and price are of all."""
    first, *rest = answers
    if not rest:
        return first
    others = [*first.alternatives, *(one for answer in rest for one in (_alone(answer), *answer.alternatives))]
    return replace(billed(first, sum(map(bill_of, rest), Bill()) + bill_of(first)), alternatives=tuple(others))


def _alone(answer: Response) -> Response:
    """Return an answer without its alternatives; what it cost by itself is not known then."""
    return replace(answer, alternatives=(), usage=None, cost_usd=None) if answer.alternatives else answer


async def ask(
    driver: Driver,
    answer: Callable[[Request], Awaitable[Response]],
    parts: Sequence[Request],
    pace: Callable[[], Any] | None,
    *,
    begun: bool = False,
) -> list[Response]:
    """Ask all side by side. When one fails, the others are given up, and its error is raised.

    Args:
        driver: Makes them at the same time.
        answer: Asks one.
        parts: The requests.
        pace: Called before each but the first of a call, which the caller has waited for.
        begun: Whether the first was made before.
    """

    async def paced(part: Request) -> Response:
        if pace is not None and (begun or part is not parts[0]):
            await driver.result(pace())
        return await answer(part)

    return await driver.side_by_side(paced, parts, MOST_AT_ONCE)
