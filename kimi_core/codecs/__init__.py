"""The shapes that hosts speak: pure functions between neutral types and what goes over the wire.

A codec is chosen by the host's spec (`HostSpec.codec`). Everything that differs between hosts of one shape is in
their specs; only another shape is another codec. A request body is any JSON value and a stream's frames are the
codec's own, so that a shape whose body is an array (Runware's tasks) fits in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from kimi_core.events import Event, Finished
from kimi_core.hosts.profile import Profile
from kimi_core.request.plan import Plan
from kimi_core.types import Part

if TYPE_CHECKING:
    from kimi_core.schema import PropertyNames


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How an answer is fetched that is made in the background.

    Attributes:
        body: What asks for it, at the same path.
        pending: Whether a body says that it is still being made.
        label: What the host calls it, for messages.
        every: Seconds before it is asked for first; each further pause is half as long again.
        longest: The longest of these pauses.
        within: Seconds after which it is not waited for any longer.
    """

    body: Any
    pending: Callable[[Any], bool]
    label: str
    every: float
    longest: float
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """A request ready to be sent.

    Attributes:
        path: Where to, below the host's base URL.
        body: Any JSON value.
        headers: Beside those of the host and the user.
        names: Tool names on the wire -> as the user wrote them, where they differ.
        arguments: Tools (as the user named them) some of whose properties are called otherwise on the wire.
        output: The same for the answer itself, where it is to have a shape.
        thinks: Whether the model will think; None when nobody knows.
        poll: How the answer is fetched when the host does not give it at once; None when it does.
    """

    path: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, PropertyNames] = field(default_factory=dict)
    output: PropertyNames | None = None
    thinks: bool | None = None
    poll: Poll | None = None


class StreamDecoder(Protocol):
    """Turns the frames of one stream into events."""

    def feed(self, frame: Any) -> Iterable[Event]:
        """Events of one frame."""

    def end(self) -> Iterable[Event]:
        """Events that were held back until the stream ended. Empty when it ended before it was finished."""

    def so_far(self) -> Finished | None:
        """Usage and price of a stream that broke off, as an end without a reason; None when nothing was said."""


class Codec(Protocol):
    """One shape."""

    def encode(self, plan: Plan, *, stream: bool) -> WireRequest:
        """A plan as the host reads it."""

    def check(self, part: Part, profile: Profile) -> object:
        """Raise what encoding a message with this part would raise."""

    def decode(self, body: Any, wire: WireRequest, profile: Profile, headers: Mapping[str, str]) -> Iterable[Event]:
        """A whole body as events."""

    def decoder(self, wire: WireRequest, profile: Profile, headers: Mapping[str, str]) -> StreamDecoder:
        """A decoder for one stream."""


def codec(name: str) -> Codec:
    """The codec of that name."""
    if name == "runware":
        from kimi_core.codecs.runware.codec import RunwareCodec

        return RunwareCodec()
    from kimi_core.codecs.chat import ChatCodec

    return {"chat": ChatCodec}[name]()
