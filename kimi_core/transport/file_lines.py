"""A file of lines, read bit by bit: it may be longer than any answer, and no more than one line of it is held."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

from kimi_core import errors as err
from kimi_core.hosts.profile import Profile
from kimi_core.transport.drivers import Driver
from kimi_core.transport.reply import MOST, Reply
from kimi_core.transport.translation import broken

Take: TypeAlias = Callable[[bytes], object]


class FileLines:
    """Hands on the lines of a file, each once, also where its connection breaks and it is begun anew."""

    def __init__(self, take: Take, most: int, profile: Profile) -> None:
        """Hand lines to `take`, and no more of them than `most`."""
        self._take, self._most, self._profile = take, most, profile
        self._taken = 0

    async def read(self, reply: Reply, driver: Driver) -> None:
        """Read an answer to its end.

        Raises:
            DecodeError: If it has more lines, or a longer one, than there can be.
        """
        buffer, seen, number = bytearray(), 0, 0
        async for piece in _pieces(reply, driver):
            buffer += piece
            while (end := buffer.find(b"\n", seen)) >= 0:
                number += 1
                self._one(bytes(buffer[:end]), number)
                del buffer[: end + 1]
                seen = 0
            seen = len(buffer)
            if seen > MOST:
                raise self._endless()
        self._one(bytes(buffer), number + 1)

    def _one(self, line: bytes, number: int) -> None:
        if number <= self._taken or not line.strip():
            return
        if number > self._most or len(line) > MOST:
            raise self._endless()
        self._take(line)
        self._taken = number

    def _endless(self) -> err.APIError:
        return broken(err.DecodeError, "has a file that is longer than it can be: it is read no further", self._profile)


async def _pieces(reply: Reply, driver: Driver) -> AsyncIterator[bytes]:
    if not reply.is_stream:  # read when it came
        yield reply.content
        return
    async for piece in driver.pieces(reply.response):
        yield piece
