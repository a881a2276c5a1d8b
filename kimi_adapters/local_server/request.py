"""A chat request as the checks and the rules read it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kimi_adapters.local_server import tokens
from kimi_adapters.local_server.files import FileStore
from kimi_adapters.local_server.models import ModelSpec

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class ChatRequest:
    """One request body together with what the server knows.

    Attributes:
        body: The parsed body.
        model: The spec of the model that it names.
        thinking: Whether the model thinks in this request.
        files: The uploaded files, for ``ms://<id>``.
    """

    body: JsonObject
    model: ModelSpec
    thinking: bool
    files: FileStore

    @cached_property
    def messages(self) -> list[JsonObject]:
        """The messages that are objects."""
        found = self.body.get("messages")
        return [message for message in found if isinstance(message, dict)] if isinstance(found, list) else []

    @cached_property
    def tools(self) -> list[JsonObject]:
        """The declared tools: those of the request and those that K3 system messages bring."""
        declared = [self.body.get("tools"), *(message.get("tools") for message in self.messages)]
        return [tool for some in declared if isinstance(some, list) for tool in some if isinstance(tool, dict)]

    @property
    def functions(self) -> list[JsonObject]:
        """The function objects of the declared function tools."""
        found = (tool.get("function") for tool in self.tools if tool.get("type", "function") == "function")
        return [function for function in found if isinstance(function, dict)]

    @property
    def tool_choice(self) -> str:
        """``auto``, ``none``, ``required``, ``specified``, or whatever else was sent."""
        choice = self.body.get("tool_choice")
        if choice is None:
            return "auto"
        return "specified" if isinstance(choice, dict) else str(choice)

    @property
    def chosen_tool(self) -> str | None:
        """The name that a named tool choice asks for."""
        choice = self.body.get("tool_choice")
        function = choice.get("function") if isinstance(choice, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        return name if isinstance(name, str) else None

    @property
    def keeps_reasoning(self) -> bool:
        """Whether the reasoning of all turns is kept in view: always, or because ``thinking.keep`` asks for it."""
        option = self.body.get("thinking")
        return self.model.always_keeps or (isinstance(option, dict) and option.get("keep") == "all")

    @property
    def stream(self) -> bool:
        """Whether the answer is wanted as a stream."""
        return self.body.get("stream") is True

    @property
    def include_usage(self) -> bool:
        """Whether a stream is to end with a chunk of its own for usage."""
        options = self.body.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def response_format(self) -> JsonObject:
        """The requested response format, ``{"type": "text"}`` by default."""
        found = self.body.get("response_format")
        return found if isinstance(found, dict) else {"type": "text"}

    @property
    def max_tokens(self) -> int | None:
        """The requested limit; ``max_completion_tokens`` wins over its deprecated alias."""
        for key in ("max_completion_tokens", "max_tokens"):
            limit = self.body.get(key)
            if isinstance(limit, int) and not isinstance(limit, bool):
                return limit
        return None

    @property
    def answers(self) -> int:
        """How many answers are asked for."""
        n = self.body.get("n")
        return n if isinstance(n, int) and not isinstance(n, bool) else 1

    @property
    def stops(self) -> list[str]:
        """The stop strings."""
        stop = self.body.get("stop")
        found = stop if isinstance(stop, list) else [stop]
        return [one for one in found if isinstance(one, str) and one]

    @property
    def partial(self) -> str | None:
        """The beginning that the answer has to continue (partial mode)."""
        last = self.messages[-1] if self.messages else {}
        content = last.get("content")
        return content if last.get("partial") and isinstance(content, str) else None

    @cached_property
    def prompt_tokens(self) -> int:
        """The tokens of the prompt."""
        return tokens.of_prompt(self.messages, self.tools)


def text_of(content: Any) -> str:
    """Return the text of a message's content, whether it is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))
