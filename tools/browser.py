"""Where is a browser for the tests of the site? `python -m tools.browser` says."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Google/Chrome/Application/chrome.exe",
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
ADVICE = (
    "The tests of the site need Chromium or Chrome, and none was found. Install it "
    "(Debian: apt-get install chromium; macOS: brew install --cask chromium), or set CHROMIUM "
    "to the path of the program."
)


def chromium() -> str:
    """The path of the browser. FileNotFoundError, with advice, if there is none."""
    told = os.environ.get("CHROMIUM")
    found = [told] if told else [shutil.which(name) for name in NAMES] + list(PLACES)
    for path in found:
        if path and Path(path).is_file():
            return path
    raise FileNotFoundError(ADVICE)


if __name__ == "__main__":
    try:
        print(chromium())
    except FileNotFoundError as error:
        sys.exit(str(error))
