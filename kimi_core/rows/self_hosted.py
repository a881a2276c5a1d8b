"""Servers that people run themselves, and what an unknown server can be expected to take."""

from __future__ import annotations

from kimi_core.host_row import HostRow
from kimi_core.rows.common import K3_EFFORTS

ROWS = (
    HostRow(
        name="vllm",
        title="vLLM",
        base_url="http://localhost:8000/v1",
        key_env=("VLLM_API_KEY",),
        base_url_env=("VLLM_BASE_URL",),
        key_required=False,
        model_ids={
            "kimi-k2.6": "moonshotai/Kimi-K2.6",
            "kimi-k2.5": "moonshotai/Kimi-K2.5",
            "kimi-k2.7-code": "moonshotai/Kimi-K2.7-Code",
            "kimi-k3": "moonshotai/Kimi-K3",
        },
        thinking_default=True,
        # Parsers up to v0.22 read `thinking` only, later ones `thinking` or `enable_thinking`: both are sent alike.
        effort_field=None,
        reasoning_in=("reasoning", "reasoning_content"),
        # Without `--reasoning-parser kimi_k2` the thought stands in the text, between tags; without a working tool
        # parser so do the calls (vllm#28543, #34955).
        think_tags="leading",
        leaked_calls=True,
        partial_body={"add_generation_prompt": False, "continue_final_message": True},
        media_urls=frozenset({"data", "http"}),
        cost_paths=(),
        per_model={
            # 400 for other levels: `Kimi K3 supports thinking_effort values: low, high, max`; `none` is thinking off
            "kimi-k3": {
                "thinking": "toggle",
                "thinking_on": {},
                "thinking_off": {"reasoning_effort": "none"},
                "effort_field": "reasoning_effort",
                "effort_words": K3_EFFORTS,
            },
        },
        tier="documented",
        source="vLLM recipes for Kimi-K2.6; kimi_k2 parser sources; observed on vLLM 0.32",
    ),
    HostRow(
        name="generic",
        title="any OpenAI-compatible server",
        key_env=("KIMI_API_KEY",),
        base_url_env=("KIMI_BASE_URL",),
        key_required=False,
        source="the defaults",
    ),
)
