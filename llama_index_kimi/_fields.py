"""What can be set on a `KimiLLM`: its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.llms.function_calling import FunctionCallingLLM
from pydantic import Field, SecretStr, field_serializer

from kimi_core import option_hints, options
from kimi_core.call_options import CallOptions
from kimi_core.client.warms_up import WarmsUp
from kimi_core.connection_options import ConnectionOptions
from kimi_core.errors import ConfigError
from kimi_core.representation import in_one_line
from kimi_core.settings import Settings
from kimi_core.types import JsonObject

DEFAULT_MODEL = "kimi-k2.6"
"""The model when none is given."""
# What hangs on an LLM for LlamaIndex.
_UNSHOWN = ("callback_manager", "messages_to_prompt", "completion_to_prompt")

_TEXTS = {name: field.description for name, field in ConnectionOptions.model_fields.items()}


class KimiFields(CallOptions, ConnectionOptions, FunctionCallingLLM, WarmsUp):
    """The fields of `KimiLLM`, beside those that every LLM of LlamaIndex has.

    Frozen options decide where calls go and cannot be assigned later. All can also be given per call.
    """

    model: str = Field(
        default=DEFAULT_MODEL,
        description="A Kimi family id (`kimi-k2.6`), or an id as the host writes it.",
    )
    host: str = Field(default="", frozen=True, description=_TEXTS["host"])
    base_url: str = Field(default="", frozen=True, description=_TEXTS["base_url"])
    api_key: SecretStr | None = Field(
        default=None, exclude=True, repr=False, frozen=True, description=_TEXTS["api_key"]
    )
    strict: bool | None = Field(
        default=None,
        description="Whether tool arguments are constrained to their schema, where a tool does not set it itself. "
        "Default: the host's (Moonshot does constrain them).",
    )
    additional_kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description="Further fields for the body, as LlamaIndex's integrations have it; `extra_body` wins over them.",
    )
    context_window: int | None = Field(
        default=None,
        gt=0,
        description="What `metadata` has instead of the model's spec: LlamaIndex cuts its prompts so that they and "
        "the answer fit into it. What is left for the answer is `max_tokens`, or 3072 tokens and at most a quarter.",
    )
    is_function_calling_model: bool = Field(
        default=True, description="What `metadata` has: False makes agents use prompts instead of tool calls."
    )
    repair: bool = Field(
        default=False,
        description="Ask once more when a structured answer does not fit, with the answer and what is wrong with it "
        "as further messages. Not after a token limit or a refusal, and not in streams.",
    )

    @field_serializer("overrides")
    def _facts_without_headers(self, facts: Any) -> Any:
        return facts and {name: fact for name, fact in facts.items() if name != "address.headers"}

    @field_serializer("fallback_hosts")
    def _plain_hosts(self, hosts: Any) -> list[dict[str, Any]]:
        """Return what of the fallback hosts JSON can hold. Keys and headers are nothing of it."""
        return [
            {
                **{name: value for name, value in host.items() if isinstance(value, str | int | float)},
                "host": host["host"].name,
                **({"limits": host["limits"].plain()} if "limits" in host else {}),
            }
            for host in hosts or ()
        ]

    @field_serializer("timeout")
    def _plain_timeout(self, timeout: Any) -> float | None:
        return timeout if isinstance(timeout, int | float) else None

    def __repr_args__(self) -> list[tuple[str, Any]]:
        return in_one_line(self, _UNSHOWN)


def split_additional(additional: Mapping[str, Any]) -> JsonObject:
    """Return `additional_kwargs` as options: those that have a name here, and the rest as `extra_body`.

    Raises:
        ConfigError: If something is no option; it would end up in the body, or in a dump.
        UnknownOptionError: If it is another library's name for such a thing.
    """
    chosen: JsonObject = {}
    body: JsonObject = {}
    for name, value in additional.items():
        option = options.ALIASES.get(name, name)
        if option in (*options.CONNECTION, *options.SERVED) or option == "extra_headers":
            raise ConfigError(f"{name} is an argument of its own; it cannot be given in additional_kwargs.")
        if option_hints.is_no_field_of_a_body(name):
            raise options.unknown(name)
        if option in options.OPTIONS:
            chosen[option] = value
        else:
            body[name] = value
    return {**chosen, "extra_body": {**body, **(chosen.get("extra_body") or {})}} if body else chosen


def connection_fields(settings: Settings) -> JsonObject:
    """Return the fields that decide where calls go."""
    return {
        "host": settings.host.name,
        **{name: getattr(settings, name) for name in ConnectionOptions.model_fields if name != "host"},
    }


def given(arguments: Mapping[str, Any]) -> JsonObject:
    """Return arguments without what was left at None."""
    return {name: value for name, value in arguments.items() if value is not None}
