"""Training: loops, messages, checkpoints and killed runs, Ctrl-C, anomalies, wrong input."""

import functools
import gc
import gzip
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import tqdm
from hypothesis import given, settings
from hypothesis import strategies as st

import dezero.functions as F
import dezero.layers as L
from dezero import training
from dezero.backprop import grad
from dezero.core import Config, Function, Variable, no_grad
from dezero.dataloaders import DataLoader
from dezero.datasets import MNIST, ArrayDataset, Digits, Spiral
from dezero.files import load_arrays
from dezero.models import MLP, Model
from dezero.optimizers import SGD, Adam, AdamW, CosineDecay, MomentumSGD, WarmUp
from dezero.training import (
    Checkpoint,
    EarlyStopping,
    History,
    Progress,
    Trainer,
    check_finite,
    confusion_matrix,
    detect_anomaly,
)


def spiral(seed=0, batch_size=30):
    """Loaders for training and testing, a model and an optimizer."""
    np.random.seed(seed)
    train = DataLoader(Spiral(), batch_size)
    test = DataLoader(Spiral(train=False), batch_size, shuffle=False)
    model = MLP((10, 3))
    return train, test, model, SGD(1.0)


def trainer(model, optimizer, callbacks=(), **options):
    options = {"metrics": F.accuracy, "verbose": False, **options}
    return Trainer(model, optimizer, F.softmax_cross_entropy, callbacks=callbacks, **options)


def weights(model):
    return {name: param.data.copy() for name, param in model.named_params()}


def same(one, two):
    return one.keys() == two.keys() and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in ((one[k], two[k]) for k in one)
    )


# --- the loop -----------------------------------------------------------------------------------


def test_the_numbers_of_step_50():
    """The published get_spiral leaves the global generator as it was after making the test set."""
    np.random.seed(2020)
    np.random.randn(300), np.random.permutation(300)
    loaders = DataLoader(Spiral(), 30), DataLoader(Spiral(train=False), 30, shuffle=False)
    history = trainer(MLP((10, 3)), SGD(1.0)).fit(*loaders, epochs=300)
    names = "loss", "accuracy", "valid_loss", "valid_accuracy"
    first, last = ([history[name][i] for name in names] for i in (0, -1))
    assert first[:2] == pytest.approx((1.0944, 0.4033), abs=1e-4)
    assert last == pytest.approx((0.1082, 0.9667, 0.1458, 0.9600), abs=1e-3)


def test_it_does_what_a_loop_by_hand_does():
    train, _, model, optimizer = spiral(batch_size=70)  # the last batch is shorter
    optimizer.setup(model)
    losses = []
    for _ in range(5):
        total = 0.0
        for x, t in train:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            total += float(loss) * len(t)
        losses.append(total / 300)
    train, _, other, optimizer = spiral(batch_size=70)
    history = trainer(other, optimizer).fit(train, epochs=5)
    assert same(weights(model), weights(other))
    assert history["loss"] == pytest.approx(losses, rel=1e-14)


def test_fit_goes_on_where_it_was():
    train, test, model, optimizer = spiral()
    one = trainer(model, optimizer)
    one.fit(train, test, 3)
    assert one.fit(train, test, 2) is one.history and one.epoch == len(one.history) == 5
    train, test, model, optimizer = spiral()
    assert trainer(model, optimizer).fit(train, test, 5).columns == one.history.columns
    assert len(trainer(model, optimizer).fit(train, epochs=0)) == 0


def test_digits_to_97_percent():
    np.random.seed(0)
    model, n = MLP((200, 10), activation=F.relu), 30 * 45

    def loss(y, t):
        return F.softmax_cross_entropy(y, t, label_smoothing=0.1)

    train = DataLoader(Digits(), 32, seed=0)
    test = DataLoader(Digits(train=False), 100, shuffle=False)
    fitted = Trainer(model, Adam(CosineDecay(0.005, n)), loss, F.accuracy, verbose=False)
    begin = time.perf_counter()
    history = fitted.fit(train, test, 30)
    assert time.perf_counter() - begin < 20
    assert history["valid_accuracy"][-1] >= 0.97


def test_evaluate_uses_no_graph_and_test_mode():
    train, test, model, optimizer = spiral()
    seen = []

    def watch(y, t):
        seen.append((Config.train, Config.enable_backprop, y.creator is None))
        return 0.5

    measured = trainer(model, optimizer, metrics=watch).evaluate(test)
    assert set(seen) == {(False, False, True)} and Config.train and Config.enable_backprop
    x, t = Spiral(train=False)[:]
    with no_grad():
        wanted = float(F.softmax_cross_entropy(model(x), t))
    assert measured == {"loss": pytest.approx(wanted, rel=1e-6), "watch": 0.5}


def test_means_are_over_examples_not_batches():
    model = MLP((1,))
    batches = [(np.ones((3, 1)), np.zeros(3)), (np.ones((1, 1)), np.ones(1))]
    found = trainer(model, SGD(), metrics={"mean": lambda y, t: t.mean()})
    found.loss = lambda y, t: F.sum(y) * 0 + t.mean()
    assert found.evaluate(batches) == {"loss": 0.25, "mean": 0.25}


