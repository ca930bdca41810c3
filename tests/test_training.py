"""Training: the loop, the history, wrong input, and what is there at the end."""

import gc
import gzip
import math
import sys
import time
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from interrupts import interrupts
from trainers import after, press_ctrl_c, same, spiral, trainer, weights

import dezero.functions as F
import dezero.layers as L
from dezero import anomaly, callbacks, training
from dezero.callbacks import Checkpoint, EarlyStopping, Progress
from dezero.config import Config, no_grad
from dezero.core import Function, Variable
from dezero.dataloaders import DataLoader
from dezero.datasets import MNIST, ArrayDataset, Digits, Spiral
from dezero.models import MLP, Model, Sequential
from dezero.optimizers import SGD, Adam, CosineDecay, WarmUp
from dezero.training import History, Trainer, confusion_matrix

# --- the loop -----------------------------------------------------------------------------------


def test_the_numbers_of_step_50():
    """The published get_spiral leaves the global generator as it was after making the test set."""
    train, test = Spiral(), Spiral(train=False)
    loaders = DataLoader(train, 30), DataLoader(test, 30, shuffle=False)
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


def test_an_interrupt_of_evaluate_leaves_no_switch_behind():
    """A real signal at many moments."""
    train, test, model, optimizer = spiral(batch_size=300)
    found = trainer(model, optimizer)
    delays = np.random.default_rng(0).uniform(1e-5, 5e-4, 600)
    assert interrupts(lambda: found.evaluate(test), delays) > 50


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


def test_what_goes_with_training_is_imported_from_there():
    """The callbacks and the anomalies have chapters of their own; programs need not know."""
    for name in ("Checkpoint", "EarlyStopping", "Progress"):
        assert getattr(training, name) is getattr(callbacks, name)
    for name in ("check_finite", "detect_anomaly"):
        assert getattr(training, name) is getattr(anomaly, name)


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
        ({"loss": Function}, TypeError, "function of outputs and targets, not the class Function"),
        ({"loss": "mse"}, TypeError, "function of outputs and targets, not <class 'str'>"),
        ({"metrics": [0.5]}, TypeError, "the metric float is <class 'float'>"),
        ({"metrics": {"loss": F.accuracy}}, ValueError, "cannot be called 'loss'"),
        ({"metrics": {"valid_x": F.accuracy}}, ValueError, "cannot be called 'valid_x'"),
        ({"metrics": None}, TypeError, "the metric NoneType is <class 'NoneType'>"),
        (
            {"metrics": [lambda y, t: 1, lambda y, t: 2]},
            ValueError,
            "several metrics are called '<lambda>': give a dict",
        ),
        ({"callbacks": EarlyStopping}, TypeError, "such as EarlyStopping.*, not the class Early"),
        ({"callbacks": [Checkpoint]}, TypeError, "such as EarlyStopping.*, not the class Check"),
        ({"callbacks": None}, TypeError, "not <class 'NoneType'>"),
        ({"callbacks": "run.npz"}, TypeError, "not <class 'str'>"),
        (
            {"callbacks": SimpleNamespace(on_epoch_end=print)},
            TypeError,
            "any of the methods begin, after_batch, after_epoch, end",
        ),
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
    for metric, text in (
        (none, "metric none gave <class 'NoneType'>"),
        (everything, r"metric everything gave an array of shape \(30, 3\)"),
    ):
        with pytest.raises(TypeError, match=text + " instead of one number"):
            trainer(model, SGD(), metrics=metric).fit(train)
    for loss, text in (
        (none, "the loss gave <class 'NoneType'>: compute it with functions"),
        (everything, r"the loss gave an array of shape \(30, 3\)"),
    ):
        with pytest.raises(TypeError, match=text):
            Trainer(model, SGD(), loss, verbose=False).fit(train)
    with pytest.raises(ValueError, match="does not depend on any parameter of MLP"):
        loss = lambda y, t: F.sum(Variable(np.ones(3)))  # noqa: E731
        Trainer(model, SGD(), loss, verbose=False).fit(train)
    with pytest.raises(ValueError, match="epochs is at least 0, not -1"):
        trainer(model, optimizer).fit(train, epochs=-1)
    with pytest.raises(TypeError, match="epochs is a whole number, not 1.5"):
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


