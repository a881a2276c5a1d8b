"""Hosts that a public catalogue lists with Kimi K2.6, and of which little else is known.

Each has its address, its key's variable and its id of the model. Where the catalogue has a switch without naming its
field, the default stays, which servers of open weights understand; where it has no switch, none is sent.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from kimi_core.hosts.common import BY_EFFORT, FIXED, QWEN, TYPED, levels
from kimi_core.hosts.groups import Address, MediaRules, ModelIds, ReasoningRules, ThinkingRules
from kimi_core.hosts.spec import HostSpec

_AS_OF = dt.date(2026, 7, 2)
_IMAGES = MediaRules(kinds=frozenset({"image"}))
_TEXT = MediaRules(kinds=frozenset())
_EFFORT = replace(BY_EFFORT, default=True)
_LOW_TO_HIGH = levels("low", "medium", "high")
_LOW_TO_MAX = levels("low", "medium", "high", "xhigh", "max")
_ALL_LEVELS = levels("minimal", "low", "medium", "high", "xhigh", "max")
# "reasoning_content is missing" comes through from Moonshot (earendil-works/pi#4251).
_ECHO = ReasoningRules(key_out="reasoning_content", required=True, blank=" ")


def _spec(
    name: str, title: str, base_url: str, key: str, id: str, *, domain: str | None = None, **facts: Any
) -> HostSpec:
    """Make a spec of the catalogue from name, title, address, the key's variable, the id of K2.6 and other facts."""
    return HostSpec(
        name=name,
        title=title,
        address=Address(base_url=base_url, domains=(domain or urlsplit(base_url).netloc,), key_env=(key,)),
        models=ModelIds(ids={"kimi-k2.6": id}),
        as_of=_AS_OF,
        source="models.dev, 2026-07-02",
        **facts,
    )


