"""Down the valley of Rosenbrock, and Newton's method with second derivatives by double backprop."""

import numpy as np

from dezero import Variable


def rosenbrock(x0, x1):
    y = 100 * (x1 - x0**2) ** 2 + (x0 - 1) ** 2
    return y


x0 = Variable(np.array(0.0))
x1 = Variable(np.array(2.0))
lr = 0.001
iters = 1000
seen = []

for _ in range(iters):
    seen.append((float(x0), float(x1)))
    y = rosenbrock(x0, x1)
    x0.cleargrad()
    x1.cleargrad()
    y.backward()
    x0.data -= lr * x0.grad.data
    x1.data -= lr * x1.grad.data

assert np.allclose(seen[1], [0.002, 1.6])
assert np.allclose(seen[-1], [0.6834917840420289, 0.46565059996514135], rtol=1e-12)


def f(x):
    y = x**4 - 2 * x**2
    return y


x = Variable(np.array(2.0))
places = []

for _ in range(10):
    places.append(float(x))
    y = f(x)
    x.cleargrad()
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.backward()
    gx2 = x.grad
    x.data -= gx.data / gx2.data

newton = [2.0, 1.4545454545454546, 1.1510467893775467, 1.0253259289766978, 1.0009084519430513]
newton += [1.0000012353089454, 1.000000000002289, 1.0, 1.0, 1.0]
assert np.allclose(places, newton, rtol=1e-14, atol=0)
