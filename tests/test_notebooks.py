"""Every notebook is one test: it executes, and its committed outputs are those of that execution.

The execution is the one of `make book`: nbclient, a fresh kernel, a copy in _build/executed/. A
copy that is still current is not made again, so each notebook runs once, for the site and for the
tests. (nbdev's test_nb would run all of them a second time and compare nothing.)
"""

import json

import pytest

from tools import checks, notebooks
from tools.notebooks import ROOT

ALL = notebooks.notebooks()


@pytest.mark.parametrize("path", ALL, ids=[p.relative_to(ROOT).as_posix() for p in ALL])
def test_notebook(path):
    notebooks.execute(path)  # a cell that fails raises, with the cell and its traceback
    found = checks.stale_outputs(path)
    assert not found, "\n".join(found)


def test_there_are_notebooks():
    names = [path.name for path in ALL]
    assert names[:3] == ["00_core.ipynb", "01_numdiff.ipynb", "02_backprop.ipynb"]
    assert names[-1] == "index.ipynb"


def test_no_line_of_a_facade_is_too_long():
    """Not even an address or a docstring, which ruff lets pass."""
    facades = sorted(ROOT.glob("dezero/**/__init__.py"))
    lines = [line for path in facades for line in path.read_text("utf-8").splitlines()]
    assert [line for line in lines if len(line) > 100] == []


# --- the machinery itself, on a book of one notebook --------------------------------------------


@pytest.fixture
def book(tmp_path):
    """A checkout with one notebook, whose cell reads the package and a file beside it."""
    root = tmp_path.resolve()
    (root / "dezero").mkdir()
    (root / "dezero" / "__init__.py").write_text("answer = 42\n", encoding="utf-8")
    (root / "nbs").mkdir()
    (root / "nbs" / "scale.txt").write_text("2", encoding="utf-8")
    save(root, "import dezero\n\ndezero.answer * int(open('scale.txt').read())")
    return root


def save(root, *sources, name="00_small"):
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells = [{**cell, "id": f"c{i}", "source": source} for i, source in enumerate(sources)]
    nb = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebooks.write(root / "nbs" / f"{name}.ipynb", json.dumps(nb))


def test_a_current_copy_is_reused_and_any_change_makes_it_stale(book):
    path = book / "nbs" / "00_small.ipynb"
    assert notebooks.execute(path, book) is not None
    (output,) = notebooks.read(notebooks.executed(path, book))["cells"][0]["outputs"]
    assert output["data"] == {"text/plain": "84"}
    assert notebooks.execute(path, book) is None
    for name, content in [
        ("nbs/scale.txt", "3"),
        ("dezero/__init__.py", "answer = 43\n"),
        ("dezero/new.py", ""),
    ]:
        old = notebooks.fingerprint(path, book)
        (book / name).write_text(content, encoding="utf-8")
        assert notebooks.fingerprint(path, book) != old, name
    assert not notebooks.is_current(path, book)


def test_an_example_goes_stale_with_what_lies_beside_it_or_beside_the_chapters(book):
    path = book / "nbs" / "examples" / "story.ipynb"
    save(book, "1 + 1", name="examples/story")
    for name in ("nbs/scale.txt", "nbs/examples/world.py"):
        old = notebooks.fingerprint(path, book)
        (book / name).write_text("3", encoding="utf-8")
        assert notebooks.fingerprint(path, book) != old, name


def test_a_committed_output_that_differs_is_told(book):
    path = book / "nbs" / "00_small.ipynb"
    notebooks.execute(path, book)
    (complaint,) = checks.stale_outputs(path, book)
    assert "nbs/00_small.ipynb, cell 0 (id c0): 0 committed output(s), 1 fresh" in complaint
    assert "make refresh" in complaint
    fresh = notebooks.clean(notebooks.read(notebooks.executed(path, book)))
    notebooks.write(path, notebooks.text(fresh))
    assert notebooks.execute(path, book) is None
    assert checks.stale_outputs(path, book) == []


def test_a_failing_cell_is_shown(book):
    save(book, "x = 1", "x = 2\nx / 0")
    (failure,) = notebooks.execute_all(notebooks.notebooks(book), book, say=lambda *_, **__: None)
    assert "nbs/00_small.ipynb, cell 1 (id c1) failed\n    | x = 2\n    | x / 0\n" in failure
    assert "ZeroDivisionError: division by zero" in failure
    assert "\x1b" not in failure
    assert not notebooks.executed(book / "nbs" / "00_small.ipynb", book).exists()


def test_a_cell_that_never_ends_is_stopped(book, monkeypatch):
    monkeypatch.setattr(notebooks, "CELL_SECONDS", 1)
    save(book, "while True: pass")
    with pytest.raises(notebooks.Failed, match="00_small.ipynb: .*timed out"):
        notebooks.execute(book / "nbs" / "00_small.ipynb", book)


SVG = "<svg><path d='M{} 0'/><text>{}</text></svg>"


@pytest.mark.parametrize(
    "mime, old, new",
    [
        ("text/plain", "4.000000000004", "4.000000000005"),
        ("text/plain", "variable(0.25)", "variable(0.25)"),
        ("image/svg+xml", SVG.format(1, "x"), SVG.format(2, "x")),
        ("text/html", "<b class='a'>1.0</b>", "<b class='a'>1.0000000001</b>"),
    ],
)
def test_what_rounding_may_change(mime, old, new):
    assert checks.outputs_differ([shown(mime, old)], [shown(mime, new)]) is None


@pytest.mark.parametrize(
    "mime, old, new",
    [
        ("text/plain", "4.000000000004", "4.00001"),
        ("text/plain", "1", "2"),
        ("text/plain", "1", "1.0"),
        ("text/plain", "-0.5", "0.5"),
        ("text/plain", "variable(0.25)", "array(0.25)"),
        ("text/plain", "[1. 2.]", "[1. 2. 3.]"),
        ("text/plain", "1000000000", "1000000001"),
        ("image/svg+xml", SVG.format(1, "x"), SVG.format(1, "y")),
        ("image/svg+xml", SVG.format(1, "x"), SVG.format(1, "x").replace("<path", "<g/><path")),
        ("text/html", "<b>1.0</b>", "<i>1.0</i>"),
    ],
)
def test_what_no_rounding_may_change(mime, old, new):
    assert checks.outputs_differ([shown(mime, old)], [shown(mime, new)])


def shown(mime, content):
    return {"output_type": "display_data", "metadata": {}, "data": {mime: content}}


def test_printing_and_showing_are_not_the_same():
    printed = {"output_type": "stream", "name": "stdout", "text": "1"}
    assert checks.outputs_differ([printed], [shown("text/plain", "1")])
    assert checks.outputs_differ([printed], [printed, printed])
