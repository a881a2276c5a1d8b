"""Options of other classes and libraries, and what to give instead.

From ChatOpenAI, LangChain's and LlamaIndex's classes for Moonshot, OpenAILike, LiteLLM, the OpenAI SDK, and servers for
open weights. Names that mean the same everywhere are accepted as they are (`kimi_core.options.ALIASES`).
"""

from __future__ import annotations

import re

MEANT: dict[str, str] = {
    **dict.fromkeys(
        ("request_timeout", "default_request_timeout", "force_timeout", "read_timeout", "timeout_seconds", "timeout_s"),
        "timeout",
    ),
    **dict.fromkeys(("stream_timeout", "stream_chunk_timeout"), "chunk_timeout"),
    **dict.fromkeys(("num_retries", "retries", "max_retry", "retry"), "max_retries"),
    **dict.fromkeys(
        (
            "openai_api_key",
            "anthropic_api_key",
            "moonshot_api_key",
            "kimi_api_key",
            "key",
            "secret_key",
            "token",
            "api_token",
            "access_token",
            "auth_token",
            "bearer_token",
        ),
        "api_key",
    ),
    **dict.fromkeys(
        (
            "openai_api_base",
            "anthropic_api_url",
            "moonshot_api_base",
            "moonshot_base_url",
            "kimi_api_base",
            "base",
            "endpoint",
            "url",
            "api_url",
            "api_base_url",
            "base_path",
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
    "max_tokens_to_sample": "max_tokens",
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
"""The option of this package that means the same."""

_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # `apiKey`, as other languages write it
_SECRET_OR_LOCAL = frozenset(
    {"api_key", "base_url", "timeout", "max_retries", "default_headers", "http_client", "http_async_client"}
)
_SDK = "what openai.OpenAI takes under that name"
_PROXY = f"Give http_client (and http_async_client) with the proxy or certificate: {_SDK}."
_HOST_ONLY = "It is no option of Kimi's; leave it out."
_WINDOW = "Give overrides={'context': …}; KimiLLM has context_window for LlamaIndex's own reckoning."
_TIMES = "Give timeout: seconds, or an openai.Timeout(connect=…, read=…)."
_RETRIES = "Give max_retries; waiting times are the host's own or grow by themselves."
_NO_BUDGET = "Kimi has no budget for thinking: max_tokens counts it too, and reasoning_effort sets levels."
_CACHE = "Kimi's hosts cache prompts by themselves: give prompt_cache_key, or prompt_cache_options={'ttl': '1h'}."
_QUERY = "Nothing is added to addresses; fields of the body go into extra_body={…}."
_SHOWN = "Reasoning is always handed on apart from the answer; leave it out."
_SCHEMA = "Give the schema to with_structured_output in LangChain, as_structured_llm in LlamaIndex."
_BODY = "Hosts of open weights take it: give extra_body={{{option!r}: …}} there."
_OF_OPEN_WEIGHTS = (
    *("min_p", "min_tokens", "repetition_penalty", "logit_bias", "stop_token_ids"),
    *("guided_json", "guided_choice", "guided_regex", "guided_grammar", "ignore_eos"),
)

INSTEAD: dict[str, str] = {
    "model_kwargs": "Give extra_body={…} for fields of the body, and options by their own names.",
    "generate_kwargs": "Give extra_body={…} for fields of the body, and options by their own names.",
    "optional_params": "Give extra_body={…} for fields of the body, and options by their own names.",
    "openai_client": f"Give http_client instead: {_SDK}.",
    "async_openai_client": "Give http_async_client instead: what openai.AsyncOpenAI takes as http_client.",
    "drop_params": "Give on_unsupported='ignore'.",
    "enable_thinking": "Give thinking=True or thinking=False.",
    "reasoning": "Give thinking=True or thinking=False, or reasoning_effort='high' for models with levels.",
    "chat_template_kwargs": "Give thinking=True or thinking=False, or extra_body={'chat_template_kwargs': {…}}.",
    **dict.fromkeys(("thinking_budget", "max_thinking_tokens", "budget_tokens"), _NO_BUDGET),
    "functions": "Functions are tools today: give tools=[…] (bind_tools in LangChain).",
    "function_call": "Functions are tools today: give tool_choice with tools=[…].",
    "tools": "Tools belong to a call: bind_tools(…) in LangChain, the agent's or the call's tools in LlamaIndex.",
    "tool_choice": "It belongs to a call: bind_tools(…, tool_choice=…) in LangChain, a call of LlamaIndex.",
    "response_format": "It belongs to a call; for objects use with_structured_output or as_structured_llm.",
    "stream": "Call stream in LangChain, stream_chat or stream_complete in LlamaIndex.",
    "streaming": "Give it to the constructor of ChatKimi, or call stream; in LlamaIndex call stream_chat.",
    "stream_options": "Usage is asked for by itself; stream_usage=False in ChatKimi leaves it out.",
    "stream_usage": "Usage is asked for by itself in streams; leave it out.",
    "include_response_headers": "The id of a request and what limits it are in the answer's metadata; leave it out.",
    "system": "Put a system message first; in LlamaIndex give system_prompt.",
    "system_instruction": "Put a system message first; in LlamaIndex give system_prompt.",
    "system_prompt": "Put a system message first.",
    "messages": "Give them to the call.",
    "prompt": "Give it to the call.",
    "proxy": _PROXY,
    "proxies": _PROXY,
    "openai_proxy": _PROXY,
    "verify": _PROXY,
    "verify_ssl": _PROXY,
    "ssl_verify": _PROXY,
    "http_socket_options": _PROXY,
    "http_options": _PROXY,
    "anthropic_proxy": _PROXY,
    "cert": _PROXY,
    "ssl": _PROXY,
    "session": f"Give http_client (and http_async_client): {_SDK}.",
    "aiohttp_session": f"Give http_client (and http_async_client): {_SDK}.",
    "additional_kwargs": "It is KimiLLM's. Give options by their own names, and extra_body={…} for fields of the body.",
    "context_window": _WINDOW,
    "repetition_detection": "Give stop_repetition=True, which counts characters and holds at any host; vLLM's own "
    "counts tokens and goes into extra_body={'repetition_detection': …}.",
    **dict.fromkeys(("n_ctx", "num_ctx", "context_length", "context_size", "max_context_length"), _WINDOW),
    **dict.fromkeys(("max_input_tokens", "max_model_len"), _WINDOW),
    **dict.fromkeys(("connect_timeout", "write_timeout", "pool_timeout"), _TIMES),
    **dict.fromkeys(("retry_policy", "retry_delay", "backoff", "max_retry_delay"), _RETRIES),
    **dict.fromkeys(("cache_control", "prompt_cache_retention", "prompt_cache_ttl"), _CACHE),
    **dict.fromkeys(("default_query", "extra_query", "query_params"), _QUERY),
    **dict.fromkeys(
        ("include_reasoning", "show_reasoning", "return_reasoning", "reasoning_format", "reasoning_summary"), _SHOWN
    ),
    **dict.fromkeys(("json_schema", "output_schema", "response_schema", "output_config", "format"), _SCHEMA),
    "json_mode": "Give a call response_format={'type': 'json_object'}, or with_structured_output method='json_mode'.",
    "strict": "Give it to bind_tools or with_structured_output in LangChain; KimiLLM and its calls take it.",
    "auth": "Give api_key, or default_headers={'Authorization': …}.",
    "authorization": "Give api_key, or default_headers={'Authorization': …}.",
    "credentials": "Give api_key, or default_headers={'Authorization': …}.",
    "api_host": "Give base_url with the whole address, or host with a host's name.",
    "hostname": "Give base_url with the whole address, or host with a host's name.",
    "port": "Give base_url with the whole address.",
    "region": "Give base_url with the whole address.",
    "mcp_servers": "The host runs no MCP servers: langchain-mcp-adapters and llama-index-tools-mcp make tools of them.",
    "max_tool_calls": "An agent counts its calls; max_server_rounds limits those of the host's own tools.",
    "is_chat_model": "Kimi is always asked as a chat model; leave it out.",
    "reuse_client": "HTTP clients are shared by all objects, one set for each event loop; leave it out.",
    "should_use_structured_outputs": "The host's own way to structured answers is the default; leave it out, or give "
    "pydantic_program_mode='function' for LlamaIndex's programs with tool calls.",
    "tokenizer": "Set LlamaIndex's own, with llama_index.core.set_global_tokenizer; to ChatKimi custom_get_token_ids.",
    "tiktoken_model_name": "No tokenizer is brought along: give custom_get_token_ids to ChatKimi.",
    "model_name": "Give model.",
    "use_responses_api": "Kimi is asked by Chat Completions; leave it out.",
    "use_previous_response_id": "Kimi is asked by Chat Completions; leave it out.",
    "top_k": _BODY.format(option="top_k") + " A host that has it of its own takes host_options={'top_k': …}.",
    "mock_response": "Start a kimi_adapters.local_server.LocalKimi and give its base_url.",
    **{name: _BODY.format(option=name) for name in _OF_OPEN_WEIGHTS},
    **dict.fromkeys(
        (
            "organization",
            "organization_id",
            "openai_organization",
            "project",
            "api_version",
            "openai_api_version",
            "azure_endpoint",
        ),
        "It is OpenAI's or Azure's own; leave it out, and name the endpoint with host or base_url.",
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
            "betas",
            "container",
            "context_management",
            "include",
            "inference_geo",
            "keep_alive",
            "reuse_last_container",
            "safety_settings",
            "user_profile_id",
        ),
        _HOST_ONLY,
    ),
}
"""What to do, where the name of an option alone is not enough."""


def hint(option: str) -> str | None:
    """Return what to write instead of an option; None for one that is not known from elsewhere."""
    known = option if option in MEANT or option in INSTEAD else _CAPITALS.sub("_", option).lower()
    if sentence := INSTEAD.get(known):
        return sentence
    meant = MEANT.get(known)
    return f"Give {meant}." if meant else None


def is_no_field_of_a_body(option: str) -> bool:
    """Return whether an option means a key, an address or the like, which must not be sent in a body."""
    return MEANT.get(option) in _SECRET_OR_LOCAL
