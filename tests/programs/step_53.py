"""Weights go into a file and come back, and a second run goes on from there."""

import os

import numpy as np

import dezero
import dezero.functions as F
from dezero.models import MLP

x = np.random.rand(20, 4).astype(np.float32)
t = np.random.randint(0, 3, 20)


def run():
    model = MLP((10, 3))
    if os.path.exists("my_mlp.npz"):
        model.load_weights("my_mlp.npz")
    losses = []
    for _ in range(20):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        for p in model.params():
            p.data -= 0.5 * p.grad.data
        losses.append(float(loss.data))
    model.save_weights("my_mlp.npz")
    return model, losses


model, losses = run()
with np.load("my_mlp.npz") as file:
    assert sorted(file) == ["l0/W", "l0/b", "l1/W", "l1/b"]
    assert all(array.dtype == np.float32 for array in file.values())
again, more = run()
assert more[0] < losses[-1] < losses[0] and again.l0.W.dtype == np.float32

# A file as the published DeZero wrote it: compressed, and under NumPy 2 with weights in float64.
params = dict(model.named_params())
arrays = {name: p.data.astype(float if "W" in name else p.dtype) for name, p in params.items()}
np.savez_compressed("published.npz", **arrays)
third = MLP((10, 3))
third.load_weights("published.npz")
with dezero.no_grad():
    assert np.array_equal(third(x).data, model(x).data)
assert sorted(os.listdir(".")) == ["my_mlp.npz", "published.npz"]
