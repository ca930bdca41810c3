"""Steps 28 and 29 on `dezero.core_simple`: gradients are arrays, second derivatives by hand."""

import numpy as np

from dezero.core_simple import (
    Add,
    Config,
    Function,
    Pow,
    Variable,
    add,
    as_array,
    as_variable,
    no_grad,
    setup_variable,
    using_config,
)

setup_variable()


class Sin(Function):
    def forward(self, x):
        return np.sin(x)

    def backward(self, gy):
        x = self.inputs[0].data
        assert not isinstance(gy, Variable)
        return np.cos(x) * np.asarray(gy)


x = Variable(np.array([0.3, 1.0]), name="x")
y = Sin()(2 * x) + 1
y.backward(retain_grad=True)
assert isinstance(y, Variable) and isinstance(x.grad, np.ndarray) and isinstance(y.grad, np.ndarray)
assert np.allclose(x.grad, 2 * np.cos(2 * x.data))
y = Sin()(x)
y.backward()
assert np.allclose(x.grad, 2 * np.cos(2 * x.data) + np.cos(x.data))  # it adds
x.cleargrad()
assert x.grad is None

a = Sin()(x)
b = np.array([1.0, 1.0]) + a * x
b.backward(retain_grad=True)
assert isinstance(b, Variable) and a.grad.tolist() == x.data.tolist()

y = Pow(3)(Add()(as_variable(np.array(1.0)), Variable(as_array(1.0))))
assert isinstance(y, Variable) and y.data == 8.0 and add(y, 1.0).data == 9.0
with no_grad():
    assert (x + 1).creator is None and not Config.enable_backprop
with using_config("enable_backprop", False):
    assert (x + 1).creator is None


def rosenbrock(x0, x1):
    return 100 * (x1 - x0**2) ** 2 + (x0 - 1) ** 2


x0, x1 = Variable(np.array(0.0)), Variable(np.array(2.0))
lr = 0.001
for _ in range(1000):
    last = float(x0.data), float(x1.data)
    y = rosenbrock(x0, x1)
    x0.cleargrad()
    x1.cleargrad()
    y.backward()
    x0.data -= lr * x0.grad
    x1.data -= lr * x1.grad
assert np.allclose(last, [0.6834917840420289, 0.46565059996514135], rtol=1e-12)

x = Variable(np.array(2.0))
places = []
for _ in range(10):
    places.append(float(x.data))
    y = x**4 - 2 * x**2
    x.cleargrad()
    y.backward()
    x.data -= x.grad / (12 * x.data**2 - 4)
assert np.allclose(places[:4], [2.0, 1.4545454545454546, 1.1510467893775467, 1.0253259289766978])
assert places[-1] == 1.0
