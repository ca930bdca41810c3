"""Anomalies: who made nan or infinity, forward or backward, and which array was changed."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import ENTRIES, tried
from trainers import same, spiral, trainer, weights

import dezero.functions as F
import dezero.layers as L
from dezero.anomaly import check_finite, detect_anomaly
from dezero.backprop import grad
from dezero.config import Config, no_grad
from dezero.core import Function, Node, Variable
from dezero.dataloaders import DataLoader
from dezero.datasets import Digits
from dezero.models import MLP, Model
from dezero.optimizers import SGD, Adam, MomentumSGD

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


# --- arrays that are changed after a call ---------------------------------------------------------


def changed(make, change, text="", walk=Variable.backward):
    """Is a change between call and walk told, and is nothing changed by telling it?"""
    x = Variable(np.array([1.0, 2.0]), "x")
    with detect_anomaly():
        y = make(x)
        change(x, y)
        with pytest.raises(RuntimeError, match=text):
            walk(y)
    assert x.grad is None and Node.__dict__["_call_order"].__class__ is not property


def add_one(x, y):
    x.data += 1


def set_first(x, y):
    x.data[0] = 5


def set_through_a_view(x, y):
    part = x.data[::-1]
    part[...] = 3


def set_the_output(x, y):
    y.data *= 2


def new_array(x, y):
    x.data = x.data + 1


class BookSquare(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        return 2 * self.inputs[0].data * gy


def test_an_input_that_is_changed_is_told():
    text = (r"^Mul\('x' \(2,\) float64, 'x' \(2,\) float64\) in `.*x \* x.*` \(line \d+ of "
            r"test_anomaly.py\) would get a wrong gradient: input 0, 'x' \(2,\) float64, was "
            r"changed after the call, first at \(0,\) from 1 to 2. Change it after backward\(\), "
            r"or make a new array: x.data = x.data \+ 1, not x.data \+= 1$")  # fmt: skip
    changed(lambda x: x * x, add_one, text)
    changed(lambda x: F.sum(x * x), set_first, "from 1 to 5")
    changed(lambda x: F.sum(F.sin(x)), set_through_a_view, "Sin.*from 1 to 3")
    changed(lambda x: F.log(x[1:]), lambda x, y: x.data.fill(4), "Log.*from 2 to 4")
    changed(lambda x: F.matmul(x.reshape(1, 2), x.reshape(2, 1)), add_one, "MatMul")
    changed(BookSquare(), add_one, "BookSquare.*from 1 to 2")
    for walk in (lambda y: grad(y, y.creator.inputs[0]), lambda y: y.backward(create_graph=True)):
        changed(lambda x: x * x, add_one, text, walk)


@pytest.mark.parametrize("function", [F.exp, F.sigmoid, F.sqrt, F.softmax, F.log_softmax])
def test_an_output_that_is_changed_is_told(function):
    changed(lambda x: function(x.reshape(1, 2)), set_the_output, "its output .* was changed")


def test_an_array_beside_the_variables_is_looked_at_too():
    weights = np.array([3.0, 4.0])

    def double(x, y):
        weights[...] = 7

    changed(lambda x: x * weights, double, r"input 1, .* from 3 to 7")


def test_another_array_in_the_box_is_told_where_the_walk_reads_the_box():
    text = r"from 1 to 2. Change it after backward\(\)$"
    changed(lambda x: x * x, new_array, text, lambda y: y.backward(create_graph=True))
    changed(BookSquare(), new_array, text)

    def longer(x, y):
        x.data = np.ones(3)

    text = r"from shape \(2,\) to \(3,\)"
    changed(lambda x: x * x, longer, text, lambda y: y.backward(create_graph=True))


@pytest.mark.parametrize("change", [add_one, set_first, set_through_a_view, new_array])
def test_a_change_that_does_no_harm_is_not_told(change):
    x = Variable(np.array([1.0, 2.0]), "x")
    for make, right in [(lambda x: x + 1, 1), (lambda x: F.sum(x - 3), 1), (lambda x: x * 3, 3),
                        (lambda x: F.relu(x), 1), (lambda x: F.reshape(x, (2, 1)), 1)]:  # fmt: skip
        x.cleargrad()
        with detect_anomaly():
            y = make(x)
            change(x, y)
            y.backward()
        assert x.grad.data.tolist() == [right, right]
    with detect_anomaly():
        y = x * x
        y.backward()
        change(x, y)  # after the walk
    with detect_anomaly():
        y = x * x
        kept = x.data.copy()
        new_array(x, y)
    x.cleargrad()
    y.backward()
    assert x.grad.data.tolist() == (2 * kept).tolist()


def test_a_number_is_recorded_as_it_was():
    x = Variable(np.array(3.0), "x")
    with detect_anomaly():
        y = x * x
        x.data += 1
        y.backward()
        assert x.grad.data == 6
        with pytest.raises(RuntimeError, match="input 0, 'x' .* from 3 to 4"):
            grad(y, x, create_graph=True)
        x.cleargrad()
        z = F.exp(x)
        z.data += 1
        z.backward()
    assert x.grad.data == np.exp(4.0)


def test_an_optimizer_between_the_passes_is_told():
    for optimizer in (SGD(0.1), MomentumSGD(0.1), Adam()):
        np.random.seed(0)
        model, x, t = MLP((4, 3)), np.ones((5, 2), "f4"), np.zeros(5, int)
        optimizer.setup(model)
        with detect_anomaly():
            one, two = (F.softmax_cross_entropy(model(i * x), t) for i in (1, 2))
            one.backward()
            optimizer.update()
            with pytest.raises(RuntimeError, match=r"Linear.*input 1, .*W.* in .*changed|input 1"):
                two.backward()
            with pytest.raises(RuntimeError, match="Linear"):
                one.backward()  # once more, on the same graph
            loss = F.softmax_cross_entropy(model(x), t)
            loss.backward()
            optimizer.update()


def test_only_calls_under_the_switch_are_looked_at():
    x = Variable(np.array([1.0, 2.0]))
    before = x * x
    with detect_anomaly():
        inside = x * x
        x.data += 1
        before.backward()  # nobody knows how it was
    assert x.grad.data.tolist() == [4, 6]
    inside.backward()
    with detect_anomaly(), pytest.raises(RuntimeError, match="wrong gradient"):
        inside.backward()
    assert type((x * x).creator._call_order) is int and type(inside.creator._call_order) is not int


def test_the_switch_is_counted_over_threads():
    inside, done = threading.Event(), threading.Event()
    x = Variable(np.array([1.0, 2.0]))

    def other():
        with detect_anomaly():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    with detect_anomaly():
        thread.start()
        inside.wait(10)
    assert type((x * x).creator._call_order) is int  # not in this thread
    with detect_anomaly():
        assert type((x * x).creator._call_order) is not int
    done.set()
    thread.join()
    assert type(Node.__dict__["_call_order"]) is not property

    @detect_anomaly()
    def decorated():
        return type(F.sin(x).creator._call_order)

    assert decorated() is not int and type(F.sin(x).creator._call_order) is int


def test_what_is_recorded_can_be_copied_and_walked_as_before():
    import copy
    import pickle

    x = Variable(np.array([1.0, 2.0]))
    with detect_anomaly():
        y = F.sum(F.sin(x) * x)
        first = grad(y, x, create_graph=True)
        second = grad(F.sum(first), x)
        assert vars(copy.copy(y.creator)).keys() == vars(F.Sum()).keys()
        assert pickle.loads(pickle.dumps(y)).data == y.data
    plain = F.sum(F.sin(x) * x)
    expected = grad(plain, x, create_graph=True)
    assert np.array_equal(first.data, expected.data)
    assert np.array_equal(second.data, grad(F.sum(expected), x).data)


@pytest.mark.parametrize("entry", [pytest.param(e, id=e.names.split()[0]) for e in ENTRIES])
@tried(3)
@given(data=st.data())
def test_no_function_gives_a_false_alarm(entry, data):
    shapes, options = data.draw(entry.drawn())
    rng = np.random.default_rng(0)
    xs = [Variable(np.asarray(place(rng, s))) for place, s in zip(entry.places, shapes)]
    with detect_anomaly():
        y = F.sum(entry.call(*xs, *options))
        gxs = grad(y, xs, create_graph=True)
        y.backward()
        grad(sum(map(F.sum, gxs)), xs)
    assert all(np.allclose(x.grad.data, gx.data) for x, gx in zip(xs, gxs))


def test_no_layer_with_a_state_gives_a_false_alarm():
    np.random.seed(0)
    x = np.random.randn(4, 2, 6, 6).astype("f4")
    net = [L.Conv2d(3, 3), L.BatchNorm(), F.relu, lambda h: F.dropout(h, 0.5),
           lambda h: F.pooling(h, 2, 2), lambda h: h.reshape(len(h), -1), L.Linear(3)]  # fmt: skip
    cell, out = L.LSTM(5), L.Linear(1)
    with detect_anomaly():
        for _ in range(3):
            h = x
            for part in net:
                h = part(h)
            F.softmax_cross_entropy(h, np.zeros(4, int)).backward()
            for part in (net[0], net[1], net[-1]):
                SGD(0.1).setup(part).update()
                part.cleargrads()
        for step in np.random.randn(3, 4, 2, 1):  # windows of truncated walks
            loss = sum([F.mean(out(cell(x)) ** 2) for x in step])
            loss.backward()
            loss.unchain_backward()
            for part in (cell, out):
                Adam().setup(part).update()
                part.cleargrads()