def test_one_graph_at_a_time():
    train, _, model, optimizer = spiral()
    alive, most = weakref.WeakSet(), []

    class Loss(Function):
        def forward(self, y, t):
            alive.add(self)
            most.append(len(alive))
            return ((y - np.eye(3)[t]) ** 2).mean()

        def gx(self, gy, y, t):
            return gy * 2 * (y - np.eye(3)[t]) / y.size

        def gt(self, gy, y, t):
            return gy * 0

        rules = gx, gt

    class Watched(SGD):
        def update(self):
            most.append(1 + len(alive))  # none is alive when the parameters change
            super().update()

    optimizer = Watched(1.0)
    gc.collect()
    gc.disable()
    try:
        Trainer(model, optimizer, lambda y, t: Loss()(y, t), verbose=False).fit(train, train, 2)
    finally:
        gc.enable()
    assert max(most) == 1 and len(most) == 60 and len(alive) == 0


def test_a_step_adds_little_to_a_loop_by_hand():
    """Python calls are counted instead of seconds: their number is the same on every machine."""

    def calls(function):
        counted = [0]

        def count(frame, event, argument):
            counted[0] += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            function()
        finally:
            sys.setprofile(None)
        return counted[0]

    train, _, model, optimizer = spiral()
    batches = list(train)
    trained = trainer(model, optimizer)
    trained.fit(batches, epochs=1)

    def by_hand():
        total = right = 0.0
        for x, t in batches:
            y = model(x)
            loss = F.softmax_cross_entropy(y, t)
            accuracy = F.accuracy(y, t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            total += float(loss.data) * len(t)
            right += float(accuracy.data) * len(t)

    trained.batch = trained.epoch = 0
    one, two = calls(by_hand) / len(batches), calls(trained.run_epoch) / len(batches)
    assert 0 < two - one < 0.15 * one


def test_a_forward_of_ones_own():
    class Autoencoder(Trainer):
        def forward(self, batch):
            y = self.model(batch)
            return self.loss(y, batch), y, batch

    x = Spiral()[:][0]
    fitted = Autoencoder(MLP((2,)), SGD(0.5), F.mean_squared_error, verbose=False)
    assert fitted.fit(DataLoader(x, 50, seed=0), epochs=20)["loss"][-1] < 0.01


def test_several_inputs():
    class Two(Model):
        def __init__(self):
            self.l0, self.l1 = L.Linear(1), L.Linear(1)

        def forward(self, a, b):
            return self.l0(a) + self.l1(b)

    np.random.seed(0)
    a, b = np.random.randn(2, 40, 1)
    loader = DataLoader(ArrayDataset(a, b, a - 2 * b), 10)
    fitted = Trainer(Two(), SGD(0.1), F.mean_squared_error, verbose=False)
    assert fitted.fit(loader, epochs=30)["loss"][-1] < 1e-3


# --- wrong input --------------------------------------------------------------------------------

GOOD = {"model": MLP((3,)), "optimizer": SGD(), "loss": F.softmax_cross_entropy}


@pytest.mark.parametrize(
    "wrong, error, text",
    [
        ({"model": MLP}, TypeError, "a Layer or a Model, not the class MLP"),
        ({"model": F.relu}, TypeError, "a Layer or a Model, not <class 'function'>"),
        ({"model": Model()}, ValueError, "Model has no parameters, so there is nothing to train"),
        ({"optimizer": SGD}, TypeError, r"such as SGD\(0.1\), not the class SGD"),
        ({"optimizer": 0.1}, TypeError, r"such as SGD\(0.1\), not <class 'float'>"),
        ({"optimizer": SGD().setup(MLP((3,)))}, ValueError, "was set up for another model"),
        ({"loss": "mse"}, TypeError, "function of outputs and targets, not <class 'str'>"),
        ({"metrics": [0.5]}, TypeError, "the metric float is <class 'float'>"),
        ({"metrics": {"loss": F.accuracy}}, ValueError, "cannot be called 'loss'"),
        ({"metrics": {"valid_x": F.accuracy}}, ValueError, "cannot be called 'valid_x'"),
        ({"metrics": None}, TypeError, "the metric NoneType is <class 'NoneType'>"),
        ({"metrics": [lambda y, t: 1, lambda y, t: 2]}, ValueError, "several metrics are called "
         "'<lambda>': give a dict"),
        ({"callbacks": EarlyStopping}, TypeError, "such as EarlyStopping.*, not the class Early"),
        ({"callbacks": [Checkpoint]}, TypeError, "such as EarlyStopping.*, not the class Check"),
        ({"callbacks": None}, TypeError, "not <class 'NoneType'>"),
        ({"callbacks": "run.npz"}, TypeError, "not <class 'str'>"),
        ({"callbacks": SimpleNamespace(on_epoch_end=print)}, TypeError, "any of the methods begin, "
         "after_batch, after_epoch, end"),
    ],
)
def test_what_a_trainer_refuses(wrong, error, text):
    with pytest.raises(error, match=text):
        Trainer(**{**GOOD, **wrong})


def none(y, t):
    return None


def everything(y, t):
    return y


@pytest.mark.parametrize(
    "loader, error, text",
    [
        (Spiral(), TypeError, r"write DataLoader\(dataset, batch_size\)"),
        (np.zeros((3, 2)), TypeError, "ndarray has examples"),
        (7, TypeError, "DataLoader or a list of them, not <class 'int'>"),
        ([], ValueError, "gave no batch"),
        (DataLoader([], 3), ValueError, "gave no batch"),
        (DataLoader(Spiral(), 400, drop_last=True), ValueError, "gave no batch"),
        (iter([(np.zeros((1, 2)), np.zeros(1, int))]), ValueError, "an iterator only once"),
        ([np.zeros((3, 2))], TypeError, r"a batch is a pair \(x, t\), not <class 'numpy.ndarray'>"),
    ],
)
def test_what_fit_refuses(loader, error, text):
    with pytest.raises(error, match=text):
        trainer(MLP((3,)), SGD()).fit(loader, epochs=2)
    with pytest.raises(error, match=text):
        found = trainer(MLP((3,)), SGD())
        found.evaluate(loader), found.evaluate(loader)


def test_what_a_loss_or_a_metric_must_give():
    train, _, model, optimizer = spiral()
    for metric, text in ((none, "metric none gave <class 'NoneType'>"),
                         (everything, r"metric everything gave an array of shape \(30, 3\)")):
        with pytest.raises(TypeError, match=text + " instead of one number"):
            trainer(model, SGD(), metrics=metric).fit(train)
    for loss, text in ((none, "the loss gave <class 'NoneType'>: compute it with functions"),
                       (everything, r"the loss gave an array of shape \(30, 3\)")):
        with pytest.raises(TypeError, match=text):
            Trainer(model, SGD(), loss, verbose=False).fit(train)
    with pytest.raises(ValueError, match="does not depend on any parameter of MLP"):
        loss = lambda y, t: F.sum(Variable(np.ones(3)))  # noqa: E731
        Trainer(model, SGD(), loss, verbose=False).fit(train)
    with pytest.raises(ValueError, match="epochs is at least 0, not -1"):
        trainer(model, optimizer).fit(train, epochs=-1)
    with pytest.raises(TypeError, match="'float' object"):
        trainer(model, optimizer).fit(train, epochs=1.5)


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: Checkpoint("run", every=0), "every is at least 1, not 0"),
        (lambda: Checkpoint("run", batches=-2), "batches is at least 1, not -2"),
        (lambda: Progress(every=0), "every is at least 1, not 0"),
        (lambda: EarlyStopping(patience=-1), "patience is at least 0, not -1"),
        (lambda: EarlyStopping(better="max"), "better is the function min or max, not 'max'"),
    ],
)
def test_what_a_callback_refuses(make, text):
    with pytest.raises((TypeError, ValueError), match=text):
        make()


