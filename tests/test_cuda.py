"""Chapter 18: arrays elsewhere. The card is the stand-in of `stand_in.py`."""

import copy
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from stand_in import cupy as cupy
from stand_in import ndarray

import dezero
import dezero.functions as F
from dezero import DataLoader, Layer, Parameter, SeqDataLoader, Variable, cuda, grad, optimizers
from dezero import layers as L
from dezero.callbacks import Checkpoint, EarlyStopping
from dezero.datasets import ArrayDataset, Spiral
from dezero.files import load_arrays
from dezero.models import MLP, Sequential
from dezero.training import Trainer, confusion_matrix, detect_anomaly
from dezero.transformations import hessian, hvp, jacobian, jvp


@pytest.fixture
def no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)


def same(found, expected, tol=1e-12):
    """Does an array lie on the card, and hold these numbers?"""
    assert isinstance(found, ndarray)
    np.testing.assert_allclose(found.get(), expected, tol, tol)


def everything_on(module, model, optimizer=None):
    """Do all arrays of a model, and what the optimizer keeps, lie in this world?"""
    arrays = [p.data for p in model.params()]
    if optimizer and optimizer.keeps:
        arrays += [kept for p in model.params() for kept in optimizer.memory(p)]
    return all([cuda.get_array_module(x) is module for x in arrays])


# --- without a card ------------------------------------------------------------------------------


def test_without_cupy_the_reason_is_told(no_cupy):
    assert not cuda.gpu_enable and not hasattr(cuda, "cupy")
    asks = [
        lambda: cuda.as_cupy(np.ones(2)),
        lambda: Variable(1.0).to_gpu(),
        lambda: MLP((2,)).to_gpu(),  # it has no weights yet
        lambda: L.Linear(2, nobias=True).to_gpu(),
        lambda: DataLoader([1, 2], 2, gpu=True),
        lambda: SeqDataLoader([1, 2], 2, gpu=True),
        lambda: DataLoader([1, 2], 2).to_gpu(),
    ]
    for ask in asks:
        with pytest.raises(RuntimeError, match=r"CuPy is not usable.*dezero\[cuda\]"):
            ask()
    with pytest.raises(AttributeError, match="no cupy: CuPy is not usable"):
        cuda.cupy  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'gpu'"):
        cuda.gpu  # noqa: B018


def test_without_a_card_the_reason_is_told(cupy):
    def no_card(number):
        raise OSError("no driver")

    cupy.cuda.runtime.getDeviceProperties = no_card
    assert not cuda.gpu_enable
    with pytest.raises(RuntimeError, match=r"CuPy finds no card \(no driver\)"):
        MLP((2,)).to_gpu()


def test_what_needs_no_card_works_without(no_cupy):
    assert cuda.as_numpy([1.0, 2.0]).tolist() == [1.0, 2.0]  # fault 36
    assert cuda.as_numpy(Variable(3.0)) == 3.0 and cuda.as_numpy(2).shape == ()
    assert cuda.get_array_module(Variable(1.0)) is np is cuda.get_array_module([1])
    x = np.ones(2)
    assert cuda.as_numpy(x) is x
    model = MLP((3,))
    model(np.ones((1, 2)))
    data = model.l0.W.data
    assert model.to_cpu() is model and model.l0.W.data is data
    assert Variable(x).to_cpu().data is x
    loader = DataLoader([1, 2], 2)
    assert loader.to_cpu() is loader and not loader.gpu


