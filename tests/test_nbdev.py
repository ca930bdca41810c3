"""nbdev's own commands, as its users type them, in a fresh checkout.

`nbdev-test` runs two small notebooks here: that every notebook runs is the matter of
test_notebooks.py.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ["03_operators.ipynb", "50_config.ipynb"]  # the first changes what operators call


@pytest.fixture(scope="module")
def checkout(root, tmp_path_factory):
    """A copy of the checkout, with everything in it committed."""
    copy = tmp_path_factory.mktemp("checkout") / "dezero"
    made = (".git", ".venv*", "_build", "build", "dist", "*.egg-info", "__pycache__", "_modidx.py")
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(*made))
    for words in ["init -q", "add -A", "-c user.name=A -c user.email=a@b.c commit -q -m all"]:
        subprocess.run(["git", *words.split()], cwd=copy, check=True)
    return copy


def nbdev(checkout, *command):
    """Run a command; what git says has changed, and what the command said."""
    env = {**os.environ, "PYTHONPATH": str(checkout)}  # this copy, not what is installed
    program = str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run(
        [program, *command[1:]],
        cwd=checkout,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    status = ["git", "status", "--porcelain"]
    changed = subprocess.run(status, cwd=checkout, text=True, capture_output=True, check=True)
    assert done.returncode == 0, done.stdout
    return changed.stdout.split(), done.stdout


def test_nbdev_export_changes_nothing(checkout):
    assert nbdev(checkout, "nbdev-export")[0] == []


def test_nbdev_clean_changes_nothing(checkout):
    assert nbdev(checkout, "nbdev-clean")[0] == []


@pytest.mark.parametrize("name", [*SMALL, "examples/tanh.ipynb"])
def test_nbdev_test_runs_a_notebook(checkout, name):
    changed, told = nbdev(checkout, "nbdev-test", f"nbs/{name}")
    assert changed == [] and "Success." in told


def test_nbdev_test_gives_each_notebook_a_process_of_its_own(checkout):
    """They add methods to the same classes. The second would meet what the first one left."""
    pattern = "|".join(SMALL).replace(".", r"\.")
    told = nbdev(checkout, "nbdev-test", "--n-workers", "1", "--file-re", pattern)[1]
    assert "Success." in told
