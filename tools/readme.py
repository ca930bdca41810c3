"""Write README.md from index.ipynb: `python -m tools.readme`, or with `--check` only compare.

Cells obey their `#|` lines: `hide` and `site_only` drop a cell, `hide_input` its source,
`hide_output` its outputs. The directive lines themselves are dropped. Links and pictures are
relative to the root, where both files lie. An output that is a picture cannot stand in a README:
show a file of images/.

(nbconvert could do this too, but takes two seconds to be imported, and its template for Markdown
knows nothing of `#|` lines.)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.notebooks import FRONT, ROOT, body, directives, read, write

README = "README.md"
NOTE = f"<!-- Made from {FRONT} by `make export`. Edit the notebook, not this file. -->"


def readme(root: Path = ROOT) -> str:
    """The text of README.md."""
    parts = [part for cell in read(root / FRONT)["cells"] for part in shown(cell)]
    return "\n\n".join([NOTE, *parts]) + "\n"


def shown(cell: dict) -> Iterator[str]:
    """What a reader of the README sees of a cell."""
    says, source = directives(cell["source"]), body(cell["source"])
    if {"hide", "site_only", "your_turn"} & says.keys():
        return
    if cell["cell_type"] != "code":
        yield source.strip()
        return
    if "hide_input" not in says:
        yield f"```python\n{source}\n```"
    if "hide_output" not in says:
        yield from (result(output, cell["id"]) for output in cell["outputs"])


def result(output: dict, where: str) -> str:
    """An output as Markdown."""
    data = output.get("data", {})
    if any(mime.startswith("image/") for mime in data):
        raise SystemExit(
            f"{FRONT}, cell {where}: a README cannot show a picture that a cell draws. "
            "Link a file of images/ in a text cell, or add `#| hide_output`."
        )
    if "text/markdown" in data:
        return data["text/markdown"].strip()
    plain = output["text"] if output["output_type"] == "stream" else data["text/plain"]
    return "```text\n" + plain.rstrip("\n") + "\n```"


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
