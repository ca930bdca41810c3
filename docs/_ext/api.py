"""The reference: every name a notebook exports, in the order of the notebook.

`Reference.pages` writes a page for each module, what it offers and, folded away, what the package
keeps to itself, and a table of all names. `Variable` has a page of its own, in groups, for it comes
to be in many chapters. Another class's method that a later chapter patches in stands on the page of
that chapter, and the entry of its class links to it. Sphinx's autodoc fills the entries.
"""

import ast
import importlib
import inspect
import re
from collections import defaultdict

import cells
from docutils import nodes
from sphinx import addnodes
from sphinx.pycode import ModuleAnalyzer

from tools.package import names_in

# In `x`s the backticks need a break after them, or docutils does not see that they end.
CODE_AND_LETTERS = re.compile(r"(?<![`:\w])`([^`]+)`(?=\w)")

VARIABLE = "dezero.core.Variable"
# The methods of Variable stand in groups, by the module whose chapter tells them; the others in the
# last one.
GROUPS = {
    "core": "Create", "backprop": "Differentiate", "operators": "Operate",
    "functions.elementwise": "Operate", "functions.products": "Operate",
    "functions.shapes": "Shape", "functions.reductions": "Reduce", "": "Look",
}  # fmt: skip
OPERATORS = {
    "__add__": "x + y", "__sub__": "x - y", "__mul__": "x * y", "__truediv__": "x / y",
    "__pow__": "x ** y", "__matmul__": "x @ y", "__neg__": "-x", "__abs__": "abs(x)",
    "__getitem__": "x[index]", "__iter__": "for part in x", "__len__": "len(x)",
    "__float__": "float(x)", "__int__": "int(x)", "__bool__": "bool(x)",
}  # fmt: skip
ALL_NAMES = """\
# All names

First what programs import: `from dezero import Variable`. Then every module, with its names in the
order in which the book builds them.
"""


def cell_id(name):
    """The anchor of the cell that defines a name."""
    return f"def-{name}"


def find(module, name):
    """The object behind an exported name, as stored: a property stays a property."""
    found = importlib.import_module(module)
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    return found


def full_name(module, name):
    """Where an exported name lives; a patched method lives in its class, wherever that is from."""
    if "." not in name:
        return f"{module}.{name}"
    owner, method = name.split(".")
    return f"{find(module, owner).__module__}.{name}"


def comment_of(module, name):
    """The lines of the comment `#: text` beside a value."""
    return ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name), [])


def summary(module, name):
    """The first paragraph of what an exported name says of itself, for a cell of a table; a value
    speaks by the comment beside it."""
    said = "\n".join(comment_of(module, name)) or inspect.getdoc(find(module, name)) or ""
    return said.split("\n\n")[0].replace("\n", " ").replace("|", r"\|")


def function_of(member):
    """The function behind a method, a property, a class method or a static one."""
    if isinstance(member, property):
        return member.fget
    return member.__func__ if isinstance(member, classmethod | staticmethod) else member


def on_variable_page(full):
    return full == VARIABLE or full.startswith(f"{VARIABLE}.")


