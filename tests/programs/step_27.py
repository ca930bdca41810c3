"""The sine as a function with its derivative, as Taylor's series, and the graph of the series."""

import math
import os

import numpy as np

from dezero import Function, Variable
from dezero.utils import get_dot_graph, plot_dot_graph


class Sin(Function):
    def forward(self, x):
        y = np.sin(x)
        return y

    def backward(self, gy):
        x = self.inputs[0].data
        gx = gy * np.cos(x)
        return gx


def sin(x):
    return Sin()(x)


def my_sin(x, threshold=0.0001):
    y = 0
    for i in range(100000):
        c = (-1) ** i / math.factorial(2 * i + 1)
        t = c * x ** (2 * i + 1)
        y = y + t
        if abs(t.data) < threshold:
            break
    return y


x = Variable(np.array(np.pi / 4))
y = sin(x)
y.backward()
assert abs(y.data - 0.7071067811865476) < 3e-16
assert abs(x.grad.data - 0.7071067811865476) < 3e-16

x = Variable(np.array(np.pi / 4))
y = my_sin(x)
y.backward()
assert abs(y.data - 0.7071064695751781) < 1e-15
assert abs(x.grad.data - 0.7071032148228457) < 1e-15

x.name = "x"
y.name = "y"
dot = get_dot_graph(y, verbose=False)
assert [dot.count(f'"{name}"') for name in ("Add", "Mul", "Pow")] == [4, 4, 4]
plot_dot_graph(y, verbose=False, to_file="my_sin.png")
assert os.path.getsize("my_sin.png") > 1000

x = Variable(np.array(np.pi / 4))
y = my_sin(x, threshold=1e-150)
y.backward()
assert abs(y.data - np.sin(np.pi / 4)) < 3e-16
assert abs(x.grad.data - np.cos(np.pi / 4)) < 3e-16