def test_an_error_of_numpy_is_located_and_keeps_its_traceback():
    class Logarithm(MLP):
        def forward(self, x):
            return super().forward(F.log(x - 9))

    train, *_ = spiral()
    with np.errstate(all="raise"), pytest.raises(FloatingPointError) as caught:
        trainer(Logarithm((3,)), SGD()).fit(train)
    assert str(caught.value).startswith("epoch 1, batch 1: invalid value encountered in log")
    assert any(entry.name == "forward" for entry in caught.traceback)  # where in the model


def test_the_last_batch_counts_by_its_examples_in_dicts_too():
    class Dicts(Trainer):
        def forward(self, batch):
            return super().forward((batch["x"], batch["t"]))

    x, t = np.ones((4, 1)), np.array([0.0, 0, 0, 1])
    batches = [{"x": x[:3], "t": t[:3]}, {"x": x[3:], "t": t[3:]}]
    loss = lambda y, t: F.sum(y) * 0 + t.mean()  # noqa: E731
    assert Dicts(MLP((1,)), SGD(), loss, verbose=False).evaluate(batches) == {"loss": 0.25}


def test_an_error_in_the_model_names_the_parameter_in_full():
    model = MLP((4, 3))
    model.l1.W.data = np.zeros((9, 3))
    with pytest.raises(ValueError, match="'l1/W'"):
        trainer(model, SGD()).fit([(np.zeros((2, 5)), np.zeros(2, int))])
    assert model.l1.W.name == "W"


# --- what it tells ------------------------------------------------------------------------------


def test_history():
    history = History()
    assert len(history) == 0 and repr(history) == "<History of 0 epochs>"
    history.add({"loss": 1.0})
    history.add({"loss": 0.5, "valid_loss": 0.00025})
    assert history["loss"] == [1.0, 0.5] and math.isnan(history["valid_loss"][0])
    assert repr(history) == "<History of 2 epochs, loss 0.500, valid_loss 2.5e-04>"
    with pytest.raises(KeyError, match="no 'accuracy'. It has: loss, valid_loss"):
        history["accuracy"]


def test_plot_draws_training_and_validation_together(monkeypatch):
    """Before a Matplotlib that only takes notes: the chapter draws with the real one."""
    drawn = []

    class Axes:
        def plot(self, x, y, label, marker):
            drawn.append((self.number, list(x), y, label + (marker or "")))

        def set(self, title, xlabel):
            drawn.append((self.number, title, xlabel))

        def locator_params(self, axis, integer):
            assert axis == "x" and integer

        def legend(self):
            drawn.append((self.number, "legend"))

    def subplots(rows, columns, **options):
        axes = [Axes() for _ in range(columns)]
        for number, ax in enumerate(axes):
            ax.number = number
        return None, [axes]

    pyplot = SimpleNamespace(subplots=subplots)
    monkeypatch.setitem(sys.modules, "matplotlib", SimpleNamespace(pyplot=pyplot))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", pyplot)
    history = History({"loss": [3.0, 2.0], "accuracy": [0.5, 0.6], "valid_loss": [3.0, 2.5],
                       "lr": [1.0, 1.0]})
    assert len(history.plot()) == 2
    assert drawn == [
        (0, [1, 2], [3.0, 2.0], "training"), (0, [1, 2], [3.0, 2.5], "validation"),
        (0, "loss", "epoch"), (0, "legend"),
        (1, [1, 2], [0.5, 0.6], "training"), (1, "accuracy", "epoch"), (1, "legend"),
    ]  # fmt: skip
    drawn.clear()
    assert len(history.plot("lr")) == 1 and drawn[0] == (0, [1, 2], [1.0, 1.0], "training")
    drawn.clear()
    history.plot("valid_loss")
    assert drawn[0] == (0, [1, 2], [3.0, 2.5], "validation")
    drawn.clear()
    History({"loss": [3.0]}).plot()  # a line of one point cannot be seen
    assert drawn[0] == (0, [1], [3.0], "trainingo")
    drawn.clear()
    with pytest.raises(KeyError, match="the history has no 'acuracy'. It has: loss, accuracy"):
        history.plot("loss", "acuracy")
    assert drawn == []


