"""The first attempt of a request. Most succeed, and never meet the retry library: it is imported for the second one."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from kimi_core.errors import KimiError

if TYPE_CHECKING:
    from kimi_core.transport.drivers import Driver

T = TypeVar("T")


async def call(
    driver: Driver, max_retries: int, attempt: Callable[[], Coroutine[Any, Any, T]], where: Callable[[], str]
) -> T:
    """Repeat an attempt until it succeeds; raise the first final error, or the last when attempts are used up.

    Args:
        driver: Sleeps between two attempts.
        max_retries: How often an attempt may be repeated.
        attempt: Makes one.
        where: Tells who is asked, for the log of what failed.
    """
    began = time.monotonic()
    try:
        return await attempt()
    except KimiError as error:
        first = error
    from kimi_core.transport.repeats import repeated

    return await repeated(driver, max_retries, attempt, where, first, began)
