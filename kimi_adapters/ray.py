"""Rows of Ray Data asked of a model: what `Dataset.map_batches` runs in its workers. Ray does all else.

It needs `pip install "kimi-adapters[ray]"`, and the extra of the framework.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kimi_adapters.rows import answers
from kimi_adapters.rows.files import USAGE
from kimi_adapters.rows.journal import digest
from kimi_adapters.rows.kept import Kept
from kimi_adapters.rows.template import Template
from kimi_core.errors import ConfigError, KimiError
from kimi_core.quoting import quoted

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

__all__ = ["AskRows"]


class AskRows:
    """Asks a model for every row of a batch: one model, one client and one event loop in each worker.

    ```python
    dataset.map_batches(
        AskRows,
        fn_constructor_args=(ChatKimi, "Say something about {topic}."),
        batch_format="pyarrow",
        batch_size=None,
        compute=ray.data.ActorPoolStrategy(size=4),
    )
    ```

    The columns `answer`, `reasoning`, `usage`, `cost_usd` and `error` are added to each row. A row that fails has an
    error in its place; what every other row would meet as well is raised: a wrong key, an empty account, or that a
    worker's first 20 rows all fail.
    """

    def __init__(
        self,
        model: Callable[[], Any],
        prompt: str,
        *,
        system: str | None = None,
        id_column: str = "id",
        prefix: str = "",
        concurrency: int = 8,
        tries: int = 3,
        kept: str | os.PathLike[str] | None = None,
    ) -> None:
        """Make the model of a worker.

        Args:
            model: Returns a `ChatKimi` or a `KimiLLM`. It is called in the worker, whose environment has the key: none
                goes through Ray.
            prompt: What is asked of each row, with columns in braces.
            system: What the model is told before it, filled as well.
            id_column: The column that tells rows apart.
            prefix: What stands before the names of the added columns.
            concurrency: How many rows a worker asks at the same time.
            tries: How often a row is asked at most, if it fails with an error that may pass after the model's own
                retries: an answer that breaks off, or is no JSON.
            kept: A file on the machine's own disk that has the answers until they are written, so that what was
                answered before a worker was killed is not asked again. None keeps none.

        Raises:
            ConfigError: If the prompt cannot be read or a number is wrong.
            OSError: If the folder of `kept` cannot be made.
        """
        for name, number in (("concurrency", concurrency), ("tries", tries)):
            if number < 1:
                raise ConfigError(f"{name} is a number from 1, got {quoted(number)}.")
        self._prompt, self._system = Template(prompt), Template(system) if system else None
        self._id, self._prefix, self._tries = id_column, prefix, tries
        self._model = model()
        self._failed, self._answered = 0, False
        self._turns = asyncio.Semaphore(concurrency)
        self._kept = Kept(Path(kept)) if kept is not None else None

    async def __call__(self, batch: pa.Table) -> pa.Table:
        """Return a batch with the answers beside its rows, in their order.

        Raises:
            ConfigError: If the batch lacks a column of the prompt or the id, or has one of those that are added.
            KimiError: If something fails that every other row would meet as well.
        """
        self._check(batch.column_names)
        rows = batch.to_pylist()
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(self._outcome(row)) for row in rows]
        except* (KimiError, OSError) as errors:
            raise _first(errors) from None
        return _beside(batch, [task.result() for task in asked], self._prefix)

    def _check(self, columns: list[str]) -> None:
        for template in (self._prompt, self._system):
            if template is not None:
                template.check(columns)
        if self._id not in columns:
            raise ConfigError(f"The rows have no column {quoted(self._id)} to tell them apart: name one (id_column).")
        for name in answers.columns(self._prefix, None):
            if name in columns:
                raise ConfigError(f"The rows have a column {quoted(name)} already: give new ones a prefix.")

    async def _outcome(self, row: Mapping[str, Any]) -> dict[str, Any]:
        try:
            prompt = self._prompt.fill(row)
            system = self._system.fill(row) if self._system else ""
        except ValueError as error:
            return answers.of_error(error)
        name, mark = str(row[self._id]), digest(prompt, system, type(self._model).__name__, str(self._model.model))
        async with self._turns:
            if self._kept and (known := self._kept.get(name, mark)):
                return known
            outcome, final = await self._asked(prompt, system)
            if self._kept and final:
                self._kept.add(name, mark, outcome)
            return outcome

    async def _asked(self, prompt: str, system: str) -> tuple[dict[str, Any], bool]:
        """Return what came of a row, and whether it stays."""
        left = self._tries
        while True:
            left -= 1
            try:
                outcome = await _ask(self._model, prompt, system)
            except KimiError as error:
                if answers.is_fatal(error):
                    raise
                if not left or not answers.may_pass(error):
                    self._failed += 1
                    if self._failed == answers.ALIKE and not self._answered:
                        raise
                    return answers.of_error(error), not answers.may_pass(error)
            else:
                self._answered = True
                return outcome, True


async def _ask(model: Any, prompt: str, system: str) -> dict[str, Any]:
    """Return what came of one question, by the framework that the model is of."""
    if hasattr(model, "achat"):
        from llama_index.core.base.llms.types import ChatMessage

        texts = [("system", system)] * bool(system) + [("user", prompt)]
        return _of_llama_index(await model.achat([ChatMessage(role=role, content=text) for role, text in texts]))
    return _of_langchain(await model.ainvoke([("system", system)] * bool(system) + [("user", prompt)]))


def _of_langchain(message: Any) -> dict[str, Any]:
    used = message.usage_metadata or {}
    details = {
        "cached_tokens": (used.get("input_token_details") or {}).get("cache_read"),
        "reasoning_tokens": (used.get("output_token_details") or {}).get("reasoning"),
    }
    blocks = message.content_blocks
    return {
        "answer": message.text,
        "reasoning": "".join(block.get("reasoning") or "" for block in blocks if block["type"] == "reasoning") or None,
        "usage": {name: used.get(name, details.get(name)) for name in USAGE} if used else None,
        "cost_usd": message.response_metadata.get("cost_usd"),
        "error": None,
    }


def _of_llama_index(response: Any) -> dict[str, Any]:
    facts = response.additional_kwargs
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    thoughts = [block.content or "" for block in response.message.blocks if block.block_type == "thinking"]
    return {
        "answer": response.message.content or "",
        "reasoning": "".join(thoughts) or None,
        "usage": {name: facts.get(names.get(name, name)) for name in USAGE} if "total_tokens" in facts else None,
        "cost_usd": facts.get("cost_usd"),
        "error": None,
    }


def _beside(batch: pa.Table, outcomes: list[dict[str, Any]], prefix: str) -> pa.Table:
    import pyarrow as pa

    kinds = {"text": pa.string(), "number": pa.float64(), "usage": pa.struct([(name, pa.int64()) for name in USAGE])}
    for name, kind in answers.ADDED.items():
        batch = batch.append_column(prefix + name, pa.array([known[name] for known in outcomes], kinds[kind]))
    return batch


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
