"""The thin distributions: names that people look for, with nothing in them but a dependency."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from kimi_core import __version__

PACKAGING = Path(__file__).parent.parent / "packaging"
THIN = {"langchain-kimi": "langchain", "llama-index-llms-kimi": "llama-index"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("wheels")
    for name in THIN:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
        subprocess.run(build, cwd=PACKAGING / name, check=True, capture_output=True)
    return {wheel.name.split("-")[0].replace("_", "-"): wheel for wheel in place.glob("*.whl")}


@pytest.mark.parametrize("name", THIN)
def test_a_thin_distribution_is_its_dependency_of_the_same_version(wheels: dict[str, Path], name: str) -> None:
    with zipfile.ZipFile(wheels[name]) as archive:
        names = archive.namelist()
        (metadata,) = (Parser().parsestr(archive.read(n).decode()) for n in names if n.endswith("/METADATA"))
    assert all(".dist-info/" in one for one in names)
    assert (metadata["Name"], metadata["Version"]) == (name, __version__)
    assert metadata.get_all("Requires-Dist") == [f"kimi-adapters[{THIN[name]}]=={__version__}"]


def test_both_are_installed_into_a_blank_environment(wheels: dict[str, Path], tmp_path: Path) -> None:
    venv.create(tmp_path / "blank", with_pip=True)
    pip = [str(tmp_path / "blank" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--no-index", "--no-deps", *map(str, wheels.values())]
    subprocess.run(install, check=True, capture_output=True)
    listed = subprocess.run([*pip, "list", "--format=freeze"], check=True, capture_output=True, text=True).stdout
    assert {f"{name}=={__version__}" for name in THIN} <= {*listed.split()}
