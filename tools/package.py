"""From the notebooks to dezero/: the names a cell defines, the modules, their stubs, the version.

nbdev writes each module into an empty folder first. Only what differs is copied into dezero/, so a
second export changes nothing, and a check can compare without writing.
"""

from __future__ import annotations

import ast
import os
import shutil
import tempfile
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

from tools.notebooks import ROOT, Notebook, body, directives, module, notebooks, read, write

EXPORTS = {"export", "exporti"}


# --- which names a cell defines -----------------------------------------------------------------


def exported(nb: Notebook, kinds: set[str] = EXPORTS) -> Iterator[str]:
    """The code of the cells that go into the module, without their directives."""
    for cell in nb["cells"]:
        if cell["cell_type"] == "code" and kinds & directives(cell["source"]).keys():
            yield body(cell["source"])


def names_defined(code: str) -> list[str]:
    """The names that some code defines at the top level; a patched method is `Class.method`."""
    return [name for node in ast.parse(code).body for name in names_in(node)]


def names_in(node: ast.stmt) -> list[str]:
    """The names that one statement defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        decorators = {ast.unparse(d) for d in node.decorator_list}
        again = {"overload", "typing.overload", f"{node.name}.setter"} & decorators
        return [] if again else [patched_class(node) + node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    if isinstance(node, ast.Assign) and is_setter(node.value):
        return []
    parts = [part for target in targets for part in getattr(target, "elts", [target])]
    return [ast.unparse(part) for part in parts if isinstance(part, (ast.Name, ast.Attribute))]


def is_setter(value: ast.expr) -> bool:
    """Is it the right side of `Box.size = Box.size.setter(…)`?"""
    return isinstance(value, ast.Call) and ast.unparse(value.func).endswith(".setter")


def patched_class(node: ast.FunctionDef | ast.ClassDef) -> str:
    """`"Class."` for a function under a decorator named `patch`, else the empty string."""
    if isinstance(node, ast.ClassDef) or not any(is_patch(d) for d in node.decorator_list):
        return ""
    owner = node.args.args[0].annotation
    return (ast.unparse(owner).strip("'") if owner else "?") + "."


def absolute(node: ast.ImportFrom, module: str) -> str:
    """The full name of the module that `from … import` names, within `module`."""
    package = module.split(".")[: -node.level] if node.level else []
    return ".".join(package + ([node.module] if node.module else []))


def is_patch(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id == "patch"


# --- export -------------------------------------------------------------------------------------


def fresh(root: Path = ROOT) -> dict[str, str]:
    """What the notebooks give, by path below dezero/, made in an empty folder."""
    from nbdev.export import nb_export

    from tools.stubs import stubs

    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve()
        shutil.copy(root / "pyproject.toml", copy)
        (copy / "dezero").mkdir()
        os.chdir(copy)  # nbdev looks for its settings in the current folder
        try:
            for path in notebooks(root):
                if module(read(path)):
                    twin = copy / path.relative_to(root)
                    twin.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, twin)
                    nb_export(str(twin), lib_path=str(copy / "dezero"))
        finally:
            os.chdir(here)
        made = {
            path.relative_to(copy / "dezero").as_posix(): path.read_text(encoding="utf-8")
            for path in sorted((copy / "dezero").rglob("*.py"))
        }
    return made | stubs(made) | {"_version.py": version_module(root)}


def settings(root: Path = ROOT) -> ConfigParser:
    """What settings.ini says."""
    parser = ConfigParser(delimiters=["="], interpolation=None)
    parser.read(root / "settings.ini", encoding="utf-8")
    return parser


def version_module(root: Path) -> str:
    """The version that settings.ini says, where the package can read it without being installed."""
    text = '"""Made by `make export` from settings.ini."""\n\n__version__ = {!r}\n'
    return text.format(settings(root)["metadata"]["version"]).replace("'", '"')


def export(root: Path = ROOT, say=print) -> list[str]:
    """Compile the exported cells into dezero/. Only where that changes a file; which it changed."""
    changed = {name: text for name, text in fresh(root).items() if current(root, name) != text}
    for name, text in changed.items():
        write(root / "dezero" / name, text)
        say(f"  -> dezero/{name}")
    return list(changed)


def current(root: Path, name: str) -> str | None:
    path = root / "dezero" / name
    return path.read_text(encoding="utf-8") if path.exists() else None
