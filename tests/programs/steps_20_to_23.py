"""Operators in every mixture of Variables, arrays and numbers."""

import numpy as np

from dezero import Parameter, Variable, as_variable, setup_variable

setup_variable()
a = Variable(np.array(3.0))
b = Variable(np.array(2.0))
c = Variable(np.array(1.0))
y = a * b + c
y.backward()
assert (y.data, a.grad.data, b.grad.data) == (7.0, 2.0, 3.0)

x = Variable(np.array(2.0))
assert (x + np.array(3.0)).data == 5.0
assert (3.0 * x + 1.0).data == 7.0
assert (-x).data == -2.0
assert (2.0 - x).data == 0.0 and (x - 1.0).data == 1.0
assert (3.0 / x).data == 1.5 and (x / 2.0).data == 1.0
assert (x**3).data == 8.0

x = Variable(np.array([1.0]))
y = np.array([2.0]) + x
assert isinstance(y, Variable) and y.data.tolist() == [3.0]
y = np.array([[1.0], [2.0]]) * x - np.float32(1)
assert isinstance(y, Variable) and y.shape == (2, 1)

x = Variable(np.array(1.0))
y = (x + 3) ** 2
y.backward()
assert repr(y) == "variable(16.0)" and repr(x.grad) == "variable(8.0)"

W = Parameter(np.ones((3, 2), dtype=np.float32))
x = np.ones((4, 3), dtype=np.float32)
y = (x @ W + 1) / 2.0
y.backward()
assert y.dtype == W.grad.dtype == np.float32
assert W.grad.data.tolist() == [[2.0, 2.0]] * 3
assert as_variable(W) is W and isinstance(as_variable(np.array(1.0)), Variable)

x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
y = x[1]
y.backward()
assert y.data.tolist() == [4, 5, 6] and x.grad.data.tolist() == [[0, 0, 0], [1, 1, 1]]
x.cleargrad()
y = x[np.array([0, 0, 1])]
y.backward()
assert x.grad.data.tolist() == [[2, 2, 2], [1, 1, 1]]
assert (x > 2).tolist() == [[False, False, True], [True, True, True]]
