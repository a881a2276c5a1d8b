"""Recognises an answer that has fallen into a loop (`stop_repetition`). Off, it costs nothing.

The work is linear in the text: its end is looked at once in `min_pattern_size` characters, and what is kept of it is no
longer than the longest loop that is looked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from kimi_core import errors as err
from kimi_core.call_options import Repetition
from kimi_core.events import Event, ReasoningDelta, TextDelta, ToolCallDelta
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short
from kimi_core.types import Response

_Where: TypeAlias = str | int
"""What a text is: its name, or the index of the call whose arguments it is."""
_NEEDLE = 64
"""Most characters at the end of a text whose earlier places are candidates for where it began to repeat itself."""
_CANDIDATES = 32
_LEAST_STEP = 64


def repeated(text: str, limits: Repetition) -> str:
    """Return what the end of a text repeats; an empty text where it repeats nothing often enough.

    That is the shortest part, of at most `max_pattern_size` characters, which stands there at least `min_count` times;
    a part that is shorter than `min_pattern_size`, as often as fills `min_count` times that size.
    """
    needle = text[-min(_NEEDLE, (limits.min_count - 1) * limits.min_pattern_size) :]
    lowest = max(len(text) - limits.max_pattern_size - len(needle), 0)
    end = len(text) - 1
    for _ in range(_CANDIDATES):
        at = text.rfind(needle, lowest, end)
        if at < 0:
            return ""
        period = len(text) - len(needle) - at
        size = limits.min_count * max(period, limits.min_pattern_size)
        if size > len(text):  # those further back are longer
            return ""
        tail = text[-size:]
        if tail[period:] == tail[:-period]:
            return text[-period:]
        end = at + len(needle) - 1
    return ""


class RepetitionWatch:
    """Watches the texts of one streamed answer: its reasoning, its text, and the arguments of its calls."""

    def __init__(self, limits: Repetition, profile: Profile) -> None:
        self._limits = limits
        self._profile = profile
        self._texts: dict[_Where, _Tail] = {}
        self._found: tuple[_Where, str] | None = None

    def through(self, add: Callable[[Event], None]) -> Callable[[Event], None]:
        """Return what takes events in as `add` does, and raises when more is to come of an answer that is in a loop.

        What is raised with one event was found with the one before: that one has been handed on, and is in `partial`.
        """
        feed, check = self._feed, self.check

        def watched(event: Event) -> None:
            check()
            add(event)
            feed(event)

        return watched

    def check(self) -> None:
        """Raise if the answer is in a loop.

        Raises:
            RepetitionError: If it is.
        """
        if self._found is not None:
            raise _error(*self._found, self._limits, self._profile)

    def _feed(self, event: Event) -> None:
        kind = type(event)
        if kind is TextDelta or kind is ReasoningDelta:
            where: _Where = "text" if kind is TextDelta else "reasoning"
            piece = event.text  # type: ignore[union-attr]
        elif kind is ToolCallDelta:
            where, piece = event.index, event.arguments  # type: ignore[union-attr]
        else:
            return
        tail = self._texts.get(where)
        if tail is None:
            tail = self._texts[where] = _Tail(self._limits)
        if pattern := tail.grown(piece):
            self._found = where, pattern


class _Tail:
    """The end of a text that grows."""

    __slots__ = ("_length", "_limits", "_new", "_pieces", "_step")

    def __init__(self, limits: Repetition) -> None:
        self._limits = limits
        self._length = limits.longest
        # So often that what is kept is copied at most a hundred times for each character.
        self._step = max(limits.min_pattern_size, _LEAST_STEP, self._length // 100)
        self._pieces: list[str] = []
        self._new = 0

    def grown(self, piece: str) -> str:
        """Take a piece in; return what the text repeats, if that was looked for and found."""
        self._pieces.append(piece)
        self._new += len(piece)
        if self._new < self._step:
            return ""
        self._new = 0
        text = "".join(self._pieces)[-self._length :]
        self._pieces = [text]
        return repeated(text, self._limits)


def of_whole(response: Response, limits: Repetition, profile: Profile) -> err.RepetitionError | None:
    """Return the error of a whole answer, of several one, that ends in a loop; None for another.

    Its `partial` is the answer.
    """
    for answer in (response, *response.alternatives):
        where, text = _end(answer)
        if pattern := repeated(text, limits):
            error = _error(where, pattern, limits, profile)
            error.partial = response
            return error
    return None


def _end(answer: Response) -> tuple[_Where, str]:
    """Return the last of an answer's texts."""
    if answer.tool_calls:
        return len(answer.tool_calls) - 1, answer.tool_calls[-1].arguments
    if answer.text or answer.reasoning is None:
        return "text", answer.text
    return "reasoning", answer.reasoning.text


def _error(where: _Where, pattern: str, limits: Repetition, profile: Profile) -> err.RepetitionError:
    what = "arguments of a call end" if isinstance(where, int) else f"{where} ends"
    count = max(limits.min_count, limits.min_count * limits.min_pattern_size // len(pattern))
    return err.make(
        err.RepetitionError,
        f"{profile.where} repeats itself: the {what} with {in_short(pattern)!r}, {count:,} times or more. What arrived "
        "is in `.partial`. Ask again, or in other words; stop_repetition=False takes such answers.",
        host=profile.host.name,
        model=profile.model_id,
        pattern=pattern,
    )
