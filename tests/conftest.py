"""What tests share. Nothing heavy is imported here, so `pytest tests/test_engine.py` is quick."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from commands import call


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def built(root, tmp_path_factory):
    """Folder with the sdist and the wheel, built from a copy of the checkout: first the one, then
    from it the other."""
    source, target = tmp_path_factory.mktemp("source") / "dezero", tmp_path_factory.mktemp("dist")
    unwanted = (".git", ".venv*", "_build", "build", "dist", "*.egg-info", "_modidx.py")
    shutil.copytree(root, source, ignore=shutil.ignore_patterns(*unwanted))
    status, told = call("build", "--no-isolation", "--outdir", str(target), str(source), cwd=target)
    assert status == 0, told
    assert "Successfully built dezero-" in told
    return target


@pytest.fixture(scope="session")
def alone(built, tmp_path_factory):
    """The Python of an environment with NumPy and the wheel, and nothing else."""
    import numpy

    (wheel,) = built.glob("*.whl")
    home = tmp_path_factory.mktemp("alone") / "empty"
    assert call("venv", "--without-pip", str(home))[0] == 0
    (python,) = [p for p in home.glob("*/python*") if p.stem == "python"]
    (packages,) = [*home.glob("lib/python*/site-packages"), *home.glob("Lib/site-packages")]
    for folder in Path(numpy.__file__).parent.parent.glob("numpy*"):
        shutil.copytree(folder, packages / folder.name)
    install = ["pip", "--python", str(python), "install", "--no-index", "--quiet", str(wheel)]
    status, told = call(*install, cwd=home)  # --no-index: what else it needed would be missing
    assert status == 0, told
    return python


@pytest.fixture(scope="session")
def browser():
    """Chromium, one for all tests: Playwright cannot be started twice in a thread."""
    from playwright.sync_api import sync_playwright

    from tools.browser import FLAGS, chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


# Torch is an oracle, not a need: without it the tests that ask it are left out, in one line.
LEFT_OUT = pytest.StashKey[int]()
HAVE_TORCH = find_spec("torch") is not None


def pytest_configure(config):
    config.addinivalue_line("markers", "torch: compares with torch, where that is installed")


def pytest_collection_modifyitems(config, items):
    left_out = [item for item in items if item.get_closest_marker("torch") and not HAVE_TORCH]
    if left_out:
        config.stash[LEFT_OUT] = len(left_out)
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter, config):
    if number := config.stash.get(LEFT_OUT, 0):
        line = f"{number} comparisons with torch were left out: it is not installed here."
        terminalreporter.write_line(line)
