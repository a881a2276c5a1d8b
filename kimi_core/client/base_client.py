"""What both clients share: their settings, those of other calls derived from them, and the way of a request."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Self

from kimi_core.client.pipeline import Pipeline
from kimi_core.codecs import WireRequest
from kimi_core.connection_options import OF_ONE_HOST
from kimi_core.hosts.addresses import is_local
from kimi_core.hosts.profile import Profile, find_host
from kimi_core.hosts.registry import guess_by_url, named_by_url
from kimi_core.hosts.spec import HostSpec
from kimi_core.request.plan import Plan
from kimi_core.settings import Settings, make_settings
from kimi_core.types import Request, Tool


class BaseClient:
    """A client without its I/O."""

    def __init__(self, settings: Settings | None = None, **given: Any) -> None:
        """Make a client. No I/O, and the HTTP library is not imported yet.

        Args:
            settings: Ready-made settings.
            **given: Or the fields of `kimi_core.connection_options.ClientOptions`: host, api_key, base_url, …

        Raises:
            ConfigError: If a value is wrong.
        """
        self.settings = make_settings(**given) if settings is None else settings
        self.pipeline = Pipeline(self.settings)
        # Whether another host goes on where a stream breaks off, or the same one; and whether a call holds something
        # while it runs: room in a budget, or a turn under limits.
        self._takes_over = bool(self.settings.fallback_hosts or self.settings.resume)
        self._holds = self.settings.budget is not None or self.settings.limits is not None
        self._formulas: dict[str, tuple[Tool, ...]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.settings!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.settings,)

    def profile(self, model: str) -> Profile:
        """Return the facts that steer calls to a model."""
        return self.pipeline.profile(model)

    def prepare(self, request: Request, *, stream: bool = False) -> tuple[Plan, WireRequest]:
        """Work out what would be sent for a request, without any I/O; see `Pipeline.prepare`."""
        plan, wire = self.pipeline.prepare(request, stream=stream)
        # The caller may change it, and the messages' own objects are sent again.
        return plan, replace(wire, body=deepcopy(wire.body), written=None)

    def derived(self, **changes: Any) -> Self:
        """Return a client with other settings: those given, the rest as they are. Itself when nothing is given.

        Neither key nor headers are taken along to another host; the key is looked up anew there.
        """
        changes = {name: value for name, value in changes.items() if value is not None}
        if not changes:
            return self
        kept = self.settings.arguments()
        if self.changes_host(changes):
            for name in OF_ONE_HOST:
                kept.pop(name)
        return self._sibling(make_settings(**{**kept, **changes}))

    def _sibling(self, settings: Settings) -> Self:
        """Return a client that does not repeat the warnings of this one."""
        made = type(self)(settings)
        made.pipeline.warn.given = self.pipeline.warn.given
        if settings.base_url == self.settings.base_url:
            made._formulas = self._formulas
        return made

    def changes_host(self, changes: Mapping[str, Any]) -> bool:
        """Return whether calls with these settings go to another host, which must not get the headers of this one."""
        host, base_url = changes.get("host"), changes.get("base_url")
        if host is None and not isinstance(base_url, str):
            return False
        spec = self._spec_there(base_url or "") if host is None else find_host(host)
        return spec is not None and spec is not self.settings.host

    def _spec_there(self, base_url: str) -> HostSpec | None:
        """Return whose an address is. A server of one's own that has moved within one's network is still the same."""
        return (named_by_url if is_local(self.settings.base_url) else guess_by_url)(base_url)

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Return its settings with some changed (see `derived`); those with None as if they had not been given."""
        forgotten = {name for name, value in changes.items() if value is None}
        if not forgotten:
            return self.derived(**changes).settings
        kept = {name: value for name, value in self.settings.arguments().items() if name not in forgotten}
        return type(self)(make_settings(**kept)).derived(**changes).settings
