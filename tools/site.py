"""Build the site: `python -m tools.site` makes _build/html from the executed notebooks.

docs/stage.py lays out the pages, Sphinx renders them. Any warning fails the build. After a failure
Sphinx's memory is thrown away: it would not repeat the warnings of pages that have not changed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from tools.notebooks import ROOT

PAGES, MEMORY, SITE = "_build/site-src", "_build/doctrees", "_build/html"


def main() -> int:
    commands = [
        [sys.executable, "docs/stage.py"],
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-j", "1"]
        + ["-c", "docs", "-d", MEMORY, PAGES, SITE],
    ]
    for command in commands:
        code = subprocess.run(command, cwd=ROOT).returncode
        if code:
            shutil.rmtree(ROOT / MEMORY, ignore_errors=True)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
