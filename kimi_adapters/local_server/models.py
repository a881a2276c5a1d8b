"""The models of the hosts that the local server imitates: one spec each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the server knows about one model id.

    Attributes:
        id: The id that a request names.
        answers_as: The id that the answer names.
        context: Tokens of prompt and answer together.
        output: Tokens of the answer when the request sets no limit.
        thinking: Whether thinking can be switched (``toggle``) or is always on (``always``).
        effort: Whether ``reasoning_effort`` is read (K3) or clashes with ``thinking`` (K2.x).
        required: Whether ``tool_choice: "required"`` is legal while thinking.
        keep: Whether ``thinking.keep`` is known.
        always_keeps: Whether the reasoning of all turns is kept in view without being asked (K2.7, K3).
        dynamic_tools: Whether a system message may declare tools (K3).
        web_search_thinks: Whether ``$web_search`` works while thinking.
        call_ids: ``functions``: ``functions.<name>:<n>`` over the whole conversation; ``plain``:
            ``<name>_<n>``, restarting each turn.
        created: Unix time of the model's release.
        price: USD for a million tokens: cache hit, cache miss, output.
        display_name: The name to show.
    """

    id: str
    answers_as: str
    context: int
    output: int
    thinking: Literal["toggle", "always"]
    effort: bool
    required: bool
    keep: bool
    always_keeps: bool
    dynamic_tools: bool
    web_search_thinks: bool
    call_ids: Literal["functions", "plain"]
    created: int
    price: tuple[float, float, float]
    display_name: str


_K2_6 = ModelSpec(
    id="kimi-k2.6",
    answers_as="kimi-k2.6",
    context=262_144,
    output=32_768,
    thinking="toggle",
    effort=False,
    required=False,
    keep=True,
    always_keeps=False,
    dynamic_tools=False,
    # Moonshot's pages disagree for K2.6; "disable thinking" is the older and the safer reading.
    web_search_thinks=False,
    call_ids="functions",
    created=1_776_643_200,
    price=(0.16, 0.95, 4.00),
    display_name="Kimi K2.6",
)
_K2_7 = replace(
    _K2_6,
    id="kimi-k2.7-code",
    answers_as="kimi-k2.7-code",
    thinking="always",
    always_keeps=True,
    web_search_thinks=True,
    created=1_781_222_400,
    price=(0.19, 0.95, 4.00),
    display_name="Kimi K2.7 Code",
)
_K3 = replace(
    _K2_7,
    id="kimi-k3",
    answers_as="kimi-k3",
    context=1_048_576,
    output=131_072,
    effort=True,
    required=True,
    dynamic_tools=True,
    call_ids="plain",
    created=1_783_900_800,
    price=(0.30, 3.00, 15.00),
    display_name="Kimi K3",
)
_K3_1 = replace(
    _K3,
    id="kimi-k3.1-pro",
    answers_as="kimi-k3.1-pro",
    created=1_792_800_000,
    price=(0.20, 2.00, 10.00),
    display_name="Kimi K3.1 Pro",
)
_K2_5 = replace(
    _K2_6,
    id="kimi-k2.5",
    answers_as="kimi-k2.5",
    keep=False,
    price=(0.10, 0.60, 3.00),
    display_name="Kimi K2.5",
)
_K2_7_FAST = replace(
    _K2_7,
    id="kimi-k2.7-code-highspeed",
    answers_as="kimi-k2.7-code-highspeed",
    price=(0.38, 1.90, 8.00),
    display_name="Kimi K2.7 Code Highspeed",
)
_K3_1_FAST = replace(
    _K3_1,
    id="kimi-k3.1-pro-highspeed",
    answers_as="kimi-k3.1-pro-highspeed",
    price=(0.20, 4.00, 20.00),
    display_name="Kimi K3.1 Pro Highspeed",
)


def _table(*specs: ModelSpec) -> dict[str, ModelSpec]:
    return {spec.id: spec for spec in specs}


#: Live ids of Moonshot's own API. Every other id, also a discontinued one, is answered with 404.
MOONSHOT_MODELS = _table(_K3_1, _K3_1_FAST, _K3, _K2_7, _K2_7_FAST, _K2_6)

#: AI/ML API has its own ids and answers with the operator's (AI/ML API's page: ``"model": "kimi-k2.6"``).
AIMLAPI_MODELS = _table(
    replace(_K2_6, id="moonshot/kimi-k2-6"),
    replace(_K2_5, id="moonshot/kimi-k2-5"),
    replace(_K2_7, id="moonshot/kimi-k2-7-code"),
    replace(_K2_7_FAST, id="moonshot/kimi-k2-7-code-highspeed"),
    replace(_K3, id="moonshot/kimi-k3"),
    replace(_K3, id="moonshotai/kimi-k3"),
)

_RUNWARE_PRICE = (0.13, 0.60, 3.05)

#: Runware takes the AIR id of its SDK and the slug of its pages; its page of K3 says "compatible-only".
RUNWARE_MODELS = _table(
    replace(_K2_6, id="moonshotai:kimi@k2.6", answers_as="moonshotai:kimi@k2.6", price=_RUNWARE_PRICE),
    replace(_K2_6, id="moonshotai-kimi-k2-6", answers_as="moonshotai-kimi-k2-6", price=_RUNWARE_PRICE),
    replace(_K3, id="moonshotai:kimi@k3", answers_as="moonshotai:kimi@k3"),
)
#: The ids of the open weights on Hugging Face, as self-hosted servers name them by default.
WEIGHTS = _table(
    replace(_K2_6, id="moonshotai/Kimi-K2.6", answers_as="moonshotai/Kimi-K2.6"),
    replace(_K2_7, id="moonshotai/Kimi-K2.7-Code", answers_as="moonshotai/Kimi-K2.7-Code"),
    replace(_K3, id="moonshotai/Kimi-K3", answers_as="moonshotai/Kimi-K3", thinking="toggle"),
)
#: OpenRouter answers with a dated id.
OPENROUTER_MODELS = _table(
    replace(_K2_6, id="moonshotai/kimi-k2.6", answers_as="moonshotai/kimi-k2.6-20260420", keep=False),
    replace(_K2_7, id="moonshotai/kimi-k2.7-code", answers_as="moonshotai/kimi-k2.7-code", keep=False),
    replace(_K3, id="moonshotai/kimi-k3", answers_as="moonshotai/kimi-k3"),
)
FIREWORKS_MODELS = _table(
    replace(_K2_6, id="accounts/fireworks/models/kimi-k2p6", answers_as="accounts/fireworks/models/kimi-k2p6"),
    replace(
        _K2_7, id="accounts/fireworks/models/kimi-k2p7-code", answers_as="accounts/fireworks/models/kimi-k2p7-code"
    ),
    replace(_K3, id="accounts/fireworks/models/kimi-k3", answers_as="accounts/fireworks/models/kimi-k3"),
)
#: "Response `model` echoes `kimi-for-coding`"; K3 can be switched off here.
KIMI_CODE_MODELS = _table(
    replace(_K3, id="kimi-for-coding", answers_as="kimi-for-coding", thinking="toggle"),
    replace(_K3, id="k3", answers_as="kimi-for-coding", thinking="toggle"),
    replace(_K2_7, id="k2p7", answers_as="kimi-for-coding"),
    replace(_K2_6, id="k2p6", answers_as="kimi-for-coding"),
)
