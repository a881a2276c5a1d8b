"""The table of what can be asked of a model, at construction and for each call: one line an option.

Both frameworks' classes have these fields, `Options` holds their values in a `Request`, their types are what is
checked, and their texts are the documentation's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, SkipValidation

from kimi_core.headers import hidden

EmptyAnswer: TypeAlias = Literal["retry", "promote", "keep"]
"""What becomes of an answer that is nothing but reasoning (finish reason `stop`, no text, no calls): it is asked for
once more, the reasoning is made its text, or it is handed on as it is."""


def _hidden(given: Any) -> Any:
    return hidden(given) if isinstance(given, Mapping) else given


Headers: TypeAlias = Annotated[Mapping[str, SecretStr], BeforeValidator(_hidden)]
"""Names and values of headers. Texts will do; they are kept as `SecretStr`."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """The thinking option, tri-state.

    Attributes:
        enabled: None sends nothing and leaves the host's default; True and False are sent to the host.
        keep: `"all"` keeps the reasoning of earlier turns in the model's view; None is the host's default.
        effort: How hard to think, for models that have levels (`low`, `high`, `max`).
    """

    enabled: bool | None = None
    keep: str | None = None
    effort: str | None = None


ThinkingOption: TypeAlias = bool | Mapping[str, Any] | Thinking | None
"""None leaves the host's default; True and False switch; a mapping is Moonshot's own `{"type": …, "keep": …}`."""

MOST_AGENTS, MOST_STEPS = 300, 4000
"""The largest swarm that Moonshot speaks of."""


@dataclass(frozen=True, slots=True)
class AgentSwarm:
    """Let Kimi split its work among agents of its own (Agent Swarm), where the host can.

    Attributes:
        max_agents: Most agents, 1 to 300; None leaves it to the host. 10 to 30 are enough for ordinary tasks.
        max_steps: Most steps of all agents together, 1 to 4000; None leaves it to the host.
    """

    max_agents: int | None = None
    max_steps: int | None = None


@dataclass(frozen=True, slots=True)
class Repetition:
    """What counts as a loop: the same text again and again at the end of an answer. Sizes are characters.

    Attributes:
        min_pattern_size: A repeated text that is shorter counts as one of this size.
        max_pattern_size: The longest repeated text that is looked for.
        min_count: How often it must stand there.
    """

    min_pattern_size: int = 200
    max_pattern_size: int = 4_000
    min_count: int = 5

    @property
    def longest(self) -> int:
        """The characters of the longest loop that is looked for."""
        return self.min_count * max(self.min_pattern_size, self.max_pattern_size)


MOST_REPEATED = 1_000_000
"""The longest loop that can be looked for, in characters: so many are kept while an answer is streamed."""

RepetitionOption: TypeAlias = bool | Mapping[str, int] | None
"""True and False switch; a mapping has fields of `Repetition`."""


class SimpleOptions(BaseModel):
    """Options whose value is taken as it is given. None means: not set, nothing is sent."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # a header among them
        defer_build=True,  # built with the first value that is checked
    )

    max_tokens: int | None = Field(
        default=None,
        description="Most tokens to generate, thinking included. Default: the model's own (32768 for kimi-k2.6).",
    )
    temperature: float | None = Field(
        default=None,
        description="Not sent by default. Current Kimi models take only their own value on Moonshot; another is left "
        "out with a warning.",
    )
    top_p: float | None = Field(default=None, description="As `temperature`.")
    presence_penalty: float | None = Field(default=None, description="As `temperature`.")
    frequency_penalty: float | None = Field(default=None, description="As `temperature`.")
    n: int | None = Field(
        default=None,
        ge=1,
        description="How many answers, as so many generations; not streamed. Where a host gives one at a time, by so "
        "many requests side by side. LlamaIndex's response is the first; the texts of the others are in "
        "`additional_kwargs['alternatives']`.",
    )
    seed: int | None = Field(default=None, description="For hosts that have one.")
    logprobs: bool | None = Field(
        default=None,
        description="Return log probabilities: in `response_metadata['logprobs']`, or LlamaIndex's "
        "`ChatResponse.logprobs`.",
    )
    top_logprobs: int | None = Field(default=None, description="How many alternatives per token, 0 to 20.")
    parallel_tool_calls: bool | None = Field(
        default=None,
        description="False takes one tool call per answer, the first, and is sent to hosts that have the switch.",
    )
    prompt_cache_key: str | None = Field(
        default=None, description="Identifies a session, so that the host finds its cached prefix."
    )
    prompt_cache_options: Mapping[str, str] | None = Field(
        default=None,
        description='How long the host keeps the prompt in its cache: `{"mode": "implicit", "ttl": "5m"}`, or `"1h"`, '
        "on Moonshot.",
    )
    safety_identifier: str | None = Field(
        default=None, description="A hash that identifies your user to the host's abuse detection."
    )
    empty_answer: EmptyAnswer | None = Field(
        default=None,
        description="What becomes of an answer that is nothing but reasoning: `retry` (the default) asks once more, "
        "`promote` makes the reasoning its text, `keep` hands it on. A stream is not asked for again: `retry` keeps it "
        "with a warning.",
    )
    merge_deltas: bool | None = Field(
        default=None,
        description="Hand on deltas of a stream that came in one network read as one, and the arguments of a tool call "
        "in pieces that grow with what was handed on, at the latest after 250 ms (the default). False keeps each delta "
        "apart, as the host sent it.",
    )
    host_options: Mapping[str, Any] | None = Field(
        default=None,
        repr=False,  # an address among them may hold a token
        description="Options that one host alone has; Runware's are `kimi_core.RunwareOptions`: "
        '`{"delivery": "async", "top_k": 40}`.',
    )
    extra_body: Mapping[str, Any] | None = Field(
        default=None,
        description="Fields of the host's API that have no option here; merged into the body last, untouched.",
    )
    extra_headers: Headers | None = Field(
        default=None, exclude=True, repr=False, description="Headers of the request, beside `default_headers`."
    )


