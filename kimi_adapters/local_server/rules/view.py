"""A conversation as the rules look at it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kimi_adapters.local_server.request import ChatRequest, JsonObject, text_of
from kimi_adapters.local_server.web import opened
from kimi_adapters.local_server.words import sentences

#: Labels under which prompt templates put the question.
_LABELLED = re.compile(
    r"^[ \t]*(?:(?:user )?(?:query|question)|follow[ -]?up (?:input|question)|input|问题)"
    r"[ \t]*[:：][ \t]*(\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
#: Labels that are no part of the text behind them.
_LABEL = re.compile(
    r"^[ \t]*(?:context|text|document|passage|content|(?:refined |helpful )?answer|standalone question)"
    r"[ \t]*[:：][ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_IMPERATIVE = re.compile(
    r"\s*(?:please\s+)?(?:summari[sz]e|explain|translate|extract|describe|write|answer|tell|give|find|classify|list)\b",
    re.IGNORECASE,
)
_SHORT = 400


@dataclass(frozen=True, slots=True)
class Result:
    """What one tool call since the last user message came back with."""

    name: str
    arguments: str
    text: str


class View:
    """The parts of a conversation that the rules ask for.

    Attributes:
        request: The request.
        system: All system texts.
        asked: The text of the last user message (of all of them, when several end the conversation).
        earlier: The user texts before that.
        turns: The tool turns since then, each with its results.
    """

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        messages = request.messages
        users = [at for at, one in enumerate(messages) if one.get("role") == "user" and not _shows(messages, at)]
        last = users[-1] if users else -1
        first = last
        while first > 0 and messages[first - 1].get("role") == "user":
            first -= 1
        self.asked_messages = messages[max(first, 0) : last + 1]
        self.after = messages[last + 1 :]
        self.system = _joined(message for message in messages if message.get("role") == "system")
        self.asked = _joined(self.asked_messages)
        self.earlier = [text_of(messages[at].get("content")) for at in users if at < first]
        self.turns = _turns(self.after)

    @cached_property
    def results(self) -> list[Result]:
        """Every tool result since the last user message."""
        return [result for turn in self.turns for result in turn]

    @cached_property
    def result_text(self) -> str:
        """The text of all tool results since the last user message."""
        return "\n\n".join(result.text for result in self.results)

    @cached_property
    def _split(self) -> tuple[str, str]:
        return split_question(self.asked)

    @property
    def question(self) -> str:
        """The question in the last user message."""
        return self._split[0]

    @property
    def given(self) -> str:
        """The rest of the last user message: text to answer from."""
        return self._split[1]

    @cached_property
    def media(self) -> list[JsonObject]:
        """The pictures and videos in the last user message and in the tool results after it."""
        found: list[JsonObject] = []
        for message in [*self.asked_messages, *self.after]:
            content = message.get("content")
            if isinstance(content, list) and message.get("role") != "assistant":
                found += [part for part in content if isinstance(part, dict) and part.get("type") != "text"]
        return found


def _shows(messages: list[JsonObject], at: int) -> bool:
    """Return whether a user message shows pictures of the tool results right before it, which may be text only."""
    content = messages[at].get("content")
    if at == 0 or messages[at - 1].get("role") != "tool" or not isinstance(content, list):
        return False
    return any(isinstance(part, dict) and part.get("type") in ("image_url", "video_url") for part in content)


def _joined(messages: Any) -> str:
    return "\n\n".join(filter(None, (text_of(message.get("content")) for message in messages)))


def _turns(messages: list[JsonObject]) -> list[list[Result]]:
    turns: list[list[Result]] = []
    calls: dict[str, JsonObject] = {}
    for message in messages:
        if message.get("role") == "assistant" and message.get("tool_calls"):
            calls = {str(call.get("id")): call.get("function") or {} for call in message["tool_calls"]}
            turns.append([])
        elif message.get("role") == "tool" and turns:
            function = calls.get(str(message.get("tool_call_id")), {})
            name = str(function.get("name") or message.get("name") or "tool")
            arguments = str(function.get("arguments") or "")
            turns[-1].append(Result(name, arguments, opened(text_of(message.get("content")))))
    return turns


def split_question(text: str) -> tuple[str, str]:
    """Return the question in a text, and the rest of the text."""
    labelled = list(_LABELLED.finditer(text))
    if labelled:
        found = labelled[-1]
        return found[1].strip(), _LABEL.sub("", text[: found.start()] + text[found.end() :]).strip()
    pieces = sentences(text)
    if len(pieces) <= 1:
        return text.strip(), ""
    question = _pick(pieces, text)
    at = text.rfind(question)
    return question, _LABEL.sub("", text[:at] + text[at + len(question) :]).strip()


def _pick(pieces: list[str], text: str) -> str:
    asking = [piece for piece in pieces if piece.rstrip("\"')").endswith(("?", "？"))]
    if asking:
        return asking[-1]
    if len(text) <= _SHORT and "\n" not in text.strip():
        return text.strip()
    first = text.strip().splitlines()[0].strip()
    return first if first.endswith(":") or _IMPERATIVE.match(first) else pieces[-1]


def json_in(text: str) -> Any:
    """Return the JSON value of a text, or None when the text is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None