def words_of(program, *folders):
    """What a fresh Python prints, which finds modules in these folders, too."""
    path = os.pathsep.join(map(str, (*folders, Path(dezero.__file__).parent.parent)))
    command, env = [sys.executable, "-c", program], {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_cupy_is_loaded_by_those_who_ask(tmp_path):
    (tmp_path / "cupy.py").write_text("print('loaded')")
    program = "import dezero, dezero.functions, dezero.layers, dezero.models, dezero.dataloaders\n"
    program += "import sys; print('dezero.cuda' in sys.modules); print(dezero.cuda.gpu_enable)"
    assert words_of(program, tmp_path) == ["False", "loaded", "False"]


@pytest.mark.parametrize(
    "make", ["Variable(1.0)", "layers.Linear(2)", "dataloaders.DataLoader([1], 1)"]
)
def test_a_method_loads_its_chapter(make):
    program = f"import sys, dezero\nx = dezero.{make}\n"
    program += "before = 'dezero.cuda' in sys.modules\nprint(before, x.to_cpu() is x)\n"
    program += "print('dezero.cuda' in sys.modules)"
    assert words_of(program) == ["False", "True", "True"]


# --- over and back -------------------------------------------------------------------------------


def test_arrays_go_over_and_back(cupy):
    assert cuda.gpu_enable and cuda.cupy is cupy
    x = cuda.as_cupy(np.arange(3.0))
    same(x, [0, 1, 2])
    assert cuda.as_cupy(x) is x and cuda.as_cupy(Variable(x)) is x
    same(cuda.as_cupy([1.0, 2.0]), [1, 2])
    assert type(cuda.as_numpy(x)) is np.ndarray
    assert cuda.as_numpy(Variable(x)).tolist() == [0, 1, 2]
    assert cuda.get_array_module(x) is cuda.get_array_module(Variable(x)) is cupy


def test_a_failure_of_cupy_itself_is_passed_on(cupy):
    def full(x):
        raise MemoryError("full")

    cupy.asarray = full
    with pytest.raises(MemoryError, match="full"):
        cuda.as_cupy(np.ones(2))


def test_a_variable_goes_over_and_back(cupy):
    x = Variable(np.array([1.0, 2.0]), "x")
    x.grad = Variable(np.array([3.0, 4.0]))
    assert x.to_gpu() is x and x.name == "x"
    same(x.data, [1, 2])
    same(x.grad.data, [3, 4])
    assert x.to_cpu() is x
    assert type(x.data) is type(x.grad.data) is np.ndarray and x.grad.data.tolist() == [3, 4]
    empty = Variable(None).to_gpu()
    assert empty.data is None


class Everything(Layer):
    def __init__(self):
        shared = Parameter(np.ones(2), "shared")
        self.W, self.again = shared, [shared, (Variable(np.ones(3)), "text")]
        self.l = {"a": L.Linear(2, in_size=3), "b": None}
        self.table, self.index = np.arange(4), np.arange(3.0)
        self.words, self.flag, self.me = np.array(["a", "b"]), True, self
        self.h = Variable(np.zeros((1, 2)))


def test_a_layer_takes_along_all_it_has(cupy):
    layer = Everything()
    shared = layer.W
    for _ in range(2):
        assert layer.to_gpu() is layer
        arrays = layer.W.data, layer.again[1][0].data, layer.table, layer.index, layer.h.data
        assert all([isinstance(x, ndarray) for x in (*arrays, layer.l["a"].W.data)])
    assert layer.again[0] is layer.W is shared and layer.again[1][1] == "text"
    assert layer.words.tolist() == ["a", "b"] and layer.flag and layer.me is layer
    layer.to_cpu()
    arrays = layer.W.data, layer.again[1][0].data, layer.table, layer.index, layer.h.data
    assert all([type(x) is np.ndarray for x in (*arrays, layer.l["a"].W.data)])
    assert layer.table.dtype == np.int64 and layer.again[1][0].shape == (3,)


def test_weights_are_made_where_the_input_is(cupy):
    before = np.random.get_state()[1].copy()
    model = MLP((4, 2)).to_gpu()
    y = model(cupy.ones((3, 5), np.float32))
    assert isinstance(y.data, ndarray) and everything_on(cupy, model)
    assert model.l0.W.dtype == np.float32 and (np.random.get_state()[1] == before).all()


# --- formulas ------------------------------------------------------------------------------------


def test_an_array_of_cupy_is_a_variable(cupy):
    x = Variable(cupy.arange(6.0).reshape(2, 3))
    y = F.sum(x * 2.0 + 1 / (x + 1) - 3 * x**2)
    y.backward(create_graph=True)
    here = np.arange(6.0).reshape(2, 3)
    same(x.grad.data, 2 - 1 / (here + 1) ** 2 - 6 * here)
    gx, x.grad = x.grad, None
    F.sum(gx).backward()
    same(x.grad.data, 2 / (here + 1) ** 3 - 6)
    assert repr(x).startswith("variable([[0.") and len(x) == 2
    assert f"{y:.1f}" == f"{float(y):.1f}" == f"{y.item():.1f}"
    assert x.tolist() == here.tolist()
    assert isinstance((x > 2), ndarray) and isinstance((x > 2) & (x < 4), ndarray)
    assert isinstance(((x > 2) | True), ndarray)
    for z in (x.copy(), x.detach(), x.astype(np.float32), x.astype(int), abs(x), -x, x % 2, x // 2):
        assert isinstance(z.data, ndarray)


def test_a_repeated_index_adds_up(cupy):
    x = Variable(cupy.arange(3.0))
    for index in ([0, 0, 2], np.array([0, 0, 2]), cupy.asarray([0, 0, 2])):
        same(grad(F.sum(x[index]), x).data, [2, 0, 1])  # fault 36


def test_two_worlds_in_one_formula_are_an_error_that_says_where_each_lies(cupy):
    x, y = Variable(cupy.ones(3), "x"), Variable(np.ones(3), "y")
    words = "on the GPU meets one in main memory(.|\n)*'x'.*float64 on the GPU, 'y'.*float64[^ ]"
    for mixed in (lambda: x + y, lambda: F.maximum(x, y), lambda: F.concat([x, y])):
        with pytest.raises(TypeError, match=words):
            mixed()
    with pytest.raises(TypeError, match="meets one in main memory"):
        x * np.ones(3)
    model = MLP((2,)).to_gpu()
    with pytest.raises(TypeError, match=r"to_gpu\(\)(.|\n)*l0 of MLP"):
        model(np.ones((1, 2), np.float32))


def test_what_is_no_function_of_the_registry(cupy):
    x, t = Variable(cupy.asarray([[3.0, 1.0, 2.0], [0.0, 5.0, 5.0]])), cupy.asarray([0, 2])
    same(F.one_hot(t), [[1, 0, 0], [0, 0, 1]])
    same(F.one_hot(t, 4), [[1, 0, 0, 0], [0, 0, 1, 0]])
    same(F.argsort(x), [[1, 2, 0], [0, 1, 2]])
    same(F.topk(x, 2)[1], [[0, 2], [2, 1]])
    same(F.cummax(x)[1], [[0, 0, 0], [0, 1, 2]])
    same(F.argmax(x, 1), [0, 1])
    same(F.argmin(x), 3)
    same(F.accuracy(x, t).data, 0.5)
    same(F.mean(x, where=x.data > 1).data, (3 + 2 + 5 + 5) / 4)
    same(F.logsumexp(x, 1, b=cupy.ones((2, 3))).data, F.logsumexp(x, 1).data.get())
    same(F.nll_loss(F.log_softmax(x), t).data, F.softmax_cross_entropy(x, t).data.get())
    assert confusion_matrix(x, t).tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_functions_of_functions(cupy):
    here = np.array([0.3, 0.7])

    def f(x):
        return F.sum(F.sin(x) * x)

    def g(x):
        return F.sin(x) * x

    v = np.array([1.0, -2.0])
    for call in (
        lambda x, v: [jacobian(g)(x), hessian(f)(x)],
        lambda x, v: [*jvp(g, [x], [v]), hvp(f, [x], [v])[1][0]],
    ):
        there = call(Variable(ndarray(here)), Variable(ndarray(v)))
        for found, expected in zip(there, call(Variable(here), Variable(v))):
            same(found.data, expected.data)


def test_ignored_labels_and_targets_that_are_none(cupy):
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    t = np.array([1, -100])
    found = F.softmax_cross_entropy(Variable(ndarray(x)), ndarray(t))
    same(found.data, F.softmax_cross_entropy(x, t).data)
    with pytest.raises(ValueError, match="label 7 is none of the 2 classes"):
        F.softmax_cross_entropy(Variable(ndarray(x)), ndarray(np.array([1, 7])))
    with pytest.raises(ValueError, match="probabilities lie between 0 and 1"):
        F.binary_cross_entropy(Variable(ndarray(x)), ndarray(x))


# --- layers --------------------------------------------------------------------------------------

ROWS = np.random.default_rng(0).uniform(size=(4, 3)).astype(np.float32)
IMAGES = np.random.default_rng(0).uniform(size=(2, 4, 5, 5)).astype(np.float32)
SEQUENCES = np.random.default_rng(0).uniform(size=(2, 5, 6)).astype(np.float32)


def tiny_gpt(positions):
    return dezero.models.GPT(5, 8, 2, 1, max_length=12, positions=positions)


LAYERS = {
    "Linear": (lambda: L.Linear(6), ROWS),
    "RNN": (lambda: L.RNN(6), ROWS),
    "LSTM": (lambda: L.LSTM(6), ROWS),
    "GRU": (lambda: L.GRU(6), ROWS),
    "EmbedID": (lambda: L.EmbedID(5, 3), np.array([[1, 2], [0, 1]])),
    "MultiHeadAttention": (lambda: L.MultiHeadAttention(6, 2), SEQUENCES),
    "SelfAttention": (lambda: L.SelfAttention(6, 2), SEQUENCES),
    "TransformerBlock": (lambda: L.TransformerBlock(6, 3, rotary=True), SEQUENCES),
    "GPT": (lambda: tiny_gpt("learned"), np.array([[1, 2], [0, 1]])),
    "GPT with sines": (lambda: tiny_gpt("sinusoidal"), np.array([[1, 2], [0, 1]])),
    "BatchNorm": (L.BatchNorm, ROWS),
    "BatchNorm of images": (L.BatchNorm, IMAGES),
    "LayerNorm": (L.LayerNorm, ROWS),
    "GroupNorm": (lambda: L.GroupNorm(2), IMAGES),
    "Conv2d": (lambda: L.Conv2d(3, 3, pad=1), IMAGES),
    "Deconv2d": (lambda: L.Deconv2d(3, 2, stride=2), IMAGES),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_there_what_it_computes_here(name, cupy):
    """Three calls, as a layer may have a state, and its parameters' gradients."""
    make, x = LAYERS[name]
    here = make()
    for _ in range(2):
        with dezero.no_grad():
            here(x)
    there = copy.deepcopy(here).to_gpu()  # with its state
    y, z = here(x), there(cuda.as_cupy(x))
    F.sum(y * y).backward()
    F.sum(z * z).backward()
    same(z.data, y.data, 1e-6)
    for p, q in zip(here.params(), there.params()):
        assert (p.grad is None) == (q.grad is None)  # what batch_norm keeps gets none
        if p.grad is not None:
            same(q.grad.data, p.grad.data, 1e-5)
    same(copy.deepcopy(there)(cuda.as_cupy(x)).data, there.to_cpu()(x).data, 1e-6)


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_language_model_writes_there_what_it_writes_here(use_cache, cupy):
    model, ids = tiny_gpt("learned"), np.array([[1, 2], [3, 4]])
    texts = []
    for there in (model, copy.deepcopy(model).to_gpu()):
        np.random.seed(0)
        texts.append(there.generate(ids, 10, use_cache=use_cache))
    assert type(texts[1]) is np.ndarray
    np.testing.assert_array_equal(*texts)


def test_a_network_that_sees_trains_there(cupy):
    x = np.random.default_rng(1).uniform(size=(6, 1, 28, 28)).astype(np.float32)
    t = np.arange(6)
    np.random.seed(0)
    here = dezero.models.LeNet()
    here(x)
    there = copy.deepcopy(here).to_gpu()
    losses = []
    for model, batch in ((here, (x, t)), (there, (cuda.as_cupy(x), cuda.as_cupy(t)))):
        with dezero.test_mode():  # dropout draws elsewhere
            losses.append(steps(model, optimizers.Adam().setup(model), 3, *batch))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4) and everything_on(cupy, there)


def test_batch_norm_keeps_its_means_where_it_is(cupy):
    here, there = L.BatchNorm(), L.BatchNorm().to_gpu()
    for _ in range(3):
        here(ROWS)
        there(cuda.as_cupy(ROWS))
    assert everything_on(cupy, there)
    same(there.avg_mean.data, here.avg_mean.data, 1e-6)
    same(there.avg_var.data, here.avg_var.data, 1e-6)
    with dezero.test_mode():
        same(there(cuda.as_cupy(ROWS)).data, here(ROWS).data, 1e-6)
        same(there.to_cpu().to_gpu()(cuda.as_cupy(ROWS)).data, here(ROWS).data, 1e-6)


def test_dropout_draws_where_the_array_is(cupy):
    before = np.random.get_state()[1].copy()
    x = Variable(cupy.ones((50, 40), np.float32))
    y = F.dropout(x, 0.25)
    assert isinstance(y.data, ndarray) and y.dtype == np.float32
    values, counts = np.unique(y.data.get(), return_counts=True)
    assert values.tolist() == [0, pytest.approx(4 / 3)] and 400 < counts[0] < 600
    same(grad(F.sum(y), x).data, y.data.get())
    assert (np.random.get_state()[1] == before).all()


def test_rows_are_found_by_numbers_of_either_world(cupy):
    W = Variable(cupy.arange(6.0).reshape(3, 2))
    for ids in ([0, 2, 2], np.array([0, 2, 2]), cupy.asarray([0, 2, 2])):
        same(F.embed_id(ids, W).data, [[0, 1], [4, 5], [4, 5]])
        same(grad(F.sum(F.embed_id(ids, W)), W).data, [[1, 1], [0, 0], [2, 2]])


# --- training ------------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
T = np.arange(20) % 3
OPTIMIZERS = "SGD MomentumSGD AdaGrad RMSprop AdaDelta Adam AdamW".split()


def made(name="SGD", dtype=np.float32):
    """A model with weights, and its optimizer with hooks."""
    np.random.seed(0)
    model = Sequential(L.Linear(8, dtype=dtype), F.sigmoid, L.Linear(3, dtype=dtype))
    model(X)
    optimizer = getattr(optimizers, name)().setup(model)
    optimizer.add_hook(optimizers.WeightDecay(1e-2))
    optimizer.add_hook(optimizers.ClipGrad(0.1))
    return model, optimizer


def steps(model, optimizer, n, x=X, t=T):
    """The losses of some steps of training."""
    losses = []
    for _ in range(n):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss))
    return losses


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_is_the_same_there_and_a_move_changes_nothing(name, cupy):
    x, t = cuda.as_cupy(X), cuda.as_cupy(T)
    model, optimizer = made(name)
    expected = steps(model, optimizer, 6)
    model, optimizer = made(name)
    model.to_gpu()
    assert steps(model, optimizer, 6, x, t) == pytest.approx(expected, rel=1e-6)
    assert everything_on(cupy, model, optimizer)
    model, optimizer = made(name)
    losses = steps(model, optimizer, 2)
    model.to_gpu()  # after setup, and after updates
    losses += steps(model, optimizer, 2, x, t)
    assert everything_on(cupy, model, optimizer)
    model.to_cpu()
    losses += steps(model, optimizer, 2)
    assert losses == pytest.approx(expected, rel=1e-6) and everything_on(np, model, optimizer)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_of_an_optimizer_goes_through_a_file_between_worlds(name, cupy):
    x, t = cuda.as_cupy(X), cuda.as_cupy(T)
    model, optimizer = made(name)
    model.to_gpu()
    steps(model, optimizer, 2, x, t)
    state = optimizer.state()
    assert all([type(array) is np.ndarray for array in state.values()])
    twin, other = made(name)
    twin.to_gpu()
    for p, q in zip(twin.params(), model.params()):
        p.data[...] = q.data
    other.load_state(state)
    assert steps(twin, other, 2, x, t) == steps(model, optimizer, 2, x, t)
    assert everything_on(cupy, twin, other)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float16_and_large_parameters(name, cupy):
    for shape, dtype in [((2, 3), np.float16), ((300, 500), np.float32), ((0, 3), np.float64)]:
        found = []
        for carry in (np.asarray, ndarray):
            param = Parameter(carry(np.ones(shape, dtype)))
            param.grad = Variable(carry(np.full(shape, 0.5, dtype)))
            target = Layer()
            target.W = param
            optimizer = getattr(optimizers, name)().setup(target)
            for _ in range(3):
                optimizer.update()
            found.append(param.data)
        here, there = found
        assert there.dtype == here.dtype == dtype
        same(there, here, 1e-6)


