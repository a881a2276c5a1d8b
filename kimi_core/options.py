"""The one set of words for options, in both frameworks, at construction and per call.

Adapters hand their keyword arguments over as they came; here they become `Options` and changes of `Settings`.
A word that nobody knows raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeAlias, get_args

from pydantic import SecretStr

from kimi_core import headers, openai_shapes
from kimi_core.errors import ConfigError, UnknownOptionError
from kimi_core.header_rules import check_headers
from kimi_core.hosts.profile import did_you_mean
from kimi_core.quoting import quoted
from kimi_core.types import (
    MOST_AGENTS,
    MOST_STEPS,
    AgentSwarm,
    EmptyAnswer,
    JsonObject,
    Options,
    Thinking,
    Tool,
    ToolChoice,
)

ThinkingOption: TypeAlias = bool | Mapping[str, Any] | Thinking | None
"""None leaves the host's default; True and False switch; a mapping is Moonshot's own `{"type": …, "keep": …}`."""

CONNECTION = (
    "host",
    "api_key",
    "base_url",
    "timeout",
    "chunk_timeout",
    "max_retries",
    "default_headers",
    "http_client",
    "http_async_client",
    "on_unsupported",
    "fetch_media",
    "local_files",
    "upload_media",
    "documents",
    "overrides",
    "fallback_hosts",
    "budget",
)
"""Words that say where and how; the rest says what."""

OPTIONS = (*(f.name for f in fields(Options)), "reasoning_effort")
"""Words that become `Options`."""

SERVED = ("server_tools", "max_server_rounds")
"""Words about the host's own tools, which become fields of a `Request`."""

_UNSET = Thinking()

ALIASES = {
    "max_completion_tokens": "max_tokens",
    "stop_sequences": "stop",
    "api_base": "base_url",
    "async_http_client": "http_async_client",
}
"""Words of the frameworks and of the host that mean the same."""


def parse(given: Mapping[str, Any], base: Options | None = None) -> Options:
    """Return options from keyword arguments, over others that hold where nothing is given.

    Args:
        given: Options by the names in `OPTIONS`; None values leave the base's.
        base: What holds otherwise.

    Raises:
        ConfigError: If a value is not what the option takes.
    """
    base = base or Options()
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        return base
    _check_types(changes)
    thinking = parse_thinking(changes.pop("thinking", None), changes.pop("reasoning_effort", None), base.thinking)
    if "stop" in changes:
        changes["stop"] = parse_stop(changes["stop"])
    if "agent" in changes:
        changes["agent"] = parse_agent(changes["agent"])
    if "runware" in changes:
        from kimi_core.codecs.runware.options import check  # with the first of its words

        check(changes["runware"])
    if "extra_headers" in changes:
        check_headers(changes["extra_headers"])
        changes["extra_headers"] = headers.merged(base.extra_headers or {}, changes["extra_headers"])
    for name in ("extra_body", "runware"):
        if name in changes:
            changes[name] = {**(getattr(base, name) or {}), **changes[name]}
    return replace(base, thinking=thinking, **changes)


_NUMBER, _WHOLE, _TEXT, _YES_NO = (int, float), (int,), (str,), (bool,)
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), (_NUMBER, "a number")),
    **dict.fromkeys(("max_tokens", "n", "seed", "top_logprobs"), (_WHOLE, "a whole number")),
    **dict.fromkeys(("prompt_cache_key", "safety_identifier", "reasoning_effort"), (_TEXT, "text")),
    **dict.fromkeys(("logprobs", "parallel_tool_calls"), (_YES_NO, "True or False")),
    **dict.fromkeys(("extra_body", "extra_headers", "prompt_cache_options", "runware"), ((Mapping,), "a mapping")),
}
_LEAST = {"n": 1}
_CHOICES: dict[str, tuple[str, ...]] = {"empty_answer": get_args(EmptyAnswer)}


def _check_types(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        types, words = _TYPES.get(name, ((object,), ""))
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types and words):
            shown = type(value).__name__ if name == "extra_headers" else quoted(value)  # a header may be a secret
            raise ConfigError(f"{name} must be {words}, got {shown}.")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ConfigError(f"{name} must be one of {', '.join(map(repr, _CHOICES[name]))}, got {quoted(value)}.")
        least = _LEAST.get(name)
        if least is not None and isinstance(value, int) and value < least:
            raise ConfigError(f"{name} must be at least {least}, got {quoted(value)}.")