def test_plot_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "dezero\[plot\]"'):
        History({"loss": [1.0]}).plot()


def test_a_line_for_each_epoch_and_no_bar_in_a_log(capsys):
    train, test, model, optimizer = spiral()
    trainer(model, optimizer, verbose=True).fit(train, test, 2)
    out, err = capsys.readouterr()
    assert err == "" and "\r" not in out
    one, two = out.splitlines()
    assert one.startswith("epoch 1/2  loss ") and two.startswith("epoch 2/2  loss ")
    assert [word for word in one.split() if word[0].isalpha()] == [
        "epoch", "loss", "accuracy", "valid_loss", "valid_accuracy"]  # fmt: skip
    trainer(model, optimizer, Progress(every=4)).fit(train, epochs=10)
    assert [line.split("  loss")[0] for line in capsys.readouterr().out.splitlines()] == [
        "epoch  4/10", "epoch  8/10", "epoch 10/10"]  # fmt: skip


def test_a_line_has_only_what_its_epoch_measured(capsys):
    train, test, model, optimizer = spiral()
    found = trainer(model, optimizer, verbose=True)
    found.fit(train, test, 1)
    capsys.readouterr()
    found.fit(train)
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("epoch 2/2  loss ") and "valid" not in line
    assert np.isnan(found.history["valid_loss"][-1])  # in the history the columns are even
    found.fit(train, test)
    assert "valid_loss" in capsys.readouterr().out


class Live:
    """A stream that a bar can be drawn on: a terminal, or one of Jupyter's."""

    def __init__(self, terminal):
        self.text, self.isatty = "", lambda: terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


class JupyterStream(Live):
    __module__ = "ipykernel.iostream"


@pytest.mark.parametrize("stream", [Live(True), JupyterStream(False)], ids=["terminal", "jupyter"])
def test_the_bar_is_text(stream, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream)
    eager = functools.partial(tqdm.tqdm, mininterval=0, miniters=1)
    monkeypatch.setattr(tqdm, "tqdm", eager)
    train, _, model, optimizer = spiral()
    trainer(model, optimizer, verbose=True).fit(train, epochs=2)
    assert "epoch 2/2:  50%|" in stream.text and "loss " in stream.text
    assert "5/10" in stream.text and "widget" not in stream.text.lower()
    one, two, rest = stream.text.split("\n")
    for line in (one, two):  # the bar is wiped away before the line is written
        assert re.search(r"\r +\repoch ./2  loss [.\d]+  accuracy [.\d]+$", line)
    assert rest == ""


def test_a_line_is_seen_at_once_in_a_log_file(monkeypatch):
    written = []

    class Log(Live):
        def flush(self):
            written.append(self.text.splitlines()[-1][:9])

    monkeypatch.setattr(sys, "stdout", Log(False))
    train, _, model, optimizer = spiral()
    stop = SimpleNamespace(after_batch=lambda t: t.stop() if t.epoch == 2 else None)
    trainer(model, optimizer, stop, verbose=True).fit(train, epochs=3)
    assert written == ["epoch 1/3", "epoch 2/3", "stopped a"]


def test_no_bar_on_request_or_without_tqdm(monkeypatch):
    stream = Live(True)
    monkeypatch.setattr(sys, "stdout", stream)
    train, _, model, optimizer = spiral()
    trainer(model, optimizer, Progress(bar=False)).fit(train)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    trainer(model, optimizer, verbose=True).fit(train)
    assert "\r" not in stream.text and stream.text.count("epoch ") == 2


def test_callbacks_are_functions_or_objects():
    train, test, model, optimizer = spiral()
    seen = []

    class Watch:
        def begin(self, trainer):
            seen.append("begin")

        def after_batch(self, trainer):
            seen.append(trainer.batch)

        def end(self, trainer):
            seen.append("end")

    found = trainer(model, optimizer, [Watch(), lambda t: seen.append(f"epoch {t.epoch}")])
    found.fit(train, test, 2)
    one = [*range(1, 11)]
    assert seen == ["begin", *one, "epoch 1", *one, "epoch 2", "end"]

    def stop(trainer):
        if trainer.epoch == 2:
            trainer.stop()

    assert len(trainer(model, SGD(), stop).fit(train, epochs=9)) == 2


def test_schedules_and_the_rate_in_the_history():
    train, test, model, _ = spiral()
    assert trainer(model, Adam(0.01)).fit(train, epochs=2)["lr"] == [0.01, 0.01]
    schedule = WarmUp(CosineDecay(1.0, 40), 10)
    history = trainer(model, SGD(schedule)).fit(train, epochs=5)
    assert history["lr"] == [schedule(n) for n in (9, 19, 29, 39, 49)]


# --- early stopping -----------------------------------------------------------------------------


class Scripted(Trainer):
    """A trainer whose validation gives the numbers of a script."""

    def evaluate(self, loader):
        return {"loss": self.script[self.epoch], "accuracy": 1 - self.script[self.epoch]}


def scripted(script, stopping, *more):
    train, _, model, _ = spiral(batch_size=150)
    found = Scripted(model, SGD(0.1), F.softmax_cross_entropy, F.accuracy, [stopping, *more], False)
    found.script = script
    return found, train


