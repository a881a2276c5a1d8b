"""What servers leave in the text of an answer: thoughts between tags, and calls in the tokens of Kimi's template.

A server whose parsers for the model work sends both in fields of their own. Where the parsers are off or fail, both
have to be read out of the text, however it is cut into chunks: what may be the beginning of a mark is held back until
that is certain.
"""

from __future__ import annotations

from collections.abc import Iterable

from kimi_core.codecs.call_sections import BEGIN, BEGINS, END, SectionReader
from kimi_core.events import Event, ReasoningDelta, TextDelta

OPEN, CLOSE = "<think>", "</think>"
_LONGEST = len(BEGINS[0])


class MarkupReader:
    """Reads the text and the reasoning of one answer.

    Args:
        think_tags: Where tags count: `HostSpec.reasoning.think_tags`.
        calls: Reads the sections of leaked calls; None leaves them in the text.
    """

    __slots__ = ("_answer", "_calls", "_echo", "_idle", "_reasoning", "_thoughts", "_under_key")

    def __init__(self, think_tags: str, calls: SectionReader | None) -> None:
        self._thoughts = Thoughts(think_tags)
        self._calls = calls
        self._answer = Sections(off=calls is None)
        self._reasoning = Sections(off=calls is None)
        self._under_key: list[str] = []
        self._echo: list[str] = []
        self._idle = False

    def add_text(self, text: str, events: list[Event]) -> None:
        """Add more of the answer's text."""
        if self._idle and "<" not in text:
            events.append(TextDelta(text))
            return
        self._split_text(self._answer.feed(text), events)
        self._idle = self._answer.idle and self._thoughts.idle and not self._echo

    def add_reasoning(self, text: str, key: str, events: list[Event]) -> None:
        """Add more reasoning that came under a key of its own."""
        if not self._under_key:
            self._thoughts.parsed()
        self._under_key.append(text)
        if self._reasoning.idle and "<" not in text:
            events.append(ReasoningDelta(text, key))
        else:
            self._split_reasoning(self._reasoning.feed(text), key, events)

    def rest(self, key: str, events: list[Event]) -> None:
        """Put out what was held back until the answer ended; `key` is that of the reasoning."""
        self._split_reasoning(self._reasoning.rest(), key, events)
        self._split_text(self._answer.rest(), events)
        self._emit(self._thoughts.end(), events)
        self._end_echo(events, closed=False)

    def _split_text(self, pieces: Iterable[tuple[bool, str]], events: list[Event]) -> None:
        for is_section, piece in pieces:
            if not is_section:
                self._emit(self._thoughts.feed(piece), events)
                continue
            self._emit(self._thoughts.end(), events)  # a thought that runs into calls has ended
            if left := self._called(piece, events):
                events.append(TextDelta(left))

    def _split_reasoning(self, pieces: Iterable[tuple[bool, str]], key: str, events: list[Event]) -> None:
        for is_section, piece in pieces:
            if left := self._called(piece, events) if is_section else piece:
                events.append(ReasoningDelta(left, key))

    def _emit(self, pieces: Iterable[tuple[bool, str]], events: list[Event]) -> None:
        for is_thought, piece in pieces:
            if not is_thought:
                self._end_echo(events, closed=True)
                events.append(TextDelta(piece))
            elif self._under_key:
                self._echo.append(piece)
            else:
                events.append(ReasoningDelta(piece, OPEN))

    def _end_echo(self, events: list[Event], *, closed: bool) -> None:
        """Drop a thought in the text that repeats the one under a key; any other is text.

        The `deepseek-legacy` format of llama.cpp sends each thought twice.
        """
        echo = "".join(self._echo)
        self._echo.clear()
        if echo and echo.strip() != "".join(self._under_key).strip():
            events.append(TextDelta(f"{OPEN}{echo}{CLOSE if closed else ''}"))

    def _called(self, section: str, events: list[Event]) -> str:
        """Return what of a section is text."""
        return section if self._calls is None else self._calls.read(section, events)


