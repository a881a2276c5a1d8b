"""How many tokens something has: estimated here, or asked of the host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from pydantic import ConfigDict

from kimi_core.request.history import unfolded
from kimi_core.types import DocumentPart, FilePart, ImagePart, Message, Part, TextPart, Tool, VideoPart
from langchain_kimi._calls import Calling
from langchain_kimi._messages_in import to_messages
from langchain_kimi._tools import to_tools

# Measured on nothing official: Kimi's tokenizer is not public API. Latin text runs at about four characters a token,
# Chinese, Japanese and Korean at about 1.6.
_NARROW, _WIDE = 0.25, 0.625
_WIDE_CHARACTERS = r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
_PER_MESSAGE, _PER_PROMPT = 4, 3
# Moonshot's help center says "flat 1024 tokens" for a picture. Unconfirmed; for videos there is no figure at all.
_PER_MEDIA: dict[type, int] = {ImagePart: 1024, VideoPart: 4096}


class Counting(Calling):
    """Token counts. Nothing is downloaded, and nothing sent, unless the host is asked for by name."""

    model_config = ConfigDict(defer_build=True)

    def get_token_ids(self, text: str) -> list[int]:
        """Only with `custom_get_token_ids`: there is no tokenizer here.

        Raises:
            NotImplementedError: None was given.
        """
        if self.custom_get_token_ids is None:
            raise NotImplementedError(
                "ChatKimi brings no tokenizer, so there are no token ids. get_num_tokens estimates their number, and "
                "count_tokens(…, by_host=True) asks the host; or give custom_get_token_ids=…"
            )
        return self.custom_get_token_ids(text)

    def get_num_tokens(self, text: str) -> int:
        """The tokens of a text, estimated from its characters (exact with `custom_get_token_ids`)."""
        return len(self.get_token_ids(text)) if self.custom_get_token_ids else estimate(text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """The tokens of a prompt, estimated; no call is made.

        Args:
            messages: The conversation; reasoning and tool calls count. A document counts when it is plain text.
            tools: Tools on offer, in any form that `bind_tools` takes.
        """
        told = sum(self._of_message(message) for message in unfolded(_settled(to_messages(messages))))
        return _PER_PROMPT + told + self._of_tools(tools)

    def count_tokens(
        self, input: LanguageModelInput, *, tools: Sequence[Any] | None = None, by_host: bool = False, **kwargs: Any
    ) -> int:
        """The tokens of a prompt.

        Args:
            input: What `invoke` takes.
            tools: Tools on offer. They are always estimated: hosts count messages.
            by_host: Ask the host, where it has an endpoint that counts (Moonshot has); else it is an estimate.
            **kwargs: Options of the call that is counted for, such as `model`.

        Raises:
            UnsupportedError: The host does not count.
            APIError: The host refused or failed.
        """
        messages = self._convert_input(input).to_messages()
        if not by_host:
            return self.get_num_tokens_from_messages(messages, tools)
        call = self._call(messages, None, kwargs)
        return self._clients[0].derived(**call.connection).count_tokens(call.request) + self._of_tools(tools)

    async def acount_tokens(
        self, input: LanguageModelInput, *, tools: Sequence[Any] | None = None, by_host: bool = False, **kwargs: Any
    ) -> int:
        """See `count_tokens`."""
        messages = self._convert_input(input).to_messages()
        if not by_host:
            return self.get_num_tokens_from_messages(messages, tools)
        call = self._call(messages, None, kwargs)
        counted = await self._clients[1].derived(**call.connection).count_tokens(call.request)
        return counted + self._of_tools(tools)

    def _of_tools(self, tools: Sequence[Any] | None) -> int:
        return sum(self.get_num_tokens(_as_json(tool)) for tool in to_tools(tools))

    def _of_message(self, message: Message) -> int:
        content = message.content
        parts: Iterable[Part] = (TextPart(content),) if isinstance(content, str) else content
        said = sum(self._of_part(part) for part in parts)
        thought = self.get_num_tokens(message.reasoning.text) if message.reasoning else 0
        called = sum(self.get_num_tokens(f"{call.id} {call.name} {call.arguments}") for call in message.tool_calls)
        return _PER_MESSAGE + said + thought + called

    def _of_part(self, part: Part) -> int:
        if isinstance(part, TextPart):
            return self.get_num_tokens(part.text)
        if isinstance(part, DocumentPart):
            from kimi_core.media import documents  # with the first document

            return self.get_num_tokens(documents.text_of(part) or "")
        if isinstance(part, FilePart):
            from kimi_core.media import local_files

            return self._of_part(local_files.to_part(part, local_files.load(part, self._settings.local_files)))
        return _PER_MEDIA[type(part)]


def _settled(messages: list[Message]) -> Sequence[Message]:
    """The messages as they would be sent: a tool's result has no files of this machine in it."""
    if all(type(message.content) is str for message in messages):
        return messages
    from kimi_core.media import parts  # with the first picture

    return parts.settled(messages)


def estimate(text: str) -> int:
    """About how many tokens a text has."""
    if not text:
        return 0
    wide = 0 if text.isascii() else len(re.findall(_WIDE_CHARACTERS, text))
    return max(1, round((len(text) - wide) * _NARROW + wide * _WIDE))


def _as_json(tool: Tool) -> str:
    said = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters or {})}
    return json.dumps(said, ensure_ascii=False)
