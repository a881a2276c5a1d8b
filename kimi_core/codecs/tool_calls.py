"""Assembles the tool calls of one answer from all that a host sends of them.

No single sign can be trusted. Seen in the wild: no index at all, an index only later, index 0 for every call, one id
for all, another id with each piece, id and name on every piece, several whole calls in one delta, names in pieces,
arguments before the name, arguments as an object. So evidence has an order: each element of a whole list is a call; a
piece belongs to the call of its index, else of its id, else of its place in the array; and a piece that names a tool
again and begins new arguments after complete ones is another call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kimi_core.characters import is_sound
from kimi_core.codecs.call_pieces import OpenCall, Piece
from kimi_core.events import Event, ToolCallDelta
from kimi_core.structured_output import parse_partial

if TYPE_CHECKING:
    from kimi_core.codecs import WireRequest

_BEGINNINGS = "{n \t\r\n"
"""What arguments may begin with: an object, `null` or blanks."""


class ToolCallAssembler:
    """Turns pieces of calls as the host sends them into deltas of calls, counted from 0 in order of appearance.

    Attributes:
        seen: How many calls were put out.
    """

    __slots__ = ("_group", "_ids", "_last", "_leaked", "_names", "_offered", "_open", "_wire", "seen")

    def __init__(self, wire: WireRequest) -> None:
        """Begin an answer.

        Args:
            wire: The request: it has the tools on offer, and their names on the wire.
        """
        self._wire = wire
        self._names = wire.names
        self._offered: frozenset[str] | None = None
        self._open: list[OpenCall] = []
        self._group: list[OpenCall] = []
        self._last: OpenCall | None = None
        self._leaked: set[tuple[str, str]] = set()
        self._ids: set[str] = set()
        self.seen = 0

    def feed(self, deltas: Sequence[Any], events: list[Event], *, whole: bool = False) -> None:
        """Take in pieces of calls, and put out what of them is ready.

        Args:
            deltas: The host's array.
            events: Where deltas go.
            whole: Whether it is the list of a whole message, each element a call.

        Raises:
            AttributeError: If an element is not an object.
            TypeError: If the value is not an array.
        """
        last, self._last = self._last, None
        if last is not None:
            if len(deltas) == 1 and not whole and _grows(last, deltas[0], events, alone=self._group == [last]):
                self._last = last
                return
            last.whole = False  # it has grown since that was looked at
        pool, known = self._pool(len(deltas)), len(self._open)
        touched: list[OpenCall] = []
        for place, delta in enumerate(deltas):
            piece = None if delta is None else Piece(delta, self._on_offer)
            if piece is None or piece.is_empty or (whole and self._repeats(piece, known)):
                continue
            call = None if whole else self._find(piece, pool, place, touched)
            if call is None:
                self._release(events)
                call = OpenCall()
                self._open.append(call)
            call.take(piece)
            touched.append(call)
            self._show(call, events)
        self._remember(touched, began=len(self._open) > known)

    def _remember(self, touched: Sequence[OpenCall], *, began: bool) -> None:
        """Remember which calls the next array is likely to be about."""
        if began:
            self._group = list(dict.fromkeys(touched))
        if len(touched) == 1 and touched[0].flows and (touched[0].label is not None or len(self._group) == 1):
            self._last = touched[0]

    def found(self, id_: str, name: str, arguments: str, events: list[Event]) -> None:
        """Put out a whole call found in the text, once: some servers send it in its own field as well."""
        if (id_, name) in self._leaked or any(call.id == id_ and call.name == name for call in self._open):
            return
        self._leaked.add((id_, name))
        call = OpenCall(id_, name)
        call.add(arguments)
        events.append(self._first_delta(call))

    def rest(self) -> list[Event]:
        """Return what was held back. Calls without a name are put out too; calls that hold nothing are not."""
        events: list[Event] = []
        self._release(events)
        for call in self._open:
            call.end()
            if call.silent:
                continue
            if call.index < 0 and (call.pending or call.misnamed):
                events.append(self._first_delta(call))
            elif call.pending:
                events.append(ToolCallDelta(call.index, call.flush()))
        return events

    # ------------------------------------------------------------------------------------------ whose piece it is

    def _find(self, piece: Piece, pool: Sequence[OpenCall], place: int, touched: list[OpenCall]) -> OpenCall | None:
        """Return the call that a piece belongs to; None when it begins a new one."""
        call = self._by_index(piece) if piece.index is not None else self._by_id(piece.id)
        again = False
        if call is None and piece.index is None:
            call = _by_place(piece, pool, place)
            again = call in touched  # other places are other calls
        if call is None or self._begins_another(call, piece, again=again):
            return None
        return call

    def _by_index(self, piece: Piece) -> OpenCall | None:
        same = [call for call in self._open if call.label == piece.index]
        if same:
            return next((call for call in reversed(same) if piece.id and call.id == piece.id), same[-1])
        known = self._by_id(piece.id)
        if known is not None and (known.label is None or not piece.name):
            return known
        if self._open and piece.goes_on:  # an index that counts pieces
            return self._open[-1]
        # What came before had no index.
        place = [call for i, call in enumerate(self._open) if i == piece.index and call.label is None]
        return place[0] if place else None

    def _by_id(self, id_: str | None) -> OpenCall | None:
        return next((call for call in reversed(self._open) if call.id == id_), None) if id_ else None

    def _pool(self, count: int) -> Sequence[OpenCall]:
        """Return the calls that an array without indexes and ids can be about: by place, or any for a lone element."""
        if count == 1 and len(self._group) > 1:
            return [call for call in self._group if not call.is_whole()] or self._group[-1:]
        return self._group if len(self._group) >= count else self._open[-count:]

    def _begins_another(self, call: OpenCall, piece: Piece, *, again: bool) -> bool:
        """Return whether a piece that could belong to `call` begins another one."""
        other_id = bool(piece.id and call.id and piece.id != call.id)
        if call.restarts and piece.opens and not piece.name:
            piece.name = call.name
            return True
        if not piece.name:  # some hosts give each piece an id of its own
            return again or (other_id and (not call.name or (piece.opens and call.is_whole())))
        if not call.name or self._continues_name(call, piece.name):
            return again or other_id
        return again or piece.name != call.name or _starts_anew(call, piece, other_id=other_id)

    # ----------------------------------------------------------------------------------------------- what is shown

    def _on_offer(self) -> frozenset[str]:
        if self._offered is None:
            self._offered = frozenset(_offered(self._wire.body))
        return self._offered

    def _continues_name(self, call: OpenCall, name: str) -> bool:
        """Return whether a name is the next piece of the call's name."""
        if call.has_arguments or not call.name or name in self._on_offer():
            return False
        return any(known.startswith(call.name + name) for known in self._on_offer())

    def _repeats(self, piece: Piece, known: int) -> bool:
        """Return whether a whole message at the end of a stream repeats a call that was streamed."""
        sent = (piece.id, piece.name, piece.text)
        return any((call.id, call.name, call.text) == sent for call in self._open[:known])

    def _release(self, events: list[Event]) -> None:
        """Put out the calls that were held back because their name could have gone on."""
        events += [self._first_delta(call) for call in self._open if call.index < 0 and call.name and not call.silent]

    def _show(self, call: OpenCall, events: list[Event]) -> None:
        if call.silent:
            return
        if call.index >= 0:
            if call.pending and call.begun:
                events.append(ToolCallDelta(call.index, call.flush()))
        elif call.name and (call.has_arguments or not self._may_go_on(call.name)):
            call.silent = (call.id, call.name) in self._leaked
            if not call.silent:
                events.append(self._first_delta(call))

    def _may_go_on(self, name: str) -> bool:
        return any(known.startswith(name) and known != name for known in self._on_offer())

    def _first_delta(self, call: OpenCall) -> ToolCallDelta:
        name = call.name or ""
        call.index = self.seen
        self.seen += 1
        # Kimi's own form of id, for hosts that give none.
        id_ = self._unique(call.id or f"functions.{name}:{call.index}")
        arguments = call.flush() if call.begun else ""
        return ToolCallDelta(call.index, arguments, id_, self._names.get(name, name), call.type)

    def _unique(self, id_: str) -> str:
        """Return the id, numbered when another call of the answer has it: results refer to their call by it."""
        unique, n = id_, 2
        while unique in self._ids:
            unique, n = f"{id_}_{n}", n + 1
        self._ids.add(unique)
        return unique


