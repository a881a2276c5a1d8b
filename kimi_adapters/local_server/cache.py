"""The prefix cache: how much of a prompt the server has seen before."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator

from kimi_adapters.local_server import tokens
from kimi_adapters.local_server.request import ChatRequest

#: "prompt cache hit needs previous prompt > 256 tokens" (Moonshot docs, context caching).
_LEAST = 256
_ROOM = 100_000


class PrefixCache:
    """Remembers the beginnings of earlier prompts, message by message.

    A prompt is a chain of pieces: the model with its tools, then each message. Pieces are compared as JSON text, so the
    same keys in another order are another prompt. The digest of every beginning is kept, so a look-up costs one step
    per message, however many prompts came before.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def clear(self) -> None:
        """Forget everything."""
        self._seen.clear()

    def hit(self, request: ChatRequest) -> int:
        """Return the tokens of the longest known beginning, and remember this prompt."""
        known, total = 0, 0
        for digest, size in _beginnings(request):
            total += size
            if digest in self._seen:
                known = total
            if total > _LEAST:
                self._remember(digest)
        return known

    def _remember(self, digest: bytes) -> None:
        self._seen[digest] = None
        self._seen.move_to_end(digest)
        if len(self._seen) > _ROOM:
            self._seen.popitem(last=False)


def _beginnings(request: ChatRequest) -> Iterator[tuple[bytes, int]]:
    chain = hashlib.blake2b(digest_size=16)
    # Moonshot's guide: changing effort or thinking breaks the prefix cache, changing tool_choice does not.
    head = [request.model.id, request.body.get("prompt_cache_key"), request.thinking, request.tools]
    chain.update(json.dumps(head).encode())
    yield chain.digest(), tokens.PER_PROMPT + (tokens.of_json(request.tools) if request.tools else 0)
    for message in request.messages:
        chain.update(json.dumps(message).encode())
        yield chain.digest(), tokens.of_message(message)