class CallOptions(SimpleOptions):
    """All options as they are given, several of them in more than one form."""

    thinking: Annotated[ThinkingOption, SkipValidation] = Field(
        default=None,
        description="None leaves the host's default; True or False switches; "
        '`{"type": "enabled", "keep": "all"}` also keeps the reasoning of earlier turns in view.',
    )
    reasoning_effort: str | None = Field(
        default=None, description="How hard to think, for models with levels (`low`, `high`, `max` on kimi-k3)."
    )
    stop: str | Sequence[str] | None = Field(
        default=None, description="Texts that end the answer. Moonshot takes at most 5, of at most 32 bytes each."
    )
    stop_repetition: Annotated[RepetitionOption, SkipValidation] = Field(
        default=None,
        description="End an answer that has fallen into a loop with `kimi_core.RepetitionError`: a stream when its "
        "reasoning, its text or the arguments of a call end with the same text again and again, a whole answer when it "
        'ends so. True is `{"min_pattern_size": 200, "max_pattern_size": 4000, "min_count": 5}`, in characters: five '
        "times the same page, or a sentence as often as fills 1,000 characters. Default: off.",
    )
    agent: AgentSwarm | None = Field(
        default=None,
        description="Let Kimi split the work among agents of its own: `AgentSwarm(max_agents=30, max_steps=4000)`. "
        "Unconfirmed.",
    )
    server_tools: Sequence[str | Mapping[str, Any]] | None = Field(
        default=None,
        description="The host's own tools, offered in every call beside its tools and run by this package: "
        "`$web_search`, formulas by their URI (`moonshot/web-search:latest`), or what `kimi_core.web_search` and "
        "`kimi_core.formula` make.",
    )
    max_server_rounds: int | None = Field(
        default=None,
        ge=0,
        description="How often the host's own tools are run for one answer before `kimi_core.ServerRoundsError` is "
        "raised. Default: 8; 0 runs none and hands their calls on like those of other tools.",
    )


class Options(SimpleOptions):
    """What a request asks for beside its messages and tools, in the one form that the core works with.

    Attributes:
        thinking: Whether and how hard to think.
        stop: Texts that end the answer.
        agent: The swarm that the work is split among.
        stop_repetition: What counts as a loop that ends the answer; None where none does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    thinking: Thinking = Thinking()
    stop: tuple[str, ...] | None = None
    agent: AgentSwarm | None = None
    stop_repetition: Repetition | None = None

    def changed(self, **changes: Any) -> Options:
        """Return options with some changed, as they are given: nothing is checked."""
        return self.model_copy(update=changes)


NO_OPTIONS: Final = Options.model_construct()
"""Nothing set."""
