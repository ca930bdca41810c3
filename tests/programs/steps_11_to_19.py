"""Several inputs and outputs, a variable used twice, memory, names, and no_grad."""

import numpy as np

import dezero
from dezero import Config, Function, Variable, using_config


class Add(Function):
    def forward(self, x0, x1):
        y = x0 + x1
        return (y,)

    def backward(self, gy):
        return gy, gy


class Square(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        (x,) = self.inputs
        return 2 * x * gy


class SinCos(Function):
    def forward(self, x):
        return np.sin(x), np.cos(x)

    def backward(self, gsin, gcos):
        sin, cos = self.outputs[0](), self.outputs[1]()
        return gsin * cos - gcos * sin


def add(x0, x1):
    return Add()(x0, x1)


def square(x):
    return Square()(x)


x, y = Variable(np.array(2.0)), Variable(np.array(3.0))
z = add(square(x), square(y))
z.backward()
assert (z.data, x.grad.data, y.grad.data) == (13.0, 4.0, 6.0)

x = Variable(np.array(3.0))
y = add(x, x)
y.backward()
assert x.grad.data == 2.0
x.cleargrad()
y = add(add(x, x), x)
y.backward()
assert x.grad.data == 3.0

x = Variable(np.array(2.0))
a = square(x)
y = add(square(a), square(a))
y.backward()
assert (y.data, x.grad.data) == (32.0, 64.0)
assert (x.generation, a.generation, y.generation) == (0, 1, 3)

x = Variable(np.array(0.5))
s, c = SinCos()(x)
y = s * c
y.backward()
assert abs(x.grad.data - np.cos(1.0)) < 1e-15

for _ in range(10):
    x = Variable(np.random.randn(10000))
    y = square(square(square(x)))

x0, x1 = Variable(np.array(1.0)), Variable(np.array(1.0))
t = add(x0, x1)
y = add(x0, t)
y.backward()
assert y.grad is None and t.grad is None
assert (x0.grad.data, x1.grad.data) == (2.0, 1.0)
x0.cleargrad()
x1.cleargrad()
y.backward(retain_grad=True)
assert (y.grad.data, t.grad.data) == (1.0, 1.0)

with using_config("enable_backprop", False):
    assert not Config.enable_backprop
    y = square(Variable(np.array(2.0)))
    assert y.creator is None
with dezero.no_grad():
    assert square(x).creator is None
assert Config.enable_backprop and square(x).creator is not None

x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
x.name = "x"
assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((2, 3), 2, 6, np.int64, 2)
assert Variable(np.array(1.0), "first").name == "first"
assert str(x) == "variable([[1 2 3]\n          [4 5 6]])"
assert repr(Variable(None)) == "variable(None)"
