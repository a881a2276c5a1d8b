"""What a model says of itself: to traces, caches and `dumps`. Nothing secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import LangSmithParams
from pydantic import ConfigDict

from kimi_core import options
from kimi_core.types import JsonObject
from langchain_kimi._connection import Connected
from langchain_kimi._messages_in import PROVIDER

_SECRET = (
    "api_key",
    "default_headers",
    "extra_headers",
    "http_client",
    "http_async_client",
    "fallback_hosts",
    "budget",
)
# What changes a message and is no option of the call.
_SHAPING = ("output_version", "cost_in_usage", "include_response_headers", "include_prefill")


class Identified(Connected):
    """Names, identifying parameters and serialisation."""

    model_config = ConfigDict(defer_build=True)

    @property
    def model(self) -> str:
        """The model's id, by the name that many libraries look for."""
        return self.model_name

    @property
    def _llm_type(self) -> str:
        return "kimi-chat"

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Where the key comes from when a serialised model is loaded."""
        spec = self._settings.host
        return {"api_key": spec.key_env[0] if spec.key_env else re.sub(r"\W", "_", spec.name).upper() + "_API_KEY"}

    @property
    def lc_attributes(self) -> JsonObject:
        """Settings that JSON has no word for, as the constructor takes them again."""
        from langchain_kimi import _plain  # with the first call

        said = {
            "host": _plain.of_host(self.host),
            "timeout": _plain.of_timeout(self.timeout),
            "thinking": _plain.of_thinking(self.thinking),
            "agent": _plain.plain(self.agent),
            "overrides": _plain.of_facts(self.overrides),
            "fallback_hosts": _plain.of_fallbacks(self._settings.fallback_hosts) or None,
        }
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Yes, without its key and headers."""
        return True

    @property
    def _identifying_params(self) -> JsonObject:
        """What makes an answer different; also what traces show."""
        from langchain_kimi import _plain  # with the first call

        asked = {name: getattr(self, name) for name in (*options.OPTIONS, *options.SERVED) if name not in _SECRET}
        asked["thinking"] = _plain.of_thinking(self.thinking)
        asked["agent"] = _plain.plain(self.agent)
        asked = _shown(asked)
        shape = {name: getattr(self, name) or None for name in _SHAPING}
        said = {"model": self.model_name, "host": self._settings.host.name, **asked, **shape}
        return {name: value for name, value in said.items() if value is not None}

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> JsonObject:
        # Traces show these; a key or header given for one call is none of their business.
        return super()._get_invocation_params(stop=stop, **_shown(kwargs))

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # A key of LangChain's caches, which store it.
        return super()._get_llm_string(stop=stop, **_shown(kwargs))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        kwargs = {options.ALIASES.get(word, word): value for word, value in kwargs.items()}
        stops = stop or kwargs.pop("stop", None) or self.stop
        params = super()._get_ls_params(stop=list(options.parse_stop(stops)) if stops else None, **kwargs)
        params["ls_provider"] = PROVIDER
        params["ls_model_name"] = kwargs.get("model") or kwargs.get("model_name") or self.model_name
        return params


def _shown(kwargs: JsonObject) -> JsonObject:
    kept = {word: value for word, value in kwargs.items() if word not in _SECRET}
    if isinstance(kept.get("runware"), Mapping):
        kept["runware"] = options.traceable_runware(kept["runware"])
    return kept
