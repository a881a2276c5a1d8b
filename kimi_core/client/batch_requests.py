"""What is asked of a host about batches, one request each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kimi_core.call_options import NO_OPTIONS
from kimi_core.codecs import WireRequest
from kimi_core.endpoints import batches as endpoint
from kimi_core.endpoints.batches import BatchLine, BatchObject
from kimi_core.hosts.profile import Profile

if TYPE_CHECKING:
    from kimi_core.transport.transport import Transport

_PAGE = 100


async def get(transport: Transport, id: str, profile: Profile) -> BatchObject:
    """Return what the host knows about a batch."""
    body, _ = await transport.get(endpoint.path(profile, id), profile)
    return endpoint.read(body, profile)


async def every(transport: Transport, profile: Profile) -> list[BatchObject]:
    """Return all batches of the account, in the host's order; it ends with the first page that has nothing new."""
    found: dict[str, BatchObject] = {}
    after, more = None, True
    while more:
        body, _ = await transport.get(endpoint.page(profile, _PAGE, after), profile)
        page, more = endpoint.read_page(body, profile)
        more = more and any(batch.id not in found for batch in page)
        found.update((batch.id, batch) for batch in page)
        after = page[-1].id if page else None
    return list(found.values())


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