def test_clip_grad_of_huge_and_of_infinite_gradients(cupy):
    param = Parameter(cupy.ones(3, np.float32))
    param.grad = Variable(cupy.full(3, 1e30, np.float32))
    optimizers.ClipGrad(1.0)([param])
    same(param.grad.data, [3**-0.5] * 3, 1e-5)
    param.grad = Variable(cupy.full(3, np.inf, np.float32))
    with pytest.raises(FloatingPointError, match="not finite"):
        optimizers.ClipGrad(1.0)([param])


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors"])
def test_saving_does_not_move_a_model(name, tmp_path, cupy):
    model, _ = made()
    expected = {name: p.data.copy() for name, p in model.named_params()}
    model.to_gpu()
    model.save_weights(tmp_path / name)
    assert everything_on(cupy, model)
    found = load_arrays(tmp_path / name)
    assert all([np.array_equal(found[key], x) for key, x in expected.items()])
    model.cleargrads()
    for p in model.params():
        p.data[...] = 0
    data = model.l0.W.data
    model.load_weights(tmp_path / name)
    assert everything_on(cupy, model) and model.l0.W.data is data
    same(data, expected["l0/W"])


def test_weights_that_wait_on_the_gpu_are_loaded_there(tmp_path, cupy):
    model, _ = made()
    model.save_weights(tmp_path / "w")
    x = cuda.as_cupy(X)
    fresh = Sequential(L.Linear(8), F.sigmoid, L.Linear(3)).to_gpu()
    fresh.load_weights(tmp_path / "w")
    assert everything_on(cupy, fresh)
    same(fresh(x).data, model(X).data, 1e-6)
    back = Sequential(L.Linear(8), F.sigmoid, L.Linear(3)).to_gpu().to_cpu()
    back.load_weights(tmp_path / "w")
    assert everything_on(np, back)


