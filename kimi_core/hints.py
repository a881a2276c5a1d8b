"""Words that people bring from other classes and libraries, and what to say instead.

From ChatOpenAI, LangChain's and LlamaIndex's classes for Moonshot, OpenAILike, LiteLLM, the OpenAI SDK, and servers for
open weights. Words that mean the same everywhere are understood as they are (`kimi_core.options.ALIASES`).
"""

from __future__ import annotations

MEANT: dict[str, str] = {
    **dict.fromkeys(("request_timeout", "force_timeout", "read_timeout", "timeout_seconds"), "timeout"),
    **dict.fromkeys(("stream_timeout", "stream_chunk_timeout"), "chunk_timeout"),
    **dict.fromkeys(("num_retries", "retries", "max_retry", "retry"), "max_retries"),
    **dict.fromkeys(("openai_api_key", "moonshot_api_key", "kimi_api_key", "key", "token", "api_token"), "api_key"),
    **dict.fromkeys(
        (
            "openai_api_base",
            "moonshot_api_base",
            "moonshot_base_url",
            "kimi_api_base",
            "base",
            "endpoint",
            "url",
            "api_url",
        ),
        "base_url",
    ),
    **dict.fromkeys(("provider", "model_provider", "custom_llm_provider", "api_type", "openai_api_type"), "host"),
    **dict.fromkeys(("headers", "custom_headers"), "default_headers"),
    **dict.fromkeys(("fallbacks", "fallback_models"), "fallback_hosts"),
    **dict.fromkeys(("drop_params", "allowed_openai_params"), "on_unsupported"),
    **dict.fromkeys(("openai_client", "client", "root_client"), "http_client"),
    **dict.fromkeys(("async_openai_client", "async_client", "root_async_client"), "http_async_client"),
    **dict.fromkeys(("model_id", "deployment_name", "azure_deployment", "deployment_id", "engine"), "model"),
    **dict.fromkeys(("max_output_tokens", "max_new_tokens", "num_predict", "num_output", "max_length"), "max_tokens"),
    **dict.fromkeys(("enable_thinking", "thinking_mode", "reasoning_enabled"), "thinking"),
    **dict.fromkeys(("reasoning", "effort", "thinking_effort", "thinking_level"), "reasoning_effort"),
    **dict.fromkeys(("user", "user_id", "end_user"), "safety_identifier"),
    **dict.fromkeys(("best_of", "num_return_sequences", "candidate_count", "num_results"), "n"),
    **dict.fromkeys(("stop_token", "stop_words", "stops"), "stop"),
    "random_seed": "seed",
    **dict.fromkeys(("model_kwargs", "generate_kwargs", "extra_params", "optional_params"), "extra_body"),
    **dict.fromkeys(("disable_parallel_tool_use", "parallel_function_calling"), "parallel_tool_calls"),
    "functions": "tools",
    "function_call": "tool_choice",
}
"""What a word is called here."""

_SECRET_OR_LOCAL = frozenset(
    {"api_key", "base_url", "timeout", "max_retries", "default_headers", "http_client", "http_async_client"}
)
_SDK = "what openai.OpenAI takes under that name"
_PROXY = f"Give http_client (and http_async_client) with the proxy or certificate: {_SDK}."
_HOST_ONLY = "It is no option of Kimi's; leave it out."
_BODY = "Hosts of open weights take it: give extra_body={{{word!r}: …}} there."