SCRIPT = [0.9, 0.5, 0.6, math.nan, 0.5, 0.55, 0.4, 0.1]


@pytest.mark.parametrize(
    "stopping, epochs, best",
    [
        (EarlyStopping(patience=3), 5, 2),
        (EarlyStopping("valid_accuracy", patience=3), 5, 2),
        (EarlyStopping("valid_accuracy", patience=2, better=min), 3, 1),
        (EarlyStopping(patience=5), 8, 8),
        (EarlyStopping(patience=0), 3, 2),
    ],
)
def test_early_stopping(stopping, epochs, best):
    found, train = scripted(SCRIPT, stopping)
    kept = []
    found.callbacks.append(lambda t: kept.append(weights(t.model)))
    history = found.fit(train, train, 8)
    assert len(history) == epochs and stopping.best == best
    if epochs < 8:
        kept.pop()  # this is that of the best epoch again
        assert found.stopped == f"{stopping.watch} was best after epoch {best}"
        assert same(weights(found.model), kept[best - 1])
    assert len(kept) >= 2 or epochs == 3
    assert all(not same(one, two) for one, two in zip(kept, kept[1:]))


def test_early_stopping_without_restore_and_asked_again():
    found, train = scripted([0.5, 0.6, 0.7, 0.8, 0.9], EarlyStopping(patience=2, restore=False))
    assert len(found.fit(train, train, 5)) == 3
    last = weights(found.model)
    assert len(found.fit(train, train, 2)) == 5  # it is patient again
    assert not same(last, weights(found.model))


def test_early_stopping_needs_what_it_watches():
    found, train = scripted(SCRIPT, EarlyStopping())
    with pytest.raises(ValueError, match="watches valid_loss, and fit has nothing to validate on"):
        found.fit(train, None, 3)
    assert found.epoch == 0  # before it has learned for hours
    found, train = scripted(SCRIPT, EarlyStopping("valid_los"))
    with pytest.raises(KeyError, match="the history has no 'valid_los'. It has: loss, accuracy"):
        found.fit(train, train, 3)


def test_a_run_that_was_stopped_early_stays_stopped(tmp_path):
    path = tmp_path / "run.npz"
    for _ in range(2):
        found, train = scripted(SCRIPT, EarlyStopping(patience=3), Checkpoint(path))
        assert len(found.fit(train, train, 8, resume=path)) == 5
        wanted = locals().get("wanted", weights(found.model))
        assert same(weights(found.model), wanted) and "best after epoch 2" in found.stopped
    found, train = scripted(SCRIPT, EarlyStopping(patience=5), Checkpoint(path))
    assert len(found.fit(train, train, 8, resume=path)) == 8  # more patience: it goes on


def test_a_checkpoint_knows_the_best_weights_whatever_the_order_of_callbacks(tmp_path):
    whole, train = scripted(SCRIPT, EarlyStopping(patience=3))
    whole.fit(train, train, 8)
    for epochs in (2, 8):  # the best epoch is the second, after which the program starts anew
        path = tmp_path / "run"
        found, train = scripted(SCRIPT, Checkpoint(path), EarlyStopping(patience=3))
        found.fit(train, train, epochs, resume=path)
    assert len(found.history) == 5 and same(weights(found.model), weights(whole.model))


# --- checkpoints --------------------------------------------------------------------------------


class Noisy(MLP):
    """A model that draws from NumPy's global generator in training."""

    def forward(self, x):
        if Config.train:
            x = x + np.random.normal(0, 0.1, x.shape).astype(np.float32)
        return super().forward(x)


def run(path, callbacks=(), epochs=4, optimizer=None, seed=None, **options):
    """What a program does that is started again and again until it has come to its end."""
    np.random.seed(1)
    train = DataLoader(Spiral(), 50, seed=seed)
    test = DataLoader(Spiral(train=False), 100, seed=seed)  # shuffled, too
    found = trainer(Noisy((10, 3)), optimizer or Adam(CosineDecay(0.1, 30)),
                    [*callbacks, Checkpoint(path, **options), EarlyStopping(patience=3)])
    found.fit(train, test, epochs, resume=path)
    return found


OPTIMIZERS = [lambda: SGD(0.5), lambda: MomentumSGD(0.1), lambda: AdamW(WarmUp(0.1, 10))]


@pytest.mark.parametrize("optimizer, seed", list(zip(OPTIMIZERS, (None, 3, None))))
@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(stops=st.lists(st.integers(1, 25), max_size=3))
def test_stopped_and_resumed_is_the_same_to_the_last_bit(tmp_path_factory, optimizer, seed, stops):
    folder = tmp_path_factory.mktemp("runs")
    whole = run(folder / "whole", optimizer=optimizer(), seed=seed)
    for n in stops:

        def stop(trainer, n=n):
            if trainer.optimizer.updates == n:
                trainer.stop()

        run(folder / "parts", [SimpleNamespace(after_batch=stop)], optimizer=optimizer(), seed=seed)
    parts = run(folder / "parts", optimizer=optimizer(), seed=seed)
    assert same(weights(whole.model), weights(parts.model))
    assert whole.history.columns == parts.history.columns and len(whole.history) == 4
    assert same(whole.optimizer.state(), parts.optimizer.state())
    assert same(whole.train.state(), parts.train.state())


