"""What must hold in the repository, one function each: `python -m tools.checks` runs them.

Every function takes the root of a checkout and returns complaints, one sentence each, that name the
culprit and the cure. An empty list means that all is well. tests/test_lot.py proves each on a
broken copy.
"""

from __future__ import annotations

import ast
import math
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import zip_longest
from pathlib import Path

from tools.notebooks import (
    ROOT,
    Notebook,
    body,
    clean,
    directives,
    executed,
    module,
    notebooks,
    package_files,
    read,
    text,
)
from tools.package import absolute, current, exported, fresh, names_defined, settings

DIRECTIVES = {"default_exp", "export", "exporti", "hide", "hide_input", "hide_output"}
DIRECTIVES |= {"solution", "your_turn", "checked", "fold", "site_only", "alt", "photo"}


# --- the form of the notebooks ------------------------------------------------------------------


def stray_metadata(root: Path = ROOT) -> list[str]:
    """Notebooks are committed as `make tidy` leaves them."""
    return [
        f"{name} is not clean: run `make tidy`."
        for path, name in named_notebooks(root)
        if path.read_text(encoding="utf-8") != text(clean(read(path)))
    ]


def odd_directives(root: Path = ROOT) -> list[str]:
    """One style, `#| name` in the first lines of a cell, and only names that we know."""
    found = []
    for path, name in named_notebooks(root):
        nb = read(path)
        for number, cell in enumerate(nb["cells"]):
            where = f"{name}, cell {number}"
            if cell.get("attachments"):
                found.append(f"{where} holds a pasted picture: put a file into images/.")
            if cell["cell_type"] == "code":
                found += [f"{where}: {fault}" for fault in directive_faults(cell["source"])]
        homes = [c for c in nb["cells"] if "default_exp" in directives(c["source"])]
        exports = list(exported(nb))
        if len(homes) > 1:
            found.append(f"{name} has {len(homes)} cells `#| default_exp`: keep the first.")
        if homes and homes[0] is not nb["cells"][0]:
            found.append(f"{name}: `#| default_exp` belongs in the first cell.")
        if bool(homes) != bool(exports):
            cure = "export something or drop it" if homes else "say into which module it goes"
            have, lack = ("default_exp", "export") if homes else ("export", "default_exp")
            found.append(f"{name} has `#| {have}` but no `#| {lack}`: {cure}.")
        if exports and (path.parent != root / "nbs" or not path.name[:2].isdigit()):
            found.append(f"{name} exports code: only numbered notebooks of nbs/ may.")
    return found


def directive_faults(source: str) -> Iterator[str]:
    known = directives(source)
    for number, line in enumerate(source.splitlines()):
        if match := re.match(r"#\s*(\|?)\s*(default_exp|exporti?|hide)\b", line):
            if match[1] == "" and re.fullmatch(r"#\s*\w+(\s+[\w.]+)?\s*", line):
                yield f"`{line}` does nothing: write `#| {match[2]}`."
        if re.match(r"\s*#\s*\|", line):
            if number >= len(known):
                yield f"`{line}` must stand at the top of its cell."
            elif not re.fullmatch(r"#\| (\w+|default_exp [\w.]+|(alt|fold): .+)", line):
                yield f"`{line}` is neither `#| name` nor `#| default_exp name` nor `#| alt: text`."
    for name in known.keys() - DIRECTIVES:
        yield f"`#| {name}` is none of {', '.join(sorted(DIRECTIVES))}."


def unfit_outputs(root: Path = ROOT) -> list[str]:
    """No output holds an address, a warning or an error: the next execution would differ."""
    found = []
    for path, name in named_notebooks(root):
        for number, cell in enumerate(read(path)["cells"]):
            for output in cell.get("outputs", []):
                where = f"{name}, cell {number}"
                if output["output_type"] == "error":
                    found.append(f"{where} shows an error: catch it in the cell.")
                if output.get("name") == "stderr":
                    found.append(f"{where} prints on stderr: no warnings in the book.")
                if any(re.search(r"\b0x[0-9a-fA-F]{6,}", t) for _, t in texts(output)):
                    found.append(f"{where} shows a memory address: end the cell with `;` or None.")
    return found


COLUMNS = 88  # of code that a page shows without scrolling


def wide_code(root: Path = ROOT) -> list[str]:
    """No line of code is wider than a page of the book. Directives may be: they are not shown."""
    return [
        f"{name}, cell {number}: `{line.strip()[:40]}…` has {len(line)} columns, {COLUMNS} fit."
        for path, name in named_notebooks(root)
        for number, cell in enumerate(read(path)["cells"])
        if cell["cell_type"] == "code"
        for line in body(cell["source"]).splitlines()
        if len(line) > COLUMNS
    ]


