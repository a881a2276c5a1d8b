"""A LangSmith on 127.0.0.1 that keeps what it is sent, for who has no account.

It knows the few addresses that `evaluate` and tracing of LangSmith's client call.
"""

from __future__ import annotations

import json
import threading
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Record = dict[str, Any]

_INFO = {
    "version": "0.0.0",
    "batch_ingest_config": {
        "use_multipart_endpoint": False,
        "size_limit": 100,
        "size_limit_bytes": 20_000_000,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 1,
        "scale_down_nempty_trigger": 4,
    },
    "instance_flags": {"zstd_compression_enabled": False},
}
_TENANT = str(uuid.UUID(int=0))


class LangSmithStandIn(ThreadingHTTPServer):
    """What has been kept: `datasets`, `examples`, `sessions`, `runs`, `feedback`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.datasets: dict[str, Record] = {}
        self.examples: dict[str, Record] = {}
        self.sessions: dict[str, Record] = {}
        self.runs: dict[str, Record] = {}
        self.feedback: dict[str, Record] = {}

    def start(self) -> LangSmithStandIn:
        """Listen in the background."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def get(self, path: list[str], asked: dict[str, str]) -> Any:
        """Answer a question."""
        kept: dict[str, Record] = getattr(self, path[0], {})
        if path == ["info"]:
            return _INFO
        if len(path) > 1:
            return kept[path[1]]
        if path[0] == "sessions":
            return list(kept.values()) or [{"id": _TENANT, "tenant_id": _TENANT}]
        by = {"name": asked.get("name"), "dataset_id": asked.get("dataset")}
        wanted = {key: value for key, value in by.items() if value is not None}
        found = [record for record in kept.values() if wanted.items() <= record.items()]
        return found[int(asked.get("offset", 0)) :]

    def take(self, path: list[str], body: Any) -> Any:
        """Keep what is sent; changes go over what was there."""
        if path[0] == "runs" and path[-1] == "batch":
            records = body.get("post", []) + body.get("patch", [])
        else:
            records = body if isinstance(body, list) else [body]
        kept: dict[str, Record] = getattr(self, path[0], {})
        now = datetime.now(UTC).isoformat()
        new = {"tenant_id": _TENANT, "created_at": now, "start_time": now}
        for record in records:
            known = path[1] if len(path) > 1 and path[1] in kept else None
            record["id"] = known or record.get("id") or str(uuid.uuid4())
            kept.setdefault(record["id"], dict(new)).update(record)
        answer = [kept[record["id"]] for record in records]
        return answer if isinstance(body, list) or not answer else answer[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LangSmithStandIn

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        first = {name: values[0] for name, values in asked.items()}
        self._answer(self.server.get(_steps(self.path), first))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._answer(self.server.take(_steps(self.path), body))

    do_PATCH = do_POST

    def _answer(self, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _steps(address: str) -> list[str]:
    return urlsplit(address).path.strip("/").split("/")
