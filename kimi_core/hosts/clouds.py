"""Operators that run the open weights, and clouds that resell Kimi, each behind an endpoint of its own.

Whether they take a forced tool while the model thinks is unconfirmed for all of them but Tencent: the default
stays, which sends it as it was asked for.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any, Literal

from kimi_core.hosts.common import (
    BY_EFFORT,
    EMPTY_RESULT,
    ENABLED,
    FIXED,
    K3_EFFORTS,
    QWEN,
    SLUGS,
    THINKING_CHOICES,
    TYPED,
    WEIGHTS,
    levels,
)
from kimi_core.hosts.groups import (
    MOONSHOT_NAMES,
    Address,
    MediaRules,
    MessageRules,
    ModelIds,
    OutputRules,
    ReasoningRules,
    Retirement,
    SamplingRules,
    ThinkingRules,
    ToolRules,
    UsageRules,
)
from kimi_core.hosts.spec import HostSpec

_CONTENT = ReasoningRules(keys_in=("reasoning_content", "reasoning"), key_out="reasoning_content")
_IMAGES: frozenset[Literal["image", "video"]] = frozenset({"image"})
_K3: dict[str, Any] = {"kimi-k3": {"thinking.effort_words": K3_EFFORTS}}

_TOGETHER = {
    "kimi-k2.6": Retirement(day=dt.date(2026, 8, 19), instead="kimi-k3", source="theopenco/llmgateway#3452"),
    "kimi-k2.5": Retirement(day=dt.date(2026, 5, 21), instead="kimi-k3", source="theopenco/llmgateway#2358"),
}
# "This API will be deprecated on 07/07/2026. It will no longer be supported after 07/07/2026."
_NVIDIA = {"kimi-k2.6": Retirement(day=dt.date(2026, 7, 7), source="its model card, by anomalyco/models.dev#3144")}
# Calls after that day are answered by K3.
_DEEPINFRA = {"kimi-k2.5": Retirement(day=dt.date(2026, 9, 7), instead="kimi-k3", source="theopenco/llmgateway#3874")}

SPECS = (
    HostSpec(
        name="together",
        title="Together AI",
        aliases=("together-ai",),
        address=Address(
            base_url="https://api.together.xyz/v1",
            domains=("api.together.xyz", "api.together.ai"),
            key_env=("TOGETHER_API_KEY",),
        ),
        models=ModelIds(retired=_TOGETHER, ids=WEIGHTS),
        thinking=replace(ENABLED, default=True),
        reasoning=ReasoningRules(
            keys_in=("reasoning", "reasoning_content"),
            key_out="observed",  # that `reasoning` is read again is unconfirmed
        ),
        per_model=_K3,
        tier="documented",
        source="docs.together.ai, Kimi quickstart; models.dev, 2026-07; retirements as they announce",
        note="What is retired is the serverless API; on a dedicated endpoint give overrides={'models.retired': {}}.",
    ),
    HostSpec(
        name="fireworks",
        title="Fireworks AI",
        aliases=("fireworks-ai",),
        address=Address(
            base_url="https://api.fireworks.ai/inference/v1",
            domains=("api.fireworks.ai",),
            key_env=("FIREWORKS_API_KEY",),
        ),
        models=ModelIds(
            ids={
                "kimi-k3": "accounts/fireworks/models/kimi-k3",
                "kimi-k2.7-code": "accounts/fireworks/models/kimi-k2p7-code",
                "kimi-k2.6": "accounts/fireworks/models/kimi-k2p6",
                "kimi-k2.5": "accounts/fireworks/models/kimi-k2p5",
            },
        ),
        thinking=replace(
            BY_EFFORT,  # `reasoning_effort` and `thinking` together answer 400, so only the first is ever sent
            default=True,
            keep={"reasoning_history": "preserved"},
        ),
        reasoning=_CONTENT,  # a key that it does not know answers 400
        structured=OutputRules(with_tools=False),  # litellm: not both in one call
        media=MediaRules(kinds=_IMAGES),
        per_model={**_K3, **levels("low", "medium", "high")},
        tier="documented",
        source="docs.fireworks.ai; litellm's table; models.dev, 2026-07",
    ),
    HostSpec(
        name="deepinfra",
        title="DeepInfra",
        address=Address(
            base_url="https://api.deepinfra.com/v1/openai",
            domains=("api.deepinfra.com",),
            key_env=("DEEPINFRA_API_KEY",),
        ),
        models=ModelIds(retired=_DEEPINFRA, ids=WEIGHTS),
        thinking=replace(ENABLED, default=True),
        reasoning=_CONTENT,
        usage=UsageRules(cost_paths=("usage.estimated_cost", "usage.cost")),
        per_model={**_K3, **levels("minimal", "low", "medium", "high", "xhigh")},
        source="deepinfra.com; models.dev, 2026-07; retirements as they announce",
        note="Answers end after 16384 tokens unless max_tokens is given.",
    ),
    HostSpec(
        name="baseten",
        title="Baseten Model APIs",
        address=Address(
            base_url="https://inference.baseten.co/v1",
            domains=("inference.baseten.co",),
            key_env=("BASETEN_API_KEY",),
        ),
        models=ModelIds(ids=WEIGHTS),
        thinking=ThinkingRules(
            default=False,  # so its page on reasoning for K2.5; assumed for K2.6
            # `chat_template_args`, not `…_kwargs`
            on={"chat_template_args": {"enable_thinking": True}},
            off={"chat_template_args": {"enable_thinking": False}},
            keep=None,
            effort_field=None,  # only for GPT-OSS
        ),
        reasoning=_CONTENT,
        media=MediaRules(kinds=_IMAGES),
        tier="documented",
        source="docs.baseten.co, reasoning",
    ),
    HostSpec(
        name="novita",
        title="Novita AI",
        address=Address(
            base_url="https://api.novita.ai/openai",
            domains=("api.novita.ai",),
            key_env=("NOVITA_API_KEY",),
        ),
        models=ModelIds(ids=SLUGS),
        thinking=replace(
            QWEN,  # documented for other models; unconfirmed for Kimi
            default=True,
        ),
        reasoning=ReasoningRules(key_out="reasoning_content"),
        per_model=_K3,
        source="novita.ai; models.dev, 2026-07",
    ),
    HostSpec(
        name="siliconflow",
        title="SiliconFlow, international",
        address=Address(
            base_url="https://api.siliconflow.com/v1",
            domains=("api.siliconflow.com",),
            key_env=("SILICONFLOW_API_KEY",),
        ),
        models=ModelIds(ids=WEIGHTS),
        thinking=replace(
            QWEN,  # "only for listed models": unconfirmed for Kimi
            default=True,
        ),
        reasoning=_CONTENT,
        media=MediaRules(kinds=_IMAGES),
        source="docs.siliconflow.com; models.dev, 2026-07",
    ),
    HostSpec(
        name="siliconflow-cn",
        title="SiliconFlow, China",
        address=Address(
            base_url="https://api.siliconflow.cn/v1",
            domains=("api.siliconflow.cn",),
            key_env=("SILICONFLOW_CN_API_KEY", "SILICONFLOW_API_KEY"),
        ),
        models=ModelIds(ids={family: f"Pro/{id}" for family, id in WEIGHTS.items()}),
        thinking=replace(QWEN, default=True),
        reasoning=_CONTENT,
        media=MediaRules(kinds=_IMAGES),
        source="docs.siliconflow.cn; models.dev, 2026-07",
    ),
    HostSpec(
        name="nvidia",
        title="NVIDIA API catalog",
        aliases=("nvidia-nim",),
        address=Address(
            base_url="https://integrate.api.nvidia.com/v1",
            domains=("integrate.api.nvidia.com",),
            key_env=("NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"),
        ),
        models=ModelIds(retired=_NVIDIA, ids=SLUGS),
        # Switched by `chat_template_kwargs`, as its containers (vLLM) take it: the default. Which one the hosted model
        # reads is "model-specific".
        thinking=ThinkingRules(default=True),
        reasoning=_CONTENT,
        per_model={**_K3, **levels("minimal", "low", "medium", "high", "xhigh", "max")},
        source="build.nvidia.com; models.dev, 2026-07; retirements as they announce",
        note="Answers end after 16384 tokens. A container of one's own (NIM) is host='vllm' with base_url=….",
    ),
    HostSpec(
        name="cloudflare",
        title="Cloudflare Workers AI",
        aliases=("workers-ai", "cloudflare-workers-ai"),
        address=Address(
            base_url="https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
            domains=("api.cloudflare.com",),
            key_env=("CLOUDFLARE_API_KEY", "CLOUDFLARE_API_TOKEN"),
        ),
        models=ModelIds(
            ids={
                "kimi-k2.6": "@cf/moonshotai/kimi-k2.6",
                "kimi-k2.7-code": "@cf/moonshotai/kimi-k2.7-code",
            },
        ),
        thinking=ThinkingRules(default=True),
        reasoning=replace(
            _CONTENT,
            # Without the echo it hangs, or writes calls into the text (opencode, pull request 28542).
            required=True,
            blank=" ",
        ),
        media=MediaRules(kinds=_IMAGES),
        per_model=levels("low", "medium", "high"),
        tier="documented",
        source="developers.cloudflare.com; workers-ai-provider 3.1.12; models.dev, 2026-07",
    ),
    HostSpec(
        name="azure",
        title="Azure AI Foundry",
        aliases=("azure-ai", "azure-foundry"),
        address=Address(
            base_url="https://{AZURE_RESOURCE_NAME}.services.ai.azure.com/openai/v1",
            domains=(".services.ai.azure.com", ".openai.azure.com", ".cognitiveservices.azure.com"),
            key_env=("AZURE_API_KEY",),
            key_header="api-key",
        ),
        thinking=replace(
            FIXED,  # none documented
            default=True,
        ),
        reasoning=_CONTENT,
        structured=OutputRules(ways=("function_calling", "json_object")),  # litellm's table has no json_schema for it
        media=MediaRules(kinds=_IMAGES),
        source="learn.microsoft.com, Foundry models; litellm's table",
        note="The model is the name of your deployment. For a token of Entra give "
        "default_headers={'Authorization': 'Bearer …'}.",
    ),
    HostSpec(
        name="alibaba",
        title="Alibaba Cloud Model Studio",
        aliases=("dashscope", "alibaba-cn"),
        address=Address(
            base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
            domains=("dashscope.aliyuncs.com",),
            key_env=("DASHSCOPE_API_KEY",),
        ),
        thinking=replace(
            QWEN,  # whether it thinks by default is unconfirmed
            keep={"preserve_thinking": True},
            effort_field=None,
        ),
        reasoning=_CONTENT,
        tier="documented",
        source="alibabacloud.com, Model Studio, Kimi API; models.dev, 2026-07",
        note="Only in the region Beijing. thinking_budget goes into extra_body.",
    ),
    HostSpec(
        name="tencent",
        title="Tencent Cloud TokenHub",
        # Moonshot's own service behind another address.
        address=Address(
            base_url="https://tokenhub-intl.tencentcloudmaas.com/v1",
            domains=(".tencentcloudmaas.com",),
            key_env=("TENCENT_TOKENHUB_API_KEY",),  # its page names no variable
        ),
        thinking=replace(
            TYPED,
            default=True,
            keep={"thinking": {"type": "enabled", "keep": "all"}},
            effort_field=None,
        ),
        reasoning=replace(
            _CONTENT,
            required=True,  # "both content and reasoning_content must be written back"
            blank=" ",
            required_when_kept=True,
        ),
        messages=MessageRules(empty_content="omit", takes_empty=False),
        sampling=SamplingRules(pinned=True, stop_limit=5, stop_bytes=32),
        tools=ToolRules(empty_result=EMPTY_RESULT, names=MOONSHOT_NAMES, choices_thinking=THINKING_CHOICES),
        structured=OutputRules(schema="mfjs"),
        media=MediaRules(urls=frozenset({"data", "http"})),  # "public image URLs"
        tier="documented",
        as_of=dt.date(2026, 9, 1),
        source="intl.cloud.tencent.com, product 1300, document 80635",
        note="It asks for max_tokens of at least 16000.",
    ),
    HostSpec(
        name="parasail",
        title="Parasail",
        address=Address(
            base_url="https://api.parasail.io/v1",
            domains=("api.parasail.io",),
            key_env=("PARASAIL_API_KEY",),
        ),
        thinking=ThinkingRules(default=True),  # vLLM behind it: its switch and keys, which are the defaults
        sampling=SamplingRules(refuses={"prompt_cache_key": "Parasail does not know it; leave it out."}),
        per_model=_K3,
        source="catalogues of neurolink, lava and bifrost",
        note="Its id for Kimi is unconfirmed: give it as the model.",
    ),
)
