"""The reference: every name a notebook exports, in the order of the notebook.

`{api-module} dezero.core` writes the entries of a module: what it offers, then, folded away, what
the package keeps to itself. `{api-names} dezero.core` writes a table. `Variable` has a page of its
own, a `{api-variable} Shape` for each of its groups, for it comes to be in many chapters.
Another class's method that a later chapter patches in stands on the page of that chapter, and the
entry of its class links to it.
"""

import ast
import importlib
import inspect
import re
from collections import defaultdict

import cells
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective, SphinxRole

from tools.package import names_in

# In `x`s the backticks need a break after them, or docutils does not see that they end.
CODE_AND_LETTERS = re.compile(r"(?<![`:\w])`([^`]+)`(?=\w)")

VARIABLE = "dezero.core.Variable"
# The methods of Variable stand in groups, by the module whose chapter tells them.
GROUPS = {
    "Create": ("core",),
    "Differentiate": ("backprop",),
    "Operate": ("operators", "functions.elementwise", "functions.products"),
    "Shape": ("functions.shapes",),
    "Reduce": ("functions.reductions",),
    "Look": (),  # and everything else
}
OPERATORS = {
    "__add__": "x + y", "__sub__": "x - y", "__mul__": "x * y", "__truediv__": "x / y",
    "__pow__": "x ** y", "__matmul__": "x @ y", "__neg__": "-x", "__abs__": "abs(x)",
    "__getitem__": "x[index]", "__iter__": "for part in x", "__len__": "len(x)",
    "__float__": "float(x)", "__int__": "int(x)", "__bool__": "bool(x)",
}  # fmt: skip


def cell_id(name):
    """The anchor of the cell that defines a name."""
    return f"def-{name}"


def page_order(app, page):
    """Reference pages stand in the order of their chapters, the overviews first."""
    modules = ["index", "variable", "from_pytorch"]
    modules += [chapter.module.split(".", 1)[-1] for chapter in app.chapters]
    return (modules.index(page) if page in modules else len(modules), page)


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


def words(module, name):
    """What an exported name says of itself; a value speaks by the comment beside it."""
    return "\n".join(comment_of(module, name)) or inspect.getdoc(find(module, name)) or ""


def find_homes(app):
    """Every exported name by its full name: the chapter it comes from, and its name there."""
    return {
        full_name(chapter.module, name): (chapter, name)
        for chapter in app.chapters
        for name in [*chapter.names, *chapter.inner]
    }


def entry(app, module, name, options=()):
    """The autodoc directive of one exported name, with the methods of a class inside it."""
    found, target = find(module, name), full_name(module, name)
    options = [f"   :{option}:" for option in options]
    if inspect.isclass(found):
        lines = [f".. autoclass:: {target}", *options]
        if found.__bases__ != (object,):
            lines.append("   :show-inheritance:")
        for method in own_methods(app, found, module) if target != VARIABLE else []:
            inner = entry(app, module, f"{name}.{method}", [o.strip(" :") for o in options])
            lines += ["", *(f"   {line}" for line in inner)]
        return [*lines, ""]
    if isinstance(found, property):
        return [f".. autoproperty:: {target}", *options, ""]
    if "." in name:
        return [f".. automethod:: {target}", *options, ""]
    if callable(found) and not comment_of(module, name):
        return [f".. autofunction:: {target}", *options, ""]
    value = [] if isinstance(found, int | float | str) else ["   :no-value:"]
    return [f".. autodata:: {target}", *value, *options, ""]


def own_methods(app, cls, module):
    """The methods and properties that the chapter of a class tells: those that say what they do,
    and those that it patches in itself."""
    for name, chapter, there in members(app, cls):
        told = "." in there or plain_function(vars(cls)[name]).__doc__ and name != "__init__"
        if told and chapter.module == module and not cells.is_private(f"{cls.__name__}.{name}"):
            yield name


def plain_function(member):
    """The function behind a method, a property, a class method or a static one."""
    if isinstance(member, property):
        return member.fget
    return member.__func__ if isinstance(member, classmethod | staticmethod) else member


def members(app, cls):
    """The methods and properties of a class: for each the chapter that tells it, and the name that
    it has there. A function bound as a method may have another one, or a private one."""
    chapters = {chapter.module: chapter for chapter in app.chapters}
    for name, member in vars(cls).items():
        plain = plain_function(member)
        chapter = inspect.isfunction(plain) and chapters.get(plain.__module__)
        if chapter:
            names = [*chapter.names, *chapter.inner]
            there = (each for each in names if plain_function(find(chapter.module, each)) is plain)
            yield name, chapter, next(there, plain.__name__)


