"""Servers that people run themselves, and what an unknown server can be expected to take."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from kimi_core import errors as err
from kimi_core.hosts.common import BY_EFFORT, K3_EFFORTS, SHORTEN, WEIGHTS, switches
from kimi_core.hosts.groups import (
    Address,
    ChoiceMode,
    ErrorMapping,
    ErrorRule,
    MediaRules,
    ModelIds,
    OutputRules,
    PartialRules,
    ReasoningRules,
    SamplingRules,
    ThinkingRules,
    ToolRules,
    UsageRules,
)
from kimi_core.hosts.spec import HostSpec

_OBSERVED = dt.date(2026, 11, 28)
_UNNAMED: frozenset[ChoiceMode] = frozenset({"auto", "none", "required"})

# Of servers that are built on it as well, and of one that nobody knows, which may be such a server.
_LLAMA_CPP_ERRORS = (
    # Its type is `server_error`: `image input is not supported - hint: … mmproj`.
    ErrorRule(
        error=err.BadRequestError,
        status=500,
        message="(image|audio|video) input is not supported",
        retry=False,
        advice="The server runs without what reads pictures: start it with a projector (--mmproj), or leave them out.",
    ),
    ErrorRule(error=err.ContextOverflowError, status=400, message="exceed_context_size", advice=SHORTEN),
)

_SGLANG = HostSpec(
    name="sglang",
    title="SGLang",
    address=Address(
        base_url="http://localhost:30000/v1",
        domains=("localhost:30000",),
        key_env=("SGLANG_API_KEY",),
        key_required=False,
    ),
    models=ModelIds(ids=WEIGHTS),
    # Its `reasoning: {"enabled": false}` is ignored; template variables and the effort `none` are not.
    thinking=ThinkingRules(default=True),
    reasoning=ReasoningRules(keys_in=("reasoning_content", "reasoning"), key_out="reasoning_content"),
    sampling=SamplingRules(most_answers=64),  # no limit of its own is known
    tools=ToolRules(
        send_strict=True,  # a field of its functions
        reads_arguments=True,  # 400 for what is no object (sgl-project/sglang#28035)
    ),
    structured=OutputRules(with_tools=False),  # constraints of both exclude each other: "schema wins"
    usage=UsageRules(cost_paths=()),
    per_model={"kimi-k3": {"thinking": "toggle", **switches(BY_EFFORT), "thinking.effort_words": K3_EFFORTS}},
    tier="documented",
    source="docs.sglang.ai; its request models and kimi_k2 parser",
)
_OLLAMA_CLOUD = HostSpec(
    name="ollama-cloud",
    title="Ollama's cloud",
    address=Address(base_url="https://ollama.com/v1", domains=("ollama.com",), key_env=("OLLAMA_API_KEY",)),
    thinking=replace(BY_EFFORT, default=True, keep=None),
    reasoning=ReasoningRules(keys_in=("reasoning", "reasoning_content"), key_out="reasoning"),
    media=MediaRules(kinds=frozenset({"image"}), urls=frozenset({"data"})),
    usage=UsageRules(cost_paths=()),
    errors=ErrorMapping(rules=_LLAMA_CPP_ERRORS),
    # Whether forced tools are enforced is unconfirmed; structured output does not rest on it.
    per_model={
        "kimi-k3": {
            "thinking": "toggle",
            "thinking.effort_words": {**K3_EFFORTS, "max": "high"},
            "efforts": ("low", "high"),
        }
    },
    source="docs.ollama.com, OpenAI compatibility",
)

SPECS = (
    HostSpec(
        name="vllm",
        title="vLLM",
        aliases=("hosted-vllm",),
        address=Address(
            base_url="http://localhost:8000/v1",
            domains=("localhost:8000",),
            key_env=("VLLM_API_KEY",),
            base_url_env=("VLLM_BASE_URL",),
            key_required=False,
        ),
        models=ModelIds(ids=WEIGHTS),
        thinking=ThinkingRules(
            default=True,
            # Parsers up to v0.22 read `thinking` only, later ones `thinking` or `enable_thinking`: both are sent alike.
            effort_field=None,
        ),
        reasoning=ReasoningRules(
            keys_in=("reasoning", "reasoning_content"),
            # Without `--reasoning-parser kimi_k2` the reasoning is in the text, between tags; without a working tool
            # parser so do the calls (vllm#28543, #34955).
            think_tags="leading",
        ),
        partial=PartialRules(
            body={"add_generation_prompt": False, "continue_final_message": True},
            with_thinking=False,  # what continues a message comes as reasoning in a whole answer
        ),
        sampling=SamplingRules(
            # `n must be at most 64`, the default of VLLM_MAX_N_SEQUENCES; with a temperature of 0 it gives one.
            most_answers=64,
            stop_limit=4,  # 400 for five, with a validation dump
        ),
        tools=ToolRules(
            leaked_calls=True,
            # 0.32.0 reads them as `{}`, so that the model does not see what it wrote; older ones answer 400
            # (vllm#43995).
            reads_arguments=True,
            # `strict` is what holds arguments to the schema: 8 of 8 forced calls with it, none for certain without.
            send_strict=True,
            forced_strict=True,
        ),
        structured=OutputRules(with_tools=False),  # the schema wins: silently no tool is called
        media=MediaRules(urls=frozenset({"data", "http"})),
        usage=UsageRules(cost_paths=()),
        errors=ErrorMapping(refused_option=r"\b(?P<option>n) must be (?:1 when using greedy sampling|at most \d+)"),
        per_model={
            # 400 for other levels: `Kimi K3 supports thinking_effort values: low, high, max`; `none` is thinking off
            "kimi-k3": {
                "thinking": "toggle",
                "thinking.on": {},
                "thinking.off": {"reasoning_effort": "none"},
                "thinking.effort_field": "reasoning_effort",
                "thinking.effort_words": K3_EFFORTS,
            },
        },
        tier="documented",
        as_of=_OBSERVED,
        source="vLLM recipes for Kimi-K2.6; kimi_k2 parser sources; observed on vLLM 0.32.0, 2026-11-28",
    ),
    _SGLANG,
    replace(
        _SGLANG,  # it is a fork
        name="ktransformers",
        title="KTransformers",
        address=replace(_SGLANG.address, base_url="http://localhost:60000/v1", domains=("localhost:60000",)),
        tools=replace(_SGLANG.tools, reads_arguments=False),
        source="kvcache-ai/ktransformers, doc/en/Kimi-K2*.md",
        note="The older server on port 10002 has no reasoning parser: overrides={'reasoning.think_tags': 'anywhere'}.",
    ),
    HostSpec(
        name="llama-cpp",
        title="llama.cpp server",
        aliases=("llama-server", "llama"),
        address=Address(
            base_url="http://localhost:9931/v1",
            domains=("localhost:9931", "localhost:8080"),
            key_env=("LLAMA_API_KEY",),
            key_required=False,
        ),
        thinking=ThinkingRules(
            default=None,  # `--reasoning auto`
            effort_field=None,  # the template's variable is another: every value is ignored
        ),
        reasoning=ReasoningRules(
            keys_in=("reasoning_content", "reasoning"),
            key_out="reasoning_content",  # `reasoning` is silently dropped
        ),
        sampling=SamplingRules(
            # `n_cmpl cannot be greater than the number of slots, please increase -np`; it starts with 4.
            most_answers=4,
        ),
        tools=ToolRules(
            # A named choice is taken as `auto`; `required` holds, by grammar.
            choices_thinking=_UNNAMED,
            choices_instant=_UNNAMED,
            # 500 `Failed to parse tool call arguments as JSON`, at every turn that follows (ggml-org/llama.cpp#25510)
            reads_arguments=True,
        ),
        structured=OutputRules(
            # `json_schema` is ignored with Kimi's templates: HTTP 200 with prose, beside tools and without.
            ways=("function_calling", "json_object"),
        ),
        media=MediaRules(kinds=frozenset({"image"})),  # its part for videos is `input_video`
        usage=UsageRules(cost_paths=()),
        errors=ErrorMapping(
            rules=_LLAMA_CPP_ERRORS, refused_option=r"\b(?P<option>n)_cmpl cannot be greater than the number of slots"
        ),
        tier="documented",
        as_of=_OBSERVED,
        source="README of the server; observed on llama-server 0c1e570, 2026-11-28",
        note="Older builds and the containers listen on port 8080. The model id is ignored. Of several "
        "answers (`n`) it counts the tokens of one.",
    ),
    replace(
        _OLLAMA_CLOUD,
        name="ollama",
        title="Ollama",
        address=Address(
            base_url="http://localhost:11434/v1",
            domains=("localhost:11434",),
            key_env=("OLLAMA_API_KEY",),
            key_required=False,
        ),
        models=ModelIds(ids={"kimi-k2.6": "kimi-k2.6:cloud", "kimi-k3": "kimi-k3:cloud"}),
        note="The local server hands Kimi on to Ollama's cloud. Its default context may cut long prompts.",
    ),
    _OLLAMA_CLOUD,
    HostSpec(
        name="lm-studio",
        title="LM Studio",
        address=Address(
            base_url="http://localhost:1234/v1",
            domains=("localhost:1234",),
            key_env=("LM_STUDIO_API_KEY",),
            key_required=False,
        ),
        # Where reasoning is depends on the server's settings: `reasoning`, `reasoning_content`, or tags in the text.
        tools=ToolRules(
            choices_thinking=_UNNAMED,  # "string only": unconfirmed
            choices_instant=_UNNAMED,
        ),
        media=MediaRules(urls=frozenset({"data"})),
        usage=UsageRules(cost_paths=()),
        errors=ErrorMapping(rules=_LLAMA_CPP_ERRORS),
        source="lmstudio.ai: blog v0.3.29, API reference",
    ),
    HostSpec(
        name="generic",
        title="any OpenAI-compatible server",
        aliases=("openai-compatible", "openai-like"),
        address=Address(key_env=("KIMI_API_KEY",), base_url_env=("KIMI_BASE_URL",), key_required=False),
        tools=ToolRules(reads_arguments=True),
        structured=OutputRules(
            # vLLM and SGLang answer by the schema and silently call no tool: an unknown server may be either.
            with_tools=False,
        ),
        errors=ErrorMapping(rules=_LLAMA_CPP_ERRORS),
        as_of=_OBSERVED,
        source="the defaults; what vLLM, SGLang and llama-server were observed to do, 2026-11-28",
    ),
)
