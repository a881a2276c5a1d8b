"""How many tokens a prompt has, estimated here. Nothing is downloaded, and nothing sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence

from kimi_core.request.history import unfolded
from kimi_core.types import DocumentPart, FilePart, ImagePart, Message, Part, TextPart, Tool, VideoPart

# Measured on nothing official: Kimi's tokenizer is not public API. Latin text runs at about four characters a token,
# Chinese, Japanese and Korean at about 1.6.
_NARROW, _WIDE = 0.25, 0.625
_WIDE_CHARACTERS = r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
_PER_MESSAGE, _PER_PROMPT = 4, 3
# Moonshot's help center says "flat 1024 tokens" for a picture. Unconfirmed; for videos there is no figure at all.
_PER_MEDIA: dict[type, int] = {ImagePart: 1024, VideoPart: 4096}

NO_TOKENIZER = (
    "ChatKimi brings no tokenizer, so there are no token ids. get_num_tokens estimates their number, and "
    "count_tokens(…, by_host=True) asks the host; or give custom_get_token_ids=…"
)
"""The text of the error of `get_token_ids`."""

Count = Callable[[str], int]
LocalFiles = bool | tuple[str, ...]


def estimate(text: str) -> int:
    """Return about how many tokens a text has."""
    if not text:
        return 0
    wide = 0 if text.isascii() else len(re.findall(_WIDE_CHARACTERS, text))
    return max(1, round((len(text) - wide) * _NARROW + wide * _WIDE))


def of_messages(messages: list[Message], count: Count, local_files: LocalFiles) -> int:
    """Return the tokens of a conversation.

    Args:
        messages: Reasoning and tool calls count. A document counts when it is plain text.
        count: Counts the tokens of a text.
        local_files: Which files of this machine may be read (see `Settings`).
    """
    sent: Sequence[Message] = messages
    if not all(type(message.content) is str for message in messages):
        from kimi_core.media import parts  # with the first picture

        sent = parts.normalized(messages)
    return _PER_PROMPT + sum(_of_message(message, count, local_files) for message in unfolded(sent))


def of_tools(tools: Iterable[Tool], count: Count) -> int:
    """Return the tokens of tools on offer."""
    described = (
        {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters or {})}
        for tool in tools
    )
    return sum(count(json.dumps(tool, ensure_ascii=False)) for tool in described)


def _of_message(message: Message, count: Count, local_files: LocalFiles) -> int:
    content = message.content
    parts: Iterable[Part] = (TextPart(content),) if isinstance(content, str) else content
    content_tokens = sum(_of_part(part, count, local_files) for part in parts)
    reasoning = count(message.reasoning.text) if message.reasoning else 0
    calls = sum(count(f"{call.id} {call.name} {call.arguments}") for call in message.tool_calls)
    return _PER_MESSAGE + content_tokens + reasoning + calls


def _of_part(part: Part, count: Count, local_files: LocalFiles) -> int:
    if isinstance(part, TextPart):
        return count(part.text)
    if isinstance(part, DocumentPart):
        from kimi_core.media import documents  # with the first document

        return count(documents.text_of(part) or "")
    if isinstance(part, FilePart):
        from kimi_core.attachments.attachments import LIMIT
        from kimi_core.media import local_files as files

        # A larger file could not be sent, and would fill the memory here.
        return _of_part(files.to_part(part, files.load(part, local_files, LIMIT)), count, local_files)
    return _PER_MEDIA[type(part)]
