"""The reference: every name a notebook exports, in the order of the notebook.

`{api-module} dezero.core` writes the entries of a module, `{api-names} dezero.core` a table.
A method that a later chapter patches into a class stands on the page of that chapter,
and the entry of its class links to it.
"""

import ast
import importlib
import inspect
import re

import cells
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.nodes import make_refnode

# In `x`s the backticks need a break after them, or docutils does not see that they end.
CODE_AND_LETTERS = re.compile(r"(?<![`:\w])`([^`]+)`(?=\w)")


def cell_id(name):
    """The anchor of the cell that defines a name."""
    return f"def-{name}"


def page_order(app, page):
    """Reference pages stand in the order of their chapters, the overview first."""
    modules = [chapter.module.split(".", 1)[-1] for chapter in app.chapters]
    return (page != "index", modules.index(page) if page in modules else len(modules), page)


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


def beside(module, name):
    """The lines of the comment `#: text` beside a value."""
    return ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name), [])


def words(module, name):
    """What an exported name says of itself; a value speaks by the comment beside it."""
    return "\n".join(beside(module, name)) or inspect.getdoc(find(module, name)) or ""


def patched_methods(app):
    """Every method that a chapter patches into a class: its full name, its module, its name."""
    return {
        full_name(chapter.module, name): (chapter.module, name)
        for chapter in app.chapters
        for name in chapter.names
        if "." in name
    }


def entry(module, name, patched):
    """The autodoc directive of one exported name, with the methods of a class inside it."""
    found, target = find(module, name), full_name(module, name)
    if inspect.isclass(found):
        lines = [f".. autoclass:: {target}"]
        if found.__bases__ != (object,):
            lines.append("   :show-inheritance:")
        for method in own_methods(found, target, patched):
            home, _ = patched.get(f"{target}.{method}", (module, ""))
            if home == module:
                inner = entry(module, f"{name}.{method}", patched)
                lines += ["", *(f"   {line}" for line in inner)]
        return [*lines, ""]
    if isinstance(found, property):
        return [f".. autoproperty:: {target}", ""]
    if "." in name:
        return [f".. automethod:: {target}", ""]
    if callable(found) and not beside(module, name):
        return [f".. autofunction:: {target}", ""]
    value = [] if isinstance(found, int | float | str) else ["   :no-value:"]
    return [f".. autodata:: {target}", *value, ""]


def own_methods(cls, target, patched):
    """The methods and properties of a class that say what they do, and the patched ones."""
    for name, member in vars(cls).items():
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if not (inspect.isfunction(plain) or isinstance(plain, property)):
            continue
        bound = getattr(plain, "__module__", cls.__module__) != cls.__module__
        said = plain.__doc__ and name != "__init__" and not bound
        if f"{target}.{name}" in patched or said:
            yield name


def later_methods(chapter, cls, target):
    """What a later chapter adds to a class: patched methods, and functions bound as methods.

    Pairs of a method's name and of the entry that tells it.
    """
    for name in chapter.names:
        full = full_name(chapter.module, name)
        if full.rsplit(".", 1)[0] == target:
            yield name.split(".")[1], full
    told = {id(find(chapter.module, name)): name for name in chapter.names if "." not in name}
    for name, member in vars(cls).items():
        plain = member.fget if isinstance(member, property) else member
        if id(plain) in told and callable(plain):
            yield name, f"{chapter.module}.{told[id(plain)]}"


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
        chapter = next(c for c in chapters if c.module == module.__name__)
        patched = patched_methods(self.env.app)
        about = (inspect.getdoc(module) or "").splitlines()
        lines = [f".. py:module:: {chapter.module}", "", *about]
        lines += note(f"Written in :defined:`{chapter.module}`.")
        for name in chapter.names:
            owner = full_name(chapter.module, name).rsplit(".", 2)[0]
            if "." not in name or owner != chapter.module:
                lines += entry(chapter.module, name, patched)
        return ["```{eval-rst}", *lines, "```"]


