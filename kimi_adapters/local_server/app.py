"""The web application around the local server: reads a request, records it, sends the answer."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from kimi_adapters.local_server.chat import failed, refused
from kimi_adapters.local_server.endpoints import ENDPOINTS, Endpoint, nowhere
from kimi_adapters.local_server.exchange import Answer, HttpCall
from kimi_adapters.local_server.gate import Gate
from kimi_adapters.local_server.log import closed
from kimi_adapters.local_server.refusal import Refusal
from kimi_adapters.local_server.server import KimiServer

_LOGGER = logging.getLogger(__name__)
#: Moonshot docs, errors: 413 above 100 MB.
_LARGEST_BODY = 100 * 1024 * 1024
_TURN = 4
"""How many pieces go out before other connections get their turn. asyncio warns of five to a client that has gone."""


def create_app(kimi: KimiServer | None = None) -> Starlette:
    """Return the ASGI application of a local server, by default of a new one that imitates Moonshot.

    It answers only to loopback names and to the `allowed_hosts` of the server (see `gate`).
    """
    running = kimi if kimi is not None else KimiServer()
    routes = [Route(path, _endpoint(running, endpoint), methods=[method]) for method, path, endpoint in ENDPOINTS]
    every_method = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    elsewhere = Route("/{path:path}", _endpoint(running, nowhere), methods=every_method)
    # The same below the dialect's name, so that an address can name the host that it imitates.
    below = Mount(f"/{running.dialect.name}", routes=[*routes, elsewhere])
    return Starlette(routes=[*routes, below, elsewhere], middleware=[Middleware(Gate, running)])


class _Pieces(Response):
    """A response that goes out in exactly the pieces of an answer, and can break off.

    Attributes:
        sent: Called when all of it has been sent, or when nobody reads it any more.
    """

    sent: Callable[[], None] | None = None

    def __init__(self, answer: Answer, chunk_delay: float) -> None:
        self.answer = answer
        self.chunk_delay = chunk_delay
        self.status_code = answer.status
        headers = {**answer.headers, "content-type": answer.content_type}
        if not answer.streamed and not answer.cut:
            headers["content-length"] = str(sum(map(len, answer.pieces)))
        self.raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._send(send)
        finally:
            if self.sent is not None:
                self.sent()

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(start)
        for at, piece in enumerate(self.answer.pieces):
            if self.answer.stall and at == len(self.answer.pieces) // 2:
                await asyncio.sleep(self.answer.stall)
            if at and self.chunk_delay:
                await asyncio.sleep(self.chunk_delay)
            elif at % _TURN == 0:
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not self.answer.cut:
            # An application that returns before the end of the body makes the server drop the connection.
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _endpoint(kimi: KimiServer, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        try:
            call, oversized = await _read(request, kimi.dialect.name)
        except ClientDisconnect:
            return Response(status_code=499)
        entry = kimi.log.opened(call)
        answer = _answer(kimi, endpoint, call, oversized=oversized)
        of_host = kimi.dialect.headers(call)
        left = {name: value for name, value in kimi.allowance.headers.items() if name in of_host}
        answer.headers = {"x-kimi-emulator": "local", **of_host, **left, **answer.headers}
        closed(entry, answer)
        pieces = _Pieces(answer, kimi.chunk_delay if answer.streamed else 0.0)
        pieces.sent = kimi.allowance.leave if answer.admitted else None
        if kimi.delay:
            await asyncio.sleep(kimi.delay)
        return pieces

    return respond


async def _read(request: Request, dialect: str) -> tuple[HttpCall, bool]:
    """Return the call, and whether its body is larger than the host takes (it is then dropped)."""
    data = bytearray()
    oversized = False
    async for piece in request.stream():
        oversized = oversized or len(data) + len(piece) > _LARGEST_BODY
        if not oversized:
            data += piece
    call = HttpCall(
        method=request.method,
        path=request.url.path.removeprefix(f"/{dialect}"),
        headers=dict(request.headers),
        data=b"" if oversized else bytes(data),
        id=uuid.uuid4().hex,
        query=dict(request.query_params),
    )
    return call, oversized


def _answer(kimi: KimiServer, endpoint: Endpoint, call: HttpCall, *, oversized: bool) -> Answer:
    try:
        _authenticate(kimi, call)
        if oversized:
            raise Refusal(413, "invalid_request_error", "Request exceeds the maximum size")
        if faults := kimi.script.elsewhere.get(call.path):
            return failed(kimi, call, faults)
        return endpoint(kimi, call)
    except Refusal as refusal:
        return refused(kimi, refusal, call)
    except Exception as error:
        _LOGGER.exception("the local Kimi server failed on %s %s", call.method, call.path)
        broken = Refusal(500, "server_error", f"the local Kimi server failed: {error!r}")
        return refused(kimi, broken, call)


def _authenticate(kimi: KimiServer, call: HttpCall) -> None:
    if call.path == "/" or call.path in kimi.dialect.open_paths:
        return
    scheme, _, key = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise kimi.dialect.no_key
    if key.strip() != kimi.api_key:
        raise kimi.dialect.wrong_key
