"""What is asked of a host about batches, one request each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from kimi_core.call_options import NO_OPTIONS
from kimi_core.codecs import WireRequest
from kimi_core.endpoints import batches as endpoint
from kimi_core.endpoints.batches import BatchLine, BatchObject
from kimi_core.hosts.profile import Profile

if TYPE_CHECKING:
    from kimi_core.transport.transport import Transport

Page: TypeAlias = tuple[list[BatchObject], bool]
"""Some batches, and whether there are more."""

_PAGE = 100


async def get(transport: Transport, id: str, profile: Profile) -> BatchObject:
    """Return what the host knows about a batch."""
    body, _ = await transport.get(endpoint.path(profile, id), profile)
    return endpoint.read(body, profile)


async def page(transport: Transport, after: str | None, profile: Profile) -> Page:
    """Return the newest batches of the account, or the next older ones `after` one."""
    body, _ = await transport.get(endpoint.page(profile, _PAGE, after), profile)
    return endpoint.read_page(body, profile)


async def cancel(transport: Transport, id: str, profile: Profile) -> BatchObject:
    """Have a batch cancelled."""
    wire = WireRequest(path=endpoint.path(profile, id, cancel=True), body={})
    body, _ = await transport.send(wire, profile, NO_OPTIONS)
    return endpoint.read(body, profile)


async def each_line(
    transport: Transport, batch: BatchObject, profile: Profile, take: Callable[[BatchLine], object]
) -> None:
    """Hand on what came of each request of a batch, as far as it is known."""
    for file in (batch.output_file_id, batch.error_file_id):
        if file:
            path = endpoint.content_path(profile, file)
            most = 2 * max(batch.total, profile.host.batches.lines)
            await transport.read_lines(path, profile, lambda data: take(endpoint.read_line(data, profile)), most)
