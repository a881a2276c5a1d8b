"""Words of a call or of the constructor, as this package takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimi_core import option_hints, options
from kimi_core.errors import ConfigError
from kimi_core.types import JsonObject


def given(words: Mapping[str, Any]) -> JsonObject:
    """Without what was left at None."""
    return {word: value for word, value in words.items() if value is not None}


def loose(additional: Mapping[str, Any]) -> JsonObject:
    """`additional_kwargs` as options: those that have a word are meant by it, the rest is for the body.

    Raises:
        ConfigError: Something that is no option, which would end up in the body, or in a dump.
        UnknownOptionError: Another library's word for such a thing.
    """
    words: JsonObject = {}
    body: JsonObject = {}
    for word, value in additional.items():
        name = options.ALIASES.get(word, word)
        if name in (*options.CONNECTION, *options.SERVED) or name == "extra_headers":
            raise ConfigError(f"{word} is an argument of its own; it cannot be given in additional_kwargs.")
        if option_hints.is_no_field_of_a_body(word):
            raise options.unknown(word)
        if name in options.OPTIONS:
            words[name] = value
        else:
            body[word] = value
    return {**words, "extra_body": {**body, **(words.get("extra_body") or {})}} if body else words
