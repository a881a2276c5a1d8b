"""The endpoints of Moonshot's own tools: formulas and the search of the web."""

from __future__ import annotations

from kimi_adapters.local_server import exchange, formulas, web
from kimi_adapters.local_server.exchange import Answer, HttpCall
from kimi_adapters.local_server.moonshot import MOONSHOT
from kimi_adapters.local_server.refusal import Refusal, invalid, no_such_path
from kimi_adapters.local_server.request import JsonObject
from kimi_adapters.local_server.server import KimiServer

_LIMIT, _SECONDS = (1, 20), (1, 60)


def formula_tools(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``GET /v1/formulas/{uri}/tools``."""
    return exchange.whole(formulas.tools(_uri(kimi, call, "/tools")))


def formula_fibers(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``POST /v1/formulas/{uri}/fibers``."""
    uri = _uri(kimi, call, "/fibers")
    body = call.json()
    for key in ("name", "arguments"):
        if not isinstance(body.get(key), str):
            raise invalid(f"Invalid request: {key} is required and must be a string")
    return exchange.whole(formulas.fiber(uri, body))


def search(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``POST /v1/tools/search``."""
    _only_moonshot(kimi, call)
    body = call.json()
    query = body.get("text_query")
    if not isinstance(query, str) or not query.strip():
        raise _bad("text_query is required")
    limit = _number(body, "limit", 5, _LIMIT)
    _number(body, "timeout_seconds", None, _SECONDS)
    content = body.get("include_content", False)
    if not isinstance(content, bool):
        raise _bad("include_content must be a boolean")
    pages = web.find(query, limit or 0)
    return exchange.whole({"search_results": [page.as_result(content=content) for page in pages]})


def _number(body: JsonObject, key: str, default: int | None, between: tuple[int, int]) -> int | None:
    value = body.get(key, default)
    if value is None and default is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not between[0] <= value <= between[1]:
        raise _bad(f"{key} must be an integer from {between[0]} to {between[1]}")
    return value


def _bad(message: str) -> Refusal:
    # Moonshot's page names the code `invalid_request`; that it is where chat has its type is assumed.
    return Refusal(400, "invalid_request", message)


def _uri(kimi: KimiServer, call: HttpCall, ending: str) -> str:
    _only_moonshot(kimi, call)
    return call.path.removeprefix("/v1/formulas/").removesuffix(ending)


def _only_moonshot(kimi: KimiServer, call: HttpCall) -> None:
    if kimi.dialect.name != MOONSHOT.name:
        raise no_such_path(call.method, call.path)