def variable_members(app):
    """What a Variable can do: the public names and the operators."""
    return {
        name: (chapter, there)
        for name, chapter, there in members(app, find("dezero.core", "Variable"))
        if not name.startswith("_") or name in OPERATORS
    }


def on_variable_page(full):
    return full == VARIABLE or full.startswith(f"{VARIABLE}.")


def group_of(module):
    """The heading of the Variable's page under which the methods of a module stand."""
    short = module.split(".", 1)[1]
    return next((group for group, modules in GROUPS.items() if short in modules), "Look")


class Listing(SphinxDirective):
    """What both directives share: they take a module and write a text about its names."""

    required_arguments = 1

    def run(self):
        module = importlib.import_module(self.arguments[0])
        self.env.note_dependency(module.__file__)
        lines = StringList(self.text(module, self.env.app.chapters), self.get_location())
        holder = nodes.Element()
        self.state.nested_parse(lines, self.content_offset, holder)
        return holder.children


class ApiModule(Listing):
    """`{api-module} dezero.core`: the entries of one module."""

    def text(self, module, chapters):
        app = self.env.app
        chapter = next(c for c in chapters if c.module == module.__name__)
        about = (inspect.getdoc(module) or "").splitlines()
        lines = [f".. py:module:: {chapter.module}", "", *about]
        lines += note(f"Written in :defined:`{chapter.module}`.")
        lines += self.about_variable(chapter)
        for name in self.own(chapter, chapter.names):
            lines += entry(app, chapter.module, name)
        if inner := list(self.own(chapter, chapter.inner)):
            words = "Inside the package: names that only its other modules use"
            lines += raw(f'<details class="internals"><summary>{words}</summary>')
            for name in inner:
                lines += entry(app, chapter.module, name, ["no-index"])
            lines += raw("</details>")
        return ["```{eval-rst}", *lines, "```"]

    def own(self, chapter, names):
        """The names that have an entry of their own on the page of this module."""
        for name in names:
            full = full_name(chapter.module, name)
            is_inside = "." in name and full.rsplit(".", 2)[0] == chapter.module
            if not is_inside and not on_variable_page(full):
                yield name

    def about_variable(self, chapter):
        """A line that leads to what this chapter adds to Variable."""
        added = [
            f":py:obj:`{name} <{VARIABLE}.{name}>`"
            for name, (home, _) in self.env.app.variable.items()
            if home is chapter and not name.startswith("_")
        ]
        if chapter.module == "dezero.core":
            return note(f":py:obj:`Variable <{VARIABLE}>` has a page of its own.")
        return note(f"Adds to Variable: {', '.join(added)}.") if added else []


class ApiVariable(Listing):
    """`{api-variable} Shape`: the class, or one group of what a Variable can do."""

    def run(self):
        self.group, self.arguments = self.arguments[0], ["dezero.core"]
        return super().run()

    def text(self, module, chapters):
        app = self.env.app
        if self.group == "about":
            return ["```{eval-rst}", *entry(app, "dezero.core", "Variable"), "```"]
        members = {
            name: place
            for name, place in app.variable.items()
            if group_of(place[0].module) == self.group
        }
        lines = ["| you write | what it gives |", "|---|---|"]
        for name, (chapter, there) in members.items():
            if name in OPERATORS:
                summary = in_a_row(inspect.getdoc(find("dezero.core", f"Variable.{name}")) or "")
                has_entry = there in chapter.names and "." not in there
                link = f" → {{py:obj}}`{there} <{chapter.module}.{there}>`" if has_entry else ""
                lines.append(f"| `{OPERATORS[name]}` | {summary}{link} |")
        lines = [*lines, ""] if len(lines) > 2 else []
        lines += ["```{eval-rst}"]
        for name in members:
            if name not in OPERATORS:
                lines += entry(app, "dezero.core", f"Variable.{name}")
        return [*lines, "```"]


def in_a_row(doc):
    """The first paragraph of a docstring, for a cell of a table."""
    return doc.split("\n\n")[0].replace("\n", " ").replace("|", r"\|")


def raw(html):
    """HTML as it stands."""
    return [".. raw:: html", "", f"   {html}", ""]


