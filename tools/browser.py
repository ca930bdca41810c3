"""A browser for the tests of the site. `python -m tools.browser` finds one, or installs one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
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
    "The tests of the site need Chromium or Chrome. None was found, and none could be installed. "
    "Install it (Debian: apt-get install chromium; macOS: brew install --cask chromium), or set "
    "CHROMIUM to the path of the program."
)
DEBIAN = Path("/etc/debian_version")
PLAYWRIGHTS = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright: print(playwright.chromium.executable_path)
"""


def chromium() -> str:
    """The path of the browser. FileNotFoundError, with advice, if there is none."""
    wanted = os.environ.get("CHROMIUM")
    for path in [wanted] if wanted else candidates():
        if path and Path(path).is_file():
            return path
    raise FileNotFoundError(ADVICE)


def candidates() -> Iterator[str | None]:
    """Where it may be: on PATH, in its usual places, or where Playwright keeps its own."""
    yield from map(shutil.which, NAMES)
    yield from PLACES
    command = [sys.executable, "-c", PLAYWRIGHTS]
    yield subprocess.run(command, capture_output=True, text=True).stdout.strip()


def ways() -> Iterator[list[list[str]]]:
    """The commands that install one, best first: Debian's as root, and Playwright's everywhere."""
    apt = is_root() and shutil.which("apt-get")
    if apt and DEBIAN.exists():
        fonts = ["fonts-dejavu-core", "fonts-liberation"]
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", *fonts]
        yield [["apt-get", "update", "-qq"], install]
    libraries = ["--with-deps"] if apt else []
    yield [[sys.executable, "-m", "playwright", "install", *libraries, "chromium"]]


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def ensure() -> str:
    """The path of the browser, which is installed if there is none. What this takes is said."""
    try:
        return chromium()
    except FileNotFoundError:
        if os.environ.get("CHROMIUM"):
            raise
    for commands in ways():
        print(f"No browser here. Installing one: {' '.join(commands[-1])}", file=sys.stderr)
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in commands:
            subprocess.run(command, env=env, stdout=sys.stderr)
        try:
            return chromium()
        except FileNotFoundError:
            pass
    raise FileNotFoundError(ADVICE)


if __name__ == "__main__":
    try:
        print(ensure())
    except FileNotFoundError as error:
        sys.exit(str(error))
