"""Run the notebooks on the local server, and compare their outputs with those kept.

    python notebooks/run.py [--write] [--live] [--save FOLDER] [NOTEBOOK …]

Outputs are kept in the notebooks, so that they can be read without running anything. A
run fails with the first cell that fails, and when the kept outputs are not those of the
code, are large, or hold what belongs to one machine. `--write` keeps the new outputs;
`--save` writes copies that have them, and leaves the kept ones alone. `--live` leaves
keys in the environment: where one is set the host answers, and nothing is compared.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

import nbformat
import outputs
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from kimi_core import HOSTS

HERE = Path(__file__).parent
KEYS = {
    name
    for row in HOSTS.values()
    for name in (*row.address.key_env, *row.address.base_url_env)
} | {"LANGSMITH_API_KEY", "LANGSMITH_ENDPOINT", "LANGSMITH_TRACING"}
AT_ONCE = 2
"""Kernels are large."""


def environment(*, live: bool) -> dict[str, str]:
    """The environment; without keys and addresses the notebooks start local servers."""
    return {
        name: value for name, value in os.environ.items() if live or name not in KEYS
    }


def kernel() -> AsyncKernelManager:
    """A kernel of this very interpreter, whatever kernels the user has installed."""
    return AsyncKernelManager(
        kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])
    )


async def execute(path: Path, *, live: bool) -> nbformat.NotebookNode | None:
    """Run one notebook; None when a cell failed, which is printed."""
    notebook = nbformat.read(path, as_version=4)
    manager = kernel()
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=300,
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(HERE)}},
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        await client.async_execute(env=environment(live=live))
    except CellExecutionError as error:
        print(f"FAILED {path.name}\n{error}", file=sys.stderr)
        return None
    finally:
        await manager.shutdown_kernel(now=True)
    outputs.normalise(notebook)
    return notebook


async def run(path: Path, given: argparse.Namespace) -> bool:
    """Run one notebook, and look at its outputs; whether all is well."""
    started = time.perf_counter()
    notebook = await execute(path, live=given.live)
    if notebook is None:
        return False
    if given.save:
        nbformat.write(notebook, given.save / path.name)
    if given.write:
        nbformat.write(notebook, path)
    problems = [] if given.save else outputs.problems(path)
    if not given.live and not given.save:
        problems += outputs.differences(nbformat.read(path, as_version=4), notebook)
    for problem in problems:
        print(f"FAILED {path.name}: {problem}", file=sys.stderr)
    if not problems:
        print(f"ok {path.name} ({time.perf_counter() - started:.1f} s)")
    return not problems


async def main() -> int:
    """Run them all, a few at once."""
    parser = argparse.ArgumentParser(description="Run the notebooks.")
    parser.add_argument(
        "notebooks", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb"))
    )
    parser.add_argument(
        "--save", type=Path, help="a folder for copies with new outputs"
    )
    parser.add_argument("--write", action="store_true", help="keep the new outputs")
    parser.add_argument("--live", action="store_true", help="on hosts that have a key")
    given = parser.parse_args()
    if given.save:
        given.save.mkdir(parents=True, exist_ok=True)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(path: Path) -> bool:
        async with room:
            return await run(path, given)

    return 0 if all(await asyncio.gather(*map(one, given.notebooks))) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
