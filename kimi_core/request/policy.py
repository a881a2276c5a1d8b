"""Decides what may be sent: thinking x tool choice x sampling x structured output.

Pure: a request and a profile in, a plan out. What a model or host cannot do is left out and noted; the client
warns or raises. No message is ever invented in the conversation. The steps and their order are in `plan`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kimi_core.call_options import NO_OPTIONS, AgentSwarm
from kimi_core.errors import ConfigError, MessageError, UnsupportedError
from kimi_core.hosts.groups import ChoiceMode, Patch
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import did_you_mean, in_short, quoted
from kimi_core.request.plan import Note, Plan
from kimi_core.types import OutputFormat, Request, Tool, ToolChoice


def plan(request: Request, profile: Profile) -> Plan:
    """Decide how a request goes to this model on this host.

    Raises:
        ConfigError: If an option has a wrong value: a forced tool that is not there, too many stop sequences.
        MessageError: If there are no messages, or the last message of the user is empty and the host refuses that.
        UnsupportedError: If the host lacks what cannot be left out, such as a method of structured output.
    """
    draft = _Draft(request, profile)
    # Each step is gone through where the call has what it is about, in this order.
    if request.output:
        _output(draft, request.output)  # first: it may add a tool and force it
    if draft.tools:
        _tools(draft)  # checks all tools, with the one for the output
        _builtin(draft)  # may switch thinking off, which decides the tool choices that are legal
    if draft.choice:
        _tool_choice(draft, draft.choice)  # may switch thinking off, and drop the tools that are not to be called
    if draft.tools or draft.output:
        _strict(draft)  # goes by the choice that is left: forced or not
    if request.messages and request.messages[-1].partial:
        _continued(draft)  # the last that may switch thinking off
    if draft.options is not NO_OPTIONS:  # those of the call, or what a step above has set
        _thinking(draft)  # writes the switch, which is final by now
        _sampling(draft)  # the pinned values depend on whether the model thinks
        _refused(draft)  # after `_sampling`, which leaves of `n` what goes into this request
        _optional(draft)
    _messages(draft)  # after `_output`: a message that is to be continued excludes some methods
    enabled = draft.options.thinking.enabled
    return Plan(
        request=replace(
            request, tools=draft.tools, tool_choice=draft.choice, output=draft.output, options=draft.options
        ),
        profile=profile,
        patches=tuple(draft.patches),
        thinks=profile.thinks_unasked if enabled is None else profile.thinks(enabled),
        unwanted=draft.unwanted,
        must_call=draft.must_call,
        notes=tuple(draft.notes),
    )


class _Draft:
    """A plan that is still being decided. Only this module sees it change."""

    def __init__(self, request: Request, profile: Profile) -> None:
        self.profile = profile
        self.tools = request.tools
        self.choice = request.tool_choice
        self.output = request.output
        self.options = request.options
        thinking = request.options.thinking
        if profile.thinking is not None and thinking.enabled is None and thinking.effort != "none":
            thinking = replace(thinking, enabled=profile.thinking)
            self.set(thinking=thinking)
        self.request = request
        self.patches: list[Patch] = []
        self.unwanted = thinking.enabled is False or thinking.effort == "none"
        self.must_call: frozenset[str] = frozenset()
        self.notes: list[Note] = []

    @property
    def thinks(self) -> bool | None:
        return self.profile.thinks(self.options.thinking.enabled)

    def set(self, **changes: Any) -> None:
        self.options = self.options.changed(**changes)

    def note(self, option: str, why: str) -> None:
        self.notes.append(Note(option, f"{option} is not sent to {self.profile.where}: {why}"))


# ------------------------------------------------------------------------------------------ structured output


def _output(draft: _Draft, output: OutputFormat) -> None:
    if output.method == "text":
        draft.output = None
        return
    method = output.method if output.method != "auto" else _best_method(draft, output)
    ways = draft.profile.host.structured.ways
    if method not in ways:
        raise UnsupportedError(
            f"{draft.profile.where} cannot give structured output by {method}. It can by: "
            f"{', '.join(ways) or 'nothing'}; method='auto' chooses."
        )
    draft.output = replace(output, method=method)
    if method == "function_calling":
        _output_tool(draft, output)
    elif method == "json_schema" and draft.tools and not draft.profile.host.structured.with_tools:
        _note_schema_wins(draft)


def _best_method(draft: _Draft, output: OutputFormat) -> Any:
    host = draft.profile.host
    if output.schema is None:
        return "json_object"
    fitting = (m for m in host.structured.ways if m != "json_schema" or host.structured.with_tools or not draft.tools)
    return next(fitting, "json_schema")


def _note_schema_wins(draft: _Draft) -> None:
    """Note that tools beside a schema are unlikely to be called; they are sent, since another server may do better."""
    why = (
        f"{draft.profile.where} is sent tools and a response format together, where the schema wins: no tool is "
        "likely to be called. Let a tool give the answer (LangChain's ToolStrategy, method='function_calling'), or ask "
        "for the object in a call of its own. overrides={'structured.with_tools': True} declares that both go together."
    )
    draft.notes.append(Note("tools beside a response format", why))


def _output_tool(draft: _Draft, output: OutputFormat) -> None:
    if output.schema is None:
        raise ConfigError("Structured output by function_calling needs a schema.")
    from kimi_core.schema import wrapped  # with the first answer that is to come as a call

    strict = (draft.profile.host.tools.send_strict or None) if output.strict is None else output.strict
    tool = Tool(output.name, output.description, wrapped(output.schema) or output.schema, strict)
    draft.tools = (*draft.tools, tool)
    draft.choice = ToolChoice("named", output.name)
    draft.output = None  # the tool has all of it


# ------------------------------------------------------------------------------------------------ tool choice


def _tools(draft: _Draft) -> None:
    limit = draft.profile.host.tools.limit
    if limit is not None and len(draft.tools) > limit:
        raise ConfigError(f"{draft.profile.where} takes at most {limit} tools; {len(draft.tools)} were given.")
    names = [tool.name for tool in draft.tools]
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        twice = in_short(twice)
        raise ConfigError(f"Two tools are called {twice!r}; hosts answer 400 `function name {twice} is duplicated`.")
    if not draft.profile.host.tools.builtin:
        for tool in draft.tools:
            if tool.type == "builtin_function":
                raise UnsupportedError(f"{draft.profile.where} has no builtin tools such as {quoted(tool.name)}.")
    own = ("function", "builtin_function", "formula", *draft.profile.host.tools.own)
    if foreign := next((tool.type for tool in draft.tools if tool.type not in own), None):
        raise UnsupportedError(f"{draft.profile.where} has no tool of the type {quoted(foreign)} of its own.")
    if formulas := [tool.name for tool in draft.tools if tool.type == "formula"]:
        raise ConfigError(
            f"The functions of the formula {quoted(formulas[0])} are not known before the host was asked for them: "
            "complete() and stream() do it, prepare() does no I/O."
        )


def _builtin(draft: _Draft) -> None:
    """Switch thinking off beside builtin functions, or note the conflict, where the two may not go together."""
    name = next((tool.name for tool in draft.tools if tool.type == "builtin_function"), None)
    if name is None or draft.profile.host.tools.builtin_with_thinking or draft.thinks is False:
        return
    where, name = draft.profile.where, in_short(name)
    unsure = f"whether {name} works while the model thinks is unconfirmed there"
    if draft.options.thinking.enabled is None and draft.profile.thinks(False) is False:
        draft.set(thinking=replace(draft.options.thinking, enabled=False, keep=None))
        why = f"{where} does not think in calls that offer {name}: {unsure}. Give thinking=False or thinking=True."
    else:
        why = f"{where} may refuse {name}: {unsure}. Switch thinking off for such calls, if it can be switched off."
    draft.notes.append(Note(name, f"{why} overrides={{'tools.builtin_with_thinking': True}} declares that it works."))


def _tool_choice(draft: _Draft, choice: ToolChoice) -> None:
    if choice.mode in ("auto", "none"):
        draft.choice = choice if draft.tools else None  # without tools both ask for what happens anyway
        return
    _check_choice(choice, [t.name for t in draft.tools])
    if choice.mode in _legal(draft):
        return
    if "required" in _legal(draft) and choice.mode == "named":
        # K3 takes `required` while it thinks, but no name: with one tool on offer they mean the same.
        draft.tools = tuple(t for t in draft.tools if t.name == choice.name)
        draft.choice = ToolChoice("required")
    elif draft.options.thinking.enabled is None and draft.profile.thinks(False) is False:
        draft.set(thinking=replace(draft.options.thinking, enabled=False, keep=None))
    else:
        _unforce(draft, choice)


def _strict(draft: _Draft) -> None:
    """Set `strict` where a forced call needs it to be held to the schema; note it where it cannot be sent."""
    host, output = draft.profile.host, draft.output
    strict = [tool.name for tool in draft.tools if tool.strict and tool.type == "function"]
    asked = [] if host.tools.send_strict else strict
    if output and output.strict and output.method == "json_object":
        asked.append(output.name)
    if asked:
        draft.note(f"strict of {quoted(asked[0])}", "there is no such switch, so that what comes may not fit.")
    if host.tools.forced_strict and draft.choice and draft.choice.mode in ("required", "named"):
        draft.tools = tuple(
            replace(tool, strict=True) if tool.strict is None and tool.type == "function" else tool
            for tool in draft.tools
        )


def _check_choice(choice: ToolChoice, names: list[str]) -> None:
    if not names:
        raise ConfigError(f"tool_choice {quoted(choice.name or choice.mode)} needs tools; none were given.")
    if choice.mode == "named" and choice.name not in names:
        known = f"{in_short(names, 500)}.{did_you_mean(choice.name or '', names)}"
        raise ConfigError(f"tool_choice names the tool {quoted(choice.name)}, which is not among {known}")


def _legal(draft: _Draft) -> frozenset[ChoiceMode]:
    host = draft.profile.host
    return host.tools.choices_instant if draft.thinks is False else host.tools.choices_thinking


def _unforce(draft: _Draft, choice: ToolChoice) -> None:
    draft.must_call = frozenset([choice.name] if choice.name else [tool.name for tool in draft.tools])
    draft.choice = ToolChoice("auto")
    switchable = draft.profile.thinks(False) is False
    remedy = "leave thinking unset or off" if switchable else "use a model and host that can switch thinking off"
    draft.note(
        f"tool_choice {quoted(choice.name or choice.mode)}",
        "forcing a tool is incompatible with thinking there. The model decides; a whole answer without the call is "
        f"asked for once more, and what is left without it is an error. To force it, {remedy}.",
    )


# --------------------------------------------------------------------------------------------------- thinking


def _continued(draft: _Draft) -> None:
    """Switch thinking off, or note it, where the continuation of a message would come as reasoning."""
    thinking = draft.options.thinking
    if draft.profile.host.partial.with_thinking or draft.thinks is False:
        return
    if thinking.enabled is None and thinking.effort is None and draft.profile.thinks(False) is False:
        draft.set(thinking=replace(thinking, enabled=False))
        return
    why = f"What continues a message comes as reasoning from {draft.profile.where} while it thinks"
    draft.notes.append(Note("a partial message", f"{why}: leave thinking unset, or switch it off for such calls."))


def _thinking(draft: _Draft) -> None:
    if draft.options.thinking.effort == "none":
        draft.set(thinking=replace(draft.options.thinking, enabled=False, effort=None))
    if draft.options.thinking.enabled is not None:
        _switch(draft, draft.options.thinking.enabled)
    if draft.options.thinking.keep is not None:
        _keep(draft, draft.options.thinking.keep)
    if draft.options.thinking.effort is not None:  # after `_switch`, which may set it
        _effort(draft, draft.options.thinking.effort)


def _switch(draft: _Draft, enabled: bool) -> None:
    host, model = draft.profile.host, draft.profile.model
    patch = host.thinking.on if enabled else host.thinking.off
    if not enabled and (patch is None or model.thinking == "always"):
        why = "the model always thinks" if model.thinking == "always" else "the host has no switch"
        draft.unwanted = False
        if host.thinking.least and draft.options.thinking.effort is None:
            draft.set(thinking=replace(draft.options.thinking, effort=host.thinking.least))
            why = f"{why}. It is sent reasoning_effort={host.thinking.least!r}, the least that it thinks"
        draft.note("thinking=False", f"{why}; leave thinking unset, or use a model and host that can switch it off.")
    elif enabled and (patch is None or model.thinking == "never"):
        draft.note("thinking=True", "the model cannot think there; leave thinking unset.")
    elif patch:
        draft.patches.append(patch)


def _keep(draft: _Draft, keep: str) -> None:
    if draft.thinks is False:
        draft.note(f"thinking keep={quoted(keep)}", "nothing is kept in view while thinking is off; leave `keep` out.")
        return
    patch = draft.profile.host.thinking.keep
    if keep not in draft.profile.model.keep or patch is None:
        draft.note(f"thinking keep={quoted(keep)}", "there is no such option; leave `keep` out.")
    elif patch:
        draft.patches.append(patch)


def _effort(draft: _Draft, effort: str) -> None:
    host, model, asked = draft.profile.host, draft.profile.model, f"reasoning_effort={quoted(effort)}"
    if host.thinking.effort_field is None or not model.efforts:
        draft.note(asked, "there are no effort levels; use thinking=True or False instead.")
        return
    level = host.thinking.effort_words.get(effort, effort)
    if level not in model.efforts:
        raise ConfigError(
            f"{draft.profile.where} has no reasoning_effort {quoted(effort)}; it has {', '.join(model.efforts)}."
        )
    if host.thinking.effort_alone and draft.patches:
        draft.note(asked, "the host refuses it beside `thinking`; leave `thinking` unset.")
        return
    draft.patches.append(_at(host.thinking.effort_field, level))
    if not host.thinking.effort_heeded:
        why = f"Whether reasoning_effort changes anything for {draft.profile.where} is unconfirmed"
        why += f": it is sent as {quoted(level)}. overrides={{'thinking.effort_heeded': True}} declares that it does."
        draft.notes.append(Note("reasoning_effort", why))


def _at(path: str, value: str) -> Patch:
    """Return a patch that sets one value at a dotted path."""
    first, _, rest = path.partition(".")
    return {first: _at(rest, value) if rest else value}


# --------------------------------------------------------------------------------------------------- sampling

_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")


def _sampling(draft: _Draft) -> None:
    host = draft.profile.host
    if draft.options.n is not None:
        n = min(draft.options.n or 1, host.sampling.most_answers)  # the client asks for the others in further requests
        draft.set(n=n if n > 1 else None)
    if not host.sampling.pinned:
        return
    pinned = draft.profile.model.recommended.get("instant" if draft.thinks is False else "thinking", {})
    for name in _SAMPLING:
        value = getattr(draft.options, name)
        if value is None or name in host.sampling.refuses:
            continue
        # Even the right value is left out: it becomes the wrong one when the mode changes on the host's side.
        draft.set(**{name: None})
        if name not in pinned:
            draft.note(f"{name}={quoted(value)}", "the model takes only its own value; leave it out.")
        elif value != pinned[name]:
            draft.note(f"{name}={quoted(value)}", f"the model takes only {pinned[name]:g}; leave it out.")


def _refused(draft: _Draft) -> None:
    for name, advice in draft.profile.host.sampling.refuses.items():
        value = getattr(draft.options, name, None)
        if value is not None and not _is_default(name, value):
            draft.note(f"{name}={quoted(value)}", advice)
        if value is not None:
            draft.set(**{name: None})


def _is_default(name: str, value: object) -> bool:
    """Return whether a value asks for what happens anyway."""
    return (name, value) in (("n", 1), ("parallel_tool_calls", True), ("logprobs", False)) or (
        name in ("presence_penalty", "frequency_penalty") and value == 0
    )


def _optional(draft: _Draft) -> None:
    """Look after options that hardly any call has; they do not depend on each other."""
    options = draft.options
    if options.stop is not None:
        _stop(draft, options.stop)
    if options.host_options:
        _host_options(draft)
    if options.prompt_cache_options is not None:
        _cache(draft, options.prompt_cache_options)
    if options.agent is not None:
        _agent(draft, options.agent)  # after `_thinking`, which would take its patch for one of its own


def _stop(draft: _Draft, stop: Sequence[str]) -> None:
    rules = draft.profile.host.sampling
    if not stop:
        draft.set(stop=None)
        return
    if rules.stop_limit is not None and len(stop) > rules.stop_limit:
        raise ConfigError(f"{draft.profile.where} takes at most {rules.stop_limit} stop sequences, not {len(stop)}.")
    if rules.stop_bytes is not None:
        for text in stop:
            if len(text.encode(errors="surrogatepass")) > rules.stop_bytes:
                raise ConfigError(
                    f"{draft.profile.where} takes stop sequences of at most {rules.stop_bytes} bytes: {quoted(text)}."
                )


def _host_options(draft: _Draft) -> None:
    if not draft.profile.host.sampling.host_options:
        draft.note("host_options", "it has no options of its own, or not at the endpoint of this call; leave them out.")
        draft.set(host_options=None)


def _cache(draft: _Draft, asked: Mapping[str, Any]) -> None:
    ttls = draft.profile.host.usage.cache_ttls
    if not ttls:
        draft.note("prompt_cache_options", "it has no such option; leave it out.")
        draft.set(prompt_cache_options=None)
        return
    # 400 `invalid prompt_cache_options` otherwise.
    wrong = asked.keys() - {"mode", "ttl"} or asked.get("mode", "implicit") != "implicit"
    if wrong or asked.get("ttl", ttls[0]) not in ttls:
        lifetimes = " or ".join(map(repr, ttls))
        raise ConfigError(
            f"prompt_cache_options for {draft.profile.where} is {{'mode': 'implicit', 'ttl': {lifetimes}}}, "
            f"got {quoted(dict(asked))}."
        )


def _agent(draft: _Draft, swarm: AgentSwarm) -> None:
    """Send the agent swarm where the spec has `yes` or `unconfirmed`; otherwise leave it out with a note."""
    known = draft.profile.host.tools.agent_swarm
    draft.set(agent=None)
    if known == "no":
        draft.note("agent", "it has no agent swarm; leave it out, or give overrides={'tools.agent_swarm': 'yes'}.")
        return
    sizes = {"max_agents": swarm.max_agents, "max_steps": swarm.max_steps}
    draft.patches.append({"agent": {"type": "swarm", **{k: n for k, n in sizes.items() if n is not None}}})
    if known == "unconfirmed":
        where = draft.profile.where
        why = f"Whether {where} has an agent swarm is unconfirmed: `agent` is sent, and may be ignored or refused."
        draft.notes.append(Note("agent", f"{why} overrides={{'tools.agent_swarm': 'yes'}} declares that it is taken."))


# -------------------------------------------------------------------------------------------------- messages


def _messages(draft: _Draft) -> None:
    messages = draft.request.messages
    if not messages:
        raise MessageError("There are no messages to send.")
    host = draft.profile.host
    if not host.messages.takes_empty:
        # An earlier one was not written for this call, and is left out (see `history`).
        last = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].role == "user"), None)
        if last is not None and not messages[last].content:
            raise MessageError(f"Message {last} (user) is empty; {draft.profile.where} takes no empty ones.")
    if messages[-1].partial:
        if host.partial.message is None and host.partial.body is None:
            raise UnsupportedError(f"{draft.profile.where} cannot continue a partial message.")
        if draft.output and draft.output.method == "json_object" and not host.partial.with_json:
            raise UnsupportedError(f"A partial message and json_object do not go together for {draft.profile.where}.")