INSTEAD: dict[str, str] = {
    "model_kwargs": "Give extra_body={…} for fields of the body, and options by their own words.",
    "generate_kwargs": "Give extra_body={…} for fields of the body, and options by their own words.",
    "optional_params": "Give extra_body={…} for fields of the body, and options by their own words.",
    "openai_client": f"Give http_client instead: {_SDK}.",
    "async_openai_client": "Give http_async_client instead: what openai.AsyncOpenAI takes as http_client.",
    "drop_params": "Give on_unsupported='ignore'.",
    "enable_thinking": "Give thinking=True or thinking=False.",
    "reasoning": "Give thinking=True or thinking=False, or reasoning_effort='high' for models with levels.",
    "chat_template_kwargs": "Give thinking=True or thinking=False, or extra_body={'chat_template_kwargs': {…}}.",
    "thinking_budget": "Kimi has no budget for thinking: max_tokens counts it too, and reasoning_effort sets levels.",
    "budget_tokens": "Kimi has no budget for thinking: max_tokens counts it too, and reasoning_effort sets levels.",
    "functions": "Functions are tools today: give tools=[…] (bind_tools in LangChain).",
    "function_call": "Functions are tools today: give tool_choice with tools=[…].",
    "tools": "Tools belong to a call: bind_tools(…) in LangChain, the agent's or the call's tools in LlamaIndex.",
    "tool_choice": "It belongs to a call: bind_tools(…, tool_choice=…) in LangChain, a call of LlamaIndex.",
    "response_format": "It belongs to a call; for objects use with_structured_output or as_structured_llm.",
    "stream": "Call stream in LangChain, stream_chat or stream_complete in LlamaIndex.",
    "streaming": "Give it to the constructor of ChatKimi, or call stream; in LlamaIndex call stream_chat.",
    "stream_options": "Usage is asked for by itself; stream_usage=False in ChatKimi leaves it out.",
    "system": "Put a system message first; in LlamaIndex give system_prompt.",
    "system_prompt": "Put a system message first.",
    "messages": "Give them to the call.",
    "prompt": "Give it to the call.",
    "proxy": _PROXY,
    "proxies": _PROXY,
    "openai_proxy": _PROXY,
    "verify": _PROXY,
    "verify_ssl": _PROXY,
    "ssl_verify": _PROXY,
    "is_chat_model": "Kimi is always asked as a chat model; leave it out.",
    "reuse_client": "HTTP clients are shared by all objects, one set for each event loop; leave it out.",
    "should_use_structured_outputs": "The host's own way to structured answers is the default; leave it out, or give "
    "pydantic_program_mode='function' for LlamaIndex's programs with tool calls.",
    "tokenizer": "Set LlamaIndex's own, with llama_index.core.set_global_tokenizer; to ChatKimi custom_get_token_ids.",
    "tiktoken_model_name": "No tokenizer is brought along: give custom_get_token_ids to ChatKimi.",
    "model_name": "Give model.",
    "use_responses_api": "Kimi is asked by Chat Completions; leave it out.",
    "use_previous_response_id": "Kimi is asked by Chat Completions; leave it out.",
    "top_k": _BODY.format(word="top_k") + " Runware takes runware={'top_k': …}.",
    "mock_response": "Start a kimi_core.emulator.LocalKimi and give its base_url.",
    **{word: _BODY.format(word=word) for word in ("min_p", "repetition_penalty", "logit_bias", "guided_json")},
    **dict.fromkeys(
        ("organization", "openai_organization", "project", "api_version", "openai_api_version", "azure_endpoint"),
        "It is OpenAI's or Azure's own; leave it out, and say where Kimi is with host or base_url.",
    ),
    **dict.fromkeys(
        (
            "store",
            "truncation",
            "verbosity",
            "service_tier",
            "disabled_params",
            "audio_config",
            "modalities",
            "prediction",
        ),
        _HOST_ONLY,
    ),
}
"""What to do, where a word alone does not say it."""


def hint(word: str) -> str | None:
    """What to say instead of a word; None for one that nobody is known to bring."""
    known = word if word in MEANT or word in INSTEAD else word.lower()
    if sentence := INSTEAD.get(known):
        return sentence
    meant = MEANT.get(known)
    return f"Give {meant}." if meant else None


def is_no_field_of_a_body(word: str) -> bool:
    """Whether a word stands for a key, an address or the like, which no host is to find in a body."""
    return MEANT.get(word) in _SECRET_OR_LOCAL