def parse_thinking(thinking: ThinkingOption, effort: str | None, base: Thinking = _UNSET) -> Thinking:
    """Return the thinking option from any of its forms.

    Raises:
        ConfigError: If the value has none of these forms.
    """
    match thinking:
        case None:
            parsed = base
        case bool():
            parsed = Thinking(enabled=thinking, effort=base.effort)
        case Thinking():
            parsed = thinking
        case Mapping():
            parsed = _from_mapping(thinking, base)
        case _:
            raise ConfigError(
                f"thinking must be None, True, False or {{'type': 'enabled' | 'disabled', 'keep': 'all'}}, "
                f"got {quoted(thinking)}."
            )
    return replace(parsed, effort=effort) if effort is not None else parsed


_SWITCH = {"enabled": True, "disabled": False, None: None}


def _from_mapping(given: Mapping[str, Any], base: Thinking) -> Thinking:
    unknown = [key for key in given if key not in ("type", "keep", "effort")]
    if unknown:
        raise ConfigError(f"thinking has no key {quoted(unknown[0])}; it takes 'type', 'keep' and 'effort'.")
    if given.get("type") not in list(_SWITCH):
        raise ConfigError(f"thinking type must be 'enabled' or 'disabled', got {quoted(given['type'])}.")
    for key in ("keep", "effort"):
        if not isinstance(given.get(key), str | None):
            raise ConfigError(f"thinking {key} must be text, got {quoted(given[key])}.")
    return Thinking(_SWITCH[given.get("type")], given.get("keep"), given.get("effort", base.effort))


def parse_agent(agent: AgentSwarm | Mapping[str, Any]) -> AgentSwarm:
    """Return the agent swarm from an object or the host's own `{"type": "swarm", "max_agents": …, "max_steps": …}`.

    Raises:
        ConfigError: If `agent` is neither, or larger than swarms can be.
    """
    if isinstance(agent, Mapping):
        said = dict(agent)
        if said.pop("type", "swarm") != "swarm" or said.keys() - {"max_agents", "max_steps"}:
            raise ConfigError(f"agent takes 'type': 'swarm', 'max_agents' and 'max_steps', got {quoted(agent)}.")
        agent = AgentSwarm(**said)
    if not isinstance(agent, AgentSwarm):
        raise ConfigError(f"agent must be an AgentSwarm or its mapping, got {quoted(agent)}.")
    for name, most in (("max_agents", MOST_AGENTS), ("max_steps", MOST_STEPS)):
        given = getattr(agent, name)
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most):
            raise ConfigError(f"agent {name} must be a whole number from 1 to {most}, got {quoted(given)}.")
    return agent


