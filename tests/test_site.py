"""The documentation as a site: it builds without a warning, its links lead somewhere, every public name is in it."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from kimi_core import __version__

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "pages"
CONFIG = ROOT / "docs" / "zensical.toml"
PUBLIC = ["kimi_core", "langchain_kimi", "llama_index_kimi", "kimi_adapters.local_server", "kimi_adapters.notebook"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does, in a copy: the builder writes beside its settings."""
    place = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", place / "docs", ignore=shutil.ignore_patterns("site", ".*"))
    shutil.copy(ROOT / "CHANGELOG.md", place)
    command = [Path(sys.executable).parent / "zensical", "build", "--strict", "--config-file", "docs/zensical.toml"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "docs" / "site"


def test_every_page_is_built(site: Path) -> None:
    assert {page.stem for page in PAGES.glob("*.md")} <= {page.stem for page in site.glob("*.html")}


def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    html = {page.name: page.read_text("utf-8") for page in site.glob("*.html")}
    ids = {name: set(re.findall(r'\bid="?([^"\s>]+)', text)) for name, text in html.items()}
    dead = []
    for name, text in html.items():
        for target in re.findall(r'<(?:a|link|img|script)\b[^>]*?\b(?:href|src)="([^"]+)"', text):
            path, _, anchor = unquote(target).partition("#")
            path = path.partition("?")[0]
            if re.match(r"[a-z]+:", path) or (name == "404.html" and path.startswith("/")):
                continue
            file = path or name
            there = (site / file).exists() and (not anchor or file not in ids or anchor in ids[file])
            dead += [] if there else [f"{name}: {target}"]
    assert dead == []


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_reference(site: Path, module: str) -> None:
    text = "".join(page.read_text("utf-8") for page in site.glob("reference-*.html"))
    names = importlib.import_module(module).__all__
    assert [name for name in names if f'id="{module}.{name}"' not in text] == []


def test_the_site_has_the_version_and_the_changelog(site: Path) -> None:
    assert f"kimi-adapters {__version__}" in (site / "index.html").read_text("utf-8")
    assert __version__ in (site / "changelog.html").read_text("utf-8")


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r'"([a-z-]+\.md)"', CONFIG.read_text("utf-8"))
    assert sorted(listed) == sorted(page.name for page in PAGES.glob("*.md"))