class Reference:
    """What the chapters define, and the pages that tell it."""

    def __init__(self, chapters):
        self.chapters = {chapter.module: chapter for chapter in chapters if chapter.module}
        # Every exported name by its full name: the chapter it comes from, and its name there.
        self.homes = {
            full_name(module, name): (chapter, name)
            for module, chapter in self.chapters.items()
            for name in chapter.every
        }
        # What a Variable can do: the public names and the operators.
        self.variable = {
            name: (chapter, there)
            for name, chapter, there in self.members(find("dezero.core", "Variable"))
            if not name.startswith("_") or name in OPERATORS
        }

    def members(self, cls):
        """The methods and properties of a class: for each the chapter that tells it, and the name
        that it has there. A function bound as a method may have another one, or a private one."""
        for name, member in vars(cls).items():
            plain = function_of(member)
            chapter = inspect.isfunction(plain) and self.chapters.get(plain.__module__)
            if chapter:
                there = (n for n in chapter.every if function_of(find(chapter.module, n)) is plain)
                yield name, chapter, next(there, plain.__name__)

    # --- the pages ---

    def pages(self, facades):
        """The pages by name, as Markdown."""
        names = [line for each in [*facades, *self.chapters] for line in self.about_names(each)]
        yield "index", "\n".join([ALL_NAMES, *names])
        yield "variable", "\n".join(["# Variable", "", *self.about_variable()])
        for module, chapter in self.chapters.items():
            yield chapter.page, "\n".join([f"# {module}", "", *self.about_module(chapter)])

    def about_module(self, chapter):
        about = inspect.getdoc(importlib.import_module(chapter.module)) or ""
        lines = [f".. py:module:: {chapter.module}", "", *about.splitlines()]
        lines += note(f"Written in :doc:`{chapter.link}`.")
        lines += self.adds_to_variable(chapter)
        for name in self.own(chapter, chapter.names):
            lines += self.entry(chapter.module, name)
        if inner := list(self.own(chapter, chapter.inner)):
            words = "Inside the package: names that only its other modules use"
            lines += raw(f'<details class="internals"><summary>{words}</summary>')
            for name in inner:
                lines += self.entry(chapter.module, name, "no-index")
            lines += raw("</details>")
        return rst(lines)

    def own(self, chapter, names):
        """The names that have an entry of their own on the page of this module."""
        for name in names:
            full = full_name(chapter.module, name)
            is_inside = "." in name and full.rsplit(".", 2)[0] == chapter.module
            if not is_inside and not on_variable_page(full):
                yield name

    def adds_to_variable(self, chapter):
        """A line that leads to what this chapter adds to Variable."""
        added = [
            f":py:obj:`{name} <{VARIABLE}.{name}>`"
            for name, (home, _) in self.variable.items()
            if home is chapter and not name.startswith("_")
        ]
        if chapter.module == "dezero.core":
            return note(f":py:obj:`Variable <{VARIABLE}>` has a page of its own.")
        return note(f"Adds to Variable: {', '.join(added)}.") if added else []

    def about_variable(self):
        """The class, and the groups of what a Variable can do."""
        lines = rst(self.entry("dezero.core", "Variable"))
        for group in dict.fromkeys(GROUPS.values()):
            rows, entries = [], []
            for name, (chapter, there) in self.variable.items():
                if GROUPS.get(chapter.page, "Look") != group:
                    continue
                if name not in OPERATORS:
                    entries += self.entry("dezero.core", f"Variable.{name}")
                    continue
                has_entry = there in chapter.names and "." not in there
                link = f" → {{py:obj}}`{there} <{chapter.module}.{there}>`" if has_entry else ""
                said = summary("dezero.core", f"Variable.{name}")
                rows.append((f"`{OPERATORS[name]}`", said + link))
            lines += [f"## {group}", "", *table("you write", "what it gives", rows), *rst(entries)]
        return lines

    def about_names(self, module):
        """Every name of a module and what it does, a line each. For a facade, which only imports,
        these are the names that it offers."""
        own, offers = self.chapters.get(module), importlib.import_module(module)
        rows = [
            (f"{{py:obj}}`{name} <{full_name(home, name)}>`", summary(home, name))
            for home, chapter in ({module: own} if own else self.chapters).items()
            for name in chapter.names
            if own or getattr(offers, name, None) is find(home, name)
        ]
        place = f"Written in {{doc}}`{own.link}`." if own else ""
        only = "" if rows else " What it holds, only other modules use."
        return [f"## {module}", "", place + only, "", *table("Name", "What it does", rows)]

    # --- one entry ---

    def entry(self, module, name, *options):
        """The autodoc directive of one exported name, with the methods of a class inside it."""
        found, target = find(module, name), full_name(module, name)
        if inspect.isclass(found):
            kind = "class"
        elif "." in name:
            kind = "property" if isinstance(found, property) else "method"
        else:
            kind = "function" if callable(found) and not comment_of(module, name) else "data"
        inside = [f":{option}:" for option in options]
        if kind == "class" and found.__bases__ != (object,):
            inside.append(":show-inheritance:")
        if kind == "data" and not isinstance(found, int | float | str):
            inside.append(":no-value:")
        is_alias = kind == "class" and found.__name__ != name
        if not is_alias or comment_of(module, name):  # else Sphinx says of what, and nothing more
            inside += self.example(target)
        if kind == "class" and target != VARIABLE:
            inside += self.added_later(found)
            for method in self.own_methods(found, module):
                inside += ["", *self.entry(module, f"{name}.{method}", *options)]
        return [f".. auto{kind}:: {target}", *(f"   {line}" for line in inside), ""]

    def example(self, full):
        """The line of a lesson that uses a name."""
        chapter, name = self.homes.get(full, (None, ""))
        if not chapter or name not in chapter.examples:
            return []
        code = [".. code-block:: python", "   :class: example", "", f"   {chapter.examples[name]}"]
        return ["", *code, ""]

    def own_methods(self, cls, module):
        """The methods and properties that the chapter of a class tells: those that say what they
        do, and those that it patches in itself."""
        for name, chapter, there in self.members(cls):
            told = "." in there or function_of(vars(cls)[name]).__doc__ and name != "__init__"
            if told and chapter.module == module and not cells.is_private(f"{cls.__name__}.{name}"):
                yield name

    def added_later(self, cls):
        """Lines that lead to the methods of other chapters."""
        added = defaultdict(list)
        for name, chapter, there in self.members(cls):
            if chapter.module != cls.__module__ and there in chapter.names and name[0] != "_":
                link = f":py:obj:`{name} <{full_name(chapter.module, there)}>`"
                added[chapter.link].append(link)
        return [
            line
            for place, links in added.items()
            for line in note(f":doc:`{place}` adds {', '.join(links)}.")
        ]


