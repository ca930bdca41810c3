"""The notebooks of the book: list, clean, export, execute, refresh.

    python -m tools.notebooks export            the exported cells -> dezero/ (tools/package.py)
    python -m tools.notebooks execute           every notebook, freshly run -> _build/executed/
    python -m tools.notebooks refresh           the outputs of _build/executed/ -> the notebooks
    python -m tools.notebooks clean [--check]   remove what does not belong in a commit

Each takes paths; without paths it does all notebooks. This is the one place that knows which
notebooks there are. A notebook is handled as the dictionary that its JSON is. Heavy tools (nbformat
is one) are imported where they are used, so that doing nothing is quick.
"""

from __future__ import annotations

import argparse
import copy
import functools
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("nbs", "nbs/examples")
FRONT = "index.ipynb"
EXECUTED = "_build/executed"

# As `nbdev-clean` writes it: the two must agree.
KERNEL = {"display_name": "python3", "language": "python", "name": "python3"}
# JupyterLab folds the source of such cells: a solution is opened by who wants to see it.
FOLDED = {"solution", "hide", "default_exp"}
CELL_SECONDS = 300
# Another version of one of these may print or draw differently.
WATCHED = ("numpy", "matplotlib", "graphviz-pure", "ipython", "ipykernel", "nbclient")

Notebook = dict[str, Any]
DIRECTIVE = re.compile(r"#\|\s*([\w-]+)\s*:?\s*(.*)")


# --- which notebooks, and what they say ---------------------------------------------------------


def notebooks(root: Path = ROOT) -> list[Path]:
    """All notebooks in reading order, the front page last."""
    found = [p for folder in FOLDERS for p in sorted((root / folder).glob("[!._]*.ipynb"))]
    return found + [p for p in [root / FRONT] if p.exists()]


def read(path: Path) -> Notebook:
    """A notebook, each many-line text joined into one string."""
    nb = json.loads(path.read_text(encoding="utf-8"))
    for holder, key, value in texts_of(nb):
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            holder[key] = "".join(value)
    return nb


def text(nb: Notebook) -> str:
    """The notebook as Jupyter writes it to disk, with each text as a list of its lines."""
    nb = copy.deepcopy(nb)
    for holder, key, value in texts_of(nb):
        photo = key.startswith("image/") and key != "image/svg+xml"
        if isinstance(value, str) and not photo:
            holder[key] = value.splitlines(keepends=True)
    layout = {"indent": 1, "sort_keys": True, "ensure_ascii": False}
    return json.dumps(nb, separators=(",", ": "), **layout) + "\n"


def texts_of(nb: Notebook) -> Iterator[tuple[dict, str, Any]]:
    """(dictionary, key, value) of all that may be a text of many lines."""
    for cell in nb["cells"]:
        yield cell, "source", cell["source"]
        for output in cell.get("outputs", []):
            if "text" in output:
                yield output, "text", output["text"]
            for mime, value in output.get("data", {}).items():
                yield output["data"], mime, value


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8", newline="\n")


def directives(source: str) -> dict[str, str]:
    """The leading `#| name: value` lines of a cell, e.g. {"export": ""}."""
    found = {}
    for line in source.splitlines():
        match = DIRECTIVE.match(line)
        if not match:
            break
        found[match[1]] = match[2].strip()
    return found


def body(source: str) -> str:
    """A cell without its leading directive lines."""
    lines = source.splitlines()
    while lines and DIRECTIVE.match(lines[0]):
        del lines[0]
    return "\n".join(lines).strip("\n")


def module(nb: Notebook) -> str | None:
    """The module a notebook exports to ("core", "functions.shapes"), None for a story."""
    for cell in nb["cells"]:
        if cell["cell_type"] == "code" and "default_exp" in (found := directives(cell["source"])):
            return found["default_exp"]
    return None


# --- clean --------------------------------------------------------------------------------------


