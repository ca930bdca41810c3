"""Checkpoints that were changed: each is refused and changes nothing, or is what it says."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from trainers import trainer

from dezero.callbacks import EarlyStopping
from dezero.dataloaders import DataLoader, get_rng_state
from dezero.datasets import ArrayDataset, Spiral
from dezero.files import save_arrays
from dezero.models import MLP
from dezero.optimizers import Adam

X, T = Spiral()[:]
FEW = ArrayDataset(X[:40], T[:40])


class Count:
    """A callback of a reader, which checks nothing."""

    def __init__(self):
        self.n = 0

    def after_batch(self, trainer):
        self.n += 1

    def state(self):
        return {"n": np.array(self.n)}

    def load_state(self, arrays):
        self.n = int(arrays["n"])


def program(stop=None):
    """A trainer as a program makes it; with `stop` it ends after so many updates."""
    np.random.seed(1)
    train, test = DataLoader(FEW, 8, seed=3), DataLoader(FEW, 20, seed=4)
    enough = SimpleNamespace(after_batch=lambda t: t.optimizer.updates == stop and t.stop())
    found = trainer(MLP((4, 3)), Adam(0.01), [EarlyStopping("loss", 9), Count(), enough])
    return found, train, test


@pytest.fixture(scope="module", params=[None, 13], ids=["after an epoch", "within one"])
def saved(request):
    """The fields of a checkpoint, after two epochs or within the third."""
    found, train, test = program(request.param)
    found.fit(train, test, 4 if request.param else 2)
    return found.state()


#: what a program decides anew; and what a callback that checks nothing makes of its own
OF_THE_PROGRAM = {"fields", "Count0/n", "train/batch_size", "valid/batch_size"}


def numbers(x):
    """Other arrays in place of one: of another type or shape, out of range, in another order."""
    wide = x.astype(float)
    yield from (x.astype(kind) for kind in ("i1", "i8", "u8", "f2", "f4", "f8", "?"))
    yield from (x[None], x[..., None], x.reshape(-1), np.zeros(0, x.dtype), np.array(7, x.dtype))
    yield from (wide + 0.5, wide - 1, -wide - 1, wide * 2, wide * np.nan, wide + np.inf)
    for n in (-1, 1, 3, 255, 625, 10**9, 2**31, 2**53 + 2, 2**63 - 1):
        yield np.full(x.shape, n)
        yield np.full(x.shape, n).astype(x.dtype)
    if x.ndim:
        yield from (x[:-1], x[1:], x[::-1].copy(), np.concatenate([x, x]), x[:1], np.zeros_like(x))
        flat = x.copy().reshape(-1)
        flat[0] = flat[-1]
        yield flat.reshape(x.shape)


def mutations(arrays):
    """Pairs: the name of the field that was changed, and the changed fields."""
    for name, x in arrays.items():
        without = {key: y for key, y in arrays.items() if key != name}
        yield name, without
        for other in (f"{name}/x", name.partition("/")[0], f"x{name}", name.rpartition("/")[2]):
            yield name, {**without, other: x}
        yield name, {**arrays, f"{name}/x": x}
        for y in numbers(x):
            yield name, {**arrays, name: y}


def snapshot(found):
    """All that a refused checkpoint must leave alone, as bytes."""
    parts = {k: v for k, v in vars(found).items() if k not in ("history", "model", "callbacks")}
    parts |= {"columns": found.history.columns, "n": found.callbacks[1].n}
    parts |= get_rng_state() | found.optimizer.state() | found.callbacks[0].state()
    parts |= {name: param.data for name, param in found.model.named_params()}
    return {k: v.tobytes() if isinstance(v, np.ndarray) else repr(v) for k, v in parts.items()}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # weights of nan are weights
def test_each_changed_field_is_refused_by_name_or_resumed_as_it_says(saved, tmp_path):
    refused = resumed = 0
    path = tmp_path / "run.npz"
    chosen = np.random.default_rng(0).random(10_000) < 0.36
    for name, arrays in itertools.compress(mutations(saved), chosen):
        save_arrays(path, arrays)
        found, train, test = program()
        before = snapshot(found)
        try:
            found.fit(train, test, 0, resume=path)
        except (ValueError, TypeError) as error:
            refused += 1
            told = str(error)
            assert told.startswith(f"'{path}'") and len(told) < 2000
            place, *_ = name.split("/")
            field = name.removeprefix(f"{place}/")
            assert place in told.split(".npz", 1)[1] or field in told, (name, told)
            assert snapshot(found) == before, name
        else:
            resumed += 1  # and the best weights have come back, so we load it once more
            found, found.train, found.valid = program()
            found.load(path)
            state = found.state()
            for key in state.keys() - OF_THE_PROGRAM:
                one, two = state[key], arrays.get(key, saved.get(key))
                assert one.shape == np.shape(two), (name, key)
                assert np.array_equal(one, two, equal_nan=True), (name, key)
            with np.errstate(all="ignore"):
                go_on(found, name, arrays)
    assert refused + resumed > 700 and refused > resumed > 50


def go_on(found, name, arrays):
    """Train for an epoch more. A loss that is no number may end it, if the file had none."""
    try:
        found.fit(found.train, found.valid, 1)
    except FloatingPointError:
        assert not all(np.isfinite(x).all() for x in arrays.values()), name
