"""The site, as HTML and in a real browser: from a folder and from a server, light and dark."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import threading
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from bs4 import BeautifulSoup
from colours import contrast, luminance
from docutils import nodes
from docutils.core import publish_doctree
from PIL import Image, ImageChops

from tools import site
from tools.notebooks import EXECUTED, body, directives, module, notebooks, read

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
CHAPTERS = [path for path in notebooks(ROOT) if path.parent != ROOT]  # and the examples
PAGE_OF = {path: path.relative_to(ROOT).with_suffix(".html").as_posix() for path in CHAPTERS}
MODULES = {f"dezero.{name}": path for path in CHAPTERS if (name := module(read(path)))}
ENOUGH = 4.5  # the contrast of text that WCAG asks for


# --- the pages as HTML ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pages():
    """Every page of a site that is up to date, parsed, by its address within the site."""
    if not (ROOT / EXECUTED / "index.ipynb").is_file():
        pytest.fail("the notebooks have not been executed: run `make book`")
    built = subprocess.run(
        [sys.executable, "-m", "tools.site"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert built.returncode == 0, built.stdout + built.stderr
    found = sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)
    return {
        path.relative_to(SITE).as_posix(): BeautifulSoup(path.read_bytes(), "html.parser")
        for path in found
    }


def ids(soup):
    return {tag["id"] for tag in soup.find_all(id=True)}


def inside(page, link):
    """The page of this site that a link leads to, and the fragment; None if it leads away."""
    if urlsplit(link).scheme or link.startswith("//"):
        return None
    path, fragment = urldefrag(link)
    target = (SITE / page).parent / unquote(path.split("?")[0]) if path else SITE / page
    return Path(target).resolve().relative_to(SITE.resolve()).as_posix(), unquote(fragment)


def test_every_link_leads_somewhere(pages):
    known = {page: ids(soup) for page, soup in pages.items()}
    dead, checked = [], 0
    for page, soup in pages.items():
        for tag in soup.find_all(["a", "link", "script", "img"]):
            link = tag.get("href") or tag.get("src") or ""
            if not link or link == "#" or not (target := inside(page, link)):
                continue
            checked += 1
            name, fragment = target
            missing = not (SITE / name).is_file()
            if missing or fragment and name in known and fragment not in known[name]:
                dead.append(f"{page}: {link}")
    assert checked > 500
    assert not dead


def test_nothing_is_loaded_from_elsewhere(pages):
    loads = [
        (page, link)
        for page, soup in pages.items()
        for tag in soup.find_all(["link", "script", "img", "iframe", "source"])
        if (link := tag.get("src") or tag.get("href"))
    ]
    assert loads
    assert [(page, link) for page, link in loads if not inside(page, link)] == []


def test_every_picture_has_words(pages):
    pictures, mute = 0, []
    for page, soup in pages.items():
        for tag in soup.find_all(["img", "svg"]):
            if tag.find_parent("svg"):
                continue
            pictures += 1
            title = tag.find("title")
            words = tag.get("alt") or tag.get("aria-label") or (title.text if title else "")
            if not words.strip() and tag.get("aria-hidden") != "true":
                mute.append(f"{page}: {str(tag)[:90]}")
    assert pictures > len(CHAPTERS)
    assert not mute


def test_a_page_uses_each_id_once(pages):
    for page, soup in pages.items():
        count = Counter(tag["id"] for tag in soup.select("article [id]"))
        assert [name for name, times in count.items() if times > 1] == [], page


UNSEEN = {"hide", "default_exp", "your_turn"}


def code_cells(path):
    """The code cells of a notebook that the site is to show: their directives and their code."""
    for cell in read(path)["cells"]:
        said, code = directives(cell["source"]), body(cell["source"])
        if cell["cell_type"] == "code" and code and not UNSEEN & set(said):
            yield said, code


def imports_alone(code):
    """Is this a wall of imports, which the site folds?"""
    return len(code.splitlines()) > 2 and all(
        isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(code).body
    )


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_shows_its_cells_and_no_others(pages, path):
    soup = pages[PAGE_OF[path]]
    shown = [pre.text.strip() for pre in soup.select("div.cell_input pre")]
    want = [code for said, code in code_cells(path) if "hide_input" not in said]
    assert want
    assert shown == [code.strip() for code in want]
    assert not [line for code in shown for line in code.splitlines() if line.startswith("#|")]
    for kind in ("solution", "checked", "fold"):
        folded = [pre.text.strip() for pre in soup.select(f"details.{kind} div.cell_input pre")]
        assert folded == [code.strip() for said, code in code_cells(path) if kind in said], kind
    summaries = [summary.text for summary in soup.select("details.fold > summary")]
    said = [said["fold"].replace("`", "") for said, _ in code_cells(path) if "fold" in said]
    assert summaries == said
    walls = [pre.text.strip() for pre in soup.select("details.imports div.cell_input pre")]
    assert set(walls) <= {code.strip() for _, code in code_cells(path) if imports_alone(code)}
    open_walls = [code for code in shown if imports_alone(code) and code not in walls]
    assert open_walls == []


def exported_by(name):
    """What the cells of a module define and export. Names that moved are passed on, too."""
    tree = ast.parse(Path(importlib.import_module(name).__file__).read_text(encoding="utf-8"))
    assigned = [each for each in tree.body if isinstance(each, ast.Assign)]
    imports = [each for each in tree.body if isinstance(each, ast.ImportFrom)]
    passed_on = {found.asname or found.name for each in imports for found in each.names}
    listed = next(ast.literal_eval(a.value) for a in assigned if a.targets[0].id == "__all__")
    return [each for each in listed if each not in passed_on]


@pytest.mark.parametrize("name", MODULES)
def test_exported_cells_say_where_they_go(pages, name):
    path = MODULES[name]
    page = PAGE_OF[path]
    seen = {}
    for kind, style, words in [("export", "exported", "goes into"), ("exporti", "inner", "inside")]:
        labels = pages[page].select(f"div.cell.{style} p.export-label")
        cells = [code for said, code in code_cells(path) if kind in said]
        assert len(labels) == len([code for code in cells if not imports_alone(code)])
        for label in labels:
            assert label.text.startswith(f"{words} {name}")
            where, *names = label.select("a")
            assert inside(page, where["href"]) == (f"api/{name[7:]}.html", f"module-{name}")
            for link in names:
                target, fragment = inside(page, link["href"])
                assert fragment.startswith("dezero.") and fragment.endswith(f".{link.text}")
                assert fragment in ids(pages[target])
        seen[kind] = {link.text for label in labels for link in label.select("a")[1:]}
    assert set(exported_by(name)) <= seen["export"]
    assert not [each for names in seen.values() for each in names if each.startswith("_")]


def entries(pages):
    """The entries of the reference, by their full name."""
    return {
        name: (page, term)
        for page, soup in pages.items()
        if page.startswith("api/")
        for term in soup.select("dl.py > dt")
        for name in [term.get("id"), *(span.get("id") for span in term.find_all("span", id=True))]
    }


def words_of(term):
    return term.parent.find("dd").text.strip()


@pytest.mark.parametrize("name", MODULES)
def test_the_reference_lists_every_exported_name(pages, name):
    found, home = entries(pages), importlib.import_module(name)
    wanted = [f"{name}.{each}" for each in exported_by(name)]
    for each in exported_by(name):
        cls = getattr(home, each)
        for method, member in vars(cls).items() if inspect.isclass(cls) else ():
            plain = member.fget if isinstance(member, property) else member
            if not inspect.isfunction(plain) or method.startswith("_") or not plain.__doc__:
                continue
            own = plain.__module__ == name or plain.__qualname__ == f"{each}.{method}"
            if own or each == "Variable":
                wanted.append(f"{name}.{each}.{method}")
            else:  # a function of a later module, bound as a method
                entry = found[f"{name}.{each}"][1].parent
                assert method in [link.text for link in entry.select("div.defined-in a")]
    assert [each for each in wanted if each not in found] == []
    silent = [each for each in exported_by(name) if not words_of(found[f"{name}.{each}"][1])]
    assert silent == [], "say what a value is by a comment `#: text` beside it"
    number = MODULES[name].name.partition("_")[0]
    for each in exported_by(name):
        page, term = found[f"{name}.{each}"]
        link = term.select_one(".defined-in a")
        assert link.text == f"defined in chapter {number}"
        assert inside(page, link["href"]) == (PAGE_OF[MODULES[name]], f"def-{each}")
        value = getattr(home, each)
        if inspect.isclass(value) or inspect.isfunction(value):
            source, tag = inside(page, term.select_one("a:has(.viewcode-link)")["href"])
            assert (source, tag) == (f"_modules/{name.replace('.', '/')}.html", each)


def test_variable_has_a_page_of_its_own(pages):
    soup, known = pages["api/variable.html"], entries(pages)
    groups = {
        section.find("h2").text.strip("#¶ \n"): [
            term.select_one(".sig-name").text for term in section.select("dl.py > dt")
        ]
        for section in soup.select("article section section")
    }
    assert list(groups) == ["Create", "Differentiate", "Operate", "Shape", "Reduce", "Look"]
    for name, group in [("backward", "Differentiate"), ("reshape", "Shape"), ("T", "Shape"),
                        ("sum", "Reduce"), ("max", "Reduce"), ("replay", "Look"),
                        ("creator", "Create")]:  # fmt: skip
        assert name in groups[group], name
    listed = [name for names in groups.values() for name in names]
    assert sorted(listed) == sorted(set(listed))
    written = [code.text for code in soup.select("table td:first-child code")]
    assert {"x + y", "x @ y", "x[index]", "len(x)"} <= set(written)
    for name in listed:  # each leads to its chapter
        page, term = known[f"dezero.core.Variable.{name}"]
        assert page == "api/variable.html"
        assert re.fullmatch(r"defined in chapter \d\d", term.select_one(".defined-in a").text)
    assert "has a page of its own" in pages["api/core.html"].text
    added = pages["api/backprop.html"].select("div.defined-in a")
    assert ("api/variable.html", "dezero.core.Variable.backward") in [
        inside("api/backprop.html", link["href"]) for link in added
    ]


def test_patched_methods_lead_to_the_chapter_that_tells_them(pages):
    page, term = entries(pages)["dezero.core.Variable.backward"]
    chapter, cell = inside(page, term.select_one(".defined-in a")["href"])
    assert (chapter, cell) == ("nbs/02_backprop.html", "def-Variable.backward")
    anchor = pages[chapter].find(id=cell)
    told = anchor if "cell" in anchor.get("class", []) else anchor.find_parent("div", class_="cell")
    assert "def backward" in told.text
    source, tag = inside(page, term.select_one("a:has(.viewcode-link)")["href"])
    assert source == "_modules/dezero/backprop.html"
    assert "def backward" in pages[source].find(id=tag).text


def test_what_the_package_keeps_to_itself_stands_closed_at_the_end(pages):
    inner = 0
    for name, path in MODULES.items():
        soup = pages[f"api/{name[7:]}.html"]
        closed = soup.select("details.internals dl.py > dt.sig")
        inner += len(closed)
        public = set(exported_by(name))
        assert not public & {term.select_one(".sig-name").text for term in closed}, path
        contents = soup.select(".bd-sidebar-secondary a")
        assert not {term.get("id") for term in closed} & {link["href"][1:] for link in contents}
        hidden = soup.select_one("details.internals")
        assert hidden is None or not hidden.has_attr("open")
        assert not hidden or not hidden.find_next_siblings("dl")
        listed = [link.text for link in pages["api/index.html"].select("td:first-child a")]
        assert not [term for term in closed if term.get("id") in listed]
    assert inner > 5


def test_entries_show_a_line_of_the_chapter_that_uses_them(pages):
    shown = pages["api/functions.elementwise.html"].select("dl.py > dd div.example pre")
    assert len(shown) > 5
    for example in shown:
        name = example.find_parent("dl").select_one("dt .sig-name").text
        assert re.search(rf"\b{name}\(", example.text) and len(example.text.splitlines()) == 1


def test_results_fit_between_the_margins(pages):
    results = [
        (page, line)
        for page, soup in pages.items()
        for result in soup.select("div.cell_output div.output.text_plain:not(.one-line) pre")
        for line in result.text.splitlines()
    ]
    assert len(results) > 50
    assert [found for found in results if len(found[1]) > 90] == [], "print it: that breaks lines"


def test_cells_say_which_pictures_keep_their_colours():
    pictures = [
        (path.stem, said)
        for path in CHAPTERS
        for said, code in code_cells(path)
        if "alt" in said and re.search(r"cmap='gray'|\bshow\(", code)
    ]
    assert len(pictures) > 5
    assert [stem for stem, said in pictures if "photo" not in said] == []


def test_the_menu_and_the_way_through_the_book_agree(pages):
    stages = [path for path in CHAPTERS if path.stem < "5"]
    workshop = [path for path in CHAPTERS if "5" <= path.stem < "8"]
    order = ["index.html", *(PAGE_OF[path] for path in stages), *examples(pages)]
    order += [PAGE_OF[path] for path in workshop]
    order += ["api/index.html", "api/variable.html", "api/from_pytorch.html"]
    order += [f"api/{name[7:]}.html" for name in MODULES] + ["benchmarks.html"]
    for before, after in pairwise(order):
        assert inside(before, pages[before].select_one("a.right-next")["href"])[0] == after
        assert inside(after, pages[after].select_one("a.left-prev")["href"])[0] == before
    assert pages[order[0]].select_one("a.left-prev") is None
    assert pages[order[-1]].select_one("a.right-next") is None
    titles = pages["index.html"].select("nav.bd-links a.reference.internal")
    assert [inside("index.html", link["href"])[0] for link in titles] == order[1:]
    assert all(len(link.text) <= 44 for link in titles)


def examples(pages):
    """The pages of the examples, in the order in which the front page lists them: all of them."""
    tables = pages["index.html"].select("article table")
    links = [link["href"] for table in tables for link in table.select("td:first-child a")]
    listed = [link for link in links if link.startswith("nbs/examples/")]
    assert sorted(listed) == [PAGE_OF[p] for p in CHAPTERS if p.parent.name == "examples"]
    return listed


def test_the_menu_has_groups_and_opens_the_one_that_is_read(pages):
    menu = pages["nbs/08_reductions.html"].select_one("nav.bd-links")
    parts = [part.text.strip() for part in menu.select(".part")]
    assert parts[0] == "1. Automatic derivatives"
    assert parts[3] == "4. Neural networks"
    assert parts[5:] == ["Examples", "Workshop", "Reference", "Benchmarks"]
    opened = [part.select_one("summary").text for part in menu.select("details[open]")]
    assert opened == ["4. Neural networks"]
    current = menu.select_one('a[aria-current="page"]')
    assert current.text.startswith("08 · ")
    for page, soup in pages.items():
        if not page.startswith("_modules/"):
            link = soup.select_one("nav.header-links a")
            assert (link.text, inside(page, link["href"])[0]) == ("Reference", "api/index.html")


def test_the_front_page_invites(pages):
    soup = pages["index.html"]
    button = soup.select_one("article p > strong:only-child > a")
    assert button.text == "Start reading"
    assert inside("index.html", button["href"])[0] == "nbs/00_core.html"
    assert soup.select_one("div.dz-replay") and soup.select_one("img.photo")
    links = soup.select("svg.dz a")
    assert len(links) > 30
    assert {inside("index.html", link["href"])[0] for link in links} <= pages.keys()
    assert soup.select_one("svg.dz:has(a)")["role"] == "group"


def test_the_benchmarks_begin_with_words_and_a_chart(pages):
    soup = pages["benchmarks.html"]
    first = soup.select_one("article h1").find_next_siblings(limit=2)
    assert re.search(r"DeZero 0\.\d\d of the time that torch takes", first[0].text)
    assert "{" not in first[0].text
    assert len(soup.select_one("article svg.dz").select("circle")) > 15


# --- how the pages are made ----------------------------------------------------------------------


@pytest.fixture
def extension(monkeypatch):
    """The modules of docs/_ext, by name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    return importlib.import_module