# --- the package and the notebooks --------------------------------------------------------------


def stale_export(root: Path = ROOT) -> list[str]:
    """dezero/ is what a fresh export of the notebooks gives, and nothing else but facades."""
    made = fresh(root)
    found = [
        f"dezero/{name} differs from a fresh export: run `make export`."
        for name, want in made.items()
        if current(root, name) != want
    ]
    for path in [*python_files(root), *sorted((root / "dezero").rglob("*.pyi"))]:
        name = path.relative_to(root / "dezero").as_posix()
        if path.name != "__init__.py" and name not in made:
            found.append(f"dezero/{name} comes from no notebook: write a notebook or remove it.")
    return found


def python_files(root: Path) -> list[Path]:
    """The modules and facades of dezero/."""
    return [path for path in package_files(root) if path.suffix == ".py"]


# These offer names of the published package beside those of the engine.
TWINS = {"core_simple", "published"}


def module_clashes(root: Path = ROOT) -> list[str]:
    """One notebook, one module; one name, one home."""
    found = []
    homes: dict[str, str] = {}
    names: dict[str, str] = {}
    for path, notebook in named_notebooks(root):
        nb = read(path)
        if not (home := module(nb)):
            continue
        if home in homes:
            found.append(f"{notebook} and {homes[home]} both export to {home}.")
        homes[home] = notebook
        for name in names_defined("\n".join(exported(nb))) if home not in TWINS else ():
            if re.match(r"_(?!_)", name):
                continue  # internal: no other module sees it
            # A layer may have the name of the function that it calls: L.Linear and F.Linear.
            is_layer = home.startswith(("layers.", "vision")) and name[0].isupper()
            key = f"L.{name}" if is_layer else name
            if key in names:
                found.append(f"{notebook} exports {name}, which {names[key]} exports already.")
            names[key] = notebook
    return found


PUBLIC = "tools/public.txt"


def unlisted_names(root: Path = ROOT) -> list[str]:
    """What the modules offer (`__all__`) is what the list of public names says."""
    listed, found = public_names(root), []
    for path in python_files(root):
        if path.name == "__init__.py":
            continue
        name = dotted(path, root).removeprefix("dezero.")
        where, offered = path.relative_to(root).as_posix(), offers(path)
        wanted = listed.pop(name, set())
        for extra in sorted(offered - wanted):
            found.append(f"{where} offers {extra}: use `#| exporti`, or list it in {PUBLIC}.")
        for missing in sorted(wanted - offered):
            found.append(f"{where} does not offer {missing}, which {PUBLIC} lists.")
    return found + [f"{PUBLIC} lists names of {name}, which is no module." for name in listed]


def public_names(root: Path) -> dict[str, set[str]]:
    """The list: the names of each module. A long entry goes on in indented lines."""
    text = (root / PUBLIC).read_text(encoding="utf-8").replace("\n ", " ")
    lines = [line.partition(":") for line in text.splitlines() if not line.startswith("#")]
    return {name: set(names.split()) for name, _, names in lines if name}


