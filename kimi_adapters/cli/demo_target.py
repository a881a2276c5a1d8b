"""Where the calls of a demonstration go: to the real host, or to a local server when there is no key."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kimi_adapters.local_server import LocalKimi
from kimi_adapters.local_server.server import DialectName
from kimi_core.errors import ConfigError, MissingKeyError
from kimi_core.hosts.spec import HostSpec
from kimi_core.settings import Settings, make_settings

#: Hosts that a dialect of the local server imitates, beside the one of its own name.
_STAND_INS: dict[str, DialectName] = {
    "moonshot": "moonshot",
    "moonshot-cn": "moonshot",
    "aimlapi": "aimlapi",
    "runware": "runware",
    "runware-compatible": "runware",
}
#: Seconds between the chunks of a streamed answer, so that one sees them come.
_PACE = 0.015


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls go.

    Attributes:
        settings: Host, address and key.
        model: The model.
        local: The local server, when it is one that was started for this.
    """

    settings: Settings
    model: str
    local: LocalKimi | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options of the constructors of both chat models."""
        key = self.settings.api_key
        return {
            "model": self.model,
            "host": self.settings.host.name,
            "base_url": self.settings.base_url,
            "api_key": key.get_secret_value() if key else None,
        }

    @contextmanager
    def live(self, wanted: bool) -> Iterator[None]:
        """Let the local server answer slowly enough to watch."""
        if self.local is None or not wanted:
            yield
            return
        self.local.chunk_delay = _PACE
        try:
            yield
        finally:
            self.local.chunk_delay = 0.0


@contextmanager
def target(host: str, model: str, base_url: str | None = None) -> Iterator[Target]:
    """Yield the host that was asked for, or a local server in its place while there is no key.

    Raises:
        UnknownHostError: If there is no such host.
        MissingKeyError: If there is no key, and no local server speaks the host's dialect.
    """
    settings = make_settings(host=host, base_url=base_url)
    spec = settings.host
    if settings.api_key is not None or not spec.address.key_required:
        yield Target(settings, model)
        return
    if base_url is not None or spec.name not in _STAND_INS:
        raise MissingKeyError(f"No API key for {spec.title}: set {' or '.join(spec.address.key_env)}.")
    with stand_in(spec, model) as place:
        yield place


@contextmanager
def stand_in(spec: HostSpec, model: str) -> Iterator[Target]:
    """Yield a local server in the place of a host.

    Raises:
        ConfigError: If no local server speaks the host's dialect.
    """
    if spec.name not in _STAND_INS:
        raise ConfigError(f"No local server stands in for {spec.title}, only for {', '.join(_STAND_INS)}.")
    with _no_talk_of_lost_connections(), LocalKimi(_STAND_INS[spec.name]) as local:
        yield Target(make_settings(host=spec, base_url=local.base_url, api_key=local.api_key), model, local)


@contextmanager
def _no_talk_of_lost_connections() -> Iterator[None]:
    """Keep asyncio from warning a terminal that an answer which was stopped has no reader any more."""
    logger = logging.getLogger("asyncio")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
