"""What the tests of the command share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from file_server import FileServer, Served

CANARY = "sk-canary-4711"
"""The key of its user, which nothing that it prints or writes may have."""


@contextmanager
def answering(path: str, body: Any) -> Iterator[str]:
    """Yield the address of a host that has one answer, whatever it may be."""
    with FileServer() as server:
        server.files[path] = [Served(json.dumps(body).encode(), headers={"content-type": "application/json"})]
        yield server.url("/v1")