@pytest.mark.parametrize(
    "source, names",
    [
        ("def f(x): return x", ["f"]),
        ("@patch\n@property\ndef T(self: Variable): ...", ["Variable.T"]),
        ("@patch(True)\ndef sum(self: 'Variable', axis=None): ...", ["Variable.sum"]),
        ("class Exp(Function): ...\ndef exp(x): ...\n_secret = 1", ["Exp", "exp"]),
        ("a = b = 1\nc, d = 1, 2\ne: int = 3\nimport numpy", ["a", "b", "c", "d", "e"]),
        ("A.b = 4", []),
    ],
)
def test_the_names_of_a_cell_are_found(extension, source, names):
    assert extension("cells").names_defined(source) == names


@pytest.mark.parametrize(
    "source, code, metadata",
    [
        ("#| hide\nx = 1", None, {}),
        ("#| default_exp core", None, {}),
        ("x = 1", "x = 1", {}),
        ("#| hide_input\nx", "x", {"tags": ["remove-input"]}),
        ("#| hide_output\nx", "x", {"tags": ["remove-output"]}),
        ("#| solution\nx", "x", {"fold": {"kind": "solution", "summary": "Solution"}}),
        ("#| checked\ny", "y", {"fold": {"kind": "checked", "summary": "checked here"}}),
        ("#| fold: why more\nx", "x", {"fold": {"kind": "fold", "summary": "why more"}}),
        ("#| your_turn\n# your turn", None, {}),
        ("#| site_only\nx", "x", {}),
        ("import a\nfrom b import c", "import a\nfrom b import c", {}),
        (
            "import a\nfrom b import (\n    c)",
            "import a\nfrom b import (\n    c)",
            {"fold": {"kind": "imports", "summary": "imports a, b"}},
        ),
        ("#| alt: a curve\nplot()", "plot()", {"mystnb": {"image": {"alt": "a curve"}}}),
        ("#| photo\nshow()", "show()", {"mystnb": {"image": {"classes": "photo"}}}),
        (
            "#| export\nx = 1",
            "x = 1",
            {"export": {"kind": "export", "module": "dezero.core", "names": ["x"]}},
        ),
        (
            "#| exporti\nx = _y = 1",
            "x = _y = 1",
            {"export": {"kind": "exporti", "module": "dezero.core", "names": ["x"]}},
        ),
    ],
)
def test_directives_decide_what_a_cell_shows(extension, source, code, metadata):
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
    shown = extension("cells").shown({"cells": [cell]}, "dezero.core")["cells"]
    assert [each["source"] for each in shown] == ([] if code is None else [code])
    assert all(each["metadata"] == {"tags": [], "mystnb": {}, **metadata} for each in shown)