class Sections:
    """Splits a growing text into plain pieces and whole sections of tool calls."""

    __slots__ = ("_held", "_inside", "_off", "_tail")

    def __init__(self, *, off: bool = False) -> None:
        self._off = off
        self._held: list[str]
        self._inside: bool
        self._tail: str
        self._clear()

    @property
    def idle(self) -> bool:
        """Return whether nothing is held back."""
        return not self._held

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """Return the pieces that are certain now: whether each is a section, and its text."""
        if self._off or (not self._held and "<" not in text):
            return [(False, text)]
        ready: list[tuple[bool, str]] = []
        while text:
            text = self._section(text, ready) if self._inside else self._plain(text, ready)
        return ready

    def rest(self) -> list[tuple[bool, str]]:
        """Return what is left at the end."""
        held, inside = "".join(self._held), self._inside
        self._clear()
        return [(inside, held)] if held else []

    def _clear(self) -> None:
        self._held, self._inside, self._tail = [], False, ""

    def _plain(self, text: str, ready: list[tuple[bool, str]]) -> str:
        text = "".join((*self._held, text))
        self._held.clear()
        if begin := BEGIN.search(text):
            self._inside, end, rest = True, begin.start(), text[begin.start() :]
        else:
            end, rest = _certain(text, BEGINS), ""
            if end < len(text):
                self._held.append(text[end:])
        if end:
            ready.append((False, text[:end]))
        return rest

    def _section(self, text: str, ready: list[tuple[bool, str]]) -> str:
        seen = self._tail + text  # the end may be cut in two
        end = END.search(seen)
        if end is None:
            self._held.append(text)
            self._tail = seen[-_LONGEST:]
            return ""
        cut = end.end() - len(self._tail)
        ready.append((True, "".join((*self._held, text[:cut]))))
        self._clear()
        return text[cut:]


class Thoughts:
    """Splits a growing text into thoughts, which are between tags, and the answer."""

    __slots__ = ("_anywhere", "_held", "_inside", "_over")

    def __init__(self, where: str) -> None:
        self._anywhere = where == "anywhere"
        self._inside = where == "opened"
        self._over = where == "no"
        self._held = ""

    @property
    def idle(self) -> bool:
        """Return whether nothing is held back or open, so that a piece without a mark is text."""
        return self._over or (self._anywhere and not self._inside and not self._held)

    def parsed(self) -> None:
        """Note that the server parses thoughts itself: the answer does not begin inside one."""
        self._inside = False

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """Return the pieces that are certain now: whether each is a thought, and its text."""
        if self._over:
            return [(False, text)]
        ready: list[tuple[bool, str]] = []
        text, self._held = self._held + text, ""
        while text:
            text = self._next(text, ready)
        return ready

    def end(self) -> list[tuple[bool, str]]:
        """End a thought that has no closing tag; return what was held back."""
        held, self._held = self._held, ""
        inside, self._inside = self._inside, False
        return [(inside, held)] if held else []

    def _next(self, text: str, ready: list[tuple[bool, str]]) -> str:
        mark = CLOSE if self._inside else OPEN
        at = text.find(mark)
        end = at if at >= 0 else _certain(text, (mark,))
        if not self._inside and not self._anywhere and text[:end].strip():
            self._over = True  # the answer has begun, and tags in it are its own
            end = len(text)
            at = -1
        if end:
            ready.append((self._inside, text[:end]))
        if at < 0:
            self._held = text[end:]
            return ""
        self._inside = not self._inside
        return text[at + len(mark) :]


def _certain(text: str, marks: Iterable[str]) -> int:
    """Return how much of a text cannot be the beginning of a mark; the only `<` of a mark is its first character."""
    at = text.rfind("<")
    return at if at >= 0 and any(mark.startswith(text[at:]) for mark in marks) else len(text)
