"""What people read is true: its code runs, its tables are fresh, its links lead somewhere."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import re
import shutil
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image
from pytest_examples import CodeExample, EvalExample, find_examples

from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, options
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs" / "pages").glob("*.md"))]
SUBMIT = sorted((ROOT / "docs" / "submit").rglob("*.md"))
"""Pages for the documentation of the frameworks."""
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
FENCES = {"python", "bash", "text", "toml", "diff"}
SHOWN = "#>"
"""Begins the comment that says what the `print` above it prints."""


def by_name(path: Path) -> str:
    return "-".join(path.relative_to(ROOT / "docs").with_suffix("").parts) if path in SUBMIT else path.stem


def each_page(pages: list[Path]) -> Any:
    return pytest.mark.parametrize("page", pages, ids=by_name)


@pytest.fixture
def reader(kimi: LocalKimi, aimlapi: LocalKimi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody with keys in the environment, a picture and a video in the folder, whose hosts are local servers."""
    for name, server in (("MOONSHOT", kimi), ("AIMLAPI", aimlapi)):
        monkeypatch.setenv(f"{name}_API_KEY", server.api_key)
        monkeypatch.setenv(f"{name}_BASE_URL", server.base_url)
    Image.new("RGB", (480, 240), (20, 60, 200)).save(tmp_path / "chart.png")
    shutil.copy(ROOT / "notebooks" / "data" / "pouring.mp4", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # blocks take its place
    # LlamaIndex's engines ask for the thread's event loop; one that Python then made would never be closed.
    asyncio.set_event_loop(None)


@each_page([*PAGES, *SUBMIT])
@pytest.mark.usefixtures("reader")
@pytest.mark.filterwarnings(
    "ignore:The `json` method is deprecated"
)  # OpenInference writes down a model's metadata by it
def test_the_code_of_a_page_runs_and_prints_what_it_says(
    page: Path, eval_example: EvalExample, kimi: LocalKimi
) -> None:
    eval_example.set_config(line_length=110)
    names: dict[str, Any] = {}
    for block in find_examples(page):
        problem = ""
        try:
            names |= run(eval_example, block, names)
        except Exception as error:
            problem = where_and_what(error, block)
        # Not raised from the error: Python 3.11 cannot format the trace that is made up for a block.
        assert not problem, problem
    for test in shown_tests(names):
        kimi.reset()
        test(kimi)


@each_page([page for page in PAGES if page.name.startswith("from-")])
@pytest.mark.usefixtures("reader")
def test_the_code_that_a_page_moves_to_runs(page: Path, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_CN_BASE_URL", kimi.base_url)
    (change,) = re.findall(r"^```diff\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = change.splitlines()
    ast.parse("\n".join(line[1:] for line in lines if not line.startswith("+")))
    exec("\n".join(line[1:] for line in lines if not line.startswith("-")), {})
    assert kimi.requests


def shown_tests(names: dict[str, Any]) -> list[Any]:
    """The tests that a page shows, those that take nothing but a local server."""
    made = [value for name, value in names.items() if name.startswith("test_")]
    return [test for test in made if len(inspect.signature(test).parameters) == 1]


def test_the_tests_of_a_page_are_found() -> None:
    names: dict[str, Any] = {}
    exec("def test_one(kimi): ...\ndef test_two(driver, kimi): ...\ndef other(kimi): ...", names)
    assert shown_tests(names) == [names["test_one"]]


def where_and_what(error: Exception, block: CodeExample) -> str:
    lines = [f"{Path(f.f_code.co_filename).name}:{line}" for f, line in traceback.walk_tb(error.__traceback__)]
    return f"{block}: {type(error).__name__}: {error}\n{' > '.join(lines)}"


def run(eval_example: EvalExample, block: CodeExample, names: dict[str, Any]) -> dict[str, Any]:
    if SHOWN in block.source:
        return run_and_compare(eval_example, block, names)
    return eval_example.run(block, module_globals=names, rewrite_assertions=False)


def run_and_compare(eval_example: EvalExample, block: CodeExample, names: dict[str, Any]) -> dict[str, Any]:
    """A block that shows what it prints is held to it; `--update-examples` writes it anew."""
    printed: set[int] = set()

    def note(file: Path, frame: inspect.FrameInfo, _: object) -> bool:
        own = file.samefile(frame.filename) if Path(frame.filename).exists() else False
        if own:
            printed.add(frame.lineno)
        return own

    eval_example.include_print = note
    compare = eval_example.run_print_update if eval_example.update_examples else eval_example.run_print_check
    made = compare(block, module_globals=names, rewrite_assertions=False)
    calls = [n for n in ast.walk(ast.parse(block.source)) if isinstance(n, ast.Call) and ast.unparse(n.func) == "print"]
    assert len(printed) == len(calls), f"{block}: a print was never reached"
    return made


@each_page(TEXTS)
def test_every_fence_is_of_a_known_kind_and_closed(page: Path) -> None:
    fences = re.findall(r"^ *```(.*)$", page.read_text("utf-8"), re.MULTILINE)
    assert set(fences[::2]) <= FENCES
    assert set(fences[1::2]) <= {""}


@each_page([*PAGES, *SUBMIT])
def test_every_block_that_looks_like_python_is_run(page: Path) -> None:
    """The runner must not lose a block that readers see."""
    seen = len(re.findall(r"^ *```python\b", page.read_text("utf-8"), re.MULTILINE))
    assert len(list(find_examples(page))) == seen


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_page(PAGES)
def test_generated_tables_are_fresh(generator: ModuleType, page: Path) -> None:
    assert page.read_text("utf-8") == generator.rendered(page), "run: python docs/generate.py"


def test_every_table_is_shown_somewhere(generator: ModuleType) -> None:
    shown = {name for page in PAGES for _, name, _ in generator.BLOCK.findall(page.read_text("utf-8"))}
    assert shown == set(generator.TABLES)


@each_page(TEXTS)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def test_the_changelog_links_no_file() -> None:
    """It is a page of the site as it is, where its links would lead nowhere."""
    assert re.findall(r"\]\((?!https://)[^)]+\)", (ROOT / "CHANGELOG.md").read_text("utf-8")) == []


def test_pictures_are_small_and_each_is_shown() -> None:
    """`make pictures` makes them."""
    pictures = sorted((ROOT / "docs" / "pages" / "pictures").iterdir())
    shown = "".join(page.read_text("utf-8") for page in PAGES)
    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > 60_000] == []
    assert [picture.name for picture in pictures if f"pictures/{picture.name})" not in shown] == []


def prose(page: Path) -> str:
    """A page without its code."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What the headings of a page are linked by."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@each_page(TEXTS)
def test_tests_and_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        assert f"def {test}(" in (ROOT / file).read_text("utf-8"), f"{file}::{test}"
    for file in re.findall(r"`((?:kimi_core|tests|docs|langchain_kimi|llama_index_kimi)/[\w/]+\.\w+)`", text):
        assert (ROOT / file).exists(), file


def test_the_way_of_a_call_names_every_module() -> None:
    text = (ROOT / "docs" / "pages" / "the-way-of-a-call.md").read_text("utf-8")
    packages = ("kimi_core", "langchain_kimi", "llama_index_kimi")
    modules = [module for package in packages for module in (ROOT / package).rglob("*.py")]
    named = {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+\.py|\w+(?=/)", code)}
    missing = [m for m in modules if m.name not in {"__init__.py", "_version.py"} and m.name not in named]
    assert not missing
    assert {m.parent.name for m in modules} <= named


def test_every_complaint_names_its_test() -> None:
    text = (ROOT / "docs" / "pages" / "peers.md").read_text("utf-8")
    page = text.partition("## What users complain of")[2].partition("## LlamaIndex, test by test")[0]
    rows = [row for row in re.findall(r"^\| .*$", page, re.MULTILINE) if not row.endswith("| Test |")]
    assert rows
    assert [row for row in rows if not re.search(r"`tests/[\w/]+\.py::test_\w+` \|$", row)] == []


def test_the_page_for_langchain_has_the_sections_of_its_template_and_the_features_that_are_tested() -> None:
    text = (ROOT / "docs" / "submit" / "langchain" / "chat" / "kimi.md").read_text("utf-8")
    template = ["Overview", "Details", "Features", "Setup", "Credentials", "Installation", "Instantiation"]
    headings = re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    assert headings[:8] == [*template, "Invocation"]
    assert headings[-1] == "API reference"
    tested = (ROOT / "docs" / "pages" / "langchain-features.md").read_text("utf-8")
    (ours,) = re.findall(r"^\| `kimi-k2.6` (\|(?: [✅❌] \|)+)$", tested, re.MULTILINE)
    assert f"\n{ours}\n" in text


def test_what_the_way_of_a_call_points_to_is_there() -> None:
    text = (ROOT / "docs" / "pages" / "the-way-of-a-call.md").read_text("utf-8")
    table = text.partition("## Where to change what")[2].partition("\n## ")[0]
    pointers = re.findall(r"`(\w+)` (?:at the end of|in|of the class in) `([\w/]+\.py)`", table)
    assert len(pointers) >= 5
    for name, file in pointers:
        assert re.search(rf"\b{name}\b", (ROOT / file).read_text("utf-8")), f"{name} in {file}"
    for path in re.findall(r"`((?:kimi_core|kimi_adapters|langchain_kimi|llama_index_kimi)/[\w/.]+)`", table):
        assert (ROOT / path).exists(), path


def test_the_readme_names_every_option_of_both() -> None:
    text = README.read_text("utf-8").partition("## The options of both")[2].partition("## Hosts")[0]
    named = {word for spec in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for word in re.findall(r"`(\w+)`", spec)}
    assert named == {"model", *options.CONNECTION, *options.OPTIONS, *options.SERVED}
    for word in named - {"http_client", "http_async_client"}:
        assert word in {*ChatKimi.model_fields, "model"}
        assert word in KimiLLM.model_fields


def test_the_readme_counts_the_hosts() -> None:
    text = README.read_text("utf-8")
    shown = set(re.findall(r"^\| `([a-z-]+)` \|", text.partition("## Hosts")[2], re.MULTILINE))
    assert "more than fifty others" in text
    assert shown < {*HOSTS}
    assert 50 < len({*HOSTS} - shown) < 60


def test_the_readme_stays_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 215
