"""A prompt for every row, by Ray Data: Parquet or JSON Lines in, Parquet out, on this machine or on a cluster.

    python examples/ray/job.py rows.jsonl answers --prompt "Say something about {topic}." --tier tier2

The same command goes on after any death. Each row is in the output once: Ray writes a file of answers and the ids in it
together (CheckpointConfig), and leaves these ids out when the job begins again. What was answered and not yet written
is kept on the disk of the machine that asked, so that only rows that were being asked are asked, and paid for, twice.

Each row needs a column that tells it apart (--id). The key is read in the workers: set MOONSHOT_API_KEY on each node,
not in Ray's runtime_env, which shows it.

Needs: pip install "kimi-adapters[ray,redis,langchain]" or "kimi-adapters[ray,redis,llama-index]"
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports to its makers otherwise
if "--address" not in sys.argv:
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # listens on 127.0.0.1 alone, on Linux too

import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.data.checkpoint import CheckpointConfig

from kimi_adapters.ray import AskRows
from kimi_core import KimiError, Limits


def main(arguments: Sequence[str] | None = None) -> int:
    asked = read(arguments)
    output, state = Path(asked.output).resolve(), Path(f"{asked.output}.state").resolve()
    remember(state, asked)
    if asked.address:
        ray.init(address=asked.address, log_to_driver=False)
    else:
        cpus = asked.workers + 4  # two for reading, two for writing; none of them has much to do
        ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, object_store_memory=200 * 2**20)
    context = DataContext.get_current()
    context.enable_progress_bars = sys.stderr.isatty()
    context.checkpoint_config = CheckpointConfig(asked.id, str(state / "written"), delete_checkpoint_on_success=False)
    read_rows = ray.data.read_parquet if is_parquet(Path(asked.input)) else ray.data.read_json
    rows = read_rows(asked.input).repartition(target_num_rows_per_block=asked.rows_per_block)
    answered = rows.map_batches(
        AskRows,
        fn_constructor_args=(model_maker(asked), asked.prompt),
        fn_constructor_kwargs={
            "id_column": asked.id,
            "concurrency": asked.concurrency,
            "kept": os.path.join(asked.kept or state, "answers.sqlite"),
        },
        batch_format="pyarrow",
        batch_size=None,  # a block as it is
        compute=ActorPoolStrategy(size=asked.workers),
        num_cpus=1,
    )
    try:
        answered.write_parquet(str(output))
    except ray.exceptions.RayTaskError as error:
        ours = [line for line in str(error).splitlines() if line.startswith(KimiError.__module__)]
        if not ours:
            raise
        print(ours[-1], "\nThe same command goes on.", file=sys.stderr)
        return 1
    return 0


def read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A prompt for every row, by Ray Data.")
    parser.add_argument("input", help="a file or folder: .parquet, else JSON Lines")
    parser.add_argument("output", help="the folder of the answers; beside it OUTPUT.state, by which a job goes on")
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--id", default="id", help="the column that tells rows apart")
    parser.add_argument("--framework", choices=["langchain", "llama-index"], default="langchain")
    parser.add_argument("--option", action="append", default=[], help="of the model: name=value, the value as JSON")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--concurrency", type=int, default=32, help="rows at the same time in each worker")
    parser.add_argument("--rows-per-block", type=int, default=500, help="rows that are written together")
    parser.add_argument("--tier", default="", help="Moonshot's tier0 to tier5; shared over KIMI_LIMITS_STORAGE")
    parser.add_argument("--limits", type=json.loads, default={}, help='beside a tier, or alone: {"concurrency": 8}')
    parser.add_argument("--kept", help="a folder on each machine's own disk (default: OUTPUT.state, for one machine)")
    parser.add_argument("--address", help="of a Ray cluster; default: one on this machine, as long as the job lasts")
    return parser.parse_args(arguments)


def is_parquet(source: Path) -> bool:
    """Return whether a file, or a folder's files, are Parquet by their names."""
    return source.suffix == ".parquet" or any(source.glob("*.parquet"))


def remember(state: Path, asked: argparse.Namespace) -> None:
    """Refuse to go on with another job than the one that was begun."""
    state.mkdir(parents=True, exist_ok=True)
    job = {name: getattr(asked, name) for name in ("input", "prompt", "id", "framework", "option")}
    noted = state / "job.json"
    if not noted.exists():
        beside = noted.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(job))
        beside.replace(noted)
    elif json.loads(noted.read_text()) != job:
        raise SystemExit(f"{noted} is of another job: give another output, or remove both to begin anew.")


def model_maker(asked: argparse.Namespace) -> Callable[[], Any]:
    """Return what makes the model in each worker."""
    options: dict[str, Any] = {"max_retries": 6}
    for option in asked.option:
        name, _, value = option.partition("=")
        options[name] = json.loads(value)
    limits = dict(asked.limits)
    if os.environ.get("KIMI_LIMITS_STORAGE"):
        limits["storage"] = "env:KIMI_LIMITS_STORAGE"
    return partial(make, asked.framework, asked.tier, limits, options)


def make(framework: str, tier: str, limits: dict[str, Any], options: dict[str, Any]) -> Any:
    """Make a model: the only thing of it that goes through Ray is what it is made of."""
    if tier:
        limited: dict[str, Any] = {"limits": Limits.moonshot_tier(int(tier[-1]), **limits)}
    else:
        limited = {"limits": Limits(**limits)} if limits else {}
    if framework == "langchain":
        from langchain_kimi import ChatKimi

        return ChatKimi(**options, **limited)
    from llama_index_kimi import KimiLLM

    return KimiLLM(**options, **limited)


if __name__ == "__main__":
    sys.exit(main())
