"""A browser for the tests of the site: which one is taken, and what is done where there is none.

The machines are small folders with programs that write down how they were called.
"""

import shutil
import subprocess
import sys

import pytest
from commands import call

from tools import browser

SHOWS = "echo '<html></html>'"
LACKS = "echo 'a warning' >&2; echo 'libglib-2.0.so.0: cannot open it' >&2; exit 127"
SILENT = "exit 0"


class Machine:
    """A folder that is all of PATH, and in it what would install a browser."""

    def __init__(self, folder):
        self.folder = folder
        self.own = folder / "playwrights"
        self.program("python", f'test "$1" = -c && echo {self.own}')

    def program(self, name, does):
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.folder}/calls\n{does}\n')
        path.chmod(0o755)
        return str(path)

    def installs(self, name, to, does):
        """A program that brings a browser when it is told to install."""
        brought = self.program("brought", does)
        answer = f'test "$1" = -c && echo {self.own}'
        self.program(name, f"{answer}\ncase $* in *install*) /bin/cp {brought} {to};; esac")

    def asked(self):
        """The commands that should install something."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line for line in lines if line.startswith(("apt-get ", "python -m "))]


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """One without a browser, for a user who is not root."""
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(browser, "PLACES", ())
    monkeypatch.setattr(browser, "is_root", lambda: False)
    monkeypatch.setattr(browser, "DEBIAN", tmp_path / "debian_version")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return machine


@pytest.fixture
def debian(machine, monkeypatch):
    """The same, for root on Debian."""
    monkeypatch.setattr(browser, "is_root", lambda: True)
    browser.DEBIAN.touch()
    machine.program("apt-get", "exit 100")
    return machine


PLAYWRIGHT = "python -m playwright install chromium"
APT = "apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core fonts-liberation"


def test_the_one_on_the_path_is_taken_or_the_one_that_is_named(machine, monkeypatch):
    for name in ("google-chrome", "chromium"):
        path = machine.program(name, SHOWS)
        assert browser.ensure() == path
    path = machine.program("mine", SHOWS)
    monkeypatch.setenv("CHROMIUM", path)
    assert browser.ensure() == path
    assert machine.asked() == []


@pytest.mark.parametrize("does", [LACKS, SILENT], ids=["lacks", "silent"])
def test_one_that_does_not_start_is_passed_over(machine, does):
    machine.program("chromium-browser", does)
    path = machine.program("google-chrome", SHOWS)
    assert browser.ensure() == path


def test_playwright_installs_one_for_a_user(machine):
    machine.installs("python", machine.own, SHOWS)
    assert browser.ensure() == browser.ensure() == str(machine.own)
    assert machine.asked() == [PLAYWRIGHT]


def test_apt_get_installs_one_for_root_on_debian(debian):
    debian.installs("apt-get", debian.folder / "chromium", SHOWS)
    assert browser.ensure() == browser.ensure() == shutil.which("chromium")
    assert debian.asked() == ["apt-get update -qq", APT]


def test_playwright_installs_one_where_apt_get_cannot(debian):
    debian.installs("python", debian.own, SHOWS)
    assert browser.ensure() == str(debian.own)
    asked = ["apt-get update -qq", APT, PLAYWRIGHT.replace("chromium", "--with-deps chromium")]
    assert debian.asked() == asked


def test_where_all_fails_it_says_what_to_do(machine, capfd):
    with pytest.raises(FileNotFoundError, match="apt-get install chromium(.|\n)*CHROMIUM"):
        browser.ensure()
    assert machine.asked() == [PLAYWRIGHT]
    assert "Installing one" in capfd.readouterr().err


def test_where_libraries_are_missing_it_says_which_and_what_brings_them(machine):
    machine.installs("python", machine.own, LACKS)
    with pytest.raises(FileNotFoundError) as error:
        browser.ensure()
    assert f"{machine.own} does not start: libglib-2.0.so.0: cannot open it\n" in str(error.value)
    assert "python -m playwright install-deps chromium" in str(error.value)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "silent"])
def test_a_wrong_name_is_told_and_nothing_is_installed(machine, monkeypatch, kind):
    (machine.folder / "folder").mkdir()
    (machine.folder / "text").touch()
    machine.program("silent", SILENT)
    monkeypatch.setenv("CHROMIUM", str(machine.folder / kind))
    with pytest.raises(FileNotFoundError, match=f"/{kind} does not start: "):
        browser.ensure()
    assert machine.asked() == []


def test_a_browser_that_hangs_is_told(machine, monkeypatch):
    def hangs(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hangs)
    assert "timed out after 60 seconds" in browser.problem("chromium")


def test_the_command_shows_the_path_or_fails(tmp_path, root):
    works, missing = Machine(tmp_path).program("mine", SHOWS), str(tmp_path / "none")
    assert call("tools.browser", cwd=root, CHROMIUM=works) == (0, works + "\n")
    status, said = call("tools.browser", cwd=root, CHROMIUM=missing)
    assert status == 1 and f"{missing} does not start" in said and "Traceback" not in said


def test_make_test_sees_to_a_browser_before_the_long_work(root):
    lines = subprocess.run(
        ["make", "--dry-run", "test"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    steps = ["tools.browser", "tools.checks", "tools.notebooks execute", "tools.site", "pytest"]
    places = [next(i for i, line in enumerate(lines) if step in line) for step in steps]
    assert places == sorted(places)