def clean(nb: Notebook) -> Notebook:
    """A copy without what neither a reader nor a diff needs; `nbdev-clean` finds nothing to do."""
    nb = copy.deepcopy(nb)
    nb["metadata"] = {"kernelspec": KERNEL}
    nb["nbformat"], nb["nbformat_minor"] = 4, 5
    for cell in nb["cells"]:
        cell["metadata"] = {}
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
            if FOLDED & directives(cell["source"]).keys():
                cell["metadata"] = {"jupyter": {"source_hidden": True}}
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output["metadata"] = {}
            if "execution_count" in output:
                output["execution_count"] = None
    return nb


# --- execute ------------------------------------------------------------------------------------


class Failed(Exception):
    """A cell failed. The message holds the notebook, the cell and the traceback."""


def executed(path: Path, root: Path = ROOT) -> Path:
    """Where the executed copy of a notebook lies."""
    return root / EXECUTED / path.relative_to(root)


def fingerprint(path: Path, root: Path = ROOT) -> str:
    """Changes when a fresh execution could give something else."""
    parts = [f"{cell['cell_type']}\n{cell['source']}".encode() for cell in read(path)["cells"]]
    for p in sorted(data_files(path, root) + package_files(root)):
        parts += [p.relative_to(root).as_posix().encode(), p.read_bytes()]
    parts += [f"python {platform.python_version()}".encode()]
    parts += [f"{name} {version(name)}".encode() for name in WATCHED]
    return digest(parts)


def data_files(path: Path, root: Path = ROOT) -> list[Path]:
    """What a notebook may read besides the package: the files in its folder and those of nbs/."""
    folders = {path.parent, root / "nbs"} - {root}
    found = [p for folder in folders for p in folder.glob("[!._]*") if p.is_file()]
    return [p for p in found if p.suffix != ".ipynb"]


def package_files(root: Path = ROOT) -> list[Path]:
    """The files of dezero/ that matter when it runs. (nbdev's commands leave an index there.)"""
    found = sorted(p for p in (root / "dezero").rglob("*") if p.is_file())
    return [p for p in found if p.suffix not in (".pyc", ".pyi") and p.name != "_modidx.py"]


