"""The words of LlamaIndex's other integrations: what they mean here, or what to say instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kimi_core import options
from kimi_core.errors import ConfigError, UnknownOptionError
from kimi_core.types import JsonObject

# Words that users bring along, and that would change nothing or do not fit here.
_ELSEWHERE = {
    "is_chat_model": "Kimi is always asked as a chat model; leave it out.",
    "reuse_client": "HTTP clients are shared by all objects, one set for each event loop; leave it out.",
    "should_use_structured_outputs": "The host's own way to structured answers is the default; leave it out, or give "
    "pydantic_program_mode='function' for LlamaIndex's programs with tool calls.",
    "openai_client": "Give http_client instead: what openai.OpenAI takes under that name.",
    "async_openai_client": "Give http_async_client instead: what openai.AsyncOpenAI takes as http_client.",
    "tokenizer": "Set LlamaIndex's own, with llama_index.core.set_global_tokenizer.",
    "num_output": "Give max_tokens.",
    "request_timeout": "Give timeout.",
    "model_kwargs": "Give additional_kwargs.",
    "generate_kwargs": "Give additional_kwargs.",
    "user": "Give safety_identifier.",
}


def split(given: Mapping[str, Any], own: Iterable[str]) -> tuple[JsonObject, JsonObject, JsonObject]:
    """Sort keyword arguments: changes of the connection, options, and words of this package.

    Raises:
        UnknownOptionError: A word that means nothing here; the text says what to do instead.
    """
    for word in given:
        if word in _ELSEWHERE:
            raise UnknownOptionError(f"There is no option {word!r}. {_ELSEWHERE[word]}")
    return options.split(given, own)


def given(words: Mapping[str, Any]) -> JsonObject:
    """Without what was left at None."""
    return {word: value for word, value in words.items() if value is not None}


def loose(additional: Mapping[str, Any]) -> JsonObject:
    """`additional_kwargs` as options: those that have a word are meant by it, the rest is for the body.

    Raises:
        ConfigError: Something that is no option, which would end up in the body, or in a dump.
    """
    words: JsonObject = {}
    body: JsonObject = {}
    for word, value in additional.items():
        name = options.ALIASES.get(word, word)
        if name in (*options.CONNECTION, *options.SERVED) or name == "extra_headers":
            raise ConfigError(f"{word} is an argument of its own; it cannot be given in additional_kwargs.")
        if name in options.OPTIONS:
            words[name] = value
        else:
            body[word] = value
    return {**words, "extra_body": {**body, **(words.get("extra_body") or {})}} if body else words
