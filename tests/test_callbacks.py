"""Callbacks: the progress bar, early stopping, checkpoints and killed runs, Ctrl-C."""

import functools
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import tqdm
from hypothesis import given, settings
from hypothesis import strategies as st
from trainers import after, press_ctrl_c, same, spiral, trainer, weights

import dezero.functions as F
import dezero.layers as L
from dezero.callbacks import Checkpoint, EarlyStopping, Progress
from dezero.config import Config
from dezero.dataloaders import DataLoader
from dezero.datasets import Digits, Spiral
from dezero.files import load_arrays
from dezero.models import MLP
from dezero.optimizers import SGD, Adam, AdamW, CosineDecay, MomentumSGD, WarmUp
from dezero.training import Trainer

# --- the progress bar -----------------------------------------------------------------------------


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
    assert found.epoch == found.optimizer.updates == 0


@pytest.mark.parametrize("first", [math.nan, math.inf, -math.inf])
def test_nan_never_counts_as_best(first):
    stopping = EarlyStopping(patience=2)
    found, train = scripted([first, 0.9, 0.5, 0.6, 0.7, 0.1], stopping)
    assert len(found.fit(train, train, 6)) == 5 and stopping.best == 3


def test_an_epoch_without_validation_does_not_block():
    stopping = EarlyStopping(patience=3)
    found, train = scripted([0.9, 0.5, 0.4, 0.6, 0.7, 0.8], stopping)
    found.callbacks.remove(stopping)
    found.fit(train, None, 1)  # in the history valid_loss begins with nan
    found.callbacks.append(stopping)
    found.fit(train, train, 5)
    assert stopping.best == 3 and math.isnan(found.history["valid_loss"][0])


def test_what_is_never_a_number_is_told():
    found, train = scripted([math.nan] * 5, EarlyStopping(patience=2))
    assert len(found.fit(train, train, 5)) == 2
    assert found.stopped == "valid_loss was never a number"


@pytest.mark.parametrize("stop", [None, 4])
def test_the_best_weights_come_back_at_the_end_of_fit(stop):
    """Whether the last epoch came first, or somebody else has stopped it."""
    kept, stopping = [], EarlyStopping(patience=9)
    keep = SimpleNamespace(after_epoch=lambda t: kept.append(weights(t.model)))
    enough = SimpleNamespace(after_epoch=lambda t: t.stop() if t.epoch == stop else None)
    found, train = scripted([0.9, 0.5, 0.6, 0.7, 0.8], stopping, keep, enough)
    found.fit(train, train, 5)
    assert len(kept) == (stop or 5) and same(weights(found.model), kept[1])
    found, train = scripted([0.9, 0.5, 0.6], EarlyStopping(patience=9, restore=False), keep)
    found.fit(train, train, 3)
    assert same(weights(found.model), kept[-1])


def test_a_checkpoint_of_the_last_epoch_has_the_weights_from_before_the_restoring(tmp_path):
    whole, train = scripted([0.9, 0.5, 0.6, 0.7, 0.8], EarlyStopping(patience=9))
    whole.fit(train, train, 5)
    for epochs, every in ((3, 1), (4, 3), (5, 2)):
        callbacks = Checkpoint(tmp_path / "run", every=every), EarlyStopping(patience=9)
        found, train = scripted([0.9, 0.5, 0.6, 0.7, 0.8], *callbacks)
        found.fit(train, train, epochs, resume=tmp_path / "run")
    assert same(weights(found.model), weights(whole.model))
    assert found.history.columns == whole.history.columns


def test_a_stopping_that_served_another_training_forgets_it():
    stopping = EarlyStopping(patience=2)
    found, train = scripted([0.9, 0.1, 0.2, 0.3], stopping)
    found.fit(train, train, 4)
    found, train = scripted([0.9, 0.8, 0.7, 0.9, 0.9, 0.9], stopping)
    found.fit(train, train, 6)
    assert stopping.best == 3 and len(found.history) == 5


def test_who_watches_another_number_says_which_is_better():
    def f1(y, t):
        return 0.5

    for name, text in (("f1", "should f1 rise or fall"), ("valid_f1", "should valid_f1 rise")):
        train, test, model, optimizer = spiral()
        found = trainer(model, optimizer, EarlyStopping(name), metrics={"f1": f1})
        with pytest.raises(ValueError, match=text + ".*better=max or better=min"):
            found.fit(train, test, 3)
        assert found.optimizer.updates == 0
        found.callbacks[:] = [EarlyStopping(name, better=max, patience=2)]
        assert len(found.fit(train, test, 5)) == 3
    assert EarlyStopping("valid_error").better is min is EarlyStopping("loss").better


def test_an_end_that_raises_does_not_keep_the_others_from_ending(tmp_path):
    ended = []

    class Ends:
        def __init__(self, number):
            self.number = number

        def end(self, trainer):
            ended.append(self.number)
            raise RuntimeError(f"no end {self.number}")

    train, test, model, optimizer = spiral()
    callbacks = [Ends(1), Checkpoint(tmp_path / "run", every=9), Ends(2)]
    with pytest.raises(RuntimeError, match="no end 2") as caught:
        trainer(model, optimizer, callbacks).fit(train, test, 2)
    assert ended == [1, 2] and str(caught.value.__context__) == "no end 1"
    assert int(load_arrays(tmp_path / "run")["epoch"]) == 2


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
from dezero.config import Config
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
