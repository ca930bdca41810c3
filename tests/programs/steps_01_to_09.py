"""Boxes, functions and chains, each function with the backward of the book's first steps."""

import numpy as np

from dezero import Function, Variable, as_array


class Square(Function):
    def forward(self, x):
        y = x**2
        return y

    def backward(self, gy):
        x = self.inputs[0].data
        gx = 2 * x * gy
        return gx


class Exp(Function):
    def forward(self, x):
        y = np.exp(x)
        return y

    def backward(self, gy):
        x = self.inputs[0].data
        gx = np.exp(x) * gy.data
        return gx


def square(x):
    return Square()(x)


def exp(x):
    f = Exp()
    return f(x)


x = Variable(np.array(0.5))
y = square(exp(square(x)))
assert abs(y.data - 1.648721270700128) < 1e-15
assert y.creator.inputs[0].creator.inputs[0].creator.inputs[0] is x

y.backward()
assert abs(x.grad.data - 3.297442541400256) < 1e-14

x = Variable(np.array([[1.0, 2.0], [3.0, 4.0]]))
square(x).backward()
assert x.grad.shape == (2, 2)
assert x.grad.data.tolist() == [[2.0, 4.0], [6.0, 8.0]]

assert isinstance(as_array(np.array(1.0) ** 2), np.ndarray)
try:
    Variable("a text")
except TypeError as error:
    assert "is not supported" in str(error)
else:
    raise AssertionError("a text went into a box")
