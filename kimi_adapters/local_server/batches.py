"""Batches of requests, kept in memory: what a host knows about each, and what a test has happen to them.

The fields and states are those of Moonshot's API reference (batch-create, -retrieve, -list, -cancel); the lines of
result files and the `errors` of a batch that failed are OpenAI's, whose SDK Moonshot's guide uses.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from kimi_adapters.local_server.refusal import invalid, not_found

JsonObject = dict[str, Any]
Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]

#: Moonshot's API reference, batch-cancel: only these can be cancelled.
_CANCELLABLE = ("validating", "in_progress", "finalizing")
_OVER = ("failed", "completed", "expired", "cancelled")
_PAGE = 20


@dataclass(frozen=True, slots=True)
class LineScript:
    """What is to come of one line of a batch.

    Attributes:
        status: The HTTP status of its response; None for no response but an error of the batch's own.
        body: The body of its response, or the error.
        lost: Whether it is in no file at all.
    """

    status: int | None = 200
    body: Any = None
    lost: bool = False


@dataclass(slots=True)
class Batch:
    """One batch.

    Attributes:
        id: Its id.
        input_file_id: The file of its requests.
        completion_window: As it was asked for (`24h`).
        metadata: As it was given.
        created_at: Unix time.
        expires_at: Unix time.
        status: Its state.
        moments: When it came to the states it was in, by the name of the field.
        requests: The lines of its file, once they are validated.
        outcomes: The lines of its result files so far.
        done: How many of its requests were dealt with.
        problems: What is wrong with its file.
        output_file_id: The file of the answers.
        error_file_id: The file of the requests that failed.
    """

    id: str
    input_file_id: str
    completion_window: str
    metadata: JsonObject | None
    created_at: int
    expires_at: int
    status: Status = "validating"
    moments: dict[str, int] = field(default_factory=dict)
    requests: list[JsonObject] = field(default_factory=list)
    outcomes: list[JsonObject] = field(default_factory=list)
    done: int = 0
    problems: list[JsonObject] = field(default_factory=list)
    output_file_id: str | None = None
    error_file_id: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in _OVER

    @property
    def answered(self) -> list[JsonObject]:
        """The lines of the requests that were answered."""
        return [line for line in self.outcomes if _is_answer(line)]

    @property
    def failed(self) -> list[JsonObject]:
        """The lines of the requests that failed."""
        return [line for line in self.outcomes if not _is_answer(line)]

    def as_json(self) -> JsonObject:
        """Return the batch object of the API."""
        shown: JsonObject = {
            "id": self.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "input_file_id": self.input_file_id,
            "completion_window": self.completion_window,
            "status": self.status,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "request_counts": {
                "total": len(self.requests),
                "completed": len(self.answered),
                "failed": len(self.failed),
            },
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "metadata": self.metadata,
            **self.moments,
        }
        if self.problems:
            shown["errors"] = {"object": "list", "data": self.problems}
        return shown


def _is_answer(line: JsonObject) -> bool:
    return line["response"] is not None and line["response"]["status_code"] < 400


class BatchStore:
    """All batches of one server.

    Attributes:
        by_itself: Whether a batch goes one step further each time that it is asked for; else by `step_batches` alone.
        pace: How many requests are dealt with in one step; None for all.
        later: Seconds that the clock of batches is ahead: what brings one past its `completion_window`.
        scripts: What is to come of lines, by `custom_id`; each is used up once.
        refusal: Why the next batch that is validated fails; None lets its file decide.
    """

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all batches and what was to happen to them."""
        self._batches.clear()
        self.by_itself, self.later, self.refusal = True, 0, ""
        self.pace: int | None = None
        self.scripts: dict[str, LineScript] = {}

    def now(self) -> int:
        """Return the time by the clock of batches."""
        return int(time.time()) + self.later

    def add(self, input_file_id: str, window: str, seconds: int, metadata: JsonObject | None) -> Batch:
        """Keep a new batch."""
        now = self.now()
        made = Batch(f"batch_{uuid.uuid4().hex[:24]}", input_file_id, window, metadata, now, now + seconds)
        self._batches[made.id] = made
        return made

    def get(self, id: str) -> Batch:
        """Return the batch of an id.

        Raises:
            Refusal: If there is no such batch (404).
        """
        found = self._batches.get(id)
        if found is None:
            raise not_found(f"batch {id} not found")
        return found

    def all(self) -> list[Batch]:
        """Return every batch, newest first."""
        return list(self._batches.values())[::-1]

    def page(self, after: str, limit: str) -> tuple[list[Batch], bool]:
        """Return the batches of a page, and whether there are more.

        Raises:
            Refusal: If `limit` is no number above 0, or there is no batch `after`.
        """
        if limit and not (limit.isdecimal() and int(limit)):
            raise invalid(f"Invalid request: limit must be a positive integer, got {limit}")
        found, most = self.all(), int(limit or _PAGE)
        first = found.index(self.get(after)) + 1 if after else 0
        return found[first : first + most], len(found) > first + most

    def cancel(self, id: str) -> Batch:
        """Begin to cancel a batch.

        Raises:
            Refusal: If there is no such batch, or it is over.
        """
        batch = self.get(id)
        if batch.status not in _CANCELLABLE:
            raise invalid(f"Invalid request: batch in status {batch.status} cannot be cancelled")
        self.move(batch, "cancelling")
        return batch

    def move(self, batch: Batch, status: Status) -> None:
        """Bring a batch into another state."""
        batch.status = status
        batch.moments[f"{status}_at"] = self.now()
