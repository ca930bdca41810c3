"""Write README.md from index.ipynb: `python -m tools.readme`, or with `--check` only compare.

Cells obey their `#|` lines: `hide` drops a cell, `hide_input` its source, `hide_output` its
outputs. The directive lines themselves are dropped. Links and pictures are relative to the root,
where both files lie. An output that is a picture cannot stand in a README: show a file of images/.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nbformat import NotebookNode

from tools.notebooks import FRONT, ROOT, body, directives, read, write

README = "README.md"


def readme(root: Path = ROOT) -> str:
    """The text of README.md."""
    from nbconvert import MarkdownExporter

    nb = read(root / FRONT)
    nb.metadata["language_info"] = NotebookNode(name="python")
    nb.cells = [shown(cell) for cell in nb.cells if "hide" not in directives(cell.source)]
    exporter = MarkdownExporter()
    markdown, _ = exporter.from_notebook_node(nb)
    note = f"<!-- Made from {FRONT} by `make export`. Edit the notebook, not this file. -->\n\n"
    return note + "\n".join(line.rstrip() for line in tidy(markdown)) + "\n"


def shown(cell: NotebookNode) -> NotebookNode:
    """The cell as a reader of the README sees it."""
    says = directives(cell.source)
    cell.source = body(cell.source)
    if cell.cell_type != "code":
        return cell
    if "hide_input" in says:
        cell.transient = NotebookNode(remove_source=True)
    if "hide_output" in says:
        cell.outputs = []
    for output in cell.outputs:
        data = output.get("data", {})
        if any(mime.startswith("image/") for mime in data):
            raise SystemExit(
                f"{FRONT}, cell {cell.id}: a README cannot show a picture that a cell draws. "
                "Link a file of images/ in a text cell, or add `#| hide_output`."
            )
        for mime in [m for m in data if m not in ("text/plain", "text/markdown")]:
            del data[mime]
    return cell


def tidy(markdown: str) -> list[str]:
    """The lines; outside of code no more than one empty line in a row."""
    lines: list[str] = []
    in_code = False
    for line in markdown.strip().splitlines():
        in_code ^= line.startswith("```")
        if in_code or line.strip() or (lines and lines[-1].strip()):
            lines.append(line)
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="README.md from index.ipynb")
    parser.add_argument("--check", action="store_true", help="only say whether it is stale")
    args = parser.parse_args()
    path, fresh = ROOT / README, readme()
    old = path.read_text(encoding="utf-8") if path.exists() else None
    if old == fresh:
        return 0
    if args.check:
        print(f"{README} is stale: run `make export`.", file=sys.stderr)
        return 1
    write(path, fresh)
    print(f"  {FRONT} -> {README}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