def test_a_checkpoint_is_a_plain_file_of_numbers(tmp_path):
    found = run(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]
    with np.load(tmp_path / "run.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file}
    assert same(arrays, load_arrays(tmp_path / "run"))
    assert all(array.dtype.kind in "iuf" for array in arrays.values())
    assert same({k[6:]: v for k, v in arrays.items() if k.startswith("model/")},
                weights(found.model))  # fmt: skip
    for name in ("epoch", "optimizer/m/l0/W", "random/key", "train/index", "valid/iteration",
                 "history/valid_loss", "EarlyStopping0/best"):  # fmt: skip
        assert name in arrays


def test_when_a_checkpoint_is_written(tmp_path, monkeypatch):
    saved = []
    save = Trainer.save

    def noted(self, path):
        saved.append((self.epoch, self.batch))
        save(self, path)

    monkeypatch.setattr(Trainer, "save", noted)
    run(tmp_path / "a", epochs=3)
    assert saved == [(1, 0), (2, 0), (3, 0)]
    saved.clear()
    run(tmp_path / "b", every=2, epochs=3)
    assert saved == [(2, 0), (3, 0)]
    saved.clear()
    run(tmp_path / "c", batches=4, every=9, epochs=2)
    assert saved == [(0, 4), (1, 4), (2, 0)]
    saved.clear()
    run(tmp_path / "c", batches=4, every=9, epochs=2)  # nothing is left to do
    assert saved == []


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    run(tmp_path / "run", epochs=1)
    old = (tmp_path / "run.npz").read_bytes()

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="the disk is full"):
        run(tmp_path / "run", epochs=2)
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]
    assert (tmp_path / "run.npz").read_bytes() == old


def test_what_killed_runs_left_half_written_is_removed(tmp_path):
    left = [".run.npz.0123abcd.part", ".run.npz.ffffffff.part"]
    kept = [".run.npz.backup01", ".run.npz.b.0123abcd.part", ".xrun.npz.0123abcd.part"]
    for name in left + kept:
        (tmp_path / name).write_bytes(b"half")
    run(tmp_path / "run", epochs=1)
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "run.npz"}


def test_callbacks_find_their_state_again_beside_new_ones(tmp_path):
    class Count:
        n = 0

        def after_epoch(self, trainer):
            self.n += 1

        def state(self):
            return {"n": np.array(self.n)}

        def load_state(self, arrays):
            self.n = int(arrays["n"])

    run(tmp_path / "run", epochs=1)
    one, two = Count(), Count()
    whole = run(tmp_path / "run", [one], epochs=2)
    run(tmp_path / "run", [two, EarlyStopping("loss")], epochs=3)
    assert (one.n, two.n) == (1, 2) and len(whole.history) == 2
    found = load_arrays(tmp_path / "run")
    assert {"Count0/n", "EarlyStopping0/best", "EarlyStopping1/best"} <= found.keys()


def test_a_missing_folder_is_missed_before_training(tmp_path):
    counted = SimpleNamespace(after_batch=lambda _: pytest.fail("it has trained"))
    with pytest.raises(FileNotFoundError, match="there is no folder '.*nowhere'"):
        run(tmp_path / "nowhere" / "run", [counted])


def test_other_metrics_in_the_middle_of_an_epoch(tmp_path):
    """What the checkpoint has not measured is nan in this epoch, and nothing is mixed up."""

    def half(y, t):
        return 0.5

    def two(y, t):
        return 2.0

    def fit(metrics, epochs=2):
        train, _, model, optimizer = spiral()
        found = trainer(model, optimizer, after(3, lambda: found.stop()), metrics=metrics)
        history = found.fit(train, epochs=epochs, resume=tmp_path / "run")
        found.save(tmp_path / "run")
        return history

    fit([half])
    for metrics in ([two, half], [half], [two]):
        history = fit(metrics)
        if half in metrics:
            assert history["half"] == [0.5, 0.5]
        if two in metrics:
            assert math.isnan(history["two"][0]) and history["two"][1] == 2
        os.remove(tmp_path / "run.npz")
        fit([half])


def test_a_run_that_fails_is_not_saved(tmp_path):
    def fail(trainer):
        if trainer.epoch == 2:
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        run(tmp_path / "run", [fail])
    assert int(load_arrays(tmp_path / "run")["epoch"]) == 1


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "run"
    run(path, epochs=1)
    train, test, model, _ = spiral()

    def resumed(model, optimizer, loader):
        trainer(model, optimizer).fit(loader, epochs=2, resume=path)

    with pytest.raises(ValueError, match="another MLP:\n  l1/W: has shape .* in the file"):
        resumed(MLP((10, 4)), Adam(), train)
    with pytest.raises(ValueError, match="another MLP:\n  l1/W: is not in the model"):
        resumed(MLP((10,)), Adam(), train)
    with pytest.raises(ValueError, match="SGD has no place for"):
        resumed(MLP((10, 3)), SGD(), train)
    with pytest.raises(ValueError, match="belongs to 300 examples, the dataset has 1438"):
        resumed(MLP((10, 3)), Adam(), DataLoader(Digits(), 30))
    model(Spiral()[:][0])
    model.save_weights(tmp_path / "weights.npz")
    with pytest.raises(ValueError, match="this is no checkpoint: it has no epoch"):
        trainer(model, SGD()).fit(train, epochs=1, resume=tmp_path / "weights.npz")


def test_with_resume_epochs_count_from_the_beginning(tmp_path):
    path = tmp_path / "run"
    train, test, model, optimizer = spiral()
    found = trainer(model, optimizer, Checkpoint(path))
    found.fit(train, test, 3, resume=path)
    assert len(found.fit(train, test, 5, resume=path)) == 5
    assert len(found.fit(train, test, 4, resume=path)) == 5


