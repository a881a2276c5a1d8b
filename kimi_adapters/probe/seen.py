"""What a probe knows so far: the answers, the spec they are compared with, and the facts found from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kimi_adapters.probe.answers import Answer
from kimi_adapters.probe.findings import known_spec
from kimi_adapters.probe.messages import ASK_WEATHER, THOUGHT, Messages, answered, called
from kimi_core.hosts.groups import DETAILS, Patch
from kimi_core.hosts.profile import Profile
from kimi_core.hosts.spec import HostSpec
from kimi_core.types import JsonObject


@dataclass(frozen=True, slots=True)
class Try:
    """One call.

    Attributes:
        name: What it is called in the question's answers.
        messages: The conversation.
        patch: JSON merge patch on the body.
        stream: Whether a stream is asked for.
    """

    name: str
    messages: Messages
    patch: Patch = field(default_factory=dict)
    stream: bool = False


Answers = Mapping[str, Answer]
"""The answers to a question's tries, by name; without those that were not made."""


@dataclass(slots=True)
class Seen:
    """What is known so far.

    Attributes:
        profile: The spec and the model that is asked for.
        keyed: Whether a key is sent.
        answers: By question and try.
        facts: By name of a fact of the host, what was resolved. A fact that is not in here was not.
        taken_keys: The keys under which reasoning is read when it goes back.
    """

    profile: Profile
    keyed: bool = True
    answers: dict[str, dict[str, Answer]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    taken_keys: tuple[str, ...] = ()

    @property
    def spec(self) -> HostSpec | None:
        """The known spec; None where there is none."""
        return known_spec(self.profile)

    def given(self, question: str, name: str = "") -> Answer | None:
        """Return an answer that was given; None when there is none."""
        found = self.answers.get(question, {}).get(name or question)
        return found if found is not None and found.ok else None

    def all_given(self) -> list[Answer]:
        """Return every answer that was given."""
        return [one for asked in self.answers.values() for one in asked.values() if one.ok]

    def mode(self, *, thinking: bool) -> Patch | None:
        """Return the patch that switches thinking on or off; None when that is not possible or not known."""
        if self.facts.get("thinking.default") is thinking:
            return {}
        return self.facts.get("thinking.on" if thinking else "thinking.off")

    def turn(self, key: str | None, *, name: str = "get_weather", arguments: str = "") -> JsonObject:
        """Return an assistant turn with a call, its reasoning under a key; None leaves the reasoning out.

        The model's own turn when there is one and it called what was asked for.
        """
        first = self.given("tool turn")
        own = first is not None and [call for call, _ in first.calls] == [name]
        message = called(name, arguments or '{"city": "Paris"}')
        if first is not None and own:
            message["tool_calls"] = first.message["tool_calls"]
            message["content"] = first.text or None
        if key == DETAILS and first is not None and own:
            return {**message, DETAILS: first.message[DETAILS]}
        if key is None or key == DETAILS:
            return message
        return {**message, key: THOUGHT}

    def replayed(self, key: str | None, text: str | None = None) -> Messages:
        """Return the conversation after the first call, with or without its reasoning."""
        turn = self.turn(key)
        if key and text is not None:
            turn[key] = text
        return answered(ASK_WEATHER, turn, "Sunny, 21 degrees")
