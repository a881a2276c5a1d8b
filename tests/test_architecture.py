"""The shape of the house: what may import what, what the wheel holds, and that names say what they are."""

from __future__ import annotations

import inspect
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import kimi_core
from kimi_adapters.local_server import LocalKimi
from kimi_core.client.async_client import AsyncKimiClient
from kimi_core.client.batches import AsyncBatches, Batches
from kimi_core.client.client import KimiClient
from kimi_core.endpoints.files import AsyncFiles, Files

ROOT = Path(__file__).parent.parent
FRAMEWORKS = {"langchain": "langchain-core", "llama-index": "llama-index-core"}


def run(code: str, **more: object) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (
            "import kimi_core",
            ["openai", "langchain_core", "llama_index.core", "httpx", "httpx2", "tenacity", "jsonschema_rs"],
        ),
        (
            "from langchain_kimi import ChatKimi; ChatKimi(api_key='k')",
            ["openai", "llama_index.core", "llama_index_kimi", "starlette", "tenacity", "jsonschema_rs"],
        ),
        (
            "from llama_index_kimi import KimiLLM; k = KimiLLM(api_key='k'); k.metadata, k.to_dict(), k.to_payload()",
            ["openai", "tiktoken", "langchain_core", "langchain_kimi", "starlette", "kimi_adapters", "jsonschema_rs"],
        ),
    ],
)
def test_importing_brings_nothing_that_is_not_needed(code: str, absent: list[str]) -> None:
    assert run(f"{code}; import sys; print([m for m in {absent!r} if m in sys.modules])") == "[]"


CALLS = {
    "langchain": "from langchain_kimi import ChatKimi; m = ChatKimi(**given); m.invoke('Hello'); [*m.stream('Hello')]",
    "langchain-async": "from langchain_kimi import ChatKimi; asyncio.run(ChatKimi(**given).ainvoke('Hello'))",
    "llama-index": "from llama_index_kimi import KimiLLM; m = KimiLLM(**given); m.complete('Hello'); "
    "[*m.stream_complete('Hello')]",
    "llama-index-async": "from llama_index_kimi import KimiLLM; asyncio.run(KimiLLM(**given).acomplete('Hello'))",
}


@pytest.mark.parametrize("way", CALLS)
def test_no_call_imports_the_sdk(kimi: LocalKimi, way: str) -> None:
    given = {"base_url": kimi.base_url, "api_key": kimi.api_key}
    assert run(f"import asyncio, sys; given = {given}; {CALLS[way]}; print('openai' in sys.modules)") == "False"


@pytest.mark.parametrize("extra", FRAMEWORKS)
def test_installing_one_framework_never_pulls_the_other(extra: str) -> None:
    other = next(package for name, package in FRAMEWORKS.items() if name != extra)
    closure = closed("kimi-adapters", frozenset({extra}))
    assert FRAMEWORKS[extra] in closure
    assert other not in closure


def closed(package: str, extras: frozenset[str], seen: set[str] | None = None) -> set[str]:
    """Names of everything that a package needs, by the metadata of what is installed here."""
    seen = seen if seen is not None else set()
    for line in metadata.requires(package) or ():
        needed = Requirement(line)
        name = needed.name.lower().replace("_", "-")
        wanted = needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in (*extras, ""))
        if wanted and name not in seen:
            seen.add(name)
            try:
                closed(name, frozenset(needed.extras), seen)
            except metadata.PackageNotFoundError:
                pass  # for another platform
    return seen


def test_the_wheel_works_outside_of_the_checkout(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    for package in ("kimi_core", "langchain_kimi", "llama_index_kimi"):
        assert f"{package}/py.typed" in names
    assert not [n for n in names if n.startswith(("tests/", "docs/", "notebooks/"))]
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import kimi_core, langchain_kimi, llama_index_kimi;"
        "from kimi_adapters.local_server import LocalKimi; from langchain_kimi import ChatKimi;"
        "k = LocalKimi().start();"
        "print(kimi_core.__file__, ChatKimi(base_url=k.base_url, api_key=k.api_key).invoke('Hello').text != '')"
    )
    assert run(code, cwd=tmp_path).endswith("kimi_core/__init__.py True")


def test_what_is_exported_is_what_is_public() -> None:
    public = {n for n, v in vars(kimi_core).items() if not n.startswith("_") and not inspect.ismodule(v)}
    lazy = {"KimiClient", "AsyncKimiClient", "RunwareOptions", "__version__"}
    assert set(kimi_core.__all__) - lazy == public - {"Any", "TYPE_CHECKING", "annotations"} - lazy
    assert all(getattr(kimi_core, name) is not None for name in kimi_core.__all__)


@pytest.mark.parametrize(
    ("sync", "other"), [(KimiClient, AsyncKimiClient), (Files, AsyncFiles), (Batches, AsyncBatches)]
)
def test_every_sync_method_has_its_async_twin(sync: type, other: type) -> None:
    def surface(cls: type) -> dict[str, list[str]]:
        methods = {n: m for n, m in inspect.getmembers(cls, inspect.isfunction) if not n.startswith("_")}
        return {n: list(inspect.signature(m).parameters) for n, m in methods.items()}

    assert surface(sync) == surface(other)


def test_no_file_is_longer_than_somebody_reads_in_one_go() -> None:
    packages = ("kimi_core", "kimi_adapters", "langchain_kimi", "llama_index_kimi")
    files = [file for package in packages for file in (ROOT / package).rglob("*.py")]
    assert len(files) > 200
    assert [str(file.relative_to(ROOT)) for file in files if len(file.read_text().splitlines()) > 450] == []


def test_import_contracts_hold() -> None:
    done = subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
