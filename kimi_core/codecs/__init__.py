"""The protocols that hosts speak: pure functions between neutral types and what goes over the wire.

A codec is chosen by the host's spec (`HostSpec.codec`). Everything that differs between hosts of one protocol is in
their specs; only another protocol is another codec. A request body is any JSON value and a stream's frames are the
codec's own, so that a protocol whose body is an array (Runware's tasks) fits in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from kimi_core.events import Clean, Event, Finished
from kimi_core.hosts.profile import Profile
from kimi_core.request.plan import Plan
from kimi_core.types import Part

if TYPE_CHECKING:
    from kimi_core.codecs.messages import Written
    from kimi_core.schema import PropertyNames


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How to fetch an answer that is made in the background.

    Attributes:
        body: The request body that asks for the answer, at the same path.
        pending: Whether a response body means that the answer is still being made.
        label: What the host calls the answer, for messages.
        every: Seconds before the first poll; each further pause is half as long again.
        longest: The longest of these pauses.
        within: Seconds after which the client gives up.
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
        path: The path below the host's base URL.
        body: Any JSON value.
        headers: Headers beside those of the host and the user.
        names: Tool names on the wire -> as the user wrote them, where they differ.
        arguments: Tool (as the user named it) -> names of its properties, where some are called otherwise on the wire.
        output: The names of the properties of a structured answer, where some are called otherwise on the wire.
        begun: What an answer that is continued begins with, as it is sent, where `output` has names.
        thinks: Whether the model will think; None when nobody knows.
        poll: How to fetch the answer when the host does not give it at once; None when it does.
        written: The messages of the body with their JSON, as far as it is known; None where nothing is.
    """

    path: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, PropertyNames] = field(default_factory=dict)
    output: PropertyNames | None = None
    begun: str = ""
    thinks: bool | None = None
    poll: Poll | None = None
    written: Written | None = field(default=None, repr=False, compare=False)


class StreamDecoder(Protocol):
    """Turns the frames of one stream into events."""

    def feed(self, frame: Any) -> Iterable[Event]:
        """Return the events of one frame."""

    def feed_all(self, frames: Iterable[Any], events: list[Event]) -> None:
        """Add the events of several frames; deltas of one kind that follow each other are one."""

    def end(self) -> Iterable[Event]:
        """Return the events held back until the stream ended; none when it was cut off."""

    def so_far(self) -> Finished | None:
        """Return usage, price and log probabilities of a stream that broke off; None when none came."""


class Codec(Protocol):
    """One protocol: how requests are encoded and answers decoded."""

    def encode(self, plan: Plan, *, stream: bool) -> WireRequest:
        """Encode a plan as the host reads it."""

    def check(self, part: Part, profile: Profile) -> object:
        """Raise what encoding a message with this part would raise."""

    def decode(self, body: Any, wire: WireRequest, profile: Profile, headers: Mapping[str, str]) -> Iterable[Event]:
        """Decode a whole body into events."""

    def decoder(
        self, wire: WireRequest, profile: Profile, headers: Mapping[str, str], clean: Clean | None = None
    ) -> StreamDecoder:
        """Return a decoder for one stream; its first and last event are cleaned."""


@cache
def codec(name: str) -> Codec:
    """Return the codec of that name."""
    if name == "runware":
        from kimi_core.codecs.runware.codec import RunwareCodec

        return RunwareCodec()
    from kimi_core.codecs.chat import ChatCodec

    return {"chat": ChatCodec}[name]()
