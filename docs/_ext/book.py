"""The Sphinx extension of the book: chapters in order, labels on exported cells, folded solutions.

`cells` says what is shown of a notebook, `api` writes the reference, `figures` draws the pictures.
"""

import json
import re
import zlib
from html import escape
from pathlib import Path

import api
import cells
import figures
from docutils import nodes

from tools.notebooks import read

LISTED = re.compile(r"\]\((nbs/\S+)\.ipynb\)")
STAGE, FIRST = re.compile(r"^Stage (\d): "), re.compile("[A-Za-z]")
CODE = re.compile("`([^`]+)`")
COLUMNS = re.compile(r"\S {2,}\S")
HEADING = re.compile(r"<h1>[^<]*\bdezero\.[^<]*")
BEFORE, AFTER = re.compile(r"\S+$"), re.compile(r"^\S+")


def read_chapters(app):
    """Know every chapter before the first page is read: the API pages link to all of them."""
    app.chapters = {chapter.docname: chapter for chapter in cells.read_chapters(Path(app.srcdir))}
    app.reference = api.Reference(app.chapters.values())
    app.config.html_context["menu"] = app.menu = menu(app)


def reread(app, env, added, changed, removed):
    """Contents and reference speak of all chapters: read them again when one has changed."""
    before, env.chapters = getattr(env, "chapters", None), app.chapters
    if before == app.chapters:
        return []
    return [name for name in env.found_docs if name == "index" or name.startswith("api/")]


def show_notebook(app, docname, source):
    """Replace a notebook's text by what is to be seen of it, before it is parsed."""
    path = app.env.doc2path(docname)
    if path.suffix != ".ipynb":
        return
    chapter = app.chapters.get(docname)
    notebook = cells.shown(read(path), chapter.module if chapter else "")
    if chapter and chapter.number:
        number = f"```{{rst-class}} chapter-number\nChapter {chapter.number}\n```"
        notebook["cells"].insert(0, prose("number", number))
    if docname == app.config.root_doc:
        notebook["cells"].append(prose("toc", toc(app)))
    source[0] = json.dumps(notebook)


def prose(name, text):
    """A cell of text."""
    return {"id": name, "cell_type": "markdown", "metadata": {}, "source": text}


def menu(app):
    """The parts of the site: pairs of a caption and of what stands there, each a short title and
    the name of its page.

    The headings of the front page are the stages. What it does not list goes into the last one.
    """
    front = read(Path(app.srcdir, "index.ipynb"))["cells"]
    text = "".join(cell["source"] + "\n" for cell in front if cell["cell_type"] == "markdown")
    parts, left = [], dict(app.chapters)
    for section in text.split("\n### ")[1:]:
        heading = STAGE.sub(r"\1. ", section.split("\n")[0].removeprefix("The "))
        listed = [page for page in LISTED.findall(section) if page in left]
        titles = [left.pop(page).numbered_title for page in listed]
        caption = FIRST.sub(lambda letter: letter[0].upper(), heading, count=1)
        parts.append((caption, list(zip(titles, listed, strict=True))))
    rest = [(chapter.numbered_title, page) for page, chapter in left.items()]
    pages = [("All names", "index"), ("Variable", "variable")]
    pages += [("Coming from PyTorch", "from_pytorch")]
    pages += [(chapter.page, chapter.page) for chapter in app.reference.chapters.values()]
    return [
        *(part for part in [*parts, ("More", rest)] if part[1]),
        ("Reference", [(title, f"api/{page}") for title, page in pages]),
        ("Benchmarks", [("Benchmarks", "benchmarks")]),
    ]


def toc(app):
    """The pages of the menu, for Sphinx: "previous" and "next" go through them."""
    pages = [page for _, part in app.menu for _, page in part]
    return "\n".join(["```{toctree}", ":hidden:", "", *pages, "```"])


def dress_cells(app, doctree):
    """Give exported cells their label, and fold away what a reader may skip."""
    for cell in list(doctree.findall(nodes.container)):
        if cell.get("nb_element") != "cell_code":
            continue
        about = cell["cell_metadata"]
        export, fold = about.get("export"), about.get("fold")
        if export and not (fold and fold["kind"] == "imports"):
            cell["classes"].append("exported" if export["kind"] == "export" else "inner")
            cell["ids"] += [api.cell_id(name) for name in export["names"]]
            cell.insert(0, label(app, **export))
        if fold:
            summary = CODE.sub(r"<code>\1</code>", escape(fold["summary"]))
            opening = f'<details class="{fold["kind"]}"><summary>{summary}</summary>'
            cell.insert(0, nodes.raw("", opening, format="html"))
            cell.append(nodes.raw("", "</details>", format="html"))


def keep_columns(app, doctree):
    """Mark outputs by how their lines may break on a narrow screen: not, in what was printed in
    columns; anywhere, in a result of one line."""
    for block in doctree.findall(nodes.literal_block):
        if "stream" in block["classes"] and len(COLUMNS.findall(block.astext())) > 1:
            block["classes"].append("columns")
        if "text_plain" in block["classes"] and "\n" not in block.astext().strip():
            block["classes"].append("one-line")


def keep_punctuation(app, doctree):
    """Hold a formula together with what touches it: a browser would break the line in between."""
    for formula in list(doctree.findall(nodes.math)):
        parent, place = formula.parent, formula.parent.index(formula)
        held = nodes.inline("", "", formula.deepcopy(), classes=["unbroken"])
        for beside, touching in [(place - 1, BEFORE), (place + 1, AFTER)]:
            text = parent[beside] if 0 <= beside < len(parent) else None
            if isinstance(text, nodes.Text) and (found := touching.search(text)):
                held.insert(0 if beside < place else 2, nodes.Text(found[0]))
                parent[beside] = nodes.Text(text[: found.start()] + text[found.end() :])
        if len(held) > 1:
            parent[place] = held


def keep_together(app, doctree):
    """No line breaks within short code."""
    for code in doctree.findall(nodes.literal):
        if len(code.astext()) <= 14:
            code["classes"].append("unbroken")


def break_at_dots(app, pagename, templatename, context, doctree):
    """Let the long name of a module, on top or at the foot of a page, go on in a second line."""
    if "body" in context:
        context["body"] = HEADING.sub(lambda h1: h1[0].replace(".", ".<wbr>"), context["body"])
    for place in ("prev", "next"):
        if context.get(place):
            title = context[place]["title"].replace(".", ".<wbr>")
            context[place] = {**context[place], "title": title}


def label(app, kind, module, names):
    """The line "goes into dezero.core: Variable, as_array", each name linked to its entry."""
    words = "goes into " if kind == "export" else "inside "
    line = nodes.paragraph("", words, classes=["export-label"])
    page = f"api/{module.split('.', 1)[1]}"
    line += api.link(app, page, f"module-{module}", nodes.literal("", module))
    for position, name in enumerate(names):
        line += nodes.Text(", " if position else ": ")
        line += api.to_entry(app, module, name)
    return line


def setup(app):
    app.connect("builder-inited", read_chapters)
    app.connect("env-get-outdated", reread)
    app.connect("source-read", show_notebook)
    for change in (dress_cells, keep_columns, keep_punctuation, keep_together):
        app.connect("doctree-read", change)
    app.connect("html-page-context", break_at_dots)
    api.setup(app)
    figures.setup(app)
    # Pages are read again when this code has changed.
    texts = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return {
        "env_version": zlib.crc32(texts),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