# --- batches -------------------------------------------------------------------------------------


def test_loaders_carry_their_batches_over(cupy):
    for loader in (DataLoader(Spiral(), 30, gpu=True), SeqDataLoader(Spiral(), 30, gpu=True)):
        assert loader.gpu
        batches = list(loader)
        assert len(batches) == 10
        for x, t in batches:
            assert isinstance(x, ndarray) and isinstance(t, ndarray) and x.dtype == np.float32
        x, t = next(loader)
        assert isinstance(x, ndarray) and isinstance(t, ndarray)
        assert type(next(loader.to_cpu())[0]) is np.ndarray
        assert isinstance(next(loader.to_gpu())[0], ndarray)
    here, there = DataLoader(Spiral(), 7, seed=1), DataLoader(Spiral(), 7, gpu=True, seed=1)
    for (x, t), (y, u) in zip(here, there):
        same(y, x)
        same(u, t)


def test_batches_of_any_form(cupy):
    x = np.arange(6.0)
    assert isinstance(next(DataLoader(x, 2, gpu=True)), ndarray)
    (batch,) = DataLoader([1, 2], 2, gpu=True)
    assert isinstance(batch, ndarray)
    forms = {
        dict: lambda examples: {"x": np.array(examples), "n": len(examples)},
        list: lambda examples: [np.array(examples), None, "text"],
        tuple: lambda examples: ((np.array(examples), 3),),
    }
    for form, collate in forms.items():
        batch = next(DataLoader(x, 2, gpu=True, collate=collate))
        assert type(batch) is form
    assert isinstance(batch[0][0], ndarray) and batch[0][1] == 3
    pair = namedtuple("Pair", "x n")
    batch = next(DataLoader(x, 2, gpu=True, collate=lambda xs: pair(np.array(xs), len(xs))))
    assert type(batch) is pair and isinstance(batch.x, ndarray) and batch.n == 2
    pairs = [(np.ones(2), None), (np.ones(2), None)]
    batch = next(DataLoader(pairs, 2, gpu=True))
    assert isinstance(batch[0], ndarray) and batch[1] is None


