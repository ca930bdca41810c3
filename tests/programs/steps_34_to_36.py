"""Higher derivatives of sin and tanh, their graph, and a gradient inside an expression."""

import os

import numpy as np

import dezero.functions as F
from dezero import Variable
from dezero.utils import get_dot_graph, plot_dot_graph

x = Variable(np.linspace(-7, 7, 200))
y = F.sin(x)
y.backward(create_graph=True)
logs = [y.data.flatten()]

for _ in range(3):
    logs.append(x.grad.data.flatten())
    gx = x.grad
    x.cleargrad()
    gx.backward(create_graph=True)

for log, line in zip(logs, [np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x)]):
    assert log.shape == (200,) and np.allclose(log, line(x.data))

x = Variable(np.array(1.0))
y = F.tanh(x)
x.name = "x"
y.name = "y"
y.backward(create_graph=True)

iters = 1
for _ in range(iters):
    gx = x.grad
    x.cleargrad()
    gx.backward(create_graph=True)

gx = x.grad
gx.name = "gx" + str(iters + 1)
assert abs(gx.data - -0.6397000084492246) < 1e-15
dot = get_dot_graph(gx, verbose=False)
edges = {line for line in dot.splitlines() if "->" in line}  # y * y is reached by two of them
assert "gx2" in dot and (dot.count("shape=box"), len(edges)) == (9, 24)
plot_dot_graph(gx, verbose=False, to_file="tanh.png")
assert os.path.getsize("tanh.png") > 1000

x = Variable(np.array(2.0))
y = x**2
y.backward(create_graph=True)
gx = x.grad
x.cleargrad()
z = gx**3 + y
z.backward()
assert repr(x.grad) == "variable(100.0)"
