"""The package from outside: what importing it brings along, and its metadata."""

import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import metadata, requires
from pathlib import Path


def python(code, cwd):
    """What a fresh interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_importing_dezero_imports_numpy_and_nothing_else(root):
    code = """if True:
        import sys, numpy
        before = set(sys.modules)
        import dezero
        tops = {name.partition('.')[0] for name in set(sys.modules) - before}
        print(*sorted(tops - set(sys.stdlib_module_names)))
        """
    assert python(code, root).split() == ["dezero"]


def test_importing_dezero_is_quick_because_it_imports_little(root):
    """A clock would tell another story on every machine; what is imported does not change."""
    code = """if True:
        import sys, numpy
        before = set(sys.modules)
        import dezero
        print(*[m for m in set(sys.modules) - before if m.partition('.')[0] != 'dezero'])
        """
    light = {"copy", "html", "html.entities", "itertools", "weakref", "contextvars"}
    light |= {"_contextvars", "typing", "typing.io", "typing.re"}  # older NumPy leaves them to us
    assert set(python(code, root).split()) <= light


def test_dezero_is_typed(root):
    init = Path(python("import dezero; print(dezero.__file__)", root).strip())
    assert init.with_name("py.typed").is_file()


def test_the_installed_metadata_is_that_of_settings_ini(root):
    settings = ConfigParser(delimiters=["="], interpolation=None)
    settings.read(root / "settings.ini", encoding="utf-8")
    installed = metadata("dezero")
    assert installed["Version"] == settings["metadata"]["version"]
    assert installed["Summary"] == settings["metadata"]["description"]
    assert installed["Requires-Python"] == ">=" + settings["metadata"]["min_python"]
    needed = [need for need in requires("dezero") or [] if "extra ==" not in need]
    assert needed == settings["requirements"]["package"].split()
    assert set(installed.get_all("Provides-Extra")) == set(settings["extras"])