def test_a_dataset_that_lies_on_the_card(cupy):
    x, t = cuda.as_cupy(X), cuda.as_cupy(T)
    for x_, t_ in DataLoader(ArrayDataset(x, t), 6, shuffle=False):
        assert isinstance(x_, ndarray) and isinstance(t_, ndarray)
    same(next(DataLoader(x, 6, shuffle=False)), X[:6])


# --- the trainer ---------------------------------------------------------------------------------


def trainer(gpu, *callbacks, dtype=np.float64):
    np.random.seed(0)
    model = Sequential(L.Linear(10, dtype=dtype, in_size=2), F.relu, L.Linear(3, dtype=dtype))
    model(np.ones((1, 2), np.float32))
    if gpu:
        model.to_gpu()
    optimizer = optimizers.Adam(0.01)
    made = Trainer(
        model, optimizer, F.softmax_cross_entropy, F.accuracy, callbacks=callbacks, verbose=False
    )
    loaders = [DataLoader(Spiral(train), 30, seed=0, gpu=gpu) for train in (True, False)]
    return made, loaders


def test_a_trainer_trains_there_as_here(cupy):
    columns = []
    for gpu in (False, True):
        it, loaders = trainer(gpu, EarlyStopping(patience=2))
        columns.append(it.fit(*loaders, epochs=4).columns)
        assert everything_on(cupy if gpu else np, it.model, it.optimizer)
    here, there = columns
    assert here.keys() == there.keys()
    for name, column in here.items():
        assert there[name] == pytest.approx(column, rel=1e-6)


