from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from kimi_adapters.cli import demo_docs, demo_files, demo_tasks
from kimi_adapters.cli.demo_usage import Tally, total
from kimi_adapters.cli.demo_view import Flow, View

WIDTH = 40
words = st.text(alphabet="abcdefgh,.é中", min_size=1, max_size=12)
texts = st.lists(words, min_size=1, max_size=40)


def flowed(pieces, label="answers"):
    """What pieces of a text look like."""
    console = Console(file=io.StringIO(), width=WIDTH)
    flow = Flow(console, WIDTH)
    for piece in pieces:
        flow.write(label, piece)
    flow.end()
    return console.file.getvalue()


def shown(act):
    """What a view shows."""
    console = Console(file=io.StringIO(), width=80)
    view = View(console)
    act(view)
    view.end()
    return console.file.getvalue()


def split_at(text, places):
    """A text in pieces."""
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


# ------------------------------------------------------------------------------------------------------- the flow


@given(st.text(alphabet="ab \n", min_size=1), st.lists(st.integers(0, 1000)))
def test_a_text_looks_the_same_in_whatever_pieces_it_comes(text, places):
    assert flowed(split_at(text, places)) == flowed([text])


@given(texts)
def test_a_text_is_wrapped_between_words_and_loses_none(found):
    lines = flowed([" ".join(found)]).splitlines()

    assert " ".join(lines).split() == ["answers", *found]
    assert all(Console().measure(line).maximum <= WIDTH for line in lines)


def test_lines_of_a_text_stay_lines():
    assert flowed(["one\ntwo"]) == "  answers   one\n            two\n"


def test_another_label_begins_a_new_line():
    assert shown(lambda view: (view.think("Hm."), view.say("Yes."))) == "  thinks    Hm.\n  answers   Yes.\n"


def test_a_label_is_written_once_for_lines_that_belong_together():
    assert shown(lambda view: (view.call("a", {}), view.call("b", {"x": 1}))) == "  calls     a()\n            b(x=1)\n"


def test_of_long_thoughts_the_beginning_is_shown():
    text = shown(lambda view: [view.think("word " * 10, glimpse=True) for _ in range(100)])

    assert text.count("word") < 60
    assert text.rstrip().endswith("…")


def test_each_turn_may_think_anew():
    def turns(view):
        for _ in range(2):
            view.think("x" * 1000, glimpse=True)
            view.call("tool", {})

    assert shown(turns).count("…") == 2


def test_a_long_result_is_shortened():
    assert len(shown(lambda view: view.result("word " * 1000))) < 600


# ----------------------------------------------------------------------------------------------------- the material


def test_the_reports_add_up_to_the_total(tmp_path):
    demo_files.write_reports(tmp_path)

    reports = [path.read_text() for path in sorted((tmp_path / demo_files.FOLDER).iterdir())]
    numbers = [float(line.partition(": ")[2].replace(",", "")) for text in reports for line in text.splitlines()[1:]]

    assert len(reports) == 4
    assert len(numbers) == 12
    assert round(sum(numbers), 2) == demo_files.TOTAL


def test_the_picture_is_a_png_of_the_drawn_pixels(tmp_path):
    pixels = demo_files.chart()
    demo_files.write_png(tmp_path / "chart.png", pixels)

    with Image.open(tmp_path / "chart.png") as image:
        assert image.size == (480, 240)
        drawn = [[image.getpixel((10 * x + 5, 10 * y + 5)) for x in range(48)] for y in range(24)]
    assert drawn == pixels


