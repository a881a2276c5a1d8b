"""The HTTP library's client as the SDK sees it, with bodies that are read no further than anything real is long.

The SDK reads the body of a whole answer, and that of an error, to its end by itself. So it is given a client around the
real one, which reads them first: an answer of any length, compressed or not, takes no more memory than this.
"""

from __future__ import annotations

import codecs
from typing import Any

from kimi_core.transport.deadlines import WORK, refuse_left

MOST = 100 * 1024 * 1024
"""Most bytes of a body: what the largest file has that Moonshot takes, and hundreds of times the longest answer."""
MOST_OF_ERROR = 1024 * 1024
"""Most bytes of the body of an error. Its message is at its beginning."""
_CUT = "kimi_cut"


class BoundedClient:
    """A client whose `send` reads bodies up to a limit. All else is the real client's."""

    def __init__(self, client: Any) -> None:
        self._real = client
        self.build_request = client.build_request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The real client's: the SDK asks whether it is one of httpx or of httpx2, whose timeouts differ."""
        return type(self._real)

    def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        """Send a request; return the response, which is read unless it is a stream of events."""
        response = self._real.send(request, stream=True, **options)
        if stream and response.is_success and not is_whole(response):
            return response
        body = _Body(response)
        try:
            for piece in response.iter_bytes():
                if body.add(piece):
                    break
        finally:
            response.close()
        return body.response()


class AsyncBoundedClient(BoundedClient):
    """The same for the asynchronous client."""

    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        """See `BoundedClient.send`."""
        response = await self._real.send(request, stream=True, **options)
        if stream and response.is_success and not is_whole(response):
            return response
        body = _Body(response)
        try:
            async for piece in response.aiter_bytes():
                if body.add(piece):
                    break
        finally:
            await response.aclose()
        return body.response()


def is_whole(response: Any) -> bool:
    """Return whether a host answered with a whole body or a page, also where a stream was asked for."""
    kind: str = response.headers.get("content-type", "")
    return kind.startswith(("application/json", "text/html"))


def is_cut(response: Any) -> bool:
    """Return whether a body was longer than what is read."""
    return _CUT in response.extensions


class _Body:
    """The body of one response, as far as it is read."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._most = MOST if response.is_success else MOST_OF_ERROR
        self._size = 0
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> bool:
        """Take a piece in; return whether it is enough."""
        if WORK.get():
            refuse_left()
        self._pieces.append(piece[: self._most - self._size])
        self._size += len(piece)
        return self._size > self._most

    def response(self) -> Any:
        """Return the response with what was read as its body."""
        came, content = self._response, b"".join(self._pieces)
        marks = {_CUT: True} if self._size > self._most else {}
        made = type(came)(
            came.status_code, content=content, request=came.request, extensions={**came.extensions, **marks}
        )
        made.headers = came.headers  # not before: they have the encoding of the body
        made.encoding = "utf-8" if came.encoding in (None, "utf-8") else _encoding(content, came.encoding)
        return made


def _encoding(content: bytes, label: str) -> str:
    """Return the encoding that a response declares; UTF-8 where it cannot be read so."""
    try:
        text: Any = codecs.getincrementaldecoder(label)("replace").decode(content, final=True)
    except Exception:  # `hex`, `undefined` and others are no encodings of text, and fail as they like
        return "utf-8"
    if not isinstance(text, str):
        return "utf-8"
    return label