# Two of them share a host name: opencode.ai/zen and opencode.ai/zen/go.
SPECS = (
    _spec(
        "alibaba-token-plan",
        "Alibaba Cloud token plan, international",
        "https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1",
        "ALIBABA_TOKEN_PLAN_API_KEY",
        "kimi-k2.6",
        thinking=QWEN,
    ),
    _spec(
        "alibaba-token-plan-cn",
        "Alibaba Cloud token plan, China",
        "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
        "ALIBABA_TOKEN_PLAN_API_KEY",
        "kimi-k2.6",
        thinking=QWEN,
    ),
    _spec(
        "ambient",
        "Ambient",
        "https://api.ambient.xyz/v1",
        "AMBIENT_API_KEY",
        "moonshotai/kimi-k2.6",
        thinking=FIXED,
        media=_IMAGES,
    ),
    _spec("auriko", "Auriko", "https://api.auriko.ai/v1", "AURIKO_API_KEY", "kimi-k2.6", per_model=_LOW_TO_MAX),
    _spec("berget", "Berget AI", "https://api.berget.ai/v1", "BERGET_API_KEY", "moonshotai/Kimi-K2.6"),
    _spec("chutes", "Chutes", "https://llm.chutes.ai/v1", "CHUTES_API_KEY", "moonshotai/Kimi-K2.6-TEE", thinking=FIXED),
    _spec(
        "clarifai",
        "Clarifai",
        "https://api.clarifai.com/v2/ext/openai/v1",
        "CLARIFAI_PAT",
        "moonshotai/chat-completion/models/Kimi-K2_6",
        thinking=FIXED,
        media=_IMAGES,
    ),
    _spec(
        "cortecs", "Cortecs", "https://api.cortecs.ai/v1", "CORTECS_API_KEY", "kimi-k2.6", thinking=TYPED, media=_IMAGES
    ),
    _spec(
        "crof", "CrofAI", "https://crof.ai/v1", "CROF_API_KEY", "kimi-k2.6", thinking=_EFFORT, per_model=_LOW_TO_HIGH
    ),
    _spec(
        "digitalocean",
        "DigitalOcean",
        "https://inference.do-ai.run/v1",
        "DIGITALOCEAN_ACCESS_TOKEN",
        "kimi-k2.6",
        thinking=_EFFORT,
        per_model=_LOW_TO_HIGH,
        media=_IMAGES,
    ),
    _spec(
        "evroc",
        "Evroc Think",
        "https://models.think.evroc.com/v1",
        "EVROC_API_KEY",
        "moonshotai/Kimi-K2.6",
        thinking=FIXED,
    ),
    _spec("fastrouter", "FastRouter", "https://go.fastrouter.ai/api/v1", "FASTROUTER_API_KEY", "moonshotai/kimi-k2.6"),
    _spec(
        "frogbot",
        "FrogBot",
        "https://app.frogbot.ai/api/v1",
        "FROGBOT_API_KEY",
        "kimi-k2-6",
        thinking=FIXED,
        media=_IMAGES,
    ),
    _spec(
        "gmicloud",
        "GMI Cloud",
        "https://api.gmi-serving.com/v1",
        "GMICLOUD_API_KEY",
        "moonshotai/Kimi-K2.6",
        thinking=FIXED,
        media=_TEXT,
        per_model={"kimi-k2.6": {"context": 65_536}},
    ),
    _spec(
        "inceptron",
        "Inceptron",
        "https://api.inceptron.io/v1",
        "INCEPTRON_API_KEY",
        "moonshotai/Kimi-K2.6-Fast",
        thinking=FIXED,
        media=_IMAGES,
    ),
    _spec(
        "kilo", "Kilo gateway", "https://api.kilo.ai/api/gateway", "KILO_API_KEY", "moonshotai/kimi-k2.6", media=_IMAGES
    ),
    _spec("lilac", "Lilac", "https://api.getlilac.com/v1", "LILAC_API_KEY", "moonshotai/kimi-k2.6", media=_IMAGES),
    _spec(
        "llmgateway", "LLM Gateway", "https://api.llmgateway.io/v1", "LLMGATEWAY_API_KEY", "kimi-k2.6", thinking=FIXED
    ),
    _spec(
        "nano-gpt",
        "NanoGPT",
        "https://nano-gpt.com/api/v1",
        "NANO_GPT_API_KEY",
        "TEE/kimi-k2.6",
        thinking=FIXED,
        media=_IMAGES,
    ),
    _spec(
        "neuralwatt",
        "Neuralwatt",
        "https://api.neuralwatt.com/v1",
        "NEURALWATT_API_KEY",
        "kimi-k2.6-fast",
        thinking=FIXED,
        media=_IMAGES,
    ),
    _spec(
        "opencode",
        "OpenCode Zen",
        "https://opencode.ai/zen/v1",
        "OPENCODE_API_KEY",
        "kimi-k2.6",
        domain="opencode.ai/zen",
        reasoning=_ECHO,
    ),
    _spec(
        "opencode-go",
        "OpenCode Go",
        "https://opencode.ai/zen/go/v1",
        "OPENCODE_API_KEY",
        "kimi-k2.6",
        domain="opencode.ai/zen/go",
        thinking=FIXED,
        reasoning=_ECHO,
    ),
    _spec(
        "orcarouter",
        "OrcaRouter",
        "https://api.orcarouter.ai/v1",
        "ORCAROUTER_API_KEY",
        "kimi/kimi-k2.6",
        thinking=FIXED,
    ),
    _spec("poe", "Poe", "https://api.poe.com/v1", "POE_API_KEY", "novita/kimi-k2.6"),
    _spec(
        "routing-run",
        "routing.run",
        "https://ai.routing.sh/v1",
        "ROUTING_RUN_API_KEY",
        "route/kimi-k2.6-6bit",
        thinking=FIXED,
    ),
    _spec(
        "synthetic",
        "Synthetic",
        "https://api.synthetic.new/openai/v1",
        "SYNTHETIC_API_KEY",
        "hf:moonshotai/Kimi-K2.6",
        thinking=replace(_EFFORT, off=None),
        per_model=_LOW_TO_HIGH,
        media=_IMAGES,
    ),
    _spec(
        "tinfoil",
        "Tinfoil",
        "https://inference.tinfoil.sh/v1",
        "TINFOIL_API_KEY",
        "kimi-k2-6",
        thinking=_EFFORT,
        per_model=_ALL_LEVELS,
    ),
    _spec(
        "vultr",
        "Vultr",
        "https://api.vultrinference.com/v1",
        "VULTR_API_KEY",
        "moonshotai/Kimi-K2.6",
        thinking=FIXED,
        media=_TEXT,
        reasoning=ReasoningRules(keys_in=("reasoning", "reasoning_content")),
    ),
    _spec(
        "wafer",
        "Wafer",
        "https://pass.wafer.ai/v1",
        "WAFER_API_KEY",
        "Kimi-K2.6",
        thinking=ThinkingRules(default=False),
    ),
    _spec("zenmux", "ZenMux", "https://zenmux.ai/api/v1", "ZENMUX_API_KEY", "moonshotai/kimi-k2.6"),
)
