from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest

from kimi_core import HOSTS

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
ALL = sorted(NOTEBOOKS.glob("*.ipynb"))
RUN_HERE = [path for path in ALL if "langchain_quickstart" in path.name]
"""A kernel takes seconds to start: `make notebooks` runs them all, and compares what they keep."""


@pytest.fixture(scope="module")
def executed(guard):
    """A quickstart with its outputs, run without a key."""
    guarded = guard()
    save = guarded.folder / "executed"
    before = [path.read_bytes() for path in RUN_HERE]
    done = guarded.python(str(NOTEBOOKS / "run.py"), "--save", str(save), *map(str, RUN_HERE))
    assert done.returncode == 0, done.stderr
    assert [path.read_bytes() for path in RUN_HERE] == before
    assert guarded.contacted == ""
    return {path.name: nbformat.read(save / path.name, as_version=4) for path in RUN_HERE}


@pytest.fixture(scope="module")
def kept():
    """The module that looks at what notebooks keep."""
    spec = importlib.util.spec_from_file_location("notebook_outputs", NOTEBOOKS / "outputs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs(notebook):
    """All that a notebook printed and returned."""
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.get("text") or str(output.get("data", {}).get("text/plain", "")) for output in shown)


@pytest.mark.parametrize("name", [path.name for path in RUN_HERE])
def test_a_quickstart_runs_and_shows_what_it_promises(executed, name):
    shown = outputs(executed[name])

    assert "because the roaster stood still" in shown
    assert "517862.65" in shown
    assert "Order(order_id='HC-2041'" in shown
    assert "mostly blue" in shown
    assert "returns.md" in shown
    assert "Warning" not in shown


@pytest.mark.parametrize("path", RUN_HERE, ids=lambda path: path.name)
def test_the_kept_outputs_are_those_of_the_code(executed, kept, path):
    """`python notebooks/run.py --write` keeps them."""
    assert kept.differences(nbformat.read(path, as_version=4), executed[path.name]) == []


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_a_notebook_is_narrow_and_keeps_outputs_that_are_small_and_nobodys_own(kept, path):
    assert kept.problems(path) == []


@pytest.mark.parametrize(
    ("source", "text", "problem"),
    [
        ("1", "read /home/ada/notes.txt", "code cell 1 holds a path of this machine"),
        ("1", "at http://127.0.0.1:41213/v1", "code cell 1 holds a port"),
        ("1", "<object at 0x7f3a5c1d2e40>", "code cell 1 holds an address in memory"),
        ("1", "sk-canary9f3b", "code cell 1 holds a key"),
        ("1", "word " * 13_000, "65,"),
        ("x = 1  # " + "y" * 80, "", "cell 0 has more than 88 columns"),
    ],
    ids=["path", "port", "memory", "key", "size", "columns"],
)
def test_what_a_notebook_must_not_keep_is_found(kept, tmp_path, source, text, problem):
    output = nbformat.v4.new_output("stream", text=text)
    cell = nbformat.v4.new_code_cell(source, execution_count=1, outputs=[output])
    path = tmp_path / "leaking.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)

    (found,) = kept.problems(path)

    assert found.startswith(problem)


def test_warnings_and_errors_are_found_and_so_is_a_cell_that_did_not_run(kept, tmp_path):
    outputs = [nbformat.v4.new_output("stream", name="stderr", text="UserWarning"), nbformat.v4.new_output("error")]
    cells = [nbformat.v4.new_code_cell("1", execution_count=None, outputs=[output]) for output in outputs]
    path = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)

    assert kept.problems(path) == [
        "code cell 1 was not run in its turn",
        "code cell 1 holds an error or a warning",
        "code cell 2 was not run in its turn",
        "code cell 2 holds an error or a warning",
    ]


def test_outputs_are_the_same_when_only_ports_times_and_the_order_of_lines_differ(kept):
    def made(text):
        output = nbformat.v4.new_output("stream", text=text)
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])

    one = made("at http://127.0.0.1:4121/v1\nbags: 40 · 1.0 s (first after 0.5 s)")
    kept.normalise(one)

    assert one.cells[0].outputs[0].text.startswith("at http://127.0.0.1:8765/v1")
    assert kept.differences(one, made("bags: 7\nat http://127.0.0.1:8765/v1")) == []
    assert kept.differences(one, made("bugs: 7\nat http://127.0.0.1:8765/v1")) != []


def test_a_cell_that_fails_fails_the_run(tmp_path, guarded):
    broken = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), broken)

    done = guarded.python(str(NOTEBOOKS / "run.py"), str(broken))

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_notebooks_run_in_this_environment_and_without_the_users_keys(tmp_path, guarded):
    names = [name for spec in HOSTS.values() for name in spec.address.key_env]
    code = f"import os, sys\nassert sys.prefix == {sys.prefix!r}\nassert not any(map(os.environ.get, {names!r}))"
    path = tmp_path / "where.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), path)

    save = str(tmp_path / "saved")
    done = guarded.python(str(NOTEBOOKS / "run.py"), "--save", save, str(path), MOONSHOT_API_KEY="sk-mine")

    assert done.returncode == 0, done.stderr
