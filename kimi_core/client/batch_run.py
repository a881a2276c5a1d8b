"""One call that is answered in batches: encoded like any other, split, submitted, followed, and read again.

What cannot be taken twice is written into the state before it is begun: which inputs a batch is of, and by which key it
is found among the batches of the account. A call that goes on after a death looks there first, and creates none twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kimi_core import errors as err
from kimi_core.call_options import NO_OPTIONS
from kimi_core.client import batch_lines, batch_requests
from kimi_core.client.batch_lines import Line, Reader
from kimi_core.client.batch_progress import BatchProgress, Watcher, shown
from kimi_core.client.batch_state import BatchState, Part
from kimi_core.endpoints import batches as endpoint
from kimi_core.endpoints.batches import BatchLine, BatchObject
from kimi_core.endpoints.files import file_in
from kimi_core.endpoints.paths import path_of
from kimi_core.hosts.addresses import shown as shown_address
from kimi_core.quoting import quoted
from kimi_core.transport.call import Upload
from kimi_core.transport.repeats import LONGEST_PAUSE
from kimi_core.transport.transport import Transport
from kimi_core.types import Request, Response

if TYPE_CHECKING:
    from kimi_core.client.batches import AsyncBatches

KEY: Final = "kimi_batch"
"""Metadata by which a batch is recognised as one that was created before a death."""
_SOONEST: Final = 5.0
"""Seconds before the second look at a batch."""
_PATIENCE: Final = 20
"""How many looks in a row may fail before the call does."""


class BatchRun:
    """One call that is answered in batches."""

    def __init__(
        self,
        batches: AsyncBatches,
        requests: Sequence[Request | Exception],
        *,
        window: str | None = None,
        metadata: Mapping[str, str] | None = None,
        only_whole: bool = False,
    ) -> None:
        """Encode all requests; see `Batches.run`.

        Raises:
            ConfigError: If the window or the metadata are wrong.
            Exception: If a request cannot be sent, and `only_whole` is set.
        """
        self._batches, self._client = batches, batches.client
        self._driver = batches.transport.driver
        # What may have created a batch is not repeated without a look at what is there.
        settings = self._client.settings
        self._once = Transport(settings.model_copy(update={"max_retries": 0}), self._driver)
        self._profile = self._client.account
        self._window = endpoint.check_window(window, self._profile)
        self._metadata = endpoint.check_metadata(metadata, own=1)
        self._requests = [*requests]
        self._reader = Reader(self._client)
        self._lines: dict[int, Line] = {}
        self._data: dict[int, bytes] = {}
        self._outcomes: dict[int, Response | Exception] = {}
        self._only_whole = only_whole
        for place, request in enumerate(self._requests):
            self._encode(place, request)

    def _encode(self, place: int, request: Request | Exception) -> None:
        try:
            if isinstance(request, Exception):
                raise request
            self._lines[place] = batch_lines.line(self._client, self._without_io(request), place)
        except Exception as error:
            if self._only_whole:
                raise
            self._outcomes[place] = error

    def _without_io(self, request: Request) -> Request:
        """Return the request with placeholders for what is attached only when it is sent."""
        if all(type(message.content) is str for message in request.messages):
            return request
        from kimi_core.attachments import attachments
        from kimi_core.media import parts  # with the first picture

        normalized = replace(request, messages=parts.normalized(request.messages))
        return attachments.dry_run(normalized, self._client.pipeline.route(request), self._client.settings)

    # ---------------------------------------------------------------------------------------------- what a call does

    async def submitted(self) -> BatchObject:
        """Create one batch of all requests; see `Batches.submit`."""
        state = BatchState(None, {})
        await self._plan(state, self._lines)
        if len(state.parts) != 1:
            raise err.ConfigError(
                f"{len(self._requests):,} requests make {len(state.parts)} batches on {self._profile.host.name}, by "
                "their number, size and models: submit creates one. Use `run`, or submit fewer."
            )
        give_back = self._reserved(state.parts)
        try:
            return await self._created(state, state.parts[0])
        finally:
            give_back()

    async def results(self, batch: BatchObject) -> list[Response | Exception]:
        """Return the answers of a batch that is over; see `Batches.results`."""
        if not batch.is_over:
            raise err.ConfigError(f"Batch {batch.id} is not over yet, but {quoted(batch.status)}. Look again later.")
        await self._collect(Part("", [*self._lines]), batch)
        return self._in_order()

    async def answers(
        self, poll_interval: float, state: str | PathLike[str] | None, progress: bool | Watcher
    ) -> list[Response | Exception]:
        """Return all answers; see `Batches.run`."""
        if isinstance(poll_interval, bool) or not isinstance(poll_interval, int | float) or not poll_interval >= 0:
            raise err.ConfigError(f"poll_interval must be a number of seconds, got {quoted(poll_interval)}.")
        if not callable(progress) and not isinstance(progress, bool):
            raise err.ConfigError(f"progress must be True, False or a function, got {quoted(progress)}.")
        if not self._lines:
            return self._in_order()
        kept = BatchState(None if state is None else Path(state), self._about())
        try:
            if not kept.parts:
                await self._plan(kept, self._lines)
            else:
                await self._collect_reported(kept)
            todo = [part for part in kept.parts if not part.reported]
            if todo:
                await self._finish(kept, todo, poll_interval, progress)
        finally:
            kept.close()
        return self._in_order()

    def _about(self) -> dict[str, object]:
        """Return what tells this job from others."""
        models = sorted({line.plan.profile.model_id for line in self._lines.values()})
        return {
            "host": self._profile.host.name,
            "address": shown_address(self._client.settings.base_url).strip("'"),
            "model": ", ".join(models),
            "inputs": len(self._requests),
            "fingerprint": batch_lines.fingerprint(self._requests),
        }

    def _in_order(self) -> list[Response | Exception]:
        return [self._outcomes[place] for place in range(len(self._requests))]

    # ---------------------------------------------------------------------------------------------- split and submit

    async def _plan(self, state: BatchState, places: Iterable[int]) -> None:
        """Split requests by the host's limits and by their models, and write down which batches there will be."""
        by_model: dict[str, list[int]] = {}
        for place in places:
            if await self._written(place):
                by_model.setdefault(self._lines[place].plan.profile.model_id, []).append(place)
        rules = self._profile.host.batches
        for same in by_model.values():
            part, size = None, 0
            for place in same:
                if part is None or len(part.inputs) == rules.lines or size + len(self._data[place]) > rules.size:
                    part, size = state.add(()), 0
                part.inputs.append(place)
                size += len(self._data[place])
        await self._driver.compute(state.save)

    async def _written(self, place: int) -> bool:
        """Write the line of a request, attach what it needs; return whether that was possible."""
        request = self._requests[place]
        try:
            if isinstance(request, Request) and place not in self._data:
                attached = await self._client.attached(request)
                line = self._lines[place]
                if attached is not request:
                    line = self._lines[place] = batch_lines.line(self._client, attached, place)
                self._data[place] = batch_lines.written(line)
        except err.KimiError as error:
            if self._only_whole:
                raise
            self._outcomes[place] = error
        return place in self._data

    def _reserved(self, parts: Iterable[Part]) -> Callable[[], None]:
        """Hold back in the budget what is about to be asked for; return what gives it back."""
        budget, held = self._client.settings.budget, []
        if budget is not None:
            by_profile: dict[str, list[Line]] = {}
            for part in parts:
                for place in part.inputs:
                    line = self._lines[place]
                    by_profile.setdefault(line.plan.profile.model_id, []).append(line)
            held += [
                budget.reserve_batch([one.plan.request for one in lines], lines[0].plan.profile)
                for lines in by_profile.values()
            ]

        def give_back() -> None:
            for one in held:
                one()

        return give_back

    async def _created(self, state: BatchState, part: Part) -> BatchObject:
        """Upload the requests of a part and create its batch, unless that was done before a death."""
        made = await self._found(part) if part.resumed else None
        if made is None:
            part.file = part.file or await self._uploaded(part)
            await self._driver.compute(state.save)
            made = await self._create(part)
        part.batch = made.id
        await self._driver.compute(state.save)
        return made

    async def _uploaded(self, part: Part) -> str:
        name = f"kimi-{part.key}.jsonl"
        if part.resumed:
            for file in await self._client.files.list():
                if file.filename == name:
                    return file.id
        for place in part.inputs:
            await self._written(place)
        data = b"".join(self._data[place] for place in part.inputs if place in self._data)
        upload = Upload({"purpose": "batch"}, name, data, "application/jsonl")
        path = path_of("files", self._profile, "keeps no files")
        body, _ = await self._batches.transport.upload(path, upload, self._profile)
        return file_in(body, self._profile).id

    async def _create(self, part: Part) -> BatchObject:
        """Create a batch; again after an error that passes, unless it is there all the same."""
        metadata = {**self._metadata, KEY: part.key}
        wire = endpoint.creation(part.file or "", self._window, metadata, self._profile)
        for left in range(self._client.settings.max_retries, -1, -1):
            try:
                body, _ = await self._once.send(wire, self._profile, NO_OPTIONS)
                return endpoint.read(body, self._profile)
            except err.APIError as error:
                if not error.is_retryable or not left:
                    raise
                await self._driver.sleep(min(error.retry_after or 1.0, LONGEST_PAUSE))
                if (made := await self._found(part)) is not None:
                    return made
        raise AssertionError  # the last attempt returns or raises

    async def _found(self, part: Part) -> BatchObject | None:
        """Look for the batch of a part among those of the account."""
        for batch in await batch_requests.every(self._batches.transport, self._profile):
            if batch.metadata.get(KEY) == part.key or (part.file and batch.input_file_id == part.file):
                return batch
        return None

    # ------------------------------------------------------------------------------------------- follow and collect

    async def _collect_reported(self, state: BatchState) -> None:
        """Collect again what an earlier call has returned, and plan anew what had an error that may pass."""
        known = [part for part in state.parts if part.reported and part.batch]
        for part in known:
            await self._collect(part, await self._batches.get(part.batch or ""), known=True)
        waiting = {place for part in state.parts if not part.reported for place in part.inputs}
        passing = {p for p, one in self._outcomes.items() if getattr(one, "is_retryable", False)}
        again = [p for p in self._lines if p not in waiting and (p in passing or p not in self._outcomes)]
        if again:
            await self._plan(state, again)

    async def _finish(
        self, state: BatchState, parts: Sequence[Part], poll_interval: float, progress: bool | Watcher
    ) -> None:
        """Submit what is not submitted, and follow all of it to its end."""
        give_back = self._reserved(part for part in parts if part.batch is None)
        try:
            with shown(progress, sum(len(part.inputs) for part in parts)) as watch:
                for part in parts:
                    if part.batch is None:
                        await self._created(state, part)
                ended = await self._followed(parts, poll_interval, watch)
            for part in parts:
                await self._collect(part, ended[part.key])
                part.reported = True
        except err.KimiError as error:
            if known := [part.batch for part in parts if part.batch]:
                error.add_note(f"Batches that go on: {', '.join(known)}. See `KimiClient.batches`.")
            raise
        finally:
            give_back()
        await self._driver.compute(state.save)

    async def _followed(self, parts: Sequence[Part], longest: float, watch: Watcher) -> dict[str, BatchObject]:
        """Look at batches until all are over, less and less often; return them by the keys of the parts."""
        seen: dict[str, BatchObject] = {}
        total, pause, failures = sum(len(part.inputs) for part in parts), min(_SOONEST, longest), 0
        while True:
            for part in parts:
                if part.key in seen and seen[part.key].is_over:
                    continue
                try:
                    seen[part.key] = await self._batches.get(part.batch or "")
                    failures = 0
                except err.APIError as error:
                    failures += 1
                    if not error.is_retryable or failures > _PATIENCE:
                        raise
            done = [sum(getattr(one, name) for one in seen.values()) for name in ("completed", "failed")]
            watch(BatchProgress(total, *done))
            if len(seen) == len(parts) and all(one.is_over for one in seen.values()):
                return seen
            await self._driver.sleep(pause)
            pause = min(pause * 1.5, longest)

    async def _collect(self, part: Part, batch: BatchObject, *, known: bool = False) -> None:
        """Read what came of the requests of a batch."""
        places = {batch_lines.id_of(place): place for place in part.inputs if place in self._lines}

        def take(came: BatchLine) -> None:
            if (place := places.pop(came.custom_id, None)) is not None:
                self._outcomes[place] = self._reader.outcome(self._lines[place], came, batch, known=known)

        await batch_requests.each_line(self._batches.transport, batch, self._profile, take)
        for place in places.values():
            self._outcomes[place] = self._reader.outcome(self._lines[place], None, batch, known=known)
