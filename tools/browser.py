"""A browser for the tests of the site. `python -m tools.browser` finds one, or installs one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
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
ADVICE = f"""
Install Chromium or Chrome (Debian: apt-get install chromium; macOS: brew install --cask chromium),
or set CHROMIUM to the path of the program. Where only libraries are missing, this brings them:
sudo {sys.executable} -m playwright install-deps chromium"""
DEBIAN = Path("/etc/debian_version")
PLAYWRIGHTS = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright: print(playwright.chromium.executable_path)
"""


def chromium() -> str:
    """The path of a browser that starts. FileNotFoundError, with advice, if there is none."""
    named, said = os.environ.get("CHROMIUM"), []
    for path in [named] if named else candidates():
        if path and (named or Path(path).is_file()):
            why = problem(path)
            if not why:
                return path
            said.append(f"\n{path} does not start: {why}")
    raise FileNotFoundError(f"The tests of the site need a browser.{''.join(said)}{ADVICE}")


def problem(path: str) -> str:
    """Why this browser does not show an empty page. "" if it does."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        page = [f"--user-data-dir={profile}", "--dump-dom", "about:blank"]
        try:
            done = subprocess.run([path, *FLAGS, *page], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if done.returncode == 0 and "<html" in done.stdout:
        return ""
    return (done.stderr.strip() or f"exit status {done.returncode}, no page").splitlines()[-1]


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
        with contextlib.suppress(FileNotFoundError):
            return chromium()
    return chromium()


if __name__ == "__main__":
    try:
        print(ensure())
    except FileNotFoundError as error:
        sys.exit(str(error))
