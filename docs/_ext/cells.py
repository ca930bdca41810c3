"""What the site shows of a notebook. Plain functions on a notebook's JSON, without Sphinx.

CONTRIBUTING.md says what the directives in the first lines of a cell do. They are never shown. A
cell of many imports and nothing else is folded, too.
"""

import ast
import re
from dataclasses import dataclass, field

from tools.notebooks import body, directives, module, notebooks, read
from tools.package import EXPORTS, names_in

LONGEST = 80  # letters of an example in the reference
BLOCK = re.compile(r"(?<=>)(?=<(?:div|h\d|li|p|pre|t[dhr]|table|text)\b)")
HIDDEN = {"hide", "default_exp", "your_turn"}
REMOVED = {"hide_input": "remove-input", "hide_output": "remove-output"}  # MyST-NB's words
FOLDED = {"solution": "Solution", "checked": "checked here"}


def names_defined(code):
    """The names a cell adds to its module, without the private ones; a patched method is
    `Class.method`, but what else is set on a class has no entry of its own."""
    body = ast.parse(code).body
    return [
        name
        for node in body
        for name in names_in(node)
        if not is_private(name) and ("." not in name or isinstance(node, ast.FunctionDef))
    ]


def is_private(name):
    """Does its last part begin with an underscore, without being an operator as `__add__` is?"""
    last = name.split(".")[-1]
    return last.startswith("_") and not is_operator(name)


def is_operator(name):
    return "." in name and name.split(".")[-1].startswith("__")


@dataclass
class Chapter:
    """One notebook: where it stands, what it is called, what it exports.

    `names` are for everybody, `inner` ones for the package alone.
    """

    docname: str
    title: str
    module: str = ""
    names: list = field(default_factory=list)
    inner: list = field(default_factory=list)
    examples: dict = field(default_factory=dict)
    shown: set = field(default_factory=set)

    @property
    def every(self):
        return [*self.names, *self.inner]

    @property
    def number(self):
        found = re.match(r"\d+[a-z]?", self.docname.rsplit("/", 1)[-1])
        return found[0] if found else ""

    @property
    def short(self):
        """The title without what follows a colon."""
        return self.title.split(":")[0]

    @property
    def numbered_title(self):
        return f"{self.number} · {self.short}" if self.number else self.short

    @property
    def link(self):
        """The target of a link to this page, under the name of the chapter."""
        return f"Chapter {self.number}: {self.short} </{self.docname}>"

    @property
    def page(self):
        """The page of the reference about its module."""
        return self.module.removeprefix("dezero.")


def read_chapters(folder):
    """Every chapter and story in a folder of notebooks, in reading order."""
    return [
        read_chapter(path, path.relative_to(folder).with_suffix("").as_posix())
        for path in notebooks(folder)
        if path.parent != folder
    ]


def read_chapter(path, docname):
    """Read what the site must know of a notebook before any page is built."""
    notebook = read(path)
    prose = "\n".join(c["source"] for c in notebook["cells"] if c["cell_type"] == "markdown")
    title, home = re.search(r"^# +(.+)$", prose, re.M)[1].strip(), module(notebook)
    chapter = Chapter(docname, title, f"dezero.{home}" if home else "")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            marks, code = directives(cell["source"]).keys(), body(cell["source"])
            if EXPORTS & marks:
                names = names_defined(code)
                (chapter.names if "export" in marks else chapter.inner).extend(names)
                chapter.shown.update(() if HIDDEN & marks else names)
            elif not HIDDEN & marks:
                add_examples(chapter, code)
    return chapter


def add_examples(chapter, code):
    """Keep a line of a lesson as the example of each name that was exported before it.

    The first line that calls the name is taken, an assertion rather than another one.
    """
    lines = [line for line in code.splitlines() if len(line) <= LONGEST and is_whole(line)]
    for name in set(chapter.names) - chapter.examples.keys():
        owner, _, last = name.rpartition(".")
        start = r"\." if owner else r"(?<![\w.])(\w+\.)*"
        if found := [line for line in lines if re.search(rf"{start}{last}\(", line)]:
            chapter.examples[name] = min(found, key=lambda line: not line.startswith("assert "))


def is_whole(line):
    """Is this line a statement that can stand alone? One within a loop could not."""
    try:
        return not line.startswith((" ", "#", "%", "def ", "class ")) and bool(ast.parse(line).body)
    except SyntaxError:
        return False


def folding(marks, code):
    """How a cell is folded away: its kind, and the summary that stays. None if it is not."""
    if "fold" in marks:
        return {"kind": "fold", "summary": marks["fold"]}
    for kind in FOLDED.keys() & set(marks):
        return {"kind": kind, "summary": FOLDED[kind]}
    modules = imported(code)
    if modules and len(code.splitlines()) > 2:
        return {"kind": "imports", "summary": f"imports {', '.join(modules)}"}
    return None


def imported(code):
    """The modules that a cell imports; none if it does anything else, too."""
    try:
        lines = ast.parse(code).body
    except SyntaxError:  # a line for IPython, as `%matplotlib inline`
        return []
    if not all(isinstance(line, ast.Import | ast.ImportFrom) for line in lines):
        return []
    found = [
        [line.module] if isinstance(line, ast.ImportFrom) else [each.name for each in line.names]
        for line in lines
    ]
    return list(dict.fromkeys(name for names in found for name in names if name != "__future__"))


def shown(notebook, module=""):
    """The notebook as the site shows it: a new list of cells, directives taken out."""
    cells = [shown_code(c, module) if c["cell_type"] == "code" else c for c in notebook["cells"]]
    return {**notebook, "cells": [cell for cell in cells if cell]}


def shown_code(cell, module):
    """A code cell without its directives, or None when nothing of it is to be seen."""
    marks, code = directives(cell["source"]), body(cell["source"])
    if HIDDEN & set(marks) or not code:
        return None
    image = {"alt": marks["alt"]} if marks.get("alt") else {}
    if "photo" in marks:
        image["classes"] = "photo"
    metadata = {"tags": [REMOVED[name] for name in marks if name in REMOVED]}
    metadata["mystnb"] = {"image": image} if image else {}
    if fold := folding(marks, code):
        metadata["fold"] = fold
    for kind in EXPORTS & set(marks):
        metadata["export"] = {"kind": kind, "module": module, "names": names_defined(code)}
    return {
        **cell,
        "source": code,
        "metadata": metadata,
        "outputs": [with_spaces(output) for output in cell["outputs"]],
    }


def with_spaces(output):
    """An output whose HTML has a space between its blocks, or the search would glue their words."""
    data = output.get("data", {})
    if "text/html" not in data:
        return output
    html, script, rest = data["text/html"].partition("<script")
    return {**output, "data": {**data, "text/html": BLOCK.sub(" ", html) + script + rest}}