class ApiNames(Listing):
    """`{api-names} dezero.core`: every name of a module and what it does, a line each.

    For a facade, which only imports, these are the names that it offers.
    """

    def text(self, module, chapters):
        own = [chapter for chapter in chapters if chapter.module == module.__name__]
        lines = [f"Written in {{defined}}`{module.__name__}`.", ""] if own else []
        if own and not own[0].names:
            return [f"{lines[0]} What it holds, only other modules use."]
        lines += ["| Name | What it does |", "|---|---|"]
        for chapter in own or chapters:
            for name in chapter.names:
                if own or getattr(module, name, None) is find(chapter.module, name):
                    entry = f"{{py:obj}}`{name} <{full_name(chapter.module, name)}>`"
                    lines.append(f"| {entry} | {in_a_row(words(chapter.module, name))} |")
        return lines


class DefinedIn(SphinxRole):
    """`:defined:`dezero.core``: a link to the chapter that a module is written in."""

    def run(self):
        chapter = next(c for c in self.env.app.chapters if c.module == self.text)
        return [to_cell(self.env.app, chapter, "", chapter.label)], []


def to_cell(app, chapter, name, text):
    """A link from a page of the reference to the cell that defines a name."""
    anchor = cell_id(name) if name in chapter.shown else ""
    return link(app, chapter.docname, anchor, nodes.inline("", text))


def to_entry(app, module, name):
    """A link from a chapter to the entry of a name that its module defines."""
    full = full_name(module, name)
    if on_variable_page(full) and cells.is_operator(name):
        return nodes.literal("", name)  # it stands in a table there
    page = "variable" if on_variable_page(full) else module.split(".", 1)[1]
    return link(app, f"api/{page}", full, nodes.literal("", name))


def link(app, page, anchor, content):
    """A link from the page that is being read to a place on this or on another one."""
    address = app.builder.get_relative_uri(app.env.docname, page)
    anchor = f"#{anchor}" if anchor else ""
    return nodes.reference("", "", content, refuri=address + anchor, internal=True)


def adapt_words(app, what, full, found, options, lines):
    """Make a docstring fit for docutils, and add an example, and the methods of later chapters."""
    lines[:] = [CODE_AND_LETTERS.sub(r"`\1`\\ ", line) for line in lines]
    if what == "data" and inspect.getdoc(type(found)) == "\n".join(lines).strip():
        lines.clear()  # the words of dict or int say nothing about this one
    chapter, name = app.homes.get(full, (None, ""))
    if chapter and name in chapter.examples:
        lines += ["", ".. code-block:: python", "   :class: example", ""]
        lines += [f"   {chapter.examples[name]}", ""]
    later = defaultdict(list)  # the methods of other chapters
    for name, chapter, there in members(app, found) if what == "class" and full != VARIABLE else []:
        if chapter.module != found.__module__ and there in chapter.names and name[0] != "_":
            later[chapter.module].append(f":py:obj:`{name} <{full_name(chapter.module, there)}>`")
    for module, links in later.items():
        lines += note(f":defined:`{module}` adds {', '.join(links)}.")


def note(text):
    """A quiet line of its own below an entry."""
    return ["", ".. container:: defined-in", "", f"   {text}", ""]


def finish_signatures(app, doctree):
    """Say beside each signature where it was defined, and where the text of its methods is."""
    seen = set()
    for signature in doctree.findall(addnodes.desc_signature):
        full = f"{signature.get('module')}.{signature.get('fullname')}"
        last = full.rsplit(".", 1)[-1]
        if not signature["ids"]:  # inside the package: in no index and in no table of contents
            signature["ids"].append(full)
            signature["_toc_name"] = ""
        if full == f"{VARIABLE}.{last}":
            chapter, name = app.variable[last]
        elif full in app.homes:
            chapter, name = app.homes[full]
        else:
            continue
        text = f"defined in chapter {chapter.number}"
        place = to_cell(app, chapter, name, text)
        signature += nodes.inline("", "", place, classes=["defined-in"])
        signature["module"], signature["fullname"] = chapter.module, name
        if (there := f"{chapter.module}.{name}") not in [*signature["ids"], *seen]:
            signature["ids"].append(there)
            seen.add(there)


def find_source(app, module):
    """For viewcode: a module's text and where its names stand in it, patched methods too."""
    if module not in {chapter.module for chapter in app.chapters}:
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
    app.add_directive("api-module", ApiModule)
    app.add_directive("api-names", ApiNames)
    app.add_directive("api-variable", ApiVariable)
    app.add_role("defined", DefinedIn())
    app.connect("autodoc-process-docstring", adapt_words)
    app.connect("doctree-read", finish_signatures, priority=100)
    app.connect("viewcode-find-source", find_source)