def test_the_chart_is_mostly_blue():
    flat = [pixel for row in demo_files.chart() for pixel in row]

    assert flat.count(demo_files.BLUE) > len(flat) / 2


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "sales/../../secret.txt"])
def test_the_tools_see_nothing_outside_their_folder(tmp_path, path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    _, read_file, _ = demo_tasks.make_tools(inside)

    with pytest.raises(ValueError, match="outside"):
        read_file(path)


def test_the_tools_name_files_as_they_read_them(tmp_path):
    demo_files.write_reports(tmp_path)
    list_files, read_file, _ = demo_tasks.make_tools(tmp_path)

    assert read_file(list_files("sales")[0]).startswith("Harbour Coffee, first quarter")


def test_a_total_is_true_however_it_is_written():
    for written in ("517862.65", "The total is **$517,862.65**.", "517862.65 dollars"):
        assert "true sum" in demo_tasks.check_work(written)


def test_a_total_that_is_off_by_a_cent_is_wrong():
    with pytest.raises(demo_tasks.WrongAnswer):
        demo_tasks.check_work("The total is 517,862.64.")


# ------------------------------------------------------------------------------------------------------ documents


def test_texts_are_cut_at_headings_but_not_inside_code(tmp_path):
    (tmp_path / "a.md").write_text(
        f"# One\n\n{'first ' * 20}\n\n```python\n# a comment\n```\n\n## Two\n\n{'second ' * 20}\n"
    )

    pieces = [passage.text for passage in demo_docs.library(tmp_path).passages]

    assert [piece.splitlines()[0] for piece in pieces] == ["# One", "## Two"]
    assert "# a comment" in pieces[0]


def test_paragraphs_are_read_as_one_line_and_links_as_their_words(tmp_path):
    (tmp_path / "a.md").write_text(
        "# One\nThe first line\nof a paragraph that [links](b.md#c) to\n`code`.\n\n- a point\n- another\n\n```\nx\ny = [a](b)\n```\n"
    )

    (passage,) = demo_docs.library(tmp_path).passages

    assert passage.text == (
        "# One\nThe first line of a paragraph that links to `code`.\n\n- a point\n- another\n\n```\nx\ny = [a](b)\n```"
    )


@given(st.lists(st.text(alphabet="ab #`", min_size=61, max_size=3000), min_size=1, max_size=5))
def test_no_passage_is_longer_than_a_prompt_can_bear(paragraphs):
    pieces = list(demo_docs._split("\n\n".join(paragraphs)))

    assert all(len(piece) <= demo_docs._LONGEST + 2 for piece in pieces)


def test_without_a_question_a_document_is_asked_about_its_title(tmp_path):
    (tmp_path / "bees.md").write_text(f"# The dance of the bees\n\n{'text ' * 30}")

    assert demo_docs.library(tmp_path).question == "What do the documents say about The dance of the bees?"


def test_of_a_checkout_the_docs_and_the_readme_are_read(tmp_path):
    (tmp_path / "docs" / "guide").mkdir(parents=True)
    (tmp_path / "docs" / "guide" / "start.md").write_text("# Start\n\n" + "start " * 2000)
    (tmp_path / "README.md").write_text("# Kimi\n")
    (tmp_path / "pyproject.toml").touch()

    assert [name for name, _ in demo_docs.own_texts(tmp_path)] == ["docs/guide/start.md", "README.md"]


def test_of_an_installed_package_the_docstrings_are_read(tmp_path):
    texts = dict(demo_docs.own_texts(tmp_path))

    assert "README.md" in texts
    assert "Reasoning stays on the messages and is sent back" in texts["langchain_kimi/chat_models.py"]
    assert "reasoning stays on the messages and is sent back" in texts["llama_index_kimi/llm.py"]


# ---------------------------------------------------------------------------------------------------------- usage


def test_tallies_add_up():
    tallies = [Tally(calls=1, input_tokens=10, cost_usd=0.5, estimates=1), Tally(calls=2, output_tokens=3, seconds=1.5)]

    assert total(tallies) == Tally(calls=3, input_tokens=10, output_tokens=3, cost_usd=0.5, estimates=1, seconds=1.5)


def test_an_unknown_cost_is_not_shown_as_nothing():
    assert "unknown" in shown(lambda view: view.summary({"LangChain": Tally(calls=1)}, [], good=True))
