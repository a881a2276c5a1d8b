"""What is built: the source distribution, and the thin ones, names that people look for with nothing but a dependency."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from kimi_core import __version__

ROOT = Path(__file__).parent.parent
PACKAGING = ROOT / "packaging"
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


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the source distribution unpacks to."""
    place = tmp_path_factory.mktemp("source")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(next(place.glob("*.tar.gz"))) as archive:
        archive.extractall(place, filter="data")
    return next(path for path in place.iterdir() if path.is_dir())


def test_the_source_distribution_has_tests_docs_and_all_that_they_use(source: Path) -> None:
    folders = ("bench", "compare", "docs/pages", "examples", "notebooks", "packaging", "tests", "kimi_core")
    ours = {
        path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.*") if path.suffix in KINDS
    }
    assert {path for path in ours if not (source / path).exists()} == set()
    assert not (source / "docs" / ".cache").exists()
    assert not (source / "docs" / "site").exists()


KINDS = {".py", ".md", ".ipynb", ".toml", ".css"}


def test_every_file_that_the_readme_links_is_in_the_source_distribution(source: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (source / "README.md").read_text("utf-8"))
    assert links
    assert [link for link in links if not (source / link).exists()] == []


def test_a_wheel_from_the_source_distribution_is_the_one_of_the_checkout(source: Path, tmp_path: Path) -> None:
    held = []
    for cwd in (source, ROOT):
        place = tmp_path / cwd.name
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
        subprocess.run(build, cwd=cwd, check=True, capture_output=True)
        with zipfile.ZipFile(next(place.glob("*.whl"))) as archive:
            held.append({name for name in archive.namelist() if not name.endswith("/RECORD")})
    assert held[0] == held[1]