def test_a_training_that_was_stopped_goes_on_there_to_the_last_bit(tmp_path, cupy):
    whole, loaders = trainer(True, EarlyStopping(patience=9))
    whole.fit(*loaders, epochs=4)

    path = tmp_path / "run.npz"
    stop = lambda it: it.stop() if (it.epoch, it.batch) == (2, 3) else None  # noqa: E731

    class Stop:
        def after_batch(self, it):
            stop(it)

    first, loaders = trainer(True, EarlyStopping(patience=9), Checkpoint(path), Stop())
    first.fit(*loaders, epochs=4)
    assert first.epoch == 2 and all([x.dtype != object for x in load_arrays(path).values()])

    second, loaders = trainer(True, EarlyStopping(patience=9), Checkpoint(path))
    second.fit(*loaders, epochs=4, resume=path)
    assert everything_on(cupy, second.model, second.optimizer)
    assert second.history.columns == whole.history.columns
    for p, q in zip(second.model.params(), whole.model.params()):
        assert np.array_equal(p.data.get(), q.data.get())


def test_a_checkpoint_of_the_gpu_goes_on_without_one(tmp_path, cupy):
    path = tmp_path / "run.npz"
    there, loaders = trainer(True, Checkpoint(path))
    there.fit(*loaders, epochs=2)
    here, loaders = trainer(False, Checkpoint(path))
    here.fit(*loaders, epochs=3, resume=path)
    there.fit(*trainer(True)[1], epochs=0)
    assert everything_on(np, here.model, here.optimizer)
    assert here.history["loss"][:2] == there.history["loss"]


