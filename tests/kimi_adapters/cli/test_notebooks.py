from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
import pytest

from kimi_core import HOSTS

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
ALL = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture(scope="module")
def executed(guard):
    """The notebooks with their outputs, run without a key."""
    guarded = guard()
    save = guarded.folder / "executed"
    before = [path.read_bytes() for path in ALL]
    done = guarded.python(str(NOTEBOOKS / "run.py"), "--save", str(save))
    assert done.returncode == 0, done.stderr
    assert [path.read_bytes() for path in ALL] == before
    assert guarded.contacted == ""
    return {path.name: nbformat.read(save / path.name, as_version=4) for path in ALL}


def outputs(notebook):
    """All that a notebook printed and returned."""
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.get("text") or str(output.get("data", {}).get("text/plain", "")) for output in shown)


@pytest.mark.parametrize("name", [path.name for path in ALL])
def test_a_notebook_runs_and_shows_what_it_promises(executed, name):
    shown = outputs(executed[name])

    assert "because the roaster stood still" in shown
    assert "517862.65" in shown
    assert "Order(order_id='HC-2041'" in shown
    assert "mostly blue" in shown
    assert "returns.md" in shown
    assert "Warning" not in shown


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs_and_keys(path):
    notebook = json.loads(path.read_text())

    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert "sk-" not in path.read_text()


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

    done = guarded.python(str(NOTEBOOKS / "run.py"), str(path), MOONSHOT_API_KEY="sk-mine")

    assert done.returncode == 0, done.stderr
