"""Makes the pictures of the documentation from the real thing, and looks at every notebook in a real JupyterLab.

    python docs/pictures.py [--only notebooks|live|site|terminal]

Needs Chromium and its driver (`apt-get install chromium chromium-driver`) and the group `browser` of dependencies:
`make pictures`. It fails when a notebook shows an error, when an answer is not shown as it should be, or when the
browser's console has an error.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from docs.browser import Browser, browser, lab, save, served
from docs.terminal import Terminal, draw
from PIL import Image

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
PICTURES = Path(__file__).parent / "pages" / "pictures"
_ANSWERS = "document.querySelectorAll('.kimi-answer')"
_SETTING = '''"""A slow local server with an answer that has something of everything."""

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi

THOUGHT = """\\
The question is about August. The memo has two facts: the roaster stood still for eleven days, and the part came late.
The cause is the roaster; the months around it show how much was lost. I should give the revenue of three months, \\
and the sum that is missing."""
TEXT = """\\
Sales dipped because **the roaster stood still** for eleven days.

| month | revenue |
| --- | ---: |
| July | $50,118.40 |
| August | $28,640.60 |
| September | $45,907.10 |

That is $r = 28640.6 / 50118.4 = 57\\\\,\\\\%$ of July:

1. The spare part came from *Italy*, and took nine days.
2. Until then only what was in stock could be sold.
"""

local = LocalKimi(chunk_delay=0.08).start()
model = ChatKimi(model="kimi-k2.6", base_url=local.base_url, api_key=local.api_key)
model.invoke("Hello")  # what a first call takes longer is not what is pictured
local.enqueue(text=TEXT, reasoning=THOUGHT)
'''
_LIVE = 'from kimi_adapters.notebook import show\n\nanswer = show(model.stream("Why did sales dip in August?"))'


def opened(page: Browser, url: str, name: str) -> None:
    """Open a notebook in JupyterLab, with nothing beside it."""
    page.open(f"{url}/doc/tree/{name}?reset")
    page.until("the notebook", "document.querySelectorAll('.jp-Notebook .jp-Cell').length")
    context = "window.jupyterapp.shell.currentWidget?.sessionContext"
    page.tell("document.head.insertAdjacentHTML('beforeend', '<style>.jp-cell-toolbar {display: none}</style>')")
    page.until("its kernel", f"{context}?.isReady && {context}.session?.kernel?.status === 'idle'")


def expected(path: Path) -> int:
    """How many answers a notebook keeps."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    pages = [output.get("data", {}).get("text/html", "") for cell in cells for output in cell.outputs]
    return sum("kimi-answer" in page for page in pages)


def problems(page: Browser, path: Path) -> Iterator[str]:
    """What is wrong with a notebook that was run."""
    kind = ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.{}']"
    for what in ("error", "stderr"):
        yield from page.tell(f'return [...document.querySelectorAll("{kind.format(what)}")].map(e => e.innerText)')
    shown = page.tell(f"return {_ANSWERS}.length")
    if shown != expected(path):
        yield f"{shown} answers are shown, and {expected(path)} kept"
    if page.tell("return document.querySelectorAll('.kimi-answer details[open]').length"):
        yield "an answer is there, and thinking is not folded"
    if page.tell(f"return [...{_ANSWERS}].filter(e => /\\*\\*|^#+ |\\n\\| ---/.test(e.innerText)).length"):
        yield "Markdown is not rendered"
    if page.tell("return [...document.querySelectorAll('.jp-Notebook img')].filter(e => !e.naturalWidth).length"):
        yield "a picture is broken"
    yield from page.complaints()


def look_at_notebooks(page: Browser, folder: Path, state: Path) -> list[str]:
    """Run every notebook, and say what is wrong."""
    found = []
    page.look(1000, 900)
    with lab(folder, state) as url:
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            opened(page, url, path.name)
            page.do("editmenu:clear-all")
            page.until("outputs are cleared", f"!{_ANSWERS}.length")
            page.do("notebook:run-all-cells")
            wrong = list(problems(page, path))
            print(f"{path.name}: {expected(path)} answers, {'; '.join(wrong) or 'all well'}", flush=True)
            found += wrong
            page.do("docmanager:save")
            page.do("kernelmenu:shutdown")
        page.open("about:blank")  # before its server ends
        page.complaints()
    return found