def test_an_epoch_that_was_left_is_not_counted():
    train, test, model, optimizer = spiral()
    found = trainer(model, optimizer, after(4, lambda: found.stop()))
    found.fit(train, epochs=2)
    assert found.batch == 4 and found.sums[0] == 120 and len(found.history) == 0
    sizes = []
    found.callbacks.append(SimpleNamespace(after_batch=lambda t: sizes.append(t.sums[0])))
    assert len(found.fit(train, epochs=1)) == 1 and sizes == [30 * n for n in range(1, 11)]


def test_a_layer_that_is_never_called_has_nothing_to_save(tmp_path):
    for epochs in (1, 2):
        train, _, model, optimizer = spiral()
        model.spare = L.Linear(7)
        found = trainer(model, optimizer, Checkpoint(tmp_path / "run"))
        assert len(found.fit(train, epochs=epochs, resume=tmp_path / "run")) == epochs
    assert "model/spare/W" not in load_arrays(tmp_path / "run")


def test_loaders_that_cannot_say_where_they_are(tmp_path):
    train, _, model, optimizer = spiral()
    batches = list(train)
    found = trainer(model, optimizer, Checkpoint(tmp_path / "run"))
    found.fit(batches, epochs=2)  # at the end of an epoch there is nothing to say
    train, _, other, optimizer = spiral()
    again = trainer(other, optimizer)
    again.fit(batches, epochs=2, resume=tmp_path / "run")
    assert same(weights(model), weights(other)) and again.history.columns == found.history.columns
    with pytest.raises(TypeError, match="list cannot say how far an epoch has come"):
        trainer(other, optimizer, Checkpoint(tmp_path / "x", batches=3)).fit(batches)
    stop = SimpleNamespace(after_batch=lambda t: t.stop())
    trainer(other, optimizer, [stop, Checkpoint(tmp_path / "y")]).fit(batches)
    assert not (tmp_path / "y.npz").exists()
    train, _, model, optimizer = spiral()
    trainer(model, optimizer, [stop, Checkpoint(tmp_path / "z")]).fit(train)
    again = trainer(other, SGD(1.0))
    with pytest.raises(TypeError, match="ends in the middle of an epoch, where list cannot go on"):
        again.fit(batches, resume=tmp_path / "z")
    trainer(other, SGD(1.0)).load(tmp_path / "z")  # only to look at the model
    assert same(weights(model), weights(other))


PROGRAM = """
import sys
import numpy as np
import dezero.functions as F
from dezero.core import Config
from dezero.dataloaders import DataLoader
from dezero.datasets import Digits
from dezero.models import MLP
from dezero.optimizers import Adam, CosineDecay
from dezero.training import Checkpoint, EarlyStopping, Trainer
from dezero.transforms import Compose, Flatten, Normalize, RandomCrop, ToFloat

class Noisy(MLP):
    def forward(self, x):
        if Config.train: x = x + np.random.normal(0, 0.05, x.shape).astype(np.float32)
        return super().forward(x)

folder, epochs = sys.argv[1], int(sys.argv[2])
np.random.seed(0)
shifts = Compose([RandomCrop(8, padding=1, seed=5), Flatten(), ToFloat(), Normalize(0, 16)])
train = DataLoader(Digits(transform=shifts), 32)
test = DataLoader(Digits(train=False), 100)
model = Noisy((100, 10), activation=F.relu)
callbacks = [EarlyStopping(patience=9), Checkpoint(folder + '/run.npz', batches=3)]
trainer = Trainer(model, Adam(CosineDecay(0.01, 45 * epochs)), F.softmax_cross_entropy, F.accuracy,
                  callbacks, verbose=False)
print('ready', flush=True)
trainer.fit(train, test, epochs, resume=folder + '/run.npz')
model.save_weights(folder + '/weights.npz')
print(trainer.epoch, trainer.batch, trainer.stopped, flush=True)
"""
EPOCHS = 20


