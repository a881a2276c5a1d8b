"""Limits counted in a Redis, for many processes and machines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from pydantic import SecretStr

from kimi_core.errors import ConfigError
from kimi_core.limiting.asks import DAY, GLANCE, TRAVEL, Ask, AwayError, Delay, Outcome
from kimi_core.limiting.keeper import Keeper
from kimi_core.limiting.script import END, KEYS, PAUSE, RENEW, TAKE

LEASE: Final = 30.0
"""Seconds after which a request under way is thought to have ended, unless its process says that it has not."""
PATIENCE: Final = 5.0
"""Seconds after which one that waits is forgotten, unless it asks again."""
_REST = 1.0
"""Seconds for which a Redis that could not be reached is not tried again."""


_log = logging.getLogger("kimi_core.limits")


class Shared:
    """See `Storage`. One client of the Redis for all threads, and for event loops a thread at a time."""

    is_local = False

    def __init__(self, url: SecretStr, shown: str) -> None:
        """Make the client. No I/O.

        Args:
            url: The URL of the Redis.
            shown: The URL without a secret, for errors.

        Raises:
            ConfigError: If the package `redis` is missing, or the URL is none.
        """
        try:
            import redis
        except ImportError:
            raise ConfigError(
                f"Limits in {shown} need the package redis: pip install 'kimi-adapters[redis]'."
            ) from None
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # Once more where a connection of the pool has gone stale; waiting for a Redis is not the client's business.
        patience = {"socket_timeout": 5.0, "socket_connect_timeout": 2.0, "retry": Retry(NoBackoff(), 1)}
        try:
            client = redis.Redis.from_url(url.get_secret_value(), **patience)
        except ValueError:  # its text has the URL
            raise ConfigError(f"storage of limits is no URL of a Redis: {shown}.") from None
        self._redis = redis
        self._shown = shown
        self._scripts = {text: client.register_script(text) for text in (TAKE, END, PAUSE, RENEW)}
        self._keeper = Keeper(self._renew, LEASE / 3)
        self._counted: dict[str, float] = {}
        self._away_until = 0.0
        self._away_since: float | None = None

    def take(self, ask: Ask) -> Delay | None:
        """See `Storage.take`.

        Raises:
            AwayError: If the Redis cannot be reached.
            ConfigError: If it lets nobody in with these credentials, or cannot run the script.
        """
        if self._away_since is not None and self._away_until > time.monotonic():
            raise AwayError(self._away_since)
        with ask.lock:  # a thread that nobody waits for any more may come here late
            if ask.ended:
                return Delay(GLANCE, "turn")
            known = time.monotonic() - self._counted.get(ask.place, float("-inf")) < ask.minute
            seconds = (TRAVEL, LEASE, GLANCE, int(known), PATIENCE)
            said = self._run(TAKE, ask.place, ask.id, ask.tokens, ask.minute, DAY, *ask.numbers, *seconds)
            if said:
                return Delay(float(said[0]), said[1].decode())
            self._counted[ask.place] = time.monotonic()
            self._keeper.add(ask.id, ask.place)
        return None

    def end(self, ask: Ask, outcome: Outcome) -> None:
        """See `Storage.end`. It is told to the Redis by a thread."""
        began = time.monotonic()
        ask.ended = True

        def tell() -> None:
            with ask.lock:
                age = -1.0 if outcome.age is None else outcome.age + time.monotonic() - began
                came = -1 if outcome.tokens is None else outcome.tokens
                words = (int(outcome.sent), age, came, int(outcome.asked), ask.minute, DAY, outcome.pause)
                self._keeper.drop(ask.id)
                self._run(END, ask.place, ask.id, *words)

        self._tell(tell)

    def pause(self, ask: Ask, seconds: float) -> None:
        """See `Storage.pause`."""
        self._tell(lambda: self._run(PAUSE, ask.place, seconds))

    def _tell(self, run: Callable[[], Any]) -> None:
        def told() -> None:
            try:
                run()
            except AwayError:  # then what it held runs out by itself
                return
            except ConfigError as error:
                _log.warning("%s", error)

        self._keeper.do(told)

    def _renew(self, place: str, ids: list[str]) -> None:
        try:
            self._run(RENEW, place, LEASE, *ids)
        except (AwayError, ConfigError):  # tried again
            return

    def _run(self, script: str, place: str, *words: Any) -> Any:
        errors = self._redis.exceptions
        keys = [f"kimi-adapters:{{{place}}}:{name}" for name in KEYS]
        try:
            said = self._scripts[script](keys=keys, args=words)
            self._away_since = None
            return said
        except (errors.AuthenticationError, errors.AuthorizationError, errors.NoPermissionError):
            pass
        except (errors.ConnectionError, errors.TimeoutError, errors.ReadOnlyError):
            now = time.monotonic()
            self._away_since, self._away_until = self._away_since or now, now + _REST
            raise AwayError(self._away_since) from None
        except errors.RedisError as error:
            raise ConfigError(
                f"The Redis at {self._shown} cannot count limits ({type(error).__name__}): see its log. It must be of "
                "version 5 or newer."
            ) from None
        raise ConfigError(
            f"The Redis at {self._shown} refuses the user or password of limits: check the URL given as storage."
        )
