"""The options of both frameworks, at construction and per call, by the tables that list them.

Adapters hand their keyword arguments over as they came; here they become `Options` and changes of `Settings`. An
unknown option raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, SecretStr

from kimi_core import headers, openai_shapes
from kimi_core.call_options import (
    MOST_AGENTS,
    MOST_REPEATED,
    MOST_STEPS,
    NO_OPTIONS,
    AgentSwarm,
    CallOptions,
    Headers,
    Options,
    Repetition,
    RepetitionOption,
    Thinking,
    ThinkingOption,
)
from kimi_core.connection_options import ClientOptions
from kimi_core.errors import ConfigError, UnknownOptionError
from kimi_core.header_rules import check_headers
from kimi_core.option_checks import check
from kimi_core.quoting import did_you_mean, listed, quoted
from kimi_core.types import JsonObject, Tool, ToolChoice

CONNECTION = tuple(ClientOptions.model_fields)
"""Options of the connection: where calls go and how. The others are about the call."""

SERVED = ("server_tools", "max_server_rounds")
"""Options about the host's own tools, which become fields of a `Request`."""

OPTIONS = tuple(name for name in CallOptions.model_fields if name not in SERVED)
"""Options that become `Options`."""

PRIVATE = frozenset(
    name for table in (CallOptions, ClientOptions) for name, field in table.model_fields.items() if not field.repr
)
"""Options that no repr and no trace shows as they are: secrets, and objects that hold some."""

OF_FACTS = ("overrides", "host")
"""Options that hold facts of a host, its headers among them."""

_HEADERS = tuple(
    name
    for table in (CallOptions, ClientOptions)
    for name, field in table.model_fields.items()
    if field.annotation == Headers | None
)

ALIASES = {
    "max_completion_tokens": "max_tokens",
    "stop_sequences": "stop",
    "api_base": "base_url",
    "async_http_client": "http_async_client",
}
"""Other names of the same options, the frameworks' and the host's."""


def parse(given: Mapping[str, Any], base: Options = NO_OPTIONS) -> Options:
    """Return options from keyword arguments, over others that hold where nothing is given.

    Args:
        given: Options by the names in `OPTIONS`; None values leave the base's.
        base: What holds otherwise.

    Raises:
        ConfigError: If a value is not what the option takes.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        return base
    check(CallOptions, {name: value for name, value in changes.items() if name not in _PARSED})
    if "thinking" in changes or "reasoning_effort" in changes:
        effort = changes.pop("reasoning_effort", None)
        changes["thinking"] = parse_thinking(changes.get("thinking"), effort, base.thinking)
    if "stop" in changes:
        changes["stop"] = parse_stop(changes["stop"])
    if "agent" in changes:
        changes["agent"] = parse_agent(changes["agent"])
    if "stop_repetition" in changes:
        changes["stop_repetition"] = parse_repetition(changes["stop_repetition"])
    if "extra_headers" in changes:
        check_headers(changes["extra_headers"])
        changes["extra_headers"] = headers.merged(base.extra_headers or {}, headers.hidden(changes["extra_headers"]))
    for name in ("extra_body", "host_options"):
        if name in changes:
            changes[name] = {**(getattr(base, name) or {}), **changes[name]}
    return base.changed(**changes)


_PARSED = frozenset(("thinking", "stop", "agent", "stop_repetition", "extra_headers"))
"""Options that come in several forms, or whose values are secret."""

_UNSET = Thinking()


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
        fields = dict(agent)
        if fields.pop("type", "swarm") != "swarm" or fields.keys() - {"max_agents", "max_steps"}:
            raise ConfigError(f"agent takes 'type': 'swarm', 'max_agents' and 'max_steps', got {quoted(agent)}.")
        agent = AgentSwarm(**fields)
    if not isinstance(agent, AgentSwarm):
        raise ConfigError(f"agent must be an AgentSwarm or its mapping, got {quoted(agent)}.")
    for name, most in (("max_agents", MOST_AGENTS), ("max_steps", MOST_STEPS)):
        given = getattr(agent, name)
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most):
            raise ConfigError(f"agent {name} must be a whole number from 1 to {most}, got {quoted(given)}.")
    return agent


def parse_repetition(given: RepetitionOption | Repetition) -> Repetition | None:
    """Return what counts as a loop, from a switch or a mapping; None for none.

    Raises:
        ConfigError: If the value is neither, or one of its numbers is not what it has to be.
    """
    if given is None or isinstance(given, bool):
        return Repetition() if given else None
    if isinstance(given, Mapping):
        known = tuple(Repetition.__dataclass_fields__)
        if unknown := [key for key in given if key not in known]:
            raise ConfigError(f"stop_repetition has no key {quoted(unknown[0])}; it takes {listed(known)}.")
        given = Repetition(**given)
    if not isinstance(given, Repetition):
        raise ConfigError(f"stop_repetition must be True, False or a mapping, got {quoted(given)}.")
    for name, least in (("min_pattern_size", 1), ("max_pattern_size", 1), ("min_count", 2)):
        number = getattr(given, name)
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise ConfigError(f"stop_repetition {name} must be a whole number from {least} on, got {quoted(number)}.")
    if given.longest > MOST_REPEATED:
        raise ConfigError(
            f"stop_repetition looks for loops of at most {MOST_REPEATED:,} characters (min_count times the larger "
            f"size), got {quoted(given.longest)}."
        )
    return given


def traceable_host_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a host's own options as traces may see them: an address without its query, which may hold a token."""
    addresses = {name: value for name, value in given.items() if isinstance(value, str) and "://" in value}
    return {**given, **{name: address.partition("?")[0] for name, address in addresses.items()}}


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
    served, rounds = (base.get(option) if given.get(option) is None else given[option] for option in SERVED)
    known: JsonObject = {"tools": tools}
    if served:
        known["tools"] = (*tools, *(tool for tool in openai_shapes.to_server_tools(served) if tool not in tools))
    if rounds is not None:
        check(CallOptions, {"max_server_rounds": rounds})
        known["max_server_rounds"] = rounds
    return known


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
        UnknownOptionError: If an option does not exist; the text names the nearest one.
    """
    connection: dict[str, Any] = {}
    options: dict[str, Any] = {}
    own: dict[str, Any] = {}
    allowed = frozenset(allowed)
    for option, value in given.items():
        name = ALIASES.get(option, option)
        if option in allowed:
            own[option] = value
        elif name in CONNECTION:
            connection[name] = value
        elif name in OPTIONS:
            options[name] = value
        else:
            raise unknown(option, allowed)
    return connection, options, own


def hide_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts with the headers among them as `SecretStr`, also where headers are not allowed."""
    return {
        name: fact
        if not isinstance(fact, Mapping)
        else headers.hidden(fact)
        if str(name).endswith("headers")
        else hide_facts(fact)
        for name, fact in facts.items()
    }


