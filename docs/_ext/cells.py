"""What the site shows of a notebook. Plain functions on a notebook's JSON, without Sphinx.

A code cell may begin with directive lines, `#| name` or `#| name: value`:

    hide            the cell is not shown
    hide_input      only its outputs are shown
    hide_output     only its code is shown
    export          the cell goes into the package; it gets a label
    solution        the cell is folded away under the word "Solution"
    alt: text       what the figure shows, for those who cannot see it
    photo           the figure shows pictures, whose colours dark mode leaves alone

The directive lines themselves are never shown.
"""

import ast
import re
from dataclasses import dataclass, field

from tools.notebooks import body, directives, read

HIDDEN = {"hide", "default_exp"}


def names_defined(code):
    """The public names a cell adds to its module; a patched method is `Class.method`."""
    names = [name for node in ast.parse(code).body for name in names_in(node)]
    return [name for name in names if not name.startswith("_")]


def names_in(node):
    """The names that one statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        setters = [d for d in node.decorator_list if ast.unparse(d) == f"{node.name}.setter"]
        return [] if setters else [patched_class(node) + node.name]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [part.id for target in targets for part in ast.walk(target) if is_new(part)]
    return []


def is_new(part):
    return isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)


def patched_class(node):
    """`"Class."` for a function under a decorator named `patch`, else the empty string."""
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(called, ast.Name) and called.id == "patch":
            return ast.unparse(node.args.args[0].annotation).strip("'") + "."
    return ""


@dataclass
class Chapter:
    """One notebook: where it stands, what it is called, what it exports."""

    docname: str
    title: str
    module: str = ""
    names: list = field(default_factory=list)
    shown: set = field(default_factory=set)

    @property
    def number(self):
        found = re.match(r"\d+[a-z]?", self.docname.rsplit("/", 1)[-1])
        return found[0] if found else ""

    @property
    def label(self):
        return f"Chapter {self.number}: {self.short}" if self.number else self.short

    @property
    def short(self):
        """The title without a number in front and without what follows a colon."""
        title = re.sub(r"^(chapter\s+)?\d+[a-z]?\W*", "", self.title, flags=re.I)
        return title.split(":")[0].strip()


def read_chapter(path, docname, package="dezero"):
    """Read what the site must know of a notebook before any page is built."""
    chapter = Chapter(docname, docname)
    for cell in read(path)["cells"]:
        source = cell["source"]
        if cell["cell_type"] == "markdown" and chapter.title == docname:
            if found := re.search(r"^# +(.+)$", source, re.M):
                chapter.title = found[1].strip()
        if cell["cell_type"] == "code":
            said = directives(source)
            if "default_exp" in said:
                chapter.module = f"{package}.{said['default_exp']}"
            if "export" in said:
                names = names_defined(body(source))
                chapter.names += names
                if not HIDDEN & set(said):
                    chapter.shown.update(names)
    return chapter


def shown(notebook, module=""):
    """The notebook as the site shows it: a new list of cells, directives taken out."""
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell = shown_code(cell, module)
        if cell:
            cells.append(cell)
    return {**notebook, "cells": cells}


def shown_code(cell, module):
    """A code cell without its directives, or None when nothing of it is to be seen."""
    said, code = directives(cell["source"]), body(cell["source"])
    if HIDDEN & set(said) or not code:
        return None
    tags, options, metadata = [], {}, {}
    if "hide_input" in said:
        tags.append("remove-input")
    if "hide_output" in said:
        tags.append("remove-output")
    if alt := said.get("alt"):
        options["image"] = {"alt": alt}
    if "photo" in said:
        options.setdefault("image", {})["classes"] = "photo"
    if "solution" in said:
        metadata["solution"] = True
    if "export" in said:
        metadata["export"] = {"module": module, "names": names_defined(code)}
    return {**cell, "source": code, "metadata": {**metadata, "tags": tags, "mystnb": options}}
