"""What is asked of a host about batches, one request each."""

from __future__ import annotations

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


async def lines(transport: Transport, batch: BatchObject, profile: Profile) -> list[BatchLine]:
    """Return what came of the requests of a batch, as far as it is known."""
    found: list[BatchLine] = []
    for file in (batch.output_file_id, batch.error_file_id):
        if file:
            data, _ = await transport.read(endpoint.content_path(profile, file), profile)
            found += endpoint.read_lines(data, profile)
    return found