class ApiNames(Listing):
    """`{api-names} dezero.core`: every name of a module and what it does, a line each.

    For a facade, which only imports, these are the names that it offers.
    """

    def text(self, module, chapters):
        own = module.__name__ in {chapter.module for chapter in chapters}
        lines = [f"Written in {{defined}}`{module.__name__}`.", ""] if own else []
        lines += ["| Name | What it does |", "|---|---|"]
        for chapter in chapters:
            for name in chapter.names:
                if own and chapter.module != module.__name__:
                    continue
                if not own and vars(module).get(name) is not find(chapter.module, name):
                    continue
                summary = words(chapter.module, name).split("\n\n")[0]
                summary = summary.replace("\n", " ").replace("|", r"\|")
                link = f"{{py:obj}}`{name} <{full_name(chapter.module, name)}>`"
                lines.append(f"| {link} | {summary} |")
        return lines


class DefinedIn(SphinxRole):
    """`:defined:`dezero.core``: a link to the chapter that a module is written in."""

    def run(self):
        chapter = next(c for c in self.env.app.chapters if c.module == self.text)
        return [to_cell(self.env.docname, chapter, "", chapter.label)], []


def to_cell(docname, chapter, name, text):
    """A link from a page of the reference to the cell that defines a name."""
    return addnodes.pending_xref(
        "",
        nodes.inline("", text),
        refdomain="",
        reftype="defined",
        reftarget=cell_id(name) if name in chapter.shown else "",
        refdocname=chapter.docname,
        refdoc=docname,
        refexplicit=True,
    )


def link_to_cell(app, env, node, content):
    """Resolve the links that `to_cell` has left behind."""
    if node["reftype"] == "defined":
        return make_refnode(
            app.builder, node["refdoc"], node["refdocname"], node["reftarget"], content
        )


def adapt_words(app, what, full, found, options, lines):
    """Make a docstring fit for docutils, and end a class with the methods of later chapters."""
    lines[:] = [CODE_AND_LETTERS.sub(r"`\1`\\ ", line) for line in lines]
    if what == "data" and inspect.getdoc(type(found)) == "\n".join(lines).strip():
        lines.clear()  # the words of dict or int say nothing about this one
    for chapter in app.chapters if what == "class" else []:
        if chapter.module != found.__module__:
            later = [f":py:obj:`{name} <{to}>`" for name, to in later_methods(chapter, found, full)]
            if later:
                lines += note(f":defined:`{chapter.module}` adds {', '.join(later)}.")


def note(text):
    """A quiet line of its own below an entry."""
    return ["", ".. container:: defined-in", "", f"   {text}", ""]


def finish_signatures(app, doctree):
    """Say beside each signature where it was defined, and where the text of patched methods is."""
    home = {
        full_name(chapter.module, name): (chapter, name)
        for chapter in app.chapters
        for name in chapter.names
    }
    for signature in doctree.findall(addnodes.desc_signature):
        full = f"{signature.get('module')}.{signature.get('fullname')}"
        if full not in home:
            continue
        chapter, name = home[full]
        text = f"defined in chapter {chapter.number}"
        link = to_cell(app.env.docname, chapter, name, text)
        signature += nodes.inline("", "", link, classes=["defined-in"])
        if "." in name:
            signature["module"] = chapter.module
            if f"{chapter.module}.{name}" not in signature["ids"]:
                signature["ids"].append(f"{chapter.module}.{name}")


def module_of(app, module, name):
    """For viewcode: the module named in a signature is right as it stands."""
    return module


def find_source(app, module):
    """For viewcode: a module's text and where its names stand in it, patched methods too."""
    if module not in {chapter.module for chapter in app.chapters}:
        return None
    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.analyze()
    tags = dict(analyzer.tags)
    for node in ast.parse(analyzer.code).body:
        start = min(part.lineno for part in [node, *getattr(node, "decorator_list", [])])
        for name in cells.names_in(node):
            tags[name] = ("def", start, node.end_lineno)
    return analyzer.code, tags


def setup(app):
    app.add_directive("api-module", ApiModule)
    app.add_directive("api-names", ApiNames)
    app.add_role("defined", DefinedIn())
    app.connect("missing-reference", link_to_cell)
    app.connect("autodoc-process-docstring", adapt_words)
    app.connect("doctree-read", finish_signatures, priority=100)
    app.connect("viewcode-follow-imported", module_of)
    app.connect("viewcode-find-source", find_source)
