"""Run every notebook on the local Kimi server, and fail with the first cell that fails.

    python notebooks/run.py [--save FOLDER] [NOTEBOOK …]

The notebooks are left as they are. `--save` keeps copies with their outputs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from kimi_core import HOSTS

HERE = Path(__file__).parent
KEYS = {name for row in HOSTS.values() for name in (*row.address.key_env, *row.address.base_url_env)}


def environment() -> dict[str, str]:
    """The environment without keys and addresses: then the notebooks start a local server."""
    return {name: value for name, value in os.environ.items() if name not in KEYS}


def kernel() -> AsyncKernelManager:
    """A kernel of this very interpreter, whatever kernels the user has installed."""
    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))


async def run(path: Path, save: Path | None) -> bool:
    """Run one notebook; whether all its cells ran."""
    started = time.perf_counter()
    notebook = nbformat.read(path, as_version=4)
    manager = kernel()
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=300,
        resources={"metadata": {"path": str(HERE)}},
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        await client.async_execute(env=environment())
    except CellExecutionError as error:
        print(f"FAILED {path.name}\n{error}", file=sys.stderr)
        return False
    finally:
        await manager.shutdown_kernel(now=True)
    if save:
        nbformat.write(notebook, save / path.name)
    print(f"ok {path.name} ({time.perf_counter() - started:.1f} s)")
    return True


async def main() -> int:
    """Run them all, side by side."""
    parser = argparse.ArgumentParser(description="Run the notebooks on the local Kimi server.")
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    parser.add_argument("--save", type=Path, help="a folder for copies with outputs")
    given = parser.parse_args()
    if given.save:
        given.save.mkdir(parents=True, exist_ok=True)
    good = await asyncio.gather(*(run(path, given.save) for path in given.notebooks))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