def test_a_refused_fit_changes_nothing(tmp_path):
    train, test, model, optimizer = spiral()
    found = trainer(model, optimizer, after(13, lambda: found.stop("seen enough")))
    found.fit(train, test, 5)
    before = {**vars(found)}, found.sums.copy(), len(found.history)
    trainer(MLP((4, 3)), SGD(0.1)).fit(train, test, 1)
    other = trainer(MLP((4, 3)), SGD(0.1))
    other.fit(train, test, 1)
    other.save(tmp_path / "other")
    (tmp_path / "broken.npz").write_bytes(b"PK")
    wrong = [{"resume": tmp_path / "other"}, {"resume": tmp_path / "broken"}, {"epochs": -1},
             {"epochs": "a"}, {"valid": 3}, {"valid": Spiral()}]  # fmt: skip
    for options in wrong:
        with pytest.raises((ValueError, TypeError)):
            found.fit(**{"train": test, "valid": None, "epochs": 9, **options})
        assert vars(found) == before[0] and len(found.history) == before[2]
        assert (found.sums == before[1]).all() and found.stopped == "seen enough"


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
    history = History(
        {"loss": [3.0, 2.0], "accuracy": [0.5, 0.6], "valid_loss": [3.0, 2.5], "lr": [1.0, 1.0]}
    )
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


# --- a compiled step ----------------------------------------------------------------------------


def regularized(compiled, **options):
    """Loaders and a trainer whose step draws at random."""
    train, test, *_ = spiral()
    model = Sequential(L.Linear(20), F.relu, L.Dropout(0.3), L.Linear(3))
    return train, test, trainer(model, Adam(0.01), compiled=compiled, **options)


def test_a_compiled_step_trains_to_the_same_bit():
    found = []
    for compiled in (False, True):
        train, test, one = regularized(compiled)
        one.fit(train, test, 4)
        found.append((weights(one.model), one.history.columns, one.optimizer.state()))
    assert one.written.why == "" and one.written.programs[0].runs > 20
    assert same(found[0][0], found[1][0]) and same(found[0][2], found[1][2])
    assert found[0][1] == found[1][1]


def test_a_compiled_training_that_is_stopped_goes_on_rightly(tmp_path):
    train, test, whole = regularized(True)
    whole.fit(train, test, 4)
    path = tmp_path / "run.npz"
    train, test, first = regularized(True, callbacks=after(17, press_ctrl_c))
    first.fit(train, test, 4)
    first.save(path)
    train, test, second = regularized(True)
    second.fit(train, test, 4, resume=path)
    assert second.written.programs[0].runs
    assert same(weights(whole.model), weights(second.model))
    assert whole.history.columns == second.history.columns


def test_a_compiled_step_finds_a_loss_that_is_no_number_as_the_step_does():
    told = []
    for compiled in (False, True):
        train, test, model, _ = spiral()
        one = trainer(model, SGD(0.1), compiled=compiled)
        one.fit(train, epochs=1)
        x, t = next(iter(train))
        x = x.copy()
        x[0] = np.nan
        before = weights(model)
        with pytest.raises(FloatingPointError) as error:
            one.fit([(x, t)], epochs=1)
        told.append(str(error.value))
        assert same(before, weights(model))
    assert told[0] == told[1]


def test_a_trainer_with_a_forward_of_its_own_is_compiled_or_left():
    class Scaled(Trainer):
        scale = 1.0

        def forward(self, batch):
            loss, y, t = super().forward(batch)
            return loss * self.scale, y, t

    found = []
    for compiled in (False, True):
        train, _, model, optimizer = spiral()
        one = Scaled(model, optimizer, F.softmax_cross_entropy, verbose=False, compiled=compiled)
        one.fit(train, epochs=2)
        one.scale = 0.5
        one.fit(train, epochs=2)
        found.append(weights(model))
    assert same(*found)


def test_compiled_is_a_flag_and_goes_without_ranks():
    _, _, model, optimizer = spiral()
    with pytest.raises(TypeError, match="compiled is True or False, not 'yes'"):
        trainer(model, optimizer, compiled="yes")