def offers(path: Path) -> set[str]:
    """The names in `__all__` of a module."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


WORKSHOP, OLD = "50", ("70", "71")  # where the workshop begins; what serves old programs


def upward_imports(root: Path = ROOT) -> list[str]:
    """The main line imports what stands before it, and the workshop; nothing imports a facade."""
    ranks = {f"dezero.{home}": number for number, home in numbered(root)}  # 02 < 02b < 03
    found, graph = [], {}
    for path in python_files(root):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name, is_facade = dotted(path, root), path.name == "__init__.py"
        where = path.relative_to(root).as_posix()
        targets = [target for _, target in imports(tree, name, is_facade)]
        graph[name] = {known(target, ranks, root) for target in targets} - {None, name}
        if is_facade:
            if not all(is_plain(node) for node in tree.body):
                found.append(f"{where} is a facade: it may import, now or later, and nothing else.")
            continue
        for target in sorted(graph[name]):
            if fault := forbidden(ranks.get(name, ""), ranks.get(target)):
                found.append(f"{where} imports {target}, {fault}.")
        for target in targets:
            if re.search(r"\._(?!_)\w+$", target) and known(target, ranks, root) != name:
                found.append(f"{where} imports {target}, which is internal there.")
        if any(nested for nested, _ in imports(tree, name, is_facade)):
            found.append(f"{where} imports dezero inside a function: import at the top.")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append(f"import cycle: {' -> '.join(sorted(set(error.args[1])))}")
    return found


def numbered(root: Path) -> Iterator[tuple[str, str]]:
    """The number of each chapter that has a module, and the module."""
    for path in notebooks(root):
        number = re.match(r"\d\d[a-z]?", path.name)
        if number and (home := module(read(path))):
            yield number[0], home


def forbidden(own: str, other: str | None) -> str | None:
    """Why a chapter may not import from another, by their numbers; None if it may."""
    if other is None:
        return "which is a facade: import from the module itself"
    if other in OLD and own not in OLD:
        return "which is for old programs"
    if own < WORKSHOP and own <= other < WORKSHOP:
        return "which comes later in the book"
    return None


def dotted(path: Path, root: Path) -> str:
    parts = list(path.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.Module, name: str, is_facade: bool) -> Iterator[tuple[bool, str]]:
    """(inside a function?, dezero's module or name) of every import that runs."""

    def walk(node: ast.AST, nested: bool) -> Iterator[tuple[bool, str]]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return  # for type checkers only
        if isinstance(node, ast.Import):
            yield from ((nested, a.name) for a in node.names)
        if isinstance(node, ast.ImportFrom):
            base = absolute(node, f"{name}.__init__" if is_facade else name)
            yield from ((nested, f"{base}.{a.name}") for a in node.names)
        inner = nested or isinstance(node, (ast.FunctionDef, ast.Lambda, ast.AsyncFunctionDef))
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inner)

    return (found for found in walk(tree, False) if found[1].split(".")[0] == "dezero")


def known(target: str, ranks: dict[str, str], root: Path) -> str | None:
    """The module that an import of `target` reaches: itself, or the one that holds the name."""
    while target:
        place = root.joinpath(*target.split("."))
        if target in ranks or place.with_suffix(".py").exists() or place.is_dir():
            return target
        target = target.rpartition(".")[0]
    return None


def is_plain(node: ast.stmt) -> bool:
    """May stand in a facade: a docstring, an import, `__all__`, imports for later."""
    if isinstance(node, ast.Assign):
        return [ast.unparse(t) for t in node.targets] == ["__all__"]
    doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return doc or isinstance(node, (ast.Import, ast.ImportFrom)) or later(node) is not None


def later(node: ast.stmt) -> dict[str, set[str]] | None:
    """What a facade imports when it is asked for: the names, by the module that has them.

    None unless the statement has the one form for it (chapter 64), in which `if TYPE_CHECKING:`
    says the same as the table for `import_later`. It may do the same for a module whose names have
    moved (chapter 71); type checkers need not know those.
    """
    if not isinstance(node, ast.If) or ast.unparse(node.test) != "TYPE_CHECKING":
        return None
    promised: dict[str, set[str]] = {}
    for line in node.body:
        if not isinstance(line, ast.ImportFrom) or not line.module:
            return None
        if any(a.asname not in (None, a.name) for a in line.names):
            return None
        promised.setdefault(line.module, set()).update(a.name for a in line.names)
    call = r"(?:lazy\.)?import_later\("
    first, *moved = [ast.unparse(line) for line in node.orelse] or [""]
    if not all(re.match(rf"\w+\.__getattr__, _ = {call}", line) for line in moved):
        return None
    match = re.fullmatch(rf"__getattr__, __dir__ = {call}__name__, (\{{.*\}})\)", first)
    kept = ast.literal_eval(match[1]) if match else {}
    return promised if promised == {home: set(n.split()) for home, n in kept.items()} else None


# --- the README and the outputs -----------------------------------------------------------------


def stale_readme(root: Path = ROOT) -> list[str]:
    """README.md is what index.ipynb gives."""
    from tools.readme import README, readme

    path = root / README
    if path.exists() and path.read_text(encoding="utf-8") == readme(root):
        return []
    return [f"{README} differs from what index.ipynb gives: run `make export`."]


def stale_outputs(path: Path, root: Path = ROOT) -> list[str]:
    """The committed outputs of a notebook are those of its executed copy."""
    name = path.relative_to(root).as_posix()
    cells = zip(read(path)["cells"], read(executed(path, root))["cells"], strict=True)
    return [
        f"{name}, cell {number} (id {old['id']}): {fault}. Run `make refresh`."
        for number, (old, new) in enumerate(cells)
        if (fault := outputs_differ(old.get("outputs", []), new.get("outputs", [])))
    ]


