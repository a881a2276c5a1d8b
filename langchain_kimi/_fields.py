"""What can be set on a `ChatKimi`: its fields, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from pydantic import ConfigDict, Field, field_serializer

from kimi_core.call_options import CallOptions
from kimi_core.client.warms_up import WarmsUp
from kimi_core.connection_options import ClientOptions
from kimi_core.representation import in_one_line

DEFAULT_MODEL = "kimi-k2.6"
"""The model when none is given."""
# What a model is found to do, and what hangs on it for LangChain.
_UNSHOWN = ("profile", "metadata", "callbacks", "custom_get_token_ids")


class KimiFields(CallOptions, ClientOptions, BaseChatModel, WarmsUp):
    """The fields of `ChatKimi`: the options of both tables, and those about what LangChain gets.

    Frozen options decide where calls go and cannot be assigned later. All can also be given per call.
    """

    model_config = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # a key or header among them
        defer_build=True,  # nobody makes one of these; `ChatKimi` builds its own schema
    )

    model_name: str = Field(
        default=DEFAULT_MODEL,
        alias="model",
        description="A Kimi family id (`kimi-k2.6`), or an id as the host writes it.",
    )
    fallback_hosts: Any = Field(
        default=None,
        repr=False,
        exclude=True,
        frozen=True,
        description=ClientOptions.model_fields["fallback_hosts"].description,
    )

    streaming: bool | None = Field(
        default=None,
        description="True streams internally even when invoked; False never streams, not even in `stream`.",
    )
    stream_usage: bool = Field(
        default=True,
        description="Ask for usage when streaming, of hosts that must be asked (`stream_options`).",
    )
    cost_in_usage: bool = Field(
        default=False,
        description="Tell LangSmith the price in US dollars, in the usage of its runs (`total_cost`; `input_cost` and "
        "`output_cost` too when it is an estimate). The usage of messages stays whole numbers: their price is "
        "`response_metadata['cost_usd']`.",
    )
    include_response_headers: bool = Field(
        default=False, description="Put the headers of the host's answer into `response_metadata['headers']`."
    )
    include_prefill: bool = Field(
        default=False,
        description="Begin an answer that continues a partial message (`langchain_kimi.prefill`) with the text of that "
        "message. Hosts send only what comes after it.",
    )

    @field_serializer("overrides")
    def _facts_without_headers(self, facts: Mapping[str, Any] | None) -> Any:
        return facts and {name: fact for name, fact in facts.items() if name != "address.headers"}

    def __repr_args__(self) -> list[tuple[str, Any]]:
        return in_one_line(self, _UNSHOWN)
