"""A host's spec: its names, its groups of facts, and where these come from.

The defaults are the generic spec: what an unknown OpenAI-compatible server can be expected to take. Toggles are JSON
merge patches on the request body, so a new way to switch thinking needs no code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic_core import core_schema

from kimi_core.hosts.groups import (
    Address,
    BatchRules,
    Endpoints,
    ErrorMapping,
    MediaRules,
    MessageRules,
    ModelIds,
    OutputRules,
    PartialRules,
    Patch,
    RateLimits,
    ReasoningRules,
    SamplingRules,
    ThinkingRules,
    Timeouts,
    ToolRules,
    UsageRules,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostSpec:
    """What is known about a host. Each group's facts are described in its class (`kimi_core.hosts.groups`).

    Attributes:
        name: The name users write: `host="moonshot"`. Case and punctuation do not matter.
        title: Its name in prose.
        aliases: Other names that people write for it (`llama-server`).
        address: Where its API is, and the key and headers that let a call in.
        timeouts: How long a call waits.
        endpoints: The paths of its API.
        codec: The protocol it speaks.
        endpoint: What this endpoint is called, where the host has several. Every answer has it in `extra`.
        compatible: Facts that differ at the host's other endpoint, as in `per_model`. Calls for which its own protocol
            has no documented form go there (see `kimi_core.request.endpoint_choice`). None: all go to this one.
        routing: Patch for calls with tools, a response format or thinking options: it keeps a gateway from upstreams
            that would ignore them.
        models: How it names its models, and which it no longer serves.
        thinking: How thinking is switched, and how an effort is asked for.
        reasoning: Where reasoning comes and how it goes back.
        messages: What it takes as messages.
        partial: How the model is made to continue a message that was begun.
        sampling: Which options it takes, and within which limits.
        tools: What it takes as tools.
        structured: The ways to a structured answer.
        media: What it reads beside text, and which files it keeps.
        batches: What it takes as batches, where it has them.
        usage: Where it reports usage and cost, and its prices.
        errors: What its errors mean.
        limits: How it limits what it is asked.
        per_model: What differs for one family here: facts of this spec by dotted names (`thinking.off`), and fields of
            the model's spec by theirs (`context`).
        per_suffix: The same for ids with this suffix (`:together`), which may follow a family id as well.
        tier: `verified` by calls of our own, `documented` by the host, or `community` knowledge.
        as_of: When the spec was last checked.
        source: Where its facts come from.
        note: What a user should know before choosing it.
    """

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    # the connection
    address: Address = Address()
    timeouts: Timeouts = Timeouts()
    endpoints: Endpoints = Endpoints()
    codec: Literal["chat", "runware"] = "chat"
    endpoint: str = ""
    compatible: Mapping[str, Any] | None = None
    routing: Patch | None = None
    # a call and its answer
    models: ModelIds = ModelIds()
    thinking: ThinkingRules = ThinkingRules()
    reasoning: ReasoningRules = ReasoningRules()
    messages: MessageRules = MessageRules()
    partial: PartialRules = PartialRules()
    sampling: SamplingRules = SamplingRules()
    tools: ToolRules = ToolRules()
    structured: OutputRules = OutputRules()
    media: MediaRules = MediaRules()
    batches: BatchRules = BatchRules()
    usage: UsageRules = UsageRules()
    errors: ErrorMapping = ErrorMapping()
    limits: RateLimits = RateLimits()
    # the pair, and where all this is from
    per_model: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    per_suffix: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tier: Literal["verified", "documented", "community"] = "community"
    as_of: dt.date = dt.date(2026, 11, 1)
    source: str = ""
    note: str = ""

    def __repr__(self) -> str:
        address = f", base_url={self.address.base_url!r}" if self.address.base_url else ""
        return f"<HostSpec {self.name!r}, {self.title!r}{address}, {self.tier} as of {self.as_of}>"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> core_schema.CoreSchema:
        """Return a schema by which a framework's model takes a spec as it is."""
        return core_schema.is_instance_schema(cls)
