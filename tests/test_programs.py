"""Programs as readers of the book write them. Each runs on its own, in an empty folder."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))


def run(program, folder):
    command = [sys.executable, "-W", "error", str(program)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_program(program, tmp_path):
    done = run(program, tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_program_that_fails_is_noticed(tmp_path):
    program = tmp_path / "wrong.py"
    program.write_text("from dezero import Variable\n\nassert Variable(1.0).data == 2.0\n")
    done = run(program, tmp_path)
    assert done.returncode == 1 and "AssertionError" in done.stderr