def outputs_differ(old: list, new: list) -> str | None:
    """What differs between committed and fresh outputs, None if nothing that counts."""
    if len(old) != len(new):
        return f"{len(old)} committed output(s), {len(new)} fresh"
    for have, want in zip(old, new, strict=True):
        one, two = dict(texts(have)), dict(texts(want))
        if have["output_type"] != want["output_type"] or one.keys() != two.keys():
            return f"committed as {', '.join(one) or 'nothing'}, fresh as {', '.join(two)}"
        for mime, committed in one.items():
            fresh = two[mime]
            if mime in ("text/html", "image/svg+xml"):  # coordinates and generated ids stay out
                committed, fresh = TAG.sub(r"\1>", committed), TAG.sub(r"\1>", fresh)
            if fault := texts_differ(committed, fresh):
                return f"{mime}: {fault}"
    return None


def texts(output: Notebook) -> list[tuple[str, str]]:
    """(mime type or stream, text) of an output."""
    if output["output_type"] == "stream":
        return [(output["name"], output["text"])]
    return [(mime, str(value)) for mime, value in output.get("data", {}).items()]


TAG = re.compile(r"(<[\w:-]+)[^>]*>")
NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


def texts_differ(old: str, new: str) -> str | None:
    """Numbers may differ by a millionth of themselves, as other processors round; words may not."""
    for one, two in zip_longest(NUMBER.split(old), NUMBER.split(new), fillvalue=""):
        if one != two and not close(one, two):
            return f"committed {one.strip()!r:.60}, fresh {two.strip()!r:.60}"
    return None


def close(one: str, two: str) -> bool:
    if not (NUMBER.fullmatch(one) and NUMBER.fullmatch(two)):
        return False
    if one.lstrip("+-").isdigit() or two.lstrip("+-").isdigit():
        return False  # whole numbers are counts, shapes, exact values
    return math.isclose(float(one), float(two), rel_tol=1e-6)


# --- the metadata -------------------------------------------------------------------------------


def second_homes(root: Path = ROOT) -> list[str]:
    """Version, dependencies and description stand in settings.ini and nowhere else."""
    facts = settings(root)
    extras = "\n".join(facts["extras"].values())
    pins = re.findall(r"^[\w.\[\]-]+==[\w.]+$", extras, re.MULTILINE)
    unique = [facts["metadata"]["version"], facts["metadata"]["description"], *pins]
    found = []
    for path in written_by_people(root):
        content = path.read_text(encoding="utf-8", errors="replace")
        for fact in unique:
            alone = rf"(?<![\w.]){re.escape(fact)}(?![\w.])"
            if fact in content and re.search(alone, content):  # the first is quick
                name = path.relative_to(root).as_posix()
                found.append(f"{name} repeats {fact!r} of settings.ini.")
    pyproject = (root / "pyproject.toml").read_text(encoding="utf-8")
    if re.search(r"^\[project", pyproject, re.MULTILINE):
        found.append("pyproject.toml holds metadata: move it to settings.ini.")
    oldest = facts["metadata"]["min_python"]
    for line in (f'pythonVersion = "{oldest}"', f'target-version = "py{oldest.replace(".", "")}"'):
        if line not in pyproject:
            found.append(f"pyproject.toml must say {line}, as settings.ini says min_python.")
    return found


MADE = {"results.md", "_version.py"}


def written_by_people(root: Path) -> Iterator[Path]:
    """The files that could repeat a fact. The changelog may, and so may results.md: they name
    versions of the past, and of what was measured."""
    made = re.compile(r"\.git|\.venv.*|_build|build|dist|.*\.egg-info|\..*_cache|\.hypothesis")
    for top in sorted(root.iterdir()):
        if made.fullmatch(top.name) or top.name in ("settings.ini", "CHANGELOG.md"):
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            kinds = (".py", ".toml", ".cfg", ".in", ".yml", ".cff", ".md", ".ipynb", "")
            if path.is_file() and path.suffix in kinds and path.name not in MADE:
                yield path


def named_notebooks(root: Path) -> list[tuple[Path, str]]:
    return [(path, path.relative_to(root).as_posix()) for path in notebooks(root)]


CHECKS = [
    stray_metadata,
    odd_directives,
    unfit_outputs,
    wide_code,
    stale_export,
    module_clashes,
    upward_imports,
    unlisted_names,
    stale_readme,
    second_homes,
]


def main() -> int:
    found = [complaint for check in CHECKS for complaint in check()]
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
