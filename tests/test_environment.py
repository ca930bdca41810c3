"""What a process runs on: versions, BLAS, threads, and why there is no GPU."""

import os
import platform
import subprocess
import sys
from importlib.metadata import metadata
from types import ModuleType, SimpleNamespace

import numpy as np

from dezero.environment import configuration
from dezero.utils import show_config


def test_show_config_says_what_runs_here(capsys):
    show_config()
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["dezero"] == metadata("dezero")["Version"] and lines["NumPy"] == np.__version__
    assert lines["Python"].startswith(platform.python_version())
    assert int(lines["cores"]) >= 1 and lines["BLAS"] and lines["GPU"]


def test_show_config_says_why_there_is_no_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert configuration()["GPU"].startswith("none: CuPy is not usable (")
    cupy = ModuleType("cupy")  # installed, and no card
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    assert configuration()["GPU"].startswith("none: CuPy finds no card (")
    cupy.__version__, cupy.cuda = (
        "13.0",
        SimpleNamespace(runtime=SimpleNamespace(getDeviceProperties=lambda i: {"name": b"A card"})),
    )
    assert configuration()["GPU"] == "CuPy 13.0 on A card"


def test_show_config_names_the_limits_of_threads(monkeypatch):
    for name in [name for name in os.environ if name.endswith("_THREADS")]:
        monkeypatch.delenv(name)  # VECLIB_MAXIMUM_THREADS ends so, too
    cores = configuration()["cores"]
    assert configuration()["threads"] == f"not limited, so up to {cores}, one per core"
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    assert configuration()["threads"] == "MKL_NUM_THREADS=3"


def test_show_config_does_without_the_newer_numpy(monkeypatch):
    monkeypatch.setattr(np, "show_config", lambda: None)  # before 1.25 it had no mode
    assert configuration()["BLAS"].startswith("unknown")


FAULTS = """
import resource
import numpy as np
from dezero import Variable
from dezero.transformer import TransformerBlock

block, x = TransformerBlock(64, 4), Variable(np.ones((16, 64, 64), np.float32))
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for i in range(15):
    if i == 5: before = faults()
    block.cleargrads()
    block(x).sum().backward()
print((faults() - before) // 10)
"""


def test_a_step_uses_the_memory_of_the_step_before():
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 100 or platform.libc_ver()[0] != "glibc"