def rst(lines):
    """Lines in the language of autodoc, for a page in Markdown."""
    return ["```{eval-rst}", *lines, "```", ""]


def raw(html):
    """HTML as it stands."""
    return [".. raw:: html", "", f"   {html}", ""]


def note(text):
    """A quiet line of its own below an entry."""
    return ["", ".. container:: defined-in", "", f"   {text}", ""]


def table(left, right, rows):
    """A table of two columns in Markdown."""
    head = [(left, right), ("---", "---")] if rows else []
    return [*(f"| {one} | {two} |" for one, two in head + rows), ""]


# --- what Sphinx is told ---


def to_entry(app, module, name):
    """A link from a chapter to the entry of a name that its module defines."""
    full = full_name(module, name)
    if on_variable_page(full) and cells.is_operator(name):
        return nodes.literal("", name)  # it stands in a table there
    page = "variable" if on_variable_page(full) else app.reference.chapters[module].page
    return link(app, f"api/{page}", full, nodes.literal("", name))


def link(app, page, anchor, content):
    """A link from the page that is being read to a place on this or on another one."""
    address = app.builder.get_relative_uri(app.env.docname, page)
    anchor = f"#{anchor}" if anchor else ""
    return nodes.reference("", "", content, refuri=address + anchor, internal=True)


def adapt_words(app, what, full, found, options, lines):
    """Make a docstring fit for docutils."""
    lines[:] = [CODE_AND_LETTERS.sub(r"`\1`\\ ", line) for line in lines]
    if what == "data" and inspect.getdoc(type(found)) == "\n".join(lines).strip():
        lines.clear()  # the words of dict or int say nothing about this one


def finish_signatures(app, doctree):
    """Say beside each signature where it was defined, and where the text of its methods is."""
    reference, seen = app.reference, set()
    places = {f"{VARIABLE}.{name}": place for name, place in reference.variable.items()}
    places = reference.homes | places
    for signature in doctree.findall(addnodes.desc_signature):
        full = f"{signature.get('module')}.{signature.get('fullname')}"
        if not signature["ids"]:  # inside the package: in no index and in no table of contents
            signature["_toc_name"] = ""
            if full in seen:
                continue  # one more signature of the same
            signature["ids"].append(full)
        seen.add(full)
        if full not in places:
            continue
        chapter, name = places[full]
        text = nodes.inline("", f"defined in chapter {chapter.number}")
        place = link(app, chapter.docname, cell_id(name) if name in chapter.shown else "", text)
        signature += nodes.inline("", "", place, classes=["defined-in"])
        signature["module"], signature["fullname"] = chapter.module, name
        if (there := f"{chapter.module}.{name}") not in [*signature["ids"], *seen]:
            signature["ids"].append(there)
            seen.add(there)


def find_source(app, module):
    """For viewcode: a module's text and where its names stand in it, patched methods too."""
    if module not in app.reference.chapters:
        return None
    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.analyze()
    tags = dict(analyzer.tags)
    for node in ast.parse(analyzer.code).body:
        start = min(part.lineno for part in [node, *getattr(node, "decorator_list", [])])
        for name in names_in(node):
            tags[name] = ("def", start, node.end_lineno)
    return analyzer.code, tags


def setup(app):
    app.connect("autodoc-process-docstring", adapt_words)
    app.connect("doctree-read", finish_signatures, priority=100)
    app.connect("viewcode-find-source", find_source)
