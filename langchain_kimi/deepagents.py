"""Kimi in `deepagents`: how a deep agent is set up when its model is a Kimi.

`deepagents` finds both functions here by their entry points, on its first look for profiles; nothing else imports
this module, which needs `langchain` and `deepagents`. A profile of your own under the same key is laid over them.

```python
from deepagents import create_deep_agent

agent = create_deep_agent("moonshot:kimi-k2.6")  # or any ChatKimi
```
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from deepagents import HarnessProfile, ProviderProfile, register_harness_profile, register_provider_profile
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, TracePolicy, omit_payload

from kimi_core.hosts.models import MODELS
from langchain_kimi import ChatKimi
from langchain_kimi._register import PROVIDERS, _register_providers

# Repeated calls: Moonshot's help center advises a reminder when a model repeats a call (at 3, 5 and 8 repeats).
# Answers that are reasoning alone: MoonshotAI/kimi-code#520 and #3429.
PROMPT = """\
## Tools and answers

- Make tool calls that do not depend on each other in the same turn.
- Do not repeat a tool call with the same arguments when nothing has changed since. If a result does not help, change \
the arguments or the approach, or say what is missing.
- Do not end with reasoning alone: what the user is to know stands in the message itself."""
"""What the system prompt of every Kimi agent ends with, after your own."""


class PromptCacheKeyMiddleware(AgentMiddleware[Any, Any, Any]):
    """Tells Kimi's host which conversation a call belongs to, so that it finds what it has cached of it.

    Sends `prompt_cache_key`, which Moonshot recommends for agents: a digest of the thread's id, which stays with you.
    Nothing is sent without a thread (a checkpointer), to a host that has no such option, or to a model that is no
    `ChatKimi`; a key of your own is left alone.
    """

    # The request is in the trace of the model call already.
    trace_policy = TracePolicy(process_inputs=omit_payload)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Add the key to the call."""
        return handler(_with_key(request))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Add the key to the call."""
        return await handler(_with_key(request))


def _with_key(request: ModelRequest[Any]) -> ModelRequest[Any]:
    info = request.runtime.execution_info if request.runtime else None
    if not info or not info.thread_id or not _lacks_key(request.model):
        return request
    key = hashlib.sha256(info.thread_id.encode()).hexdigest()[:32]
    return request.override(model_settings={"prompt_cache_key": key, **request.model_settings})


def _lacks_key(model: Any) -> bool:
    if not isinstance(model, ChatKimi) or model.prompt_cache_key is not None:
        return False
    return "prompt_cache_key" not in model._client.profile(model.model_name).host.sampling.refuses


def register_harness() -> None:
    """Register how a deep agent works with any `ChatKimi`, whatever the host. Called by `deepagents`."""
    profile = HarnessProfile(system_prompt_suffix=PROMPT, extra_middleware=lambda: [PromptCacheKeyMiddleware()])
    for provider in PROVIDERS:
        register_harness_profile(provider, profile)


def register_provider() -> None:
    """Register how `deepagents` makes a `ChatKimi` of a text like `moonshot:kimi-k2.6`. Called by `deepagents`.

    A model that can forget the reasoning of earlier turns gets `keep`: Moonshot recommends that for
    agents, and without it long runs stall (can1357/oh-my-pi#1839). It costs input tokens; a `ChatKimi` that you make
    yourself is used as it is.
    """
    kept = ProviderProfile(init_kwargs={"thinking": {"keep": "all"}})
    forgetful = [spec.id for spec in MODELS.values() if spec.thinking == "toggle" and "all" in spec.keep]
    for provider in PROVIDERS:
        # LangChain's `init_chat_model` does not know Kimi by itself. It is registered when somebody asks for one.
        register_provider_profile(provider, ProviderProfile(pre_init=lambda _: _register_providers()))
        for model in forgetful:
            register_provider_profile(f"{provider}:{model}", kept)
