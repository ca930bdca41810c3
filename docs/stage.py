"""Stage the sources of the site: executed notebooks, figures and pages in one tree for Sphinx.

Every module gets a page of the reference, so does Variable, and all names together get one.

The tree mirrors the repository, so the links in the notebooks hold on the site too.
Only what changed is written again; what has no source any more is removed.

    python docs/stage.py [--executed _build/executed] [--out _build/site-src]
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]

from api import Reference  # noqa: E402
from cells import read_chapters  # noqa: E402
from chart import chart, fill  # noqa: E402

from tools.notebooks import notebooks  # noqa: E402


def sources(root, executed):
    """Pairs of a path in the staged tree and what is to stand there, in bytes."""
    for path in notebooks(executed):
        yield path.relative_to(executed), path.read_bytes()
    facades = sorted(path.parent for path in (root / "dezero").rglob("__init__.py"))
    offered = [".".join(folder.relative_to(root).parts) for folder in facades]
    for name, text in Reference(read_chapters(executed)).pages(offered):
        yield Path("api", f"{name}.md"), text.encode()
    others = (root / "docs" / "from_pytorch.md").read_text(encoding="utf-8")
    yield Path("api", "from_pytorch.md"), others.encode()
    results = (root / "benchmarks" / "results.md").read_text(encoding="utf-8")
    page = (root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    yield Path("benchmarks.md"), (fill(page, results) + results).encode()
    yield Path("images", "benchmarks.svg"), chart(results).encode()
    for path in (root / "images").glob("*.svg"):
        yield path.relative_to(root), path.read_bytes()


def stage(root=ROOT, executed=None, out=None):
    """Bring the staged tree up to date; returns the paths that were written."""
    executed = Path(executed or root / "_build" / "executed")
    out = Path(out or root / "_build" / "site-src")
    if not (executed / "index.ipynb").is_file():
        raise FileNotFoundError(f"{executed} has no index.ipynb: execute the notebooks first")
    wanted, written = dict(sources(root, executed)), []
    for name, content in wanted.items():
        target = out / name
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            written.append(target)
    for path in list(out.rglob("*")):
        if path.is_file() and path.relative_to(out) not in wanted:
            path.unlink()
    return written


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executed", type=Path, help="executed notebooks")
    parser.add_argument("--out", type=Path, help="where the staged tree goes")
    args = parser.parse_args()
    print(f"staged {len(stage(executed=args.executed, out=args.out))} changed files")


if __name__ == "__main__":
    main()