def traceable_runware(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return Runware's own options as traces may see them: the address of a webhook without its query."""
    from kimi_core.codecs.runware.options import shown  # with the first of its words

    return shown(given)


def parse_stop(stop: str | Iterable[str]) -> tuple[str, ...]:
    """Return the stop sequences, from one or several.

    Raises:
        ConfigError: If `stop` is neither a text nor a list of texts.
    """
    if isinstance(stop, str):
        return (stop,)
    if not isinstance(stop, list | tuple) or not all(isinstance(text, str) for text in stop):
        raise ConfigError(f"stop must be a text or a list of texts, got {quoted(stop)}.")
    return tuple(stop)


def parse_tool_choice(choice: Any) -> ToolChoice | None:
    """Return a tool choice from any of the forms that users and frameworks write.

    Args:
        choice: None, `auto`, `none`, `required`, `any`, True (`required`), False (`none`), a tool's name, or
            OpenAI's `{"type": "function", "function": {"name": …}}` and Anthropic's `{"type": "tool", "name": …}`.

    Raises:
        ConfigError: If the choice is none of these.
    """
    match choice:
        case None | ToolChoice():
            return choice
        case bool():
            return ToolChoice("required" if choice else "none")
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case "any":
            return ToolChoice("required")
        case str():
            return ToolChoice("named", choice)
        case (
            {"function": {"name": str(name)}}
            | {"type": "tool", "name": str(name)}
            | {"type": "function", "name": str(name)}
        ):
            return ToolChoice("named", name)
        case {"type": "auto" | "none" | "any" | "required" as mode}:
            return parse_tool_choice(mode)
    raise ConfigError(
        f"tool_choice must be 'auto', 'none', 'required', a tool's name or a dict naming one, got {quoted(choice)}."
    )


def parse_served(given: Mapping[str, Any], base: Mapping[str, Any], tools: tuple[Tool, ...] = ()) -> JsonObject:
    """Return the fields of a `Request` about tools: those of the call, and the host's own.

    Args:
        given: Options by the names in `SERVED`; None values leave the base's.
        base: What holds otherwise.
        tools: The tools of the call. What is among them is not offered twice.

    Raises:
        ConfigError: If a value is not what the option takes.
        MessageError: If a tool is not valid.
    """
    served, rounds = (base.get(word) if given.get(word) is None else given[word] for word in SERVED)
    known: JsonObject = {"tools": tools}
    if served:
        known["tools"] = (*tools, *(tool for tool in openai_shapes.to_server_tools(served) if tool not in tools))
    if rounds is not None:
        known["max_server_rounds"] = parse_rounds(rounds)
    return known


def parse_rounds(rounds: Any) -> int:
    """Return how often server tools are run for one answer.

    Raises:
        ConfigError: If the number is no whole number from 0 on.
    """
    if not isinstance(rounds, int) or isinstance(rounds, bool) or rounds < 0:
        raise ConfigError(f"max_server_rounds must be a whole number from 0 on, got {quoted(rounds)}.")
    return rounds


def split(
    given: Mapping[str, Any], allowed: Iterable[str] = ()
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Sort keyword arguments of a call.

    Args:
        given: The keyword arguments as they came.
        allowed: Names that the framework uses for itself.

    Returns:
        Changes of the connection, options, and the framework's own.

    Raises:
        UnknownOptionError: If nobody knows an option; the text names the nearest one.
    """
    connection: dict[str, Any] = {}
    options: dict[str, Any] = {}
    own: dict[str, Any] = {}
    allowed = frozenset(allowed)
    for word, value in given.items():
        name = ALIASES.get(word, word)
        if word in allowed:
            own[word] = value
        elif name in CONNECTION:
            connection[name] = value
        elif name in OPTIONS:
            options[name] = value
        else:
            raise unknown(word, allowed)
    return connection, options, own


_HEADERS = ("default_headers", "extra_headers")


def hide(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a constructor or call, with the key and the headers among them as `SecretStr`."""
    hidden = dict(words)
    if isinstance(words.get("api_key"), str):
        hidden["api_key"] = SecretStr(words["api_key"])
    for name in _HEADERS:
        if isinstance(words.get(name), Mapping):
            hidden[name] = headers.hidden(words[name])
    facts = words.get("overrides")
    if isinstance(facts, Mapping) and isinstance(facts.get("headers"), Mapping):
        hidden["overrides"] = {**facts, "headers": headers.hidden(facts["headers"])}
    if isinstance(places := words.get("fallback_hosts"), list | tuple):
        hidden["fallback_hosts"] = [hide(place) if isinstance(place, Mapping) else place for place in places]
    return hidden


def check_change(word: str) -> None:
    """Raise for an option that a finished model cannot change. The error does not quote its value, perhaps a key.

    Raises:
        ConfigError: If the option decides where calls go.
    """
    if word in CONNECTION:
        raise ConfigError(
            f"{word} is frozen: it says where calls go, and is settled at construction. Make another model for another."
        )


def unknown(word: str, allowed: Iterable[str] = ()) -> UnknownOptionError:
    """Return the error for an unknown option: with advice if it is known from elsewhere, or the nearest name."""
    from kimi_core import option_hints  # with the first such word

    if advice := option_hints.hint(word):
        return UnknownOptionError(f"There is no option {quoted(word)}. {advice}")
    known = (*CONNECTION, *OPTIONS, *SERVED, *ALIASES, *allowed)
    return UnknownOptionError(
        f"There is no option {quoted(word)}.{did_you_mean(word, known)} "
        "Fields of the host's API that have no word here go into extra_body={…}."
    )
