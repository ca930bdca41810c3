"""The program of step 52: the same lines run with and without a GPU."""

import importlib.util
import time

import numpy as np

import dezero
import dezero.functions as F
from dezero import DataLoader, optimizers
from dezero.models import MLP

max_epoch = 3
batch_size = 100

train_set = dezero.datasets.Digits(train=True)
train_loader = DataLoader(train_set, batch_size)
model = MLP((100, 10), activation=F.relu)
optimizer = optimizers.Adam(0.01).setup(model)

# GPU mode
if dezero.cuda.gpu_enable:
    train_loader.to_gpu()
    model.to_gpu()

losses = []
for epoch in range(max_epoch):
    start = time.time()
    sum_loss = 0

    for x, t in train_loader:
        y = model(x)
        loss = F.softmax_cross_entropy(y, t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        sum_loss += float(loss.data) * len(t)

    elapsed_time = time.time() - start
    losses.append(sum_loss / len(train_set))
    line = f"epoch: {epoch + 1}, loss: {losses[-1]:.4f}, time: {elapsed_time:.4f}[sec]"
    assert line.startswith(f"epoch: {epoch + 1}, loss: {losses[-1]:.4f}, time: ")
assert losses[-1] < 0.5 < losses[0]

# What the book's text asks of the module.
xp = dezero.cuda.get_array_module(model.l0.W)
assert dezero.cuda.get_array_module(dezero.cuda.as_numpy(model.l0.W.data)) is np
assert (xp is np) != dezero.cuda.gpu_enable
x = dezero.Variable(np.ones(3))
x.to_cpu()
assert isinstance(x.data, np.ndarray)
if importlib.util.find_spec("cupy") is None:
    try:
        dezero.cuda.as_cupy(x.data)
    except Exception as error:  # as the published program does
        assert "CuPy" in str(error)
    else:
        raise AssertionError("there is no CuPy")
model.to_cpu()
with dezero.no_grad():
    test = dezero.datasets.Digits(train=False)
    x, t = test[:]
    assert F.accuracy(model(x), t).data > 0.8