def live(page: Browser, folder: Path, state: Path) -> list[str]:
    """Picture a stream while the model thinks, while it answers, and at the end, in the dark."""
    (folder / "setting.py").write_text(_SETTING, "utf-8")
    cells = [nbformat.v4.new_code_cell("from setting import model"), nbformat.v4.new_code_cell(_LIVE)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "live.ipynb")
    found = []
    for theme, ending in (("JupyterLab Light", ""), ("JupyterLab Dark", "-dark")):
        page.look(820, 700)
        with lab(folder, state, theme=theme) as url:
            opened(page, url, "live.ipynb")
            page.tell("window.jupyterapp.commands.execute('notebook:run-all-cells')")
            text = "(document.querySelector('.kimi-answer')?.innerText ?? '')"
            page.until("thinking", f"{text}.includes('two facts')")
            if not page.tell("return document.querySelectorAll('.kimi-answer details[open]').length"):
                found.append("what is thought is folded while it comes")
            frame = ".jp-Notebook .jp-CodeCell:nth-of-type(2)"
            if not ending:
                page.picture(PICTURES / "notebook-thinking.png", of=frame)
            page.until("the answer", f"{text}.includes('September')")
            if page.tell("return document.querySelectorAll('.kimi-answer details[open]').length"):
                found.append("what was thought is unfolded beside the answer")
            page.until("the end", f"{text}.includes('tokens in')")
            page.until("the formula", "document.querySelector('.kimi-answer mjx-container')")
            page.picture(PICTURES / f"notebook-answer{ending}.png", of=frame)
            page.do("docmanager:save")
            found += page.complaints()
            page.open("about:blank")  # before its server ends
            page.complaints()
    return found


def site(page: Browser) -> list[str]:
    """Picture the built site, at a desk and on a phone, in light and dark, side by side."""
    found = []
    with served(ROOT / "docs" / "site") as url:
        for dark in (False, True):
            parts = []
            for width, height, phone in ((1280, 760, False), (390, 760, True)):
                page.look(width, height, phone=phone, dark=dark)
                page.open(f"{url}/thinking.html")
                page.tell("localStorage.clear()")  # where the scheme is kept that was chosen first
                page.open(f"{url}/thinking.html")
                scheme = "slate" if dark else "default"
                page.until("the scheme", f"document.body.dataset.mdColorScheme === '{scheme}'")
                file = PICTURES / "part.png"
                page.driver.save_screenshot(str(file))
                parts.append(Image.open(file).convert("RGB"))
                file.unlink()
            both = Image.new("RGB", (sum(part.width for part in parts) + 16, parts[0].height), (128, 128, 128))
            both.paste(parts[0], (0, 0))
            both.paste(parts[1], (parts[0].width + 16, 0))
            small = both.resize((both.width // 2, both.height // 2), Image.Resampling.LANCZOS)
            save(small, PICTURES / f"site{'-dark' if dark else ''}.png")
            found += page.complaints()
    return found


def terminal() -> None:
    """Picture the commands."""
    demo = Terminal(["kimi-adapters", "demo", "--framework", "langchain"], columns=88, lines=120)
    demo.end()
    rows = demo.text().split("\n")
    begin = next(at for at, row in enumerate(rows) if row.plain.startswith("2 "))
    end = next(at for at, row in enumerate(rows) if row.plain.startswith("4 "))
    draw(type(rows[0])("\n").join(rows[begin : end - 1]), PICTURES / "demo.svg", title="kimi-adapters demo", columns=88)

    chat = Terminal(["kimi-adapters", "chat", "--local"], columns=88, lines=40)
    chat.until("›")
    chat.type("Harbour Coffee opened in May. When did Harbour Coffee open?")
    chat.until("out (")
    draw(chat.text(), PICTURES / "chat.svg", title="kimi-adapters chat --local", columns=88)
    chat.stop()


def main() -> int:
    """Make all pictures, or some; the exit code."""
    parser = argparse.ArgumentParser(description="Make the pictures of the documentation.")
    parser.add_argument("--only", choices=("notebooks", "live", "site", "terminal"))
    only = parser.parse_args().only
    PICTURES.mkdir(exist_ok=True)
    found: list[str] = []
    if only in (None, "terminal"):
        terminal()
    with tempfile.TemporaryDirectory() as place, browser() as page:
        folder = Path(place) / "notebooks"
        shutil.copytree(NOTEBOOKS, folder)
        if only in (None, "live"):
            found += live(page, folder, Path(place) / "state")
        if only in (None, "notebooks"):
            found += look_at_notebooks(page, folder, Path(place) / "state")
        if only in (None, "site"):
            found += site(page)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