def test_what_is_not_finite_is_found_there(cupy):
    x = Variable(cupy.asarray([1.0, 0.0]))
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as caught:
        with detect_anomaly():
            F.sum(F.log(x)).backward()
    assert str(caught.value).startswith("Log((2,) float64 on the GPU) gave -inf in 1 of 2 places")
    assert "first at (1,) of 0" in str(caught.value)


def test_a_model_tells_of_itself_there(cupy):
    model = MLP((4, 2)).to_gpu()
    x = cupy.ones((3, 5), np.float32)
    table = dezero.models.summary(model, x)
    assert table.params == 5 * 4 + 4 + 4 * 2 + 2
    assert "(5, 4) float32" in repr(model)
    assert "shape (3, 2)" in model(x)._repr_html_()


def test_pictures_of_a_graph_there(cupy):
    x = Variable(cupy.arange(3.0), "x")
    y = F.sum(F.exp(x) * x)
    assert "Exp" in dezero.utils.get_dot_graph(y)
    for show in (F.explain, Variable.replay):
        with pytest.raises(TypeError, match=r"needs arrays in main memory.*to_cpu\(\)"):
            show(y)


def test_a_training_goes_on_with_weights_that_were_never_made(tmp_path, cupy):
    path = tmp_path / "run.npz"
    first, loaders = trainer(True, Checkpoint(path), dtype=np.float32)
    first.fit(*loaders, epochs=2)
    model = Sequential(L.Linear(10), F.relu, L.Linear(3)).to_gpu()
    second = Trainer(model, optimizers.Adam(0.01), F.softmax_cross_entropy, verbose=False)
    second.fit(*trainer(True)[1], epochs=3, resume=path)
    assert everything_on(cupy, model, second.optimizer) and second.epoch == 3
    assert second.history["loss"][:2] == first.history["loss"]


