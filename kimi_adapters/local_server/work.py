"""Queued tasks that are polled later, and webhooks to an address of this machine."""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kimi_adapters.local_server.exchange import dump

JsonObject = dict[str, Any]

_HERE = ("127.0.0.1", "localhost", "::1")
_PATIENCE = 5.0


@dataclass(slots=True)
class Work:
    """A queued task.

    Attributes:
        results: Its finished items, errors among them, in the order in which they become known.
        polls: How many more polls find it unfinished.
    """

    results: list[JsonObject]
    polls: int

    def so_far(self) -> list[JsonObject]:
        """Return what is known at one more poll; the rest is `processing`."""
        if self.polls <= 0:
            return self.results
        self.polls -= 1
        known = len(self.results) // 2 if not self.polls else 0
        rest = ({**_name(item), "status": "processing"} for item in self.results[known:])
        return [*self.results[:known], *rest]


def _name(item: JsonObject) -> JsonObject:
    return {key: item[key] for key in ("taskType", "taskUUID") if key in item}


def deliver(url: str, bodies: list[JsonObject]) -> None:
    """Post each body to an address of this machine, in the background. Nothing is ever sent elsewhere."""
    target = urlsplit(url)
    if target.scheme == "http" and target.hostname in _HERE:
        threading.Thread(target=_post, args=(url, bodies), name="kimi-webhook", daemon=True).start()


def _post(url: str, bodies: list[JsonObject]) -> None:
    target = urlsplit(url)
    for body in bodies:
        connection = http.client.HTTPConnection(target.hostname or "", target.port or 80, timeout=_PATIENCE)
        try:
            path = f"{target.path or '/'}{'?' if target.query else ''}{target.query}"
            connection.request("POST", path, dump(body), {"content-type": "application/json"})
            connection.getresponse().read()
        except OSError:
            return  # nobody listens there
        finally:
            connection.close()
