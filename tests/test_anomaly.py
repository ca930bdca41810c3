"""Anomalies: which function made nan or infinity, forward and backward."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from trainers import same, spiral, trainer, weights

import dezero.functions as F
import dezero.layers as L
from dezero.anomaly import check_finite, detect_anomaly
from dezero.backprop import grad
from dezero.config import Config, no_grad
from dezero.core import Function, Variable
from dezero.dataloaders import DataLoader
from dezero.datasets import Digits
from dezero.models import MLP, Model
from dezero.optimizers import SGD

# --- nan and infinity ---------------------------------------------------------------------------


class Wrong(Model):
    """A model whose output is not a number from its `n`th call on."""

    def __init__(self, n, wrong=np.log):
        self.l0, self.l1, self.n, self.calls = L.Linear(4), L.Linear(3), n, 0

    def forward(self, x):
        self.calls += 1
        h = self.l0(x)
        if self.calls >= self.n:
            h = F.log(h * 0 - 1)
        return self.l1(F.exp(h))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_becomes_nan_is_located():
    train, _, _, optimizer = spiral()
    model = Wrong(13)
    found = trainer(model, optimizer)
    kept = []
    found.callbacks.append(SimpleNamespace(after_batch=lambda t: kept.append(weights(model))))
    text = (r"^epoch 2, batch 3: Log\(\(30, 4\) float32\) gave nan in 120 of 120 places, "
            r"first at \(0, 0\) of -1$")  # fmt: skip
    with pytest.raises(FloatingPointError, match=text):
        found.fit(train, epochs=5)
    assert same(weights(model), kept[-1]) and len(found.history) == 1  # the model is unharmed


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_who_is_named():
    x = Variable(np.array([1.0, 0.0, -1.0]), "x")

    def named(y, text):
        with pytest.raises(FloatingPointError, match=text):
            check_finite(y)

    named(F.sum(F.exp(F.log(x))), r"^Log\('x' \(3,\) float64\) gave -inf and nan in 2 of 3 places, "
          r"first at \(1,\) of 0$")  # fmt: skip
    named(F.sum(x / x * 2), r"^Div\('x' .* in 1 of 3 places, first at \(1,\) of 0 and 0$")
    named(Variable(3.0, "a") / Variable(0.0), r"^Div\('a' \(\) .*gave inf, first of 3 and 0$")
    big = Variable(np.array(1e200))
    named(big * big - big * big, "^Mul.* gave inf, first of 1e.200 and 1e.200$")
    named(F.sum(F.log(x)) + F.sum(F.sqrt(x)), "^Log")  # of two the first
    named(F.sum(F.sqrt(x)) + F.sum(F.log(x)), "^Sqrt")
    bad = Variable(np.array([1.0, np.nan]), "bad")
    named(F.sum(bad * 2), r"^Mul\('bad' \(2,\) .*\) was given nan in 1 of 2 places$")
    named(bad, "^the value is nan in 1 of 2 places$")
    # the infinity that a mask brings along is no fault; the nan that is made of it is one
    mask = np.array([0.0, -np.inf, 0.0])
    check_finite(F.sum(F.softmax(F.reshape(x + mask, (1, 3)))))
    named(F.sum(F.softmax(F.reshape(x * 0 + mask * 0, (1, 3)))), r"Add|Mul")
    named(F.sum((x + mask) * 0), r"^Mul\(.*gave nan .*, first at \(1,\) of -inf and 0$")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_gradient_that_is_not_finite_is_located():
    x = Variable(np.array([4.0, 0.0]), "x")
    y = F.sum(F.sqrt(x) * 3)
    text = (r"^the derivative of Sqrt\('x' \(2,\) float64\) gave inf in 1 of 2 places "
            r"as the gradient of 'x' \(2,\) float64$")  # fmt: skip
    y.backward()
    assert x.grad.data[1] == np.inf
    x.cleargrad()
    for walk in (y.backward, lambda: y.backward(create_graph=True), lambda: grad(y, x),
                 lambda: grad(y, [x], Variable(np.array(2.0))),
                 lambda: y.gradients([x], grad_output=None, create_graph=True)):  # fmt: skip
        with detect_anomaly(), pytest.raises(FloatingPointError, match=text):
            walk()
    assert x.grad is None  # nothing has changed
    with detect_anomaly():
        F.sum(F.sqrt(x + 1)).backward()
        assert grad(F.sum(x * x), x).data.tolist() == [8, 0]
    assert x.grad.data.tolist() == pytest.approx([0.5 / 5**0.5, 0.5])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_anomalies_of_functions_written_the_books_way_and_of_sums():
    class Old(Function):
        def forward(self, x):
            return x * 1

        def backward(self, gy):
            return gy * np.inf

    x = Variable(np.array([0.5]), "x")
    with detect_anomaly(), pytest.raises(FloatingPointError, match="derivative of Old.*gave inf"):
        F.sum(Old()(x) * 2).backward()
    huge = np.array([1e308])
    with detect_anomaly(), pytest.raises(FloatingPointError, match="add up to more than its dtype"):
        F.sum(x * huge + x * huge).backward()
    with detect_anomaly(), pytest.raises(FloatingPointError, match="add up to more than its dtype"):
        h = x * 1
        F.sum(h * huge + h * huge).backward()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_detect_anomaly_around_fit():
    class Root(MLP):
        def forward(self, x):
            h = self.l0(x)
            return F.sqrt(h * (h.data > 0))  # inf * 0 on the way back

    train = DataLoader(Digits(), 100, seed=0)
    with pytest.raises(FloatingPointError, match=r"^epoch 1, batch 2: Linear\(.*'l0/W'.*was given "
                       r"nan in .* places in l0/W, by an update before"):  # fmt: skip
        np.random.seed(0)
        trainer(Root((10,)), SGD(0.1)).fit(train)
    text = r"^epoch 1, batch 1: the derivative of Sqrt\(.*\) gave .*inf.* as the gradient of"
    model = Root((10,))
    with detect_anomaly(), pytest.raises(FloatingPointError, match=text):
        trainer(model, SGD(0.1)).fit(train)
    assert all(np.isfinite(w).all() for w in weights(model).values())


def test_detect_anomaly_changes_nothing_else():
    train, test, model, optimizer = spiral()
    plain = trainer(model, optimizer).fit(train, test, 3)
    train, test, other, optimizer = spiral()
    with detect_anomaly():
        watched = trainer(other, optimizer).fit(train, test, 3)
        inside = []
        thread = threading.Thread(target=lambda: inside.append(Config.detect_anomaly))
        thread.start()
        thread.join()
        assert Config.detect_anomaly and inside == [False]  # this thread only
    assert plain.columns == watched.columns and same(weights(model), weights(other))
    assert not Config.detect_anomaly and not Config.detect_anomaly
    with detect_anomaly(), pytest.raises(RuntimeError, match="no graph behind it"):
        with no_grad():
            y = F.sum(model.l0.W)
        y.backward()