def hide(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a constructor or call, with the key and the headers among them as `SecretStr`."""
    hidden = dict(given)
    if isinstance(given.get("api_key"), str):
        hidden["api_key"] = SecretStr(given["api_key"])
    for name in _HEADERS:
        if isinstance(given.get(name), Mapping):
            hidden[name] = headers.hidden(given[name])
    for name in OF_FACTS:
        if isinstance(facts := given.get(name), Mapping):
            hidden[name] = hide_facts(facts)
    if isinstance(limits := given.get("limits"), Mapping) and isinstance(limits.get("storage"), str):
        hidden["limits"] = {**limits, "storage": SecretStr(limits["storage"])}
    if isinstance(places := given.get("fallback_hosts"), list | tuple):
        hidden["fallback_hosts"] = [hide(place) if isinstance(place, Mapping) else place for place in places]
    return hidden


_SECRET_ENDS = ("api_key", "headers")


def is_secret(name: str) -> bool:
    """Return whether an argument holds a secret, by its name; also one of another class (`openai_api_key`)."""
    return name in PRIVATE or name.endswith(_SECRET_ENDS)


def hide_call(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call with secrets hidden, also under names that will raise: traces show them too."""
    hidden = hide(given)
    for name, value in given.items():
        if not isinstance(name, str) or hidden[name] is not value:
            continue
        if isinstance(value, str) and name.endswith(_SECRET_ENDS):
            hidden[name] = SecretStr(value)
        elif isinstance(value, Mapping) and name.endswith(_SECRET_ENDS):
            hidden[name] = headers.hidden(value)
        elif isinstance(value, Mapping) and name.endswith("kwargs"):
            hidden[name] = hide_call(value)
    return hidden


def own_defaults(cls: type[BaseModel], base: type[BaseModel]) -> dict[str, Any]:
    """Return the options of the connection for which a class of the user's own has other defaults than ours."""
    fields = {name: field for name, field in cls.model_fields.items() if name in CONNECTION}
    changed = {
        name: f for name, f in fields.items() if f.default_factory or f.default != base.model_fields[name].default
    }
    return {name: field.get_default(call_default_factory=True) for name, field in changed.items()}


def check_values(given: Mapping[str, Any]) -> None:
    """Raise when the value of an option is wrong. Other names are left alone.

    Raises:
        ConfigError: If a value is not what the option takes.
        MessageError: If a server tool is not valid.
    """
    parse({name: value for name, value in given.items() if name in OPTIONS})
    parse_served(given, {})


def check_change(option: str, value: object) -> None:
    """Raise for an option that a finished model cannot change, without quoting its value, or for a wrong value.

    Raises:
        ConfigError: If the option decides where calls go, or the value is not what it takes.
        MessageError: If a server tool is not valid.
    """
    if option in CONNECTION:
        raise ConfigError(
            f"{option} is frozen: it decides where calls go, and is fixed at construction. Make another model instead."
        )
    check_values({option: value})


def unknown(option: str, allowed: Iterable[str] = ()) -> UnknownOptionError:
    """Return the error for an unknown option: with advice if another class has it, else with the nearest name."""
    from kimi_core import option_hints  # with the first such option

    if advice := option_hints.hint(option):
        return UnknownOptionError(f"There is no option {quoted(option)}. {advice}")
    known = (*CONNECTION, *OPTIONS, *SERVED, *ALIASES, *allowed)
    return UnknownOptionError(
        f"There is no option {quoted(option)}.{did_you_mean(option, known)} "
        "Fields of the host's API that have no option here go into extra_body={…}."
    )
