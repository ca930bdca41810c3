"""Build the site: `python -m tools.site` makes _build/html from the executed notebooks.

docs/stage.py lays out the pages, Sphinx renders them. Any warning fails the build. After a failure
Sphinx's memory is thrown away: it would not repeat the warnings of pages that have not changed.
When nothing has changed since the last success, Sphinx is not even started.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from tools.notebooks import ROOT, digest

PAGES, MEMORY, SITE = "_build/site-src", "_build/doctrees", "_build/html"
DONE = "_build/site.mark"


def main() -> int:
    before = pages()
    if code := run("docs/stage.py"):
        return code
    if before - pages():  # one is gone, and Sphinx would keep what it made of it
        shutil.rmtree(ROOT / SITE, ignore_errors=True)
    done, mark = ROOT / DONE, fingerprint(ROOT)
    if (ROOT / SITE / "index.html").exists() and done.exists() and done.read_text() == mark:
        return 0
    done.unlink(missing_ok=True)
    sphinx = ["-m", "sphinx", "-W", "--keep-going", "-q", "-j", "1"]
    if code := run(*sphinx, "-c", "docs", "-d", MEMORY, PAGES, SITE):
        shutil.rmtree(ROOT / MEMORY, ignore_errors=True)
        return code
    done.write_text(mark)
    return 0


def pages() -> set[Path]:
    return set((ROOT / PAGES).rglob("*.*"))


def run(*command: str) -> int:
    return subprocess.run([sys.executable, *command], cwd=ROOT).returncode


def fingerprint(root: Path) -> str:
    """Changes when another build could give another site."""
    versions = sorted(f"{found.name} {found.version}" for found in distributions())
    parts = ["\n".join(versions).encode(), (root / "settings.ini").read_bytes()]
    for folder in (PAGES, "docs", "dezero"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                parts += [path.relative_to(root).as_posix().encode(), path.read_bytes()]
    return digest(parts)


if __name__ == "__main__":
    sys.exit(main())