def digest(parts: list[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def is_current(path: Path, root: Path = ROOT) -> bool:
    made = executed(path, root)
    if not made.exists():
        return False
    return read(made)["metadata"]["dezero"]["fingerprint"] == fingerprint(path, root)


def run(path: Path, root: Path = ROOT) -> Notebook:
    """One notebook, run in a fresh kernel in its own folder with the checkout's dezero, clean."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    nb = read(path)
    for cell in nb["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = []
    nb = nbformat.reads(text(nb), as_version=4)
    client = NotebookClient(
        nb,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        client.execute(cwd=str(path.parent), env={**neutral(), "PYTHONPATH": str(root)})
    except CellExecutionError:
        raise Failed(report(path.relative_to(root), nb)) from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise Failed(f"{path.relative_to(root).as_posix()}: {error}") from None
    return clean(nb)


@functools.cache
def neutral() -> dict[str, str]:
    """An environment without the person's own settings of IPython and Matplotlib, and with the
    list of fonts made: Matplotlib prints into the cell that first needs it.

    Products are made by one thread. Most are small; and on a busy machine two threads, which wait
    for one another, took up to nine times as long for a chapter.
    """
    ipython, matplotlib = ROOT / "_build" / "ipython", ROOT / "_build" / "matplotlib"
    env = {**os.environ, "IPYTHONDIR": str(ipython), "MPLCONFIGDIR": str(matplotlib)}
    env |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    for folder in (ipython, matplotlib):
        folder.mkdir(parents=True, exist_ok=True)
    if not any(matplotlib.glob("fontlist*")):
        command = [sys.executable, "-c", "import matplotlib.font_manager"]
        subprocess.run(command, env=env, check=True, capture_output=True)
    return env


def report(path: Path, nb: Notebook) -> str:
    """What to print about the cell that failed, the one with an output of type error."""
    number, cell, error = next(
        (number, cell, output)
        for number, cell in enumerate(nb["cells"])
        for output in cell.get("outputs", [])
        if output["output_type"] == "error"
    )
    source = "".join(f"    | {line}\n" for line in cell["source"].splitlines())
    traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))  # without colours
    return f"{path.as_posix()}, cell {number} (id {cell['id']}) failed\n{source}{traceback}"


def execute(path: Path, root: Path = ROOT) -> float | None:
    """Make the executed copy current. The seconds it took, None if it was current already."""
    if is_current(path, root):
        return None
    target = executed(path, root)
    target.unlink(missing_ok=True)
    mark, start = fingerprint(path, root), time.perf_counter()
    nb = run(path, root)
    seconds = time.perf_counter() - start
    nb["metadata"]["dezero"] = {"fingerprint": mark, "seconds": round(seconds, 1)}
    write(target, text(nb))
    return seconds


def execute_all(paths: list[Path], root: Path = ROOT, say=print) -> list[str]:
    """Execute, saying how long each took. Returns the failures."""
    failures = []
    for number, path in enumerate(paths, 1):
        name = path.relative_to(root).as_posix()
        say(f"  [{number}/{len(paths)}] {name:<32}", end="", flush=True)
        try:
            seconds = execute(path, root)
            say("unchanged" if seconds is None else f"{seconds:5.1f} s", flush=True)
        except Failed as failure:
            failures.append(str(failure))
            say("FAILED", flush=True)
    return failures


def drop_orphans(root: Path = ROOT) -> None:
    """Remove executed copies of notebooks that are no more."""
    wanted = {executed(path, root) for path in notebooks(root)}
    for made in (root / EXECUTED).rglob("*.ipynb"):
        if made not in wanted:
            made.unlink()


def fresh_processes(cells: list) -> None:
    """For `nbdev-test`, which calls this first (pyproject.toml): one process for each notebook.

    A chapter adds methods to classes of the package. The next chapter must not meet them.
    """
    import nbdev.test

    nbdev.test.parallel = one_process_each


def one_process_each(test, paths: list[Path], n_workers=1, pause=0, method=None, **options) -> list:
    """`test(path, **options)` for each path, `n_workers` at a time, each in a new process."""

    def in_new_process(path: Path):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            return process.submit(test, path, **options).result()

    with ThreadPoolExecutor(max(n_workers, 1)) as threads:
        return list(threads.map(in_new_process, paths))


# --- the command line ---------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description="The notebooks of the book")
    parser.add_argument("do", choices=["list", "export", "execute", "refresh", "clean"])
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks (default: all)")
    parser.add_argument("--check", action="store_true", help="clean: only say what is not clean")
    args = parser.parse_args()
    paths = [p.resolve() for p in args.paths] or notebooks()

    if args.do == "list":
        print(*[p.relative_to(ROOT).as_posix() for p in paths], sep="\n")
    elif args.do == "export":
        from tools.package import export

        export()
    elif args.do in ("execute", "refresh"):
        drop_orphans()
        failures = execute_all(paths)
        if failures:
            print("\n" + "\n\n".join(failures), file=sys.stderr)
            return 1
        if args.do == "refresh":
            for path in paths:
                rewrite(path, text(clean(read(executed(path)))), check=False)
    else:
        unclean = [rewrite(path, text(clean(read(path))), args.check) for path in paths]
        if args.check and any(unclean):
            print("Run `make tidy` to clean these notebooks.", file=sys.stderr)
            return 1
    return 0


def rewrite(path: Path, content: str, check: bool) -> bool:
    """Write a notebook if it would change, or only say so. Whether it would change."""
    if path.read_text(encoding="utf-8") == content:
        return False
    print(f"  {path.relative_to(ROOT).as_posix()} {'is not clean' if check else 'rewritten'}")
    if not check:
        write(path, content)
    return True


if __name__ == "__main__":
    sys.exit(main())
