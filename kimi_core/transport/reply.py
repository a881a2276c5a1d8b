"""What a host answers: its status, its headers, and its body up to a limit that nothing real comes near.

So an answer of any length, compressed or not, takes no more memory than that.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any

from kimi_core.transport.deadlines import WORK, refuse_left

MOST = 100 * 1024 * 1024
"""Most bytes of a body: what the largest file has that Moonshot takes, and hundreds of times the longest answer."""
MOST_OF_ERROR = 1024 * 1024
"""Most bytes of the body of an error. Its message is at its beginning."""


class Reply:
    """A host's answer.

    Attributes:
        response: The HTTP library's. Its body has been read, unless this is a stream.
        status: Its status.
        headers: Its headers.
        is_stream: Whether it is a stream of events. Hosts answer with a whole body or a page to some requests for one.
        is_cut: Whether its body was longer than what is read.
    """

    __slots__ = ("_http", "_most", "_pieces", "_size", "headers", "is_cut", "is_stream", "response", "status")

    def __init__(self, response: Any, http: Any) -> None:
        self.response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        kind = self.headers.get("content-type", "")
        self.is_stream = response.is_success and not kind.startswith(("application/json", "text/html"))
        self.is_cut = False
        self._http = http  # it closes itself when nobody holds it
        self._most = MOST if response.is_success else MOST_OF_ERROR
        self._size = 0
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> bool:
        """Take a piece of the body in; return whether it is enough."""
        if WORK.get():
            refuse_left()
        self._pieces.append(piece[: self._most - self._size])
        self._size += len(piece)
        self.is_cut = self._size > self._most
        return self.is_cut

    @property
    def content(self) -> bytes:
        """The body, as far as it was read."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    @property
    def text(self) -> str:
        """The body as text, in the encoding that its headers declare; in UTF-8 where it cannot be read so."""
        content = self.content
        try:
            decoder = codecs.getincrementaldecoder(self.response.encoding or "utf-8")("replace")
            text: Any = decoder.decode(content, final=True)
        except Exception:  # `hex`, `undefined` and others are no encodings of text, and fail as they like
            text = None
        return text if isinstance(text, str) else content.decode(errors="replace")

    def close(self) -> None:
        """Give the connection of a blocking call back."""
        self.response.close()
