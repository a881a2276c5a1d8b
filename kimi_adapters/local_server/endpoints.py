"""The endpoints beside chat, and the table of all of them."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable

from kimi_adapters.local_server import batch_endpoints, exchange, tokens
from kimi_adapters.local_server.chat import chat
from kimi_adapters.local_server.exchange import Answer, HttpCall
from kimi_adapters.local_server.files import read_form
from kimi_adapters.local_server.refusal import Refusal, invalid, no_such_path
from kimi_adapters.local_server.runware_tasks import tasks
from kimi_adapters.local_server.server import KimiServer
from kimi_adapters.local_server.tool_endpoints import formula_fibers, formula_tools, search

Endpoint = Callable[[KimiServer, HttpCall], Answer]


def about(kimi: KimiServer, call: HttpCall) -> Answer:
    """Describe this server."""
    return exchange.whole(
        {
            "name": "local Kimi emulator",
            "emulator": True,
            "stands_for": kimi.dialect.host,
            "note": "A rule-based emulator for tests and demonstrations. No language model runs here.",
            "base_url": f"http://{call.headers.get('host', '127.0.0.1')}/v1",
            "models": list(kimi.dialect.models),
        }
    )


def list_models(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``GET /v1/models``."""
    specs = [kimi.dialect.model_entry(spec) for spec in kimi.dialect.models.values()]
    return exchange.whole({"object": "list", "data": specs})


def show_model(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``GET /v1/models/{id}``."""
    id = call.path.removeprefix("/v1/models/")
    if id not in kimi.dialect.models:
        raise kimi.dialect.unknown_model(id)
    return exchange.whole(kimi.dialect.model_entry(kimi.dialect.models[id]))


def estimate_tokens(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``POST /v1/tokenizers/estimate-token-count``."""
    body = call.json()
    id = body.get("model")
    if id not in kimi.dialect.models:
        raise kimi.dialect.unknown_model(str(id))
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("Invalid request: messages must not be empty")
    return exchange.whole({"data": {"total_tokens": tokens.of_prompt(messages)}})


def balance(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``GET /v1/users/me/balance``."""
    data = {"available_balance": 49.58894, "voucher_balance": 46.58893, "cash_balance": 3.00001}
    return exchange.whole({"code": 0, "data": data, "scode": "0x0", "status": True})


def upload(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``POST /v1/files``."""
    form = read_form(call.headers.get("content-type", ""), call.data)
    filename, data = form.get("file", (None, b""))
    if "file" not in form:
        raise invalid("Invalid request: file is required")
    purpose = form.get("purpose", (None, b""))[1].decode("utf-8", "replace").strip()
    return exchange.whole(kimi.files.add(filename or "upload", purpose, data).as_json())


def list_files(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``GET /v1/files``."""
    return exchange.whole({"object": "list", "data": [file.as_json() for file in kimi.files.all()]})


def show_file(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``GET /v1/files/{id}``."""
    return exchange.whole(kimi.files.get(_file_id(call)).as_json())


def file_content(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``GET /v1/files/{id}/content``: for ``file-extract`` with the text in JSON, else with the bytes."""
    file = kimi.files.get(_file_id(call))
    kind = mimetypes.guess_type(file.filename)[0] or "application/octet-stream"
    if file.purpose != "file-extract":
        return Answer([file.data], content_type=kind)
    about = {"file_type": kind, "filename": file.filename, "title": "", "type": "file"}
    return exchange.whole({"content": file.text, **about})


def delete_file(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``DELETE /v1/files/{id}``."""
    id = _file_id(call)
    kimi.files.remove(id)
    return exchange.whole({"deleted": True, "id": id, "object": "file"})


def _file_id(call: HttpCall) -> str:
    return call.path.removeprefix("/v1/files/").removesuffix("/content")


def not_open(kimi: KimiServer, call: HttpCall) -> Answer:
    """Refuse an endpoint that Moonshot does not open (``/v1/completions``, ``/v1/embeddings``)."""
    raise Refusal(403, "permission_denied_error", "no open api access")


def nowhere(kimi: KimiServer, call: HttpCall) -> Answer:
    """Refuse a path that does not exist."""
    raise no_such_path(call.method, call.path)


#: Method, path, endpoint.
ENDPOINTS: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/", about),
    ("POST", "/v1/chat/completions", chat),
    ("POST", "/v1", tasks),
    ("GET", "/v1/models", list_models),
    ("GET", "/v1/models/{id:path}", show_model),
    ("POST", "/v1/tokenizers/estimate-token-count", estimate_tokens),
    ("GET", "/v1/users/me/balance", balance),
    ("POST", "/v1/files", upload),
    ("GET", "/v1/files", list_files),
    ("GET", "/v1/files/{id}", show_file),
    ("GET", "/v1/files/{id}/content", file_content),
    ("DELETE", "/v1/files/{id}", delete_file),
    ("POST", "/v1/batches", batch_endpoints.create),
    ("GET", "/v1/batches", batch_endpoints.listed),
    ("GET", "/v1/batches/{id}", batch_endpoints.show),
    ("POST", "/v1/batches/{id}/cancel", batch_endpoints.cancel),
    ("GET", "/v1/formulas/{uri:path}/tools", formula_tools),
    ("POST", "/v1/formulas/{uri:path}/fibers", formula_fibers),
    ("POST", "/v1/tools/search", search),
    ("POST", "/v1/completions", not_open),
    ("POST", "/v1/embeddings", not_open),
)
