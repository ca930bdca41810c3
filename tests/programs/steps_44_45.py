"""Layers that keep the parameters, and models made of them: a sine is learned four times."""

import numpy as np

import dezero.functions as F
import dezero.layers as L
from dezero import Layer, Model
from dezero.models import MLP, Sequential

lr, iters = 0.2, 10000


class TwoLayerNet(Model):
    def __init__(self, hidden_size, out_size):
        super().__init__()
        self.l1 = L.Linear(hidden_size)
        self.l2 = L.Linear(out_size)

    def forward(self, x):
        y = F.sigmoid(self.l1(x))
        y = self.l2(y)
        return y


class Stacked(Model):
    """Layers in a list, each with a name of its own besides: only names were found once."""

    def __init__(self, sizes):
        super().__init__()
        self.layers = []
        for i, size in enumerate(sizes):
            layer = L.Linear(size)
            setattr(self, "l" + str(i), layer)
            self.layers.append(layer)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.sigmoid(layer(x))
        return self.layers[-1](x)


def data():
    np.random.seed(0)
    x = np.random.rand(100, 1)
    return x, np.sin(2 * np.pi * x) + np.random.rand(100, 1)


def learn(predict, layers, iters):
    losses = []
    for i in range(iters):
        loss = F.mean_squared_error(y, predict(x))
        for layer in layers:
            layer.cleargrads()
        loss.backward()
        for layer in layers:
            for p in layer.params():
                p.data -= lr * p.grad.data
        if i % 1000 == 0:
            losses.append(float(loss.data))
    return losses


BOOK = [0.8165178479901415, 0.24990280802148895, 0.0761937449484299]

x, y = data()
model = Layer()
model.l1, model.l2 = L.Linear(10), L.Linear(1)
losses = learn(lambda x: model.l2(F.sigmoid(model.l1(x))), [model.l1, model.l2], iters)
assert len(losses) == 10
assert np.allclose([losses[0], losses[1], losses[9]], BOOK, rtol=1e-3)
assert all(isinstance(p.data, np.ndarray) for p in model.params())

for make in [
    lambda: TwoLayerNet(10, 1),
    lambda: MLP((10, 1)),
    lambda: Sequential(L.Linear(10), F.sigmoid, L.Linear(1)),
    lambda: Stacked((10, 1)),
]:
    x, y = data()
    model = make()
    assert np.allclose(learn(model, [model], 1001), losses[:2], rtol=1e-6)

assert [name for name, _ in model.named_params()] == ["l0/W", "l0/b", "l1/W", "l1/b"]
