"""Rate limits of the user's own: what may be asked of a host, by all that share a key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, SecretStr
from pydantic_core import PydanticCustomError, core_schema

from kimi_core.errors import ConfigError
from kimi_core.hosts import registry
from kimi_core.hosts.spec import HostSpec
from kimi_core.quoting import did_you_mean, quoted

WhenAway = Literal["wait", "raise", "local"]

STORAGE_VARIABLE: Final = "KIMI_LIMITS_STORAGE"
"""Where a storage with a password is read from again, when its limits arrive from a pickle or a dump."""

_NUMBERS = ("requests_per_minute", "tokens_per_minute", "tokens_per_day", "concurrency")
_MEMORY = "memory"
_FROM = "env:"


class Limits:
    """What may be asked of a host in a minute, in a day and at the same time. Calls wait for their turn.

    The limits hold for each key at each host: all calls of this process with the same key share them, through any
    number of models, threads and tasks, whether or not they have the same object. With a Redis as the `storage`, so do
    all processes and machines. A request counts each time that it is sent: retries, fallbacks and rounds with server
    tools too. One that does not fit waits in the order of arrival; a stream counts as one at the same time until it
    ends or is dropped.

    Example:
        ```python
        model = ChatKimi(limits=Limits(requests_per_minute=200, concurrency=50))
        llm = KimiLLM(limits="tier1")
        shared = Limits.moonshot_tier(1, storage="redis://127.0.0.1:6379/0")
        ```

    Attributes:
        requests_per_minute: Most requests in any minute; None sets no limit. So with the others.
        tokens_per_minute: Most tokens in any minute, of prompts and answers together.
        tokens_per_day: Most tokens in any 24 hours.
        concurrency: Most requests at the same time.
        name: What shares the limits at a host in place of the key, for several keys of one account.
        when_away: What happens when the Redis cannot be reached.
        max_wait: Longest wait for a turn, in seconds.
    """

    def __init__(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        tokens_per_day: int | None = None,
        concurrency: int | None = None,
        storage: str | SecretStr = _MEMORY,
        name: str | None = None,
        when_away: WhenAway = "wait",
        max_wait: float | None = None,
    ) -> None:
        """Set limits.

        Args:
            requests_per_minute: See the class.
            tokens_per_minute: See the class.
            tokens_per_day: See the class.
            concurrency: See the class.
            storage: `"memory"`, the URL of a Redis (`redis://`, `rediss://` or `unix://`), or `"env:NAME"` for a URL in
                an environment variable, which is read now. A URL is kept as a secret.
            name: See the class.
            when_away: `"wait"` waits up to a minute for the Redis and then raises; `"raise"` raises at once; `"local"`
                goes on with limits of this process alone, and a warning in the log.
            max_wait: Seconds; None waits as long as it takes (a `deadline` of the call ends it too).

        Raises:
            ConfigError: If no limit is given, or a value is not what it must be.
        """
        given = (requests_per_minute, tokens_per_minute, tokens_per_day, concurrency)
        for field, number in zip(_NUMBERS, given, strict=True):
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
                raise ConfigError(f"{field} of limits must be a whole number above 0, got {quoted(number)}.")
        if given == (None, None, None, None):
            raise ConfigError(f"Limits need a limit: {', '.join(f'{field}=…' for field in _NUMBERS)}.")
        if when_away not in get_args(WhenAway):
            raise ConfigError(f"when_away of limits must be 'wait', 'raise' or 'local', got {quoted(when_away)}.")
        if name is not None and (not isinstance(name, str) or not name):
            raise ConfigError(f"name of limits must be a text, got {quoted(name)}.")
        _check_seconds(max_wait)
        self.requests_per_minute, self.tokens_per_minute, self.tokens_per_day, self.concurrency = given
        self.name, self.when_away, self.max_wait = name, when_away, max_wait
        self._given, self._url = _storage(storage)

    @classmethod
    def moonshot_tier(cls, tier: int, **other: Any) -> Limits:
        """Return the limits of one of Moonshot's tiers, which follow from what an account has been topped up with.

        Args:
            tier: 0 to 5. Tier 0 has 3 requests a minute and 1 at the same time.
            **other: `storage`, `name`, `when_away`, `max_wait`, or another number in place of the tier's.

        Raises:
            ConfigError: If there is no such tier, or a value is wrong.
        """
        return cls._of_tier(f"tier{tier}", registry.HOSTS["moonshot"], other)

    @classmethod
    def of(cls, given: object, host: HostSpec | None = None) -> Limits:
        """Return limits in any form in which they are given: an object, a mapping of its arguments, a tier's name.

        Args:
            given: The limits.
            host: Whose tiers are meant; Moonshot's by default.

        Raises:
            ConfigError: If it is none of these, or a value is wrong.
        """
        if isinstance(given, Limits):
            return given
        if isinstance(given, str):
            return cls._of_tier(given, host or registry.HOSTS["moonshot"], {})
        if not isinstance(given, Mapping):
            raise ConfigError(f"limits must be Limits, a mapping or a tier ('tier0'), not {type(given).__name__}.")
        known = (*_NUMBERS, "storage", "name", "when_away", "max_wait")
        if unknown := [name for name in given if name not in known]:
            raise ConfigError(f"Limits have no {quoted(unknown[0])}.{did_you_mean(str(unknown[0]), known)}")
        return cls(**given)

    @classmethod
    def _of_tier(cls, name: str, host: HostSpec, other: Mapping[str, Any]) -> Limits:
        tier = host.limits.tiers.get(name)
        if tier is None:
            tiers = ", ".join(map(repr, host.limits.tiers)) or "none"
            raise ConfigError(
                f"{host.name} has no tier {quoted(name)} (known: {tiers}). Give limits=Limits(requests_per_minute=…)."
            )
        return cls(**{**{field: getattr(tier, field) for field in _NUMBERS}, **other})

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """Requests a minute, tokens a minute, tokens a day, requests at the same time; 0 where there is no limit."""
        return (
            self.requests_per_minute or 0,
            self.tokens_per_minute or 0,
            self.tokens_per_day or 0,
            self.concurrency or 0,
        )

    @property
    def counts_tokens(self) -> bool:
        """Whether any limit is one of tokens."""
        return self.tokens_per_minute is not None or self.tokens_per_day is not None

    @property
    def url(self) -> SecretStr | None:
        """The Redis that holds the counts; None for the memory of this process."""
        return self._url

    @property
    def storage(self) -> str:
        """Where the counts are, without user, password and query."""
        if self._url is None:
            return _MEMORY
        return _shown(self._url.get_secret_value())

    def plain(self) -> dict[str, Any]:
        """Return what gives these limits again, as plain data without a secret.

        A URL that has a user, a password or a query is not in it: it is read from `KIMI_LIMITS_STORAGE` again.
        """
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        when_away = None if self.when_away == "wait" else self.when_away
        storage = None if self._url is None else self._given
        written = {**numbers, "storage": storage, "name": self.name, "when_away": when_away, "max_wait": self.max_wait}
        return {name: value for name, value in written.items() if value is not None}

    def __repr__(self) -> str:
        numbers = {name: getattr(self, name) for name in (*_NUMBERS, "name", "max_wait")}
        shown = [f"{name}={value!r}" for name, value in numbers.items() if value is not None]
        if self._url is not None:
            shown += [f"storage={self.storage!r}", f"when_away={self.when_away!r}"]
        return f"Limits({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Limits) and (self.plain(), self._url) == (other.plain(), other._url)

    def __hash__(self) -> int:
        return hash((self.numbers, self.name, self.storage))

    def __copy__(self) -> Limits:
        return self

    def __deepcopy__(self, memo: object) -> Limits:
        return self  # nothing of it changes

    def __reduce__(self) -> tuple[Any, ...]:
        return Limits.of, (self.plain(),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Return a schema that takes every form of `of` as it is, and writes plain data."""
        return core_schema.no_info_after_validator_function(
            _as_given,
            core_schema.any_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(_plain),
        )


