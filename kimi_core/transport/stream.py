"""What a host sends back, as JSON: an open stream frame by frame, or a whole body.

The frames of a stream are the values in the data of its server-sent events. Only the data matter: hosts name no events,
and number none. Lines end as in https://html.spec.whatwg.org/multipage/server-sent-events.html; how the bytes are split
between reads changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from pydantic_core import from_json

from kimi_core import errors as err
from kimi_core.asyncgens import begin
from kimi_core.characters import frame_without_halves
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short
from kimi_core.settings import Settings
from kimi_core.transport.call import Call
from kimi_core.transport.deadlines import DeadlineError, SilenceError, cut_off, reads_until
from kimi_core.transport.reply import MOST, Reply
from kimi_core.transport.translation import Translation, broken

if TYPE_CHECKING:
    from kimi_core.transport.drivers import Driver

DONE = b"[DONE]"
"""The data of the last event."""
MOST_OF_FRAME = 32 * 1024 * 1024
"""Most bytes of a frame: more than a whole answer has."""
_BOM = b"\xef\xbb\xbf"


class FrameReader:
    """Reads frames out of the bytes of a stream, all that one network read holds at once.

    The work is linear in the bytes, however they are cut: what has no end yet is kept in pieces.

    Attributes:
        ended: Whether there will be no more: the host ended it, or sent what is no frame (`close` raises that).
        done: Whether the host ended it in good form, so that nothing is left of it.
    """

    __slots__ = (
        "_after_cr",
        "_begun",
        "_body",
        "_broken",
        "_data",
        "_held",
        "_line",
        "_silence",
        "_since",
        "done",
        "ended",
    )

    def __init__(self, silence: float | None = None) -> None:
        """Begin a stream.

        Args:
            silence: Seconds without a frame after which the host is given up. Comments and half frames are none: the
                HTTP library's own timeout, which holds for each read, would take them for a sign of life for ever.
        """
        self._silence = silence
        self._since = 0.0
        self._held = 0
        self._line: list[bytes] = []
        """The pieces of a line that has not ended."""
        self._data: list[bytes] = []
        """The data of an event that has not ended, line by line."""
        self._after_cr = False
        self._begun = False
        self._body = b""
        """The first line, where it is of no event but may be a whole body."""
        self._broken: Exception | None = None
        self.ended = self.done = False

    def feed(self, read: bytes) -> list[Any]:
        """Return the frames that end in these bytes, up to one that is no JSON."""
        if not (self._line or self._data or self._after_cr) and read.endswith(b"\n\n") and b"\r" not in read:
            data: list[bytes] = []
            for event in read[:-2].split(b"\n\n"):
                if event.startswith(b"data: ") and len(event) > 6 and b"\n" not in event:  # what nearly all are like
                    data.append(event[6:])
                else:
                    data += self._events([*event.split(b"\n"), b""])
            self._begun = True
        else:
            data = self._events(self._lines(read))
        if not data:
            self._watch(read)
            return []
        self._since, self._held, self._body = 0.0, 0, b""
        for i, one in enumerate(data):
            if one.startswith(DONE):
                self.ended = self.done = True
                del data[i:]
                break
        try:
            frames: list[Any] = from_json(b"[" + b",".join(data) + b"]")  # one parse reads several faster
        except ValueError:
            frames = []
        return frames if len(frames) == len(data) else self._parsed(data)

    def rest(self) -> list[Any]:
        """Return what a stream that has ended, or broke, leaves: a last event without a blank line behind it.

        A whole body in place of events, under another type than JSON's, is one as well.
        """
        line = b"".join(self._line)
        text = self._body or b"\n".join(self._data) or line.removeprefix(b"data:")
        with contextlib.suppress(ValueError):
            value = None if self.ended else parsed_json(text)
            return [value] if isinstance(value, dict) else []
        return []

    def close(self) -> None:
        """Raise what ended the stream before its end.

        Raises:
            ValueError: If a frame was no JSON, nested too deeply to be read, or without end.
            SilenceError: If there was no frame for too long.
        """
        if self._broken:
            raise self._broken

    def _watch(self, read: bytes) -> None:
        """End the stream when too much, or nothing for too long, has come without a frame."""
        # From the first read without a frame on, since before it the reader of the stream may have taken its time.
        now = time.monotonic()
        self._since = self._since or now
        self._held += len(read)
        if self._held > MOST_OF_FRAME:
            self._broken = ValueError(f"it has more than {MOST_OF_FRAME:,} bytes")
        elif self._silence is not None and now - self._since > self._silence:
            self._broken = SilenceError()
        self.ended = self._broken is not None

    def _lines(self, read: bytes) -> list[bytes]:
        """Return the lines that end in these bytes."""
        if not read:
            return []
        if self._after_cr and read.startswith(b"\n"):  # the second half of a line's end
            read = read[1:]
        self._after_cr = False
        if b"\n" not in read and b"\r" not in read:
            if read:
                self._line.append(read)
            return []
        text = b"".join((*self._line, read))
        lines = text.splitlines()
        self._line = [] if text.endswith((b"\n", b"\r")) else [lines.pop()]
        self._after_cr = text.endswith(b"\r")
        return lines

    def _events(self, lines: list[bytes]) -> list[bytes]:
        """Return the data of the events that end in these lines; those without data are left out."""
        found: list[bytes] = []
        for line in lines:
            if not self._begun:
                line, self._begun = line.removeprefix(_BOM), True
                self._body = line if line.startswith(b"{") else b""
            if not line:
                if data := b"\n".join(self._data):
                    found.append(data)
                self._data.clear()
                continue
            field, _, value = line.partition(b":")
            if field == b"data":
                self._data.append(value.removeprefix(b" "))
        return found

    def _parsed(self, data: list[bytes]) -> list[Any]:
        """Return the values of JSON texts with which something is wrong: those before the first that is none."""
        frames: list[Any] = []
        try:
            for one in data:
                frames.append(parsed_json(one))
        except ValueError as error:
            self._broken, self.ended = (None if one.strip().startswith(DONE) else error), True  # in blanks, too
            self.done = self._broken is None
        return frames


def parsed_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: If it is none, or nested too deeply to be read.
    """
    with contextlib.suppress(ValueError):
        return from_json(text)
    try:
        return frame_without_halves(json.loads(text))  # half of a surrogate pair is JSON to the stdlib
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class OpenStream:
    """The frames of an open stream, those of one network read at a time.

    Close it; it closes itself when nobody holds it any more.

    Attributes:
        headers: The response's headers.
        when_closed: Called when it is closed.
        rests_since: The moment of `time.monotonic()` since which nobody reads it; None while somebody does.
    """

    def __init__(
        self,
        reply: Reply,
        call: Call,
        settings: Settings,
        profile: Profile,
        driver: Driver,
    ) -> None:
        self._reply = reply
        self._profile = profile
        self._driver = driver
        self._translation = Translation(settings, call.headers, profile, "stream")
        self._abandon: Callable[[], None] | None = driver.closer(reply.response)
        self.headers = reply.headers
        self.when_closed: Callable[[], None] | None = None
        self.rests_since: float | None = time.monotonic()
        self._until: float | None = None
        self._blocking: Iterator[list[Any]] | None = None
        self._reads: list[Any] = []
        # Each read may take as long as the HTTP library was told.
        self._frames = FrameReader(reply.response.request.extensions.get("timeout", {}).get("read"))
        self._ended = False
        self._failed: Exception | None = None
        """What the last read ended with, while what came before it is handed on."""

    def __iter__(self) -> Iterator[list[Any]]:
        with err.short_traceback, self._translation:
            response, frames, until = self._reply.response, self._frames, self._until
            if not self._reply.is_stream:  # read when it was opened
                yield [body_of(self._reply, self._profile)]
                return
            with contextlib.nullcontext() if until is None else cut_off(response, until):
                self.rests_since = None
                try:
                    for read in response.iter_bytes():
                        if ready := frames.feed(read):
                            self.rests_since = time.monotonic()
                            yield ready
                            self.rests_since = None
                        if frames.ended or (until is not None and self._is_late()):
                            break
                except Exception:
                    if rest := frames.rest():
                        yield rest
                    raise
            if frames.done:
                return
            self._finish()
            if rest := frames.rest():
                yield rest

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Any]:
        """Return the next frames; those of a blocking stream as well, without waiting for anything."""
        if self._driver.sync:
            self._blocking = self._blocking or iter(self)
            if (ready := next(self._blocking, None)) is None:
                raise StopAsyncIteration
            return ready
        self.rests_since = None
        with err.short_traceback, self._translation:
            ready = await self._next()
        self.rests_since = time.monotonic()
        return ready

    async def _next(self) -> list[Any]:
        if not self._reads and not self._reply.is_stream:
            self._reads, self._ended = [_nothing()], True
            return [body_of(self._reply, self._profile)]
        while not self._ended:
            try:
                read = await (anext(self._reads[0]) if self._reads else begin(self._begun()))
            except StopAsyncIteration:
                self._ended = True
                self._finish()
                ready = self._frames.rest()
            except Exception as error:
                ready = self._frames.rest()
                if not ready:
                    raise
                self._ended, self._failed = True, error
            else:
                ready = self._frames.feed(read)
                self._ended = self._frames.ended
            if ready:
                return ready
        if self._failed is not None:
            raise self._failed
        if not self._frames.done:
            self._finish()
        raise StopAsyncIteration

    def _begun(self) -> AsyncIterator[bytes]:
        reads: AsyncIterator[bytes] = self._reply.response.aiter_bytes()
        timed = reads if self._until is None else reads_until(reads, self._until)
        self._reads = [timed] if timed is reads else [timed, reads]
        return timed

    def end_at(self, began: float, seconds: float) -> None:
        """Set a deadline, so many seconds after a moment of `time.monotonic()`; the earliest of several holds."""
        until = began + seconds
        self._until = until if self._until is None else min(until, self._until)

    def _is_late(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until

    def _finish(self) -> None:
        if self._is_late() and not self._frames.ended:
            raise DeadlineError
        self._frames.close()

    async def close(self) -> None:
        """Close the stream and give the connection back."""
        self._abandon = None
        if self.when_closed is not None:
            self.when_closed()
        for reads in self._reads:  # before what they read from
            if not reads.ag_running:
                await reads.aclose()
        await self._driver.close(self._reply.response)

    def __del__(self) -> None:
        abandon = getattr(self, "_abandon", None)  # not there when making this failed
        if abandon is not None:
            if self.when_closed is not None:
                self.when_closed()
            abandon()


async def _nothing() -> AsyncIterator[bytes]:
    """Yield nothing."""
    if False:
        yield b""


# ----------------------------------------------------------------------------------------------- whole bodies


def too_long(profile: Profile) -> err.APIError:
    """Return the error for a body of which only the beginning was read."""
    return broken(err.DecodeError, f"answered with a body of more than {MOST:,} bytes, which is not read", profile)


def body_of(reply: Reply, profile: Profile) -> Any:
    """Return the JSON of a whole body.

    Raises:
        DecodeError: If it is none, or too long.
    """
    if reply.is_cut:
        raise too_long(profile)
    try:
        return parsed_json(reply.content)
    except ValueError:
        kind = reply.headers.get("content-type", "no content type")
        raise err.make(
            err.DecodeError,
            f"{profile.where} answered HTTP {reply.status} with {in_short(kind)} instead of JSON: "
            f"{reply.text[:200]!r}. Check base_url.",
            host=profile.host.name,
            model=profile.model_id,
            status_code=reply.status,
        ) from None
