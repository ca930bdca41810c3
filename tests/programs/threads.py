"""Two threads at once: one evaluates under no_grad, the other trains."""

import sys
import threading

import numpy as np

import dezero
import dezero.functions as F
from dezero import Config, Variable

sys.setswitchinterval(1e-5)  # let them take turns often
start, errors, losses = threading.Barrier(2), [], []


def evaluate():
    x = Variable(np.ones(10))
    start.wait()
    with dezero.no_grad():
        for _ in range(2000):
            y = F.tanh(x * 2) + 1
            assert y.creator is None and not Config.enable_backprop
    assert (x * 2).creator is not None


def train():
    w = Variable(np.full(10, 3.0))
    start.wait()
    for _ in range(1000):
        loss = (F.tanh(w) ** 2)[0]
        assert loss.creator is not None and Config.enable_backprop
        w.cleargrad()
        loss.backward()
        w.data = w.data - 0.5 * w.grad.data
        losses.append(float(loss))


def guarded(target):
    try:
        target()
    except BaseException as error:
        errors.append(error)
        start.abort()


threads = [threading.Thread(target=guarded, args=(target,)) for target in (evaluate, train)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

assert errors == []
assert len(losses) == 1000 and losses[-1] < 1e-3 < losses[0]