@pytest.mark.parametrize(
    "lesson, example",
    [
        ("y = f(1)\nassert f(2) == 4", "assert f(2) == 4"),
        ("for i in x:\n    f(i)", None),
        ("g(1)", None),
        ("y = F.f(x)", "y = F.f(x)"),
    ],
)
def test_a_line_of_a_lesson_becomes_an_example(extension, lesson, example):
    cells = extension("cells")
    chapter = cells.Chapter("nbs/00_core", "Boxes", names=["f"])
    cells.add_examples(chapter, lesson)
    assert chapter.examples.get("f") == example


RESULTS = """
## Ratios

| Case | NumPy 0-d | torch |
| :-- | --: | --: |
| Spiral, a step | 3.00 ✗ | 0.44 ✗ |
| New | no case | – |

## Times
"""


def test_the_chart_and_its_words_come_from_the_results(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    chart = importlib.import_module("chart")
    assert chart.ratios(RESULTS)["Spiral, a step"] == {"NumPy 0-d": 3, "NumPy": 3, "torch": 0.44}
    assert chart.fill("takes {Spiral, a step|torch} of it", RESULTS) == "takes 0.44 of it"
    with pytest.raises(KeyError):
        chart.fill("{New|torch}", RESULTS)
    assert chart.chart(RESULTS).count("<circle") == 3 + 2


def test_what_was_made_of_a_page_goes_with_it(monkeypatch, tmp_path):
    page, made = tmp_path / site.PAGES / "old.md", tmp_path / site.SITE / "old.html"
    for path in (page, made, tmp_path / "settings.ini"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "run", lambda *command: page.unlink(missing_ok=True))
    assert not site.main() and not made.exists()


def test_a_picture_without_words_is_a_warning(extension, monkeypatch):
    figures, said = extension("figures"), []
    monkeypatch.setattr(figures.LOG, "warning", lambda text, location: said.append(location["uri"]))
    page = nodes.container("", nodes.image(uri="a.svg", alt="a box"), nodes.image(uri="b.svg"))
    figures.want_words(None, page)
    assert said == ["b.svg"]


@pytest.mark.parametrize(
    "printed, classes",
    [
        ("name  layer\nl0    Linear", ["stream", "columns"]),
        ("shapes do not fit\n  in Linear((2, 3), (4,))", ["stream"]),
        ("original (2,)  and requested (2, 3)", ["stream"]),
    ],
)
def test_what_is_printed_in_columns_is_marked(extension, printed, classes):
    block = nodes.literal_block(printed, printed, classes=["stream"])
    extension("book").keep_columns(None, nodes.container("", block))
    assert block["classes"] == classes


@pytest.mark.parametrize(
    "before, after, parts",
    [
        ("at ", ".", ["at ", ["m", "."], ""]),
        ("powers (", "), and", ["powers ", ["(", "m", "),"], " and"]),
        ("the ", "th of ", ["the ", ["m", "th"], " of "]),
        ("for ", " and", ["for ", "m", " and"]),
    ],
)
def test_a_formula_and_its_punctuation_are_held_together(extension, before, after, parts):
    line = nodes.paragraph("", "", nodes.Text(before), nodes.math("m", "m"), nodes.Text(after))
    extension("book").keep_punctuation(None, line)
    found = [
        [each.astext() for each in node if each.astext()] if is_held(node) else node.astext()
        for node in line
    ]
    assert found == parts


def is_held(node):
    return isinstance(node, nodes.inline) and node["classes"] == ["unbroken"]


@pytest.mark.parametrize(
    "source, together",
    [
        ("write ``x += y`` or ``a longer piece of code``", ["x += y"]),
        ("but not in::\n\n    a block ``a`` here", []),
    ],
)
def test_short_code_is_held_together(extension, source, together):
    page = publish_doctree(source)
    extension("book").keep_together(None, page)
    held = [
        node.astext()
        for node in page.findall()
        if "unbroken" in getattr(node, "attributes", {}).get("classes", [])
    ]
    assert held == together


@pytest.mark.parametrize(
    "svg, wide",
    [
        ('<svg class="a" width="509pt"><g transform="translate(1 2) scale(0.11 -0.11)">', False),
        ('<svg class="a" width="509pt"><g transform="translate(1 2) scale(0.08 -0.08)">', True),
        ('<svg width="600pt"><text font-size="12.00">x</text><text font-size="14">', True),
        ('<svg width="500pt"><text font-size="12.00">x</text>', False),
        ('<svg width="100pt"><text font-size="7">x</text>', False),
        ('<svg width="900pt">', False),
        ('<svg viewBox="0 0 10 10"><text font-size="2">', False),
    ],
)
def test_figures_are_wide_whose_letters_a_phone_would_make_too_small(extension, svg, wide):
    assert extension("figures").too_wide(svg) == wide


# --- the pages in a browser ----------------------------------------------------------------------

# What is wrong with the contrast of a page: every text, formula and figure label against what is
# painted behind it.
CONTRAST = """
(enough) => {
  const parse = (text) => {
    const numbers = (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
    return numbers.length > 3 ? numbers : [...numbers, 1];
  };
  const over = (top, below) =>
    [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((part) => {
      const c = part / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const grounds = new Map();  // what is painted behind an element, computed once
  const behind = (element) => {
    if (!element) return [255, 255, 255, 1];
    if (!grounds.has(element)) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      grounds.set(element, over(colour, behind(element.parentElement)));
    }
    return grounds.get(element);
  };
  const poor = [];
  let seen = 0;
  const judge = (text, colour, ground) => {
    seen += 1;
    const found = contrast(over(colour, ground), ground);
    if (found < enough) poor.push(`${found.toFixed(2)} ${text.trim().slice(0, 40)}`);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("svg, script, style, mjx-container")) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    judge(node.data, parse(getComputedStyle(element).color), behind(element));
  }
  for (const formula of document.querySelectorAll("mjx-container"))
    if (formula.checkVisibility())
      judge("formula", parse(getComputedStyle(formula).color), behind(formula));
  for (const figure of document.querySelectorAll("svg.dz")) {
    figure.scrollIntoView({ block: "center", behavior: "instant" });
    for (const label of figure.querySelectorAll("text")) {
      const box = label.getBoundingClientRect();
      const stack = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
      const shapes = stack.filter(
        (e) => figure.contains(e) && e !== figure && !e.closest("text") &&
          getComputedStyle(e).fill !== "none");
      const ground = shapes.reverse().reduce(
        (below, e) => over(parse(getComputedStyle(e).fill), below), behind(figure));
      judge(label.textContent, parse(getComputedStyle(label).fill), ground);
    }
  }
  return { seen, poor };
}
"""

STATE = """
async () => {
  // Is the character behind a formula on another line?
  const torn = (formula) => {
    const behind = formula.nextSibling;
    if (behind?.nodeType !== Node.TEXT_NODE || !/^\\S/.test(behind.data)) return false;
    const [range, boxes] = [document.createRange(), formula.querySelectorAll("svg")];
    if (!boxes.length || !formula.checkVisibility()) return false;
    range.setStart(behind, 0);
    range.setEnd(behind, 1);
    const end = boxes[boxes.length - 1].getBoundingClientRect().right;
    return range.getBoundingClientRect().left < end - 2;
  };
  // Does this text reach out of the page, or of a box that does not scroll?
  const cut = (text) => {
    const box = text.parentElement;
    if (!text.data.trim() || !box.checkVisibility()) return false;
    if (box.closest("script, style, svg, mjx-assistive-mml, .visually-hidden")) return false;
    const range = document.createRange();
    range.selectNodeContents(text);
    const { left, right } = range.getBoundingClientRect();
    let [low, high] = [0, document.documentElement.clientWidth];
    for (let e = box; e !== document.body; e = e.parentElement) {
      const overflow = getComputedStyle(e).overflowX;
      if (["auto", "scroll"].includes(overflow)) return false;
      if (getComputedStyle(e).textOverflow === "ellipsis") return false;
      if (overflow === "visible") continue;
      const edges = e.getBoundingClientRect();
      [low, high] = [Math.max(low, edges.left), Math.min(high, edges.right)];
    }
    return left < low - 1 || right > high + 1;
  };
  const texts = (element, found = []) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) found.push(walker.currentNode);
    return found;
  };
  await (window.MathJax?.startup?.promise);
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  const text = [...document.querySelectorAll("article :is(p, li, td, th, dd, h1, h2, h3)")]
    .map((e) => { const c = e.cloneNode(true);
      c.querySelectorAll("code, pre, mjx-container, svg, script, style").forEach((x) => x.remove());
      return c.textContent; });
  return {
    theme: document.documentElement.dataset.theme,
    width: document.documentElement.scrollWidth,
    formulas: document.querySelectorAll("span.math, div.math").length,
    rendered: document.querySelectorAll(":is(span, div).math mjx-container svg").length,
    broken: document.querySelectorAll('[data-mjx-error], [data-mml-node="merror"]').length,
    raw: text.filter((t) => /\\$[^$]+\\$|\\\\\\(|\\\\\\[|`/.test(t)),
    cut: texts(document.querySelector("main")).filter(cut).map((each) => each.data.trim()),
    torn: [...document.querySelectorAll("article span.math")].filter(torn).map((e) => e.outerHTML),
    broken_columns: [...document.querySelectorAll(".output.columns pre")]
      .filter((e) => getComputedStyle(e).whiteSpace !== "pre").length,
    small: [...document.querySelectorAll("div.cell_output img")]
      .filter((e) => e.clientWidth && e.clientWidth < 0.48 * e.naturalWidth).map((e) => e.alt),
  };
}
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def origins(pages):
    """The two places a reader opens the site from: a folder, and a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"folder": SITE.as_uri(), "server": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
    server.server_close()


def left(request):
    """Was the page left before the request was answered?"""
    return "ERR_ABORTED" in (request.failure or "")


def open_page(browser, origin, mode="light", width=1280):
    """A fresh tab and the list into which everything that goes wrong in it is written."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=mode)
    context.set_default_timeout(20_000)
    tab, wrong = context.new_page(), []
    tab.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("requestfailed", lambda r: None if left(r) else wrong.append(f"failed: {r.url}"))
    tab.on("response", lambda r: wrong.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    own = (origin, "data:", "blob:")
    tab.on("request", lambda r: None if r.url.startswith(own) else wrong.append(r.url))
    return tab, wrong


# Each page is opened twice, and everything is looked at on the way.
VISITS = {"folder": ("light", 1280), "server": ("dark", 390)}


@pytest.fixture(scope="session")
def visits(pages, origins, browser):
    seen = {}
    for place, (mode, width) in VISITS.items():
        tab, wrong = open_page(browser, origins[place], mode, width)
        for page in pages:
            tab.goto(f"{origins[place]}/{page}")
            state = tab.evaluate(STATE)
            state["contrast"] = tab.evaluate(CONTRAST, ENOUGH)
            seen[place, page] = {**state, "wrong": wrong[:]}
            wrong.clear()
        tab.context.close()
    return seen


each_visit = pytest.mark.parametrize("place", VISITS)


@each_visit
def test_pages_load_cleanly_and_ask_nobody_else(visits, pages, place):
    wrong = {page: visits[place, page]["wrong"] for page in pages}
    assert {page: said for page, said in wrong.items() if said} == {}


@each_visit
def test_maths_is_rendered(visits, pages, place):
    formulas = {page: visits[place, page]["formulas"] for page in pages}
    assert sum(formulas.values()) > 20
    assert {page: visits[place, page]["rendered"] for page in pages} == formulas
    assert {page for page in pages if visits[place, page]["broken"]} == set()
    assert [text for page in pages for text in visits[place, page]["raw"]] == []


@each_visit
def test_everything_can_be_read(visits, pages, place):
    mode, _ = VISITS[place]
    assert {visits[place, page]["theme"] for page in pages} == {mode}
    assert sum(visits[place, page]["contrast"]["seen"] for page in pages) > 1000
    poor = {page: visits[place, page]["contrast"]["poor"] for page in pages}
    assert {page: texts for page, texts in poor.items() if texts} == {}


@each_visit
def test_no_page_scrolls_sideways(visits, pages, place):
    _, width = VISITS[place]
    assert {page for page in pages if visits[place, page]["width"] > width} == set()


@each_visit
def test_no_text_is_cut_off(visits, pages, place):
    cut = {page: visits[place, page]["cut"] for page in pages}
    assert {page: texts for page, texts in cut.items() if texts} == {}


@each_visit
def test_formulas_keep_their_punctuation(visits, pages, place):
    assert [torn for page in pages for torn in visits[place, page]["torn"]] == []


@each_visit
def test_columns_and_pictures_survive_a_narrow_screen(visits, pages, place):
    assert {page for page in pages if visits[place, page]["broken_columns"]} == set()
    assert [words for page in pages for words in visits[place, page]["small"]] == []


def test_tables_of_two_columns_fit_on_a_phone(pages, origins, browser):
    tab, _ = open_page(browser, origins["folder"], width=390)
    look = """() => {
        const tables = [...document.querySelectorAll("article table")].filter(
          (table) => table.querySelector(":is(th, td):nth-child(2):last-child"));
        return {
          words: tables.flatMap((table) => [...table.querySelectorAll("tbody td")])
            .filter((cell) => cell.clientWidth < 250).map((cell) => cell.textContent),
          tables: tables.length,
          wide: tables.filter((table) => table.parentElement.scrollWidth
            > table.parentElement.clientWidth).map((table) => table.textContent),
        }; }"""
    seen = 0
    for page in ["index.html", "api/index.html", *PAGE_OF.values()]:
        tab.goto(f"{origins['folder']}/{page}")
        found = tab.evaluate(look)
        assert (found["wide"], found["words"]) == ([], []), page
        seen += found["tables"]
    assert seen > 25
    tab.context.close()


def test_photos_look_the_same_in_both_modes(pages, origins, browser):
    seen = {}
    for mode in ("light", "dark"):
        tab, _ = open_page(browser, origins["folder"], mode)
        for page, soup in pages.items():
            if soup.select("img.photo"):
                tab.goto(f"{origins['folder']}/{page}")
                for number, photo in enumerate(tab.locator("img.photo:visible").all()):
                    picture = Image.open(BytesIO(photo.screenshot())).convert("RGB")
                    middle = picture.crop((10, 10, picture.width - 10, picture.height - 10))
                    seen.setdefault((page, number), []).append(middle)
        tab.context.close()
    assert len(seen) > 3
    for place, (light, dark) in seen.items():
        most = max(high for _, high in ImageChops.difference(light, dark).getextrema())
        assert most < 64, place  # the edges of letters may be smoothed a little otherwise


def test_the_reader_switches_between_light_and_dark(origins, browser):
    tab, wrong = open_page(browser, origins["server"])
    tab.goto(f"{origins['server']}/nbs/00_core.html")
    look = """() => ({
        theme: document.documentElement.dataset.theme,
        page: getComputedStyle(document.body).backgroundColor,
        figure: getComputedStyle(document.querySelector("svg.dz rect")).fill,
        label: getComputedStyle(document.querySelector("svg.dz text")).fill })"""
    first = tab.evaluate(look)
    assert first["theme"] == "light"
    tab.locator("button.theme-switch-button").click()
    tab.locator("button.theme-change-button[data-mode=dark]").click()
    second = tab.evaluate(look)
    assert second["theme"] == "dark"
    assert all(first[part] != second[part] for part in first)
    tab.goto(f"{origins['server']}/index.html")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert wrong == []
    tab.context.close()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_plots_suit_the_mode_and_stay_legible(pages, origins, browser, mode):
    tab, _ = open_page(browser, origins["folder"], mode)
    plots = 0
    for page, soup in pages.items():
        if not soup.select("div.cell_output img"):
            continue
        tab.goto(f"{origins['folder']}/{page}")
        for plot in tab.locator("div.cell_output img:not(.photo):visible").all():
            picture = Image.open(BytesIO(plot.screenshot())).convert("RGB")
            counts = Counter(picture.get_flattened_data())
            ground, total = picture.getpixel((1, 1)), picture.width * picture.height
            assert counts[ground] > total / 20, f"{page}: a plot without a plain background"
            assert (luminance(ground) > 0.5) == (mode == "light")
            inks = [colour for colour, times in counts.items() if times > total / 5000]
            assert max(contrast(ink, ground) for ink in inks) >= ENOUGH
            plots += 1
    tab.context.close()
    assert plots


@pytest.mark.parametrize("place", VISITS)
def test_search_finds_backward_and_leads_to_its_chapter(origins, browser, place):
    tab, wrong = open_page(browser, origins[place])
    tab.goto(f"{origins[place]}/index.html")
    tab.keyboard.press("Control+k")
    tab.keyboard.type("backward")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=backward*")
    tab.wait_for_function("document.querySelector('.search-summary')?.innerText.includes('found')")
    result = tab.locator("#search-results a[href^='nbs/02_backprop.html']").first
    assert "Backprop" in result.text_content()
    result.click()
    tab.wait_for_url("**/nbs/02_backprop.html*")
    assert "Backprop" in tab.locator("article h1").text_content()
    assert wrong == []
    tab.context.close()


def results_of(tab, origin, words):
    """What the search finds: the classes, the link and the summary of each result."""
    tab.goto(f"{origin}/search.html?q={words}")
    tab.wait_for_function("document.querySelector('.search-summary')?.innerText.includes('found')")
    tab.wait_for_load_state("networkidle")
    return tab.evaluate(
        """() => [...document.querySelectorAll("#search-results li")].map((each) =>
        [each.className, each.querySelector("a").getAttribute("href"),
         each.querySelector("p.context")?.textContent ?? ""])"""
    )


def test_search_shows_chapters_first_and_says_what_names_do(pages, origins, browser):
    tab, wrong = open_page(browser, origins["server"])
    found = results_of(tab, origins["server"], "softmax")
    chapters = [link.startswith("nbs/") for _, link, _ in found]
    assert any(chapters) and not all(chapters)
    assert chapters == sorted(chapters, reverse=True)
    names = {link: said for kind, link, said in found if "kind-object" in kind}
    said = next(said for link, said in names.items() if link.endswith(".activations.softmax"))
    entry = entries(pages)["dezero.functions.activations.softmax"][1]
    first = " ".join(words_of(entry).split("\n\n")[0].split())
    assert said.startswith(first[:60])
    assert wrong == []
    tab.context.close()


def test_a_summary_is_of_the_chapter_even_if_the_word_stands_in_a_picture_only(origins, browser):
    tab, _ = open_page(browser, origins["server"])
    said = {link: said for _, link, said in results_of(tab, origins["server"], "matmul")}
    (start,) = [text for link, text in said.items() if link.startswith("nbs/04_visualize.html")]
    assert start.startswith("Chapter 04 Pictures of the graph See what backpropagation")
    tab.context.close()


def test_search_does_not_glue_words(pages, origins, browser):
    tab, _ = open_page(browser, origins["server"])
    for _, link, said in results_of(tab, origins["server"], "accumulate"):
        assert "[source]" not in said and "defined in chapter" not in said, link
        text = pages[link.split("#")[0].split("?")[0]].get_text(" ")
        known = set(text.split()) | set(re.findall(r"\w+", text))
        strange = {*said.split()[1:-1]} - known
        assert not {word for word in strange if word.isalpha()}, link
    tab.context.close()


def test_every_part_of_the_menu_is_seen_on_a_laptop(pages, origins, browser):
    tab, _ = open_page(browser, origins["folder"])
    tab.set_viewport_size({"width": 1280, "height": 720})
    for page in ["index.html", *PAGE_OF.values(), "benchmarks.html"]:
        tab.goto(f"{origins['folder']}/{page}")
        low = tab.evaluate(
            "Math.max(...[...document.querySelectorAll('nav.bd-links .part')]"
            ".map((each) => each.getBoundingClientRect().bottom))"
        )
        assert 0 < low <= 720, page
        assert tab.locator("nav.header-links a").is_visible()
    tab.context.close()


LETTERS = """() => {
  const pre = document.querySelector("div.cell_input pre");
  const style = getComputedStyle(pre);
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${style.fontSize} ${style.fontFamily}`;
  const room = pre.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const colours = (names) => [...document.querySelectorAll(names)]
    .map((each) => getComputedStyle(each).color);
  return {
    size: parseFloat(style.fontSize), columns: room / pen.measureText("x".repeat(100)).width * 100,
    keywords: colours("div.cell_input .k"), names: colours("div.cell_input .n"),
  };
}"""


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_code_has_a_readable_size_and_keywords_a_colour(pages, origins, browser, mode):
    for width in (1280, 1920):
        tab, _ = open_page(browser, origins["folder"], mode, width)
        tab.goto(f"{origins['folder']}/nbs/00_core.html")
        seen = tab.evaluate(LETTERS)
        assert 13.5 <= seen["size"] <= 14
        assert 88 <= seen["columns"] <= 94
        (keyword,), (name,) = set(seen["keywords"]), set(seen["names"])
        one, two = ([int(part) for part in re.findall(r"\d+", c)[:3]] for c in (keyword, name))
        assert max(abs(a - b) for a, b in zip(one, two, strict=True)) > 60
        tab.context.close()


def test_code_that_goes_on_fades_at_its_edge_on_a_phone(pages, origins, browser):
    tab, _ = open_page(browser, origins["folder"], width=390)
    tab.goto(f"{origins['folder']}/nbs/00_core.html")
    fades = tab.evaluate(
        """() => [...document.querySelectorAll("div.cell_input pre")]
        .filter((pre) => pre.checkVisibility())
        .map((pre) => [pre.scrollWidth > pre.clientWidth + 8,
                       parseFloat(getComputedStyle(pre).getPropertyValue("--fade")) > 0])"""
    )
    assert [True, True] in fades and [False, False] in fades
    assert [True, False] not in fades
    tab.context.close()


def test_the_keyboard_reaches_the_text(origins, browser):
    tab, _ = open_page(browser, origins["folder"])
    tab.goto(f"{origins['folder']}/nbs/00_core.html")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent").strip() == "Skip to main content"
    tab.locator("article a").first.focus()
    tab.keyboard.press("Tab")
    style = tab.evaluate("getComputedStyle(document.activeElement).outline")
    assert "solid" in style or "auto" in style
    tab.context.close()


def test_copying_takes_the_code_and_solutions_open(origins, browser):
    tab, wrong = open_page(browser, origins["server"])
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=origins["server"])
    tab.goto(f"{origins['server']}/nbs/00_core.html")
    assert tab.locator("div.cell_output button.copybtn").count() == 0
    cell = tab.locator("div.cell_input:visible").first
    cell.hover()
    cell.locator("button.copybtn").click()
    code = cell.locator("pre").text_content().strip()
    assert tab.evaluate("navigator.clipboard.readText()").strip() == code
    solution = tab.locator("details.solution").first
    assert not solution.locator("pre").first.is_visible()
    solution.locator("summary").click()
    assert solution.locator("pre").first.is_visible()
    assert wrong == []
    tab.context.close()


def test_the_search_index_knows_every_chapter(pages):
    text = (SITE / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text[len("Search.setIndex(") : text.rindex(")")])
    assert set(PAGE_OF.values()) <= {f"{name}.html" for name in index["docnames"]}