def _as_given(limits: object) -> object:
    if not isinstance(limits, Limits | str | Mapping):
        raise PydanticCustomError("limits", "Input should be Limits, a mapping or a tier ('tier0')")
    return limits


def _plain(limits: object) -> Any:
    return limits.plain() if isinstance(limits, Limits) else limits


def _check_seconds(seconds: object) -> None:
    wrong = isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0
    if seconds is not None and wrong:
        raise ConfigError(f"max_wait of limits must be seconds, 0 or more, got {quoted(seconds)}.")


def _storage(given: object) -> tuple[str, SecretStr | None]:
    """Return a storage as it may be written down, and its URL. No text of a URL is in an error.

    Raises:
        ConfigError: If it is none, or the environment has none.
    """
    text = given.get_secret_value() if isinstance(given, SecretStr) else given
    if not isinstance(text, str):
        raise ConfigError(f"storage of limits must be 'memory' or the URL of a Redis, not {type(given).__name__}.")
    if text == _MEMORY:
        return text, None
    url = _of_environment(text.removeprefix(_FROM)) if text.startswith(_FROM) else text
    shown = _shown(url)
    if not shown:
        raise ConfigError(
            "storage of limits must be 'memory', or a URL like redis://host:6379/0, rediss://user:password@host or "
            "unix:///path. In a user or password, / ? # @ and % are written as %2F %3F %23 %40 and %25."
        )
    written = text if text.startswith(_FROM) else url if url == shown else f"{_FROM}{STORAGE_VARIABLE}"
    return written, SecretStr(url)


def _shown(url: str) -> str:
    """Return the part of a URL that is no secret; "" for what cannot be told apart from a secret."""
    try:
        parts = urlsplit(url)
        host, port, place = parts.hostname, parts.port, parts.netloc.rpartition("@")[2]
    except ValueError:  # a password that is not escaped
        return ""
    if parts.scheme == "unix":
        return f"unix://{parts.path}" if not place and len(parts.path) > 1 else ""
    if parts.scheme not in ("redis", "rediss") or not host or re.fullmatch(r"(?:/[0-9]*)?", parts.path) is None:
        return ""
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}{'' if port is None else f':{port}'}{parts.path}"


def _of_environment(name: str) -> str:
    found = os.environ.get(name, "").strip()
    if not found:
        why = " A storage with a password is in no pickle and no dump." if name == STORAGE_VARIABLE else ""
        raise ConfigError(
            f"storage of limits is to be read from the environment variable {quoted(name)}, which is not set.{why} "
            "Set it to the URL of the Redis."
        )
    return found
