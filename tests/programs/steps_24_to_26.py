"""Test functions of optimisation, and their graphs as text and as pictures in files."""

import os

import numpy as np

from dezero import Variable
from dezero.utils import get_dot_graph, plot_dot_graph


def sphere(x, y):
    z = x**2 + y**2
    return z


def matyas(x, y):
    z = 0.26 * (x**2 + y**2) - 0.48 * x * y
    return z


def goldstein(x, y):
    z = (1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)) * (
        30
        + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    )
    return z


for f, slopes in [(sphere, (2.0, 2.0)), (matyas, (0.04, 0.04)), (goldstein, (-5376.0, 8064.0))]:
    x = Variable(np.array(1.0))
    y = Variable(np.array(1.0))
    z = f(x, y)
    z.backward()
    assert np.allclose([x.grad.data, y.grad.data], slopes)

assert z.data == 1876.0
x.name = "x"
y.name = "y"
z.name = "z"
txt = get_dot_graph(z, verbose=False)
assert txt.startswith("digraph") and txt.count("->") == 108
assert txt.count("shape=box") == 38
assert "float64" not in txt and "float64" in get_dot_graph(z)

os.mkdir("a folder")
for name in ["goldstein.png", "goldstein.svg", "a folder/gold stein.svg"]:
    plot_dot_graph(z, verbose=False, to_file=name)
    assert os.path.getsize(name) > 10_000
with open("goldstein.png", "rb") as file:
    assert file.read(8) == b"\x89PNG\r\n\x1a\n"
with open("a folder/gold stein.svg", encoding="utf-8") as file:
    assert "<svg" in file.read()