def test_a_subclass_that_overrides_a_method_calls_the_one_above_it():
    program = """
import sys
from dezero.layers import Layer, Linear
class Counting(Layer):
    def __init__(self):
        self.l, self.moves = Linear(2), 0
    def to_cpu(self):
        self.moves += 1
        return super().to_cpu()
layer = Counting()
print('dezero.cuda' in sys.modules, layer.to_cpu() is layer, layer.moves)
"""
    assert words_of(program) == ["False", "True", "1"]


# --- how strict the stand-in is ------------------------------------------------------------------


def test_the_stand_in_refuses_what_cupy_refuses(cupy):
    x = cupy.arange(3.0)
    slips = [
        lambda: x + np.ones(3),
        lambda: np.ones(3) * x,
        lambda: np.exp(x, np.empty(3)),
        lambda: np.array(2.0) * x,  # no axes, and still an array
        lambda: x.__iadd__(np.ones(3)),
        lambda: np.concatenate([x, np.zeros(1)]),
        lambda: np.where(x > 1, x, np.zeros(3)),
        lambda: np.asarray(x),
        lambda: np.zeros(3).__setitem__(slice(None), x),
        lambda: x.__setitem__(slice(None), np.ones(3)),
        lambda: x.max(initial=0),
        lambda: np.sum(x, where=x > 1),
        lambda: np.insert(x, 0, 1.0),
        lambda: np.maximum.accumulate(x),
        lambda: np.piecewise(x, [x > 1], [np.sin, np.cos]),
        lambda: np.polyval([1.0, 2.0], x),
        lambda: x.flags.writeable,
        lambda: np.where([True, False, True], x, 0.0),
        lambda: range(x[0]),
    ]
    for slip in slips:
        with pytest.raises((TypeError, ValueError, AttributeError, NotImplementedError)):
            slip()
    for fine in (x * 2, 2.0 / x[1:], np.float64(2) * x, x.sum(), x[0], x[np.array([0, 1])], -x):
        assert isinstance(fine, ndarray)
    y = x
    y += 1
    same(x, [1, 2, 3])
    assert float(x.sum()) == 6 and x.tolist() == [1, 2, 3] and x[x > 2].shape == (1,)