def _grows(call: OpenCall, delta: Any, events: list[Event], *, alone: bool) -> bool:
    """Take in the usual delta, which only has more arguments of the call that grew last; return whether it did.

    This runs for every token of a call.
    """
    if type(delta) is not dict:
        return False
    function, index = delta.get("function"), delta.get("index")
    if type(function) is not dict or not (index == call.label or (index is None and alone)):
        return False
    text, id_, name = function.get("arguments"), delta.get("id"), function.get("name")
    if type(text) is not str or (id_ and id_ != call.id):
        return False
    if name and (name != call.name or text[:1] in _BEGINNINGS):
        return False
    if not text.isascii() and not is_sound(text):
        return False
    if text:
        call.arguments.append(text)
        events.append(ToolCallDelta(call.index, text))
    return True


def _by_place(piece: Piece, pool: Sequence[OpenCall], place: int) -> OpenCall | None:
    if place == 0:
        named = (call for call in pool if piece.name and call.name == piece.name)
        return next(named, pool[0]) if pool else None
    return pool[place] if place < len(pool) else None


def _starts_anew(call: OpenCall, piece: Piece, *, other_id: bool) -> bool:
    """Return whether a piece that repeats the name of `call` is the first of another call."""
    same_id = piece.id is not None and piece.id == call.id
    unnumbered = piece.index is None and not same_id
    if not call.has_arguments:
        return other_id or (unnumbered and piece.is_blank)
    if piece.is_blank and piece.index is not None and not same_id and not other_id:
        call.restarts = call.is_whole()  # the last piece, or the first of another call: the next piece decides
        return False
    if piece.is_blank:
        return other_id or (not same_id and call.is_whole())
    if not piece.opens:
        return False
    return call.is_whole() or other_id or (unnumbered and parse_partial(call.text + piece.text) is None)


def _offered(body: Any) -> Iterable[str]:
    """Return the names of the tools of a request, in either protocol."""
    tools = (body[0] if isinstance(body, list) else body).get("tools") or ()
    names = ((tool.get("function") or tool).get("name") for tool in tools if isinstance(tool, dict))
    return (name for name in names if isinstance(name, str))
