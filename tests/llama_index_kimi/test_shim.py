"""`llama_index.llms.kimi`, beside the other distributions of the same namespace."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import llama_index.core
import pytest

import llama_index_kimi

ROOT = Path(__file__).parents[2]
CORE = Path(llama_index.core.__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked in a place of its own."""
    place = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def run(code: str, *paths: Path) -> str:
    """Run code that finds nothing but what is in these places and LlamaIndex; `-S` leaves the checkout out."""
    code = f"import sys; sys.path += {[str(path) for path in (*paths, CORE)]!r}; {code}"
    done = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_is_the_same_class() -> None:
    shim = import_module("llama_index.llms.kimi")
    assert shim.__all__ == ["KimiLLM"]
    assert shim.KimiLLM is llama_index_kimi.KimiLLM


def test_the_wheel_brings_it_beside_llama_index_and_another_integration(installed: Path, tmp_path: Path) -> None:
    other = tmp_path / "llama_index" / "llms" / "other"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("Other = 1")
    code = (
        "from llama_index.llms.kimi import KimiLLM; from llama_index.llms.other import Other;"
        "from llama_index.core.llms import LLM; import llama_index.llms.kimi as shim;"
        "print(issubclass(KimiLLM, LLM), shim.__file__)"
    )
    expected = f"True {installed / 'llama_index' / 'llms' / 'kimi' / '__init__.py'}"
    assert run(code, tmp_path, installed) == expected


def test_the_wheel_has_no_file_in_the_places_that_are_shared(installed: Path) -> None:
    inside = sorted(
        str(path.relative_to(installed)) for path in (installed / "llama_index").rglob("*.*") if path.is_file()
    )
    assert inside == ["llama_index/llms/kimi/__init__.py", "llama_index/llms/kimi/py.typed"]


def test_the_hub_is_told_where_it_is() -> None:
    hub = PROJECT["tool"]["llamahub"]
    assert hub["import_path"] == "llama_index.llms.kimi"
    assert [*hub["class_authors"]] == import_module(hub["import_path"]).__all__