@pytest.fixture
def start(root):
    """Start the program in a folder; what still runs in the end is killed."""
    started = []

    def begin(folder):
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-c", PROGRAM, str(folder), str(EPOCHS)]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout and process.stdout.readline() == "ready\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_killed_at_random_moments_and_resumed(start, tmp_path):
    """SIGKILL leaves no time for anything. The result is the same to the last bit."""
    whole = start(tmp_path / "whole")
    begin = time.monotonic()
    assert whole.wait(60) == 0
    seconds, kills = time.monotonic() - begin, 0
    for _ in range(4):
        process = start(tmp_path / "parts")
        try:
            process.wait(random.uniform(0, 0.5 * seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            kills += process.wait() == -signal.SIGKILL
    assert start(tmp_path / "parts").wait(60) == 0
    one, two = (load_arrays(tmp_path / name / "weights.npz") for name in ("whole", "parts"))
    assert same(one, two) and kills > 0
    one, two = (load_arrays(tmp_path / name / "run.npz") for name in ("whole", "parts"))
    assert same(one, two) and int(one["epoch"]) == EPOCHS


# --- Ctrl-C -------------------------------------------------------------------------------------


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def after(n, action):
    """A callback that acts once, after update number `n`."""

    def act(trainer):
        if trainer.optimizer.updates == n:
            action()

    return SimpleNamespace(after_batch=act)


def test_ctrl_c_ends_training_and_leaves_a_usable_model(tmp_path, capsys):
    before = signal.getsignal(signal.SIGINT)
    train, test, model, optimizer = spiral()
    found = trainer(model, optimizer, [after(13, press_ctrl_c), Checkpoint(tmp_path / "run")],
                    verbose=True)
    history = found.fit(train, test, 5)
    assert len(history) == 1 and (found.epoch, found.batch) == (1, 3)
    assert "stopped after epoch 1, batch 3: Ctrl-C" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is before
    assert math.isfinite(found.evaluate(test)["loss"]) and Config.train
    train, test, other, optimizer = spiral()
    trainer(other, optimizer).fit(train, test, 3, resume=tmp_path / "run")
    train, test, model, optimizer = spiral()
    trainer(model, optimizer).fit(train, test, 3)
    assert same(weights(model), weights(other))


def test_ctrl_c_during_an_update_waits_for_its_end():
    train, test, model, _ = spiral()

    class Slow(SGD):
        def update_one(self, param):
            if self.updates == 5 and param is model.l0.b:
                press_ctrl_c()
            super().update_one(param)

    found = trainer(model, Slow(1.0))
    found.fit(train, test, 5)
    train, test, other, optimizer = spiral()
    again = trainer(other, optimizer, after(5, lambda: again.stop()))
    again.fit(train, test, 5)
    assert found.batch == 5 and same(weights(model), weights(other))


def test_ctrl_c_twice_interrupts_at_once():
    train, test, model, optimizer = spiral()

    def loss(y, t):
        if found.batch == 3:
            press_ctrl_c()
            press_ctrl_c()
        return F.softmax_cross_entropy(y, t)

    found = Trainer(model, optimizer, loss, verbose=False)
    with pytest.raises(KeyboardInterrupt):
        found.fit(train, test, 5)
    assert found.batch == 3 and optimizer.updates == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert all(np.isfinite(w).all() for w in weights(model).values())
    assert [p.name for p in model.params()] == ["W", "b", "W", "b"]


def test_a_handler_of_ones_own_is_left_alone():
    train, test, model, optimizer = spiral()
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        assert len(trainer(model, optimizer, after(3, press_ctrl_c)).fit(train, test, 2)) == 2
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [1]


def test_training_in_another_thread():
    train, test, model, optimizer = spiral()
    lengths = []
    work = threading.Thread(
        target=lambda: lengths.append(len(trainer(model, optimizer).fit(train, test, 2)))
    )
    work.start()
    work.join(60)
    assert lengths == [2]


def test_ctrl_c_at_a_random_moment_of_a_program(start, tmp_path):
    process = start(tmp_path / "run")
    time.sleep(random.uniform(0.05, 0.3))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    told = process.stdout.read()
    assert told.endswith("Ctrl-C\n") or told == f"{EPOCHS} 0 None\n"
    found = load_arrays(tmp_path / "run" / "weights.npz")
    assert all(np.isfinite(array).all() for array in found.values())


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
            return F.sqrt(F.relu(self.l0(x)))

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
        thread = threading.Thread(target=lambda: inside.append(training.detecting.get()))
        thread.start()
        thread.join()
        assert training.detecting.get() and inside == [False]  # this thread only
    assert plain.columns == watched.columns and same(weights(model), weights(other))
    assert not training.detecting.get() and not Config.detect_anomaly
    with detect_anomaly(), pytest.raises(RuntimeError, match="no graph behind it"):
        with no_grad():
            y = F.sum(model.l0.W)
        y.backward()


# --- at the end ---------------------------------------------------------------------------------


def test_confusion_matrix():
    y = np.array([[0.9, 0, 0.1], [0, 1, 0], [0.8, 0.2, 0], [0, 0.3, 0.7]])
    wanted = [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert confusion_matrix(y, np.array([0, 1, 1, 2])).tolist() == wanted
    t = Variable(np.array([[0], [1], [1], [2]]))
    assert confusion_matrix(Variable(y), t).tolist() == wanted
    assert confusion_matrix(y, np.array([0, 1, 1, 2])).sum() == 4
    many = confusion_matrix(np.eye(300, dtype="f")[[7, 290]], np.array([7, 254], np.uint8))
    assert many[7, 7] == many[254, 290] == 1 and many.sum() == 2  # 254 * 300 is no uint8
    for t in ([0, 1, 1], [0, 1, 1, 3], [0, 1, 1, -1], y):
        with pytest.raises((ValueError, TypeError)):
            confusion_matrix(y, np.array(t))
    with pytest.raises(ValueError, match=r"scores of shape \(4,\) need 1 labels from 0 to 3, not"):
        confusion_matrix(np.array([0, 1, 1, 2]), np.array([0, 1, 1, 2]))


def test_mnist_from_a_small_set_of_the_same_form(tmp_path, monkeypatch):
    """What the chapter shows, with our digits enlarged and written as MNIST's files are."""
    monkeypatch.setenv("DEZERO_HOME", str(tmp_path))
    monkeypatch.setenv("DEZERO_SKIP_CHECKSUM", "1")
    for part, digits in (("train", Digits()), ("t10k", Digits(train=False))):
        large = np.kron(digits.data[:, 0], np.ones((3, 3), np.uint8)) * 15
        images = np.pad(large, ((0, 0), (2, 2), (2, 2)))
        labels = digits.label.astype(np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            content = gzip.compress(head + array.tobytes(), 1)
            (tmp_path / f"{part}-{name}-ubyte.gz").write_bytes(content)
    np.random.seed(0)
    train, test = DataLoader(MNIST(), 100), DataLoader(MNIST(train=False), 100, shuffle=False)
    found = trainer(MLP((100, 10), activation=F.relu), Adam(0.003))
    assert found.fit(train, test, 8)["valid_accuracy"][-1] > 0.9
    assert found.model.l0.W.shape == (784, 100)
