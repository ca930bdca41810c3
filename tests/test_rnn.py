"""Layers with a state: steps and sequences, torch's answers, and what the state does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import tried

import dezero.functions as F
import dezero.layers as L
from dezero import Model, Parameter, Variable, grad, no_grad, optimizers
from dezero.backprop import functions_behind
from dezero.gradcheck import gradient_check
from dezero.rnn import AddRows, GRUSteps, LSTMSteps, RNNSteps, fresh_state

KINDS = [L.RNN, L.LSTM, L.GRU]


def made(kind, H, K, seed=0, dtype=float):
    """A layer with random parameters."""
    layer, rng = kind(H, in_size=K), np.random.default_rng(seed)
    for p in layer.params():
        p.data = rng.normal(size=p.shape).astype(dtype)
    return layer


def inputs(T, N, K, seed=1, dtype=float):
    return np.random.default_rng(seed).normal(size=(T, N, K)).astype(dtype)


def one_by_one(layer, xs):
    layer.reset_state()
    return np.array([layer(x).data for x in xs])


# --- the published layers -----------------------------------------------------------------------


def test_parameters_have_the_published_names_in_their_order():
    names = [name for name, _ in L.RNN(3, in_size=2).named_params()]
    assert names == ["x2h/W", "x2h/b", "h2h/W"]
    names = [name for name, _ in L.LSTM(3, in_size=2).named_params()]
    assert names == [f"x2{g}/{p}" for g in "fiou" for p in "Wb"] + [f"h2{g}/W" for g in "fiou"]
    assert [name for name, _ in L.EmbedID(3, 2).named_params()] == ["W"]


def test_random_numbers_are_drawn_in_the_published_order():
    """With sizes at once; without, those of the inputs with the first input, of h2h with the
    second."""
    np.random.seed(0)
    layer = L.LSTM(3, in_size=2)
    np.random.seed(0)
    for g in "fiou":
        want = (np.random.randn(2, 3) * np.sqrt(1 / 2)).astype("f")
        np.testing.assert_allclose(getattr(layer, f"x2{g}").W.data, want, rtol=1e-6)
    for g in "fiou":
        want = (np.random.randn(3, 3) * np.sqrt(1 / 3)).astype("f")
        np.testing.assert_allclose(getattr(layer, f"h2{g}").W.data, want, rtol=1e-6)

    np.random.seed(0)
    layer, out, x = L.RNN(3), L.Linear(1), np.ones((1, 2), np.float32)
    out(layer(x))
    out(layer(x))
    np.random.seed(0)
    shapes = [(2, 3), (3, 1), (3, 3)]
    for p, shape in zip((layer.x2h.W, out.W, layer.h2h.W), shapes):
        want = np.random.randn(*shape) * np.sqrt(1 / shape[0])
        np.testing.assert_allclose(p.data, want, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_and_input_sizes_may_differ(kind):
    """Fault 24: the published RNN fails at the second step."""
    layer = kind(5, in_size=3)
    assert [layer(np.ones((2, 3))).shape for _ in range(3)] == [(2, 5)] * 3
    assert layer.h.shape == (2, 5)


def test_the_formulas_of_the_book():
    layer, xs = made(L.RNN, 4, 3), inputs(3, 2, 3)
    h = np.zeros((2, 4))
    for x in xs:
        h = np.tanh(x @ layer.x2h.W.data + layer.x2h.b.data + h @ layer.h2h.W.data)
        np.testing.assert_allclose(layer(x).data, h, rtol=1e-12)

    layer = made(L.LSTM, 4, 3)
    h = c = np.zeros((2, 4))
    for x in xs:
        z = {
            g: x @ getattr(layer, f"x2{g}").W.data
            + getattr(layer, f"x2{g}").b.data
            + h @ getattr(layer, f"h2{g}").W.data
            for g in "fiou"
        }
        f, i, o = [1 / (1 + np.exp(-z[g])) for g in "fio"]
        c = f * c + i * np.tanh(z["u"])
        h = o * np.tanh(c)
        np.testing.assert_allclose(layer(x).data, h, rtol=1e-12)
        np.testing.assert_allclose(layer.c.data, c, rtol=1e-12)


# --- steps and sequences ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@tried(15)
@given(sizes=st.tuples(*[st.integers(1, 4)] * 2, *[st.integers(0, 3)] * 2), seed=st.integers(0, 9))
def test_a_sequence_is_as_many_steps(kind, sizes, seed):
    T, H, N, K = sizes
    layer, xs = made(kind, H, K, seed), inputs(T, N, K, seed)
    want = one_by_one(layer, xs)
    last = layer.h.data
    layer.reset_state()
    first, rest = xs[: T // 2], xs[T // 2 :]  # a second sequence goes on from the first
    parts = [layer.sequence(part).data for part in (first, rest) if len(part)]
    np.testing.assert_allclose(np.concatenate(parts), want, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.h.data, last, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_both_forms_have_the_same_gradients(kind):
    layer, xs = made(kind, 4, 3), Variable(inputs(5, 2, 3))
    operands = [xs, *layer.params()]
    gy = np.random.default_rng(2).normal(size=(5, 2, 4))
    layer.reset_state()
    at_once = grad(layer.sequence(xs), operands, gy)
    layer.reset_state()
    steps = grad(F.stack([layer(x) for x in xs]), operands, gy)
    for a, b in zip(at_once, steps):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["steps", "sequence"])
def test_second_derivatives(kind, form):
    layer, xs = made(kind, 3, 2), inputs(3, 2, 2)

    def f(xs, *arrays):
        layer.reset_state()
        for part, array in zip(parts, arrays):
            part.W = array
        return F.stack([layer(x) for x in xs]) if form == "steps" else layer.sequence(xs)

    parts = [part for part in vars(layer).values() if isinstance(part, L.Linear)]
    assert gradient_check(f, xs, *[part.W.data for part in parts], order=2)


def test_the_walk_for_second_derivatives_does_not_grow_from_step_to_step():
    """Each step differentiates itself alone: twice as many steps, about twice as many functions."""
    sizes = []
    for T in (4, 8):
        layer, xs = made(L.LSTM, 2, 2), Variable(inputs(T, 1, 2))
        for x in xs:
            h = layer(x)
        sizes.append(len(functions_behind(grad(F.sum(h), xs, create_graph=True))))
    assert sizes[1] < 2.5 * sizes[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_stay(kind, dtype):
    layer, xs = made(kind, 3, 2, dtype=dtype), inputs(4, 2, 2, dtype=dtype)
    ys = layer.sequence(xs)
    F.sum(ys).backward()
    assert ys.dtype == layer.h.dtype == dtype
    assert all(p.grad.dtype == dtype and p.grad.shape == p.shape for p in layer.params())
    wide = made(kind, 3, 2)
    for p, q in zip(wide.params(), layer.params()):
        p.data = q.data.astype(float)
    want = wide.sequence(xs.astype(float))
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(ys.data, want.data, atol=20 * eps, rtol=20 * eps)


@pytest.mark.parametrize("kind", KINDS)
def test_empty_batches_strange_memory_and_extreme_numbers(kind):
    layer, xs = made(kind, 3, 2), inputs(4, 5, 2)
    assert layer.sequence(xs[:, :0]).shape == (4, 0, 3)
    layer.reset_state()
    want = layer.sequence(xs).data
    for other in (np.asfortranarray(xs), np.repeat(xs, 2, 1)[:, ::2]):
        other.flags.writeable = False
        layer.reset_state()
        np.testing.assert_allclose(layer.sequence(other).data, want, rtol=1e-12)
    layer.reset_state()
    ys = layer.sequence(xs * 1e6)
    F.sum(ys).backward()
    assert np.isfinite(ys.data).all()
    assert all(np.isfinite(p.grad.data).all() for p in layer.params())


# --- torch's answers ----------------------------------------------------------------------------

ORDER = {"RNN": "h", "LSTM": "ifuo", "GRU": "rzn"}  # torch's order of the gates


def torchs(torch, layer, K, H):
    """Torch's layer with our parameters."""
    name = type(layer).__name__
    module, params = getattr(torch.nn, name)(K, H).double(), dict(layer.named_params())
    zeros = np.zeros(H)

    def joined(key, missing=None):
        arrays = [params[k].data.T if (k := key.format(g)) in params else missing
                  for g in ORDER[name]]  # fmt: skip
        return torch.tensor(np.concatenate(arrays))

    with torch.no_grad():
        module.weight_ih_l0.copy_(joined("x2{}/W"))
        module.bias_ih_l0.copy_(joined("x2{}/b"))
        module.weight_hh_l0.copy_(joined("h2{}/W"))
        module.bias_hh_l0.copy_(joined("h2{}/b", zeros))
    return module


@pytest.mark.torch
@pytest.mark.parametrize("kind", KINDS)
def test_torch_finds_the_same(kind):
    import torch

    layer, xs = made(kind, 4, 3), inputs(5, 2, 3)
    module, x, tx = torchs(torch, layer, 3, 4), Variable(xs), torch.tensor(xs, requires_grad=True)
    ys, (theirs, _) = layer.sequence(x), module(tx)
    np.testing.assert_allclose(ys.data, theirs.detach().numpy(), rtol=1e-10)

    weights = layer.h2h.W if kind is L.RNN else layer.h2r.W if kind is L.GRU else layer.h2i.W
    rows = slice(0, 4)  # the first gate of torch is h, r or i
    gx, gW = grad(F.sum(ys**2), [x, weights], create_graph=True)
    tgx, tgW = torch.autograd.grad((theirs**2).sum(), [tx, module.weight_hh_l0], create_graph=True)
    np.testing.assert_allclose(gx.data, tgx.detach().numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gW.data, tgW[rows].detach().numpy().T, rtol=1e-9, atol=1e-12)
    ggx = grad(F.sum(gx**2) + F.sum(gW**2), x)
    (tggx,) = torch.autograd.grad((tgx**2).sum() + (tgW[rows] ** 2).sum(), [tx])
    np.testing.assert_allclose(ggx.data, tggx.numpy(), rtol=1e-8, atol=1e-11)


# --- the state ----------------------------------------------------------------------------------


class Net(Model):
    def __init__(self, rnn, out=1):
        self.rnn, self.out = rnn, L.Linear(out)

    def reset_state(self):
        self.rnn.reset_state()

    def forward(self, x):
        return self.out(self.rnn(x))


@pytest.mark.parametrize("kind", KINDS)
def test_unchain_backward_cuts_the_state_off_at_the_window(kind):
    """The gradients of the second window are those of a layer that got the state as numbers."""
    net, xs = Net(made(kind, 3, 2)), inputs(6, 2, 2)
    F.sum(sum(net(x) for x in xs[:3])).unchain_backward()
    states = [v.data for v in (net.rnn.h, getattr(net.rnn, "c", None)) if v is not None]
    net.cleargrads()
    F.sum(sum(net(x) for x in xs[3:])).backward()
    found = [p.grad.data for p in net.params()]
    net.cleargrads()
    net.rnn.h = Variable(states[0])
    if kind is L.LSTM:
        net.rnn.c = Variable(states[1])
    F.sum(sum(net(x) for x in xs[3:])).backward()
    for a, p in zip(found, net.params()):
        np.testing.assert_allclose(a, p.grad.data, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_does_not_grow_from_window_to_window(kind):
    layer, sizes = made(kind, 3, 2), []
    for _ in range(4):
        loss = F.sum(layer.sequence(inputs(5, 2, 2)))
        sizes.append(len(functions_behind(loss)))
        loss.backward()
        loss.unchain_backward()
    assert sizes[1] == sizes[2] == sizes[3]


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_state_for_a_test_and_the_old_one_after_it(kind):
    net, xs = Net(made(kind, 3, 2)), inputs(4, 2, 2)
    want = [net(x).data for x in xs]
    held = net.rnn.h
    with no_grad(), fresh_state(net):
        assert net.rnn.h is None
        for x, y in zip(xs, want):
            np.testing.assert_array_equal(net(x).data, y)
        net(xs[0])
    assert net.rnn.h is held
    with pytest.raises(ZeroDivisionError), fresh_state(net):
        net(inputs(1, 7, 2)[0])
        raise ZeroDivisionError
    assert net.rnn.h is held and held.shape == (2, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_calls_say_what_to_write(kind):
    layer = made(kind, 3, 2)
    layer(np.ones((5, 2)))
    for x, words in [
        (np.ones((4, 2)), r"write reset_state\(\)"),
        (np.ones((1, 2)), r"write reset_state\(\)"),
        (np.ones((5, 3)), r"sizes are \(hidden_size, in_size\)"),
        (np.ones((4, 5, 2)), r"layer.sequence\(xs\)"),
        (np.ones(2), r"layer\(x\) is one step"),
    ]:
        with pytest.raises(ValueError, match=words):
            layer(x)
    with pytest.raises(ValueError, match=r"layer\(x\) is one step"):
        layer.sequence(np.ones((5, 2)))
    with pytest.raises(ValueError, match="at least one step"):
        layer.sequence(np.ones((0, 5, 2)))
    with pytest.raises(TypeError, match="None"):
        layer(None)
    for sizes in [(2.0,), (-1,), (0,), (None,), ("a",), (3, 2.5)]:
        with pytest.raises((TypeError, ValueError), match="_size"):
            kind(*sizes)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_saved_and_loaded(kind, tmp_path):
    layer, twin, xs = made(kind, 3, 2, dtype="f"), kind(3), inputs(4, 2, 2, dtype="f")
    want = layer.sequence(xs).data
    layer.save_weights(tmp_path / "rnn")
    twin.load_weights(tmp_path / "rnn")
    np.testing.assert_array_equal(twin.sequence(xs).data, want)


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_that_keeps_weights_and_state_goes_on_bit_for_bit(kind, tmp_path):
    xs, names = inputs(12, 2, 2, dtype="f").reshape(4, 3, 2, 2), ("h", "c")

    def window(net, optimizer, xs):
        loss = F.sum(net.out(net.rnn.sequence(xs)) ** 2)
        net.cleargrads()
        loss.backward()
        loss.unchain_backward()
        optimizer.update()
        return loss.data

    def net_and_optimizer():
        np.random.seed(0)
        net = Net(kind(3, in_size=2))
        net.out = L.Linear(1, in_size=3)
        return net, optimizers.SGD(0.1).setup(net)

    net, optimizer = net_and_optimizer()
    whole = [window(net, optimizer, part) for part in xs]
    net, optimizer = net_and_optimizer()
    for part in xs[:2]:
        window(net, optimizer, part)
    net.save_weights(tmp_path / "net")
    states = {n: getattr(net.rnn, n).data for n in names if getattr(net.rnn, n, None) is not None}

    net, optimizer = net_and_optimizer()
    net.load_weights(tmp_path / "net")
    for name, array in states.items():
        setattr(net.rnn, name, Variable(array))
    assert [window(net, optimizer, part) for part in xs[2:]] == whole[2:]


# --- rows of a table ----------------------------------------------------------------------------


@tried(40)
@given(data=st.data())
def test_rows_and_their_gradient(data):
    V, D = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 3))
    shape = tuple(data.draw(st.lists(st.integers(0, 4), max_size=3)))
    dtype = data.draw(st.sampled_from([np.int64, np.int32, np.uint8]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    ids, W = rng.integers(0, V, shape).astype(dtype), Variable(rng.normal(size=(V, D)))
    y = F.embed_id(ids, W)
    np.testing.assert_array_equal(y.data, W.data[ids])
    gy, want = rng.normal(size=y.shape), np.zeros((V, D))
    np.add.at(want, ids, gy)
    np.testing.assert_allclose(grad(y, W, gy).data, want, rtol=1e-12, atol=1e-12)
    assert gradient_check(lambda W: F.embed_id(ids, W) ** 3, W.data, order=2)


def test_ids_may_be_a_variable_a_list_or_a_number():
    """Fault 17: the published function fails on a Variable."""
    W = Variable(np.arange(6.0).reshape(3, 2))
    for ids in (Variable(np.array([2, 0])), [2, 0], (2, 0), np.array([2, 0], np.uint8)):
        assert F.embed_id(ids, W).data.tolist() == [[4, 5], [0, 1]]
    assert F.embed_id(1, W).data.tolist() == [2, 3]
    assert F.embed_id(np.int64(1), W).data.tolist() == [2, 3]


def test_ids_that_are_changed_later_do_not_change_the_gradient():
    W, ids = Variable(np.ones((3, 2))), np.array([0, 0])
    y = F.embed_id(ids, W)
    ids[:] = 2
    assert grad(F.sum(y), W).data.tolist() == [[2, 2], [0, 0], [0, 0]]


def test_ids_that_do_not_fit_say_so():
    W = Variable(np.ones((3, 2)))
    for ids in ([3], [-1], [0, 7]):
        with pytest.raises(ValueError, match="W has the rows 0 to 2"):
            F.embed_id(np.array(ids), W)
    for ids in (np.array([0.0]), np.array([True]), "a", None):
        with pytest.raises(TypeError, match="are ints"):
            F.embed_id(ids, W)


def test_many_float16_gradients_are_added_in_float32():
    W, ids = Variable(np.ones((2, 1), np.float16)), np.zeros(4000, int)
    gW = grad(F.embed_id(ids, W), W, np.ones((4000, 1), np.float16))
    assert gW.dtype == np.float16 and gW.data.tolist() == [[4000], [0]]
    assert AddRows(ids, (2, 1)).forward(np.ones((4000, 1), np.float16)).dtype == np.float16


def test_embed_layer(tmp_path):
    np.random.seed(0)
    layer = L.EmbedID(5, 3)
    np.random.seed(0)
    np.testing.assert_allclose(layer.W.data, np.random.randn(5, 3), rtol=1e-6)
    assert isinstance(layer.W, Parameter) and layer.W.dtype == np.float32
    assert layer(np.array([[1, 2], [0, 4]])).shape == (2, 2, 3)
    np.savez(tmp_path / "published.npz", W=np.ones((5, 3)))  # float64, as published
    wide = L.EmbedID(5, 3, dtype=float)
    wide.load_weights(tmp_path / "published.npz")
    assert wide.W.data.tolist() == np.ones((5, 3)).tolist()
    layer.save_weights(tmp_path / "w")
    again = L.EmbedID(5, 3)
    assert again.load_weights(tmp_path / "w") == {}
    np.testing.assert_array_equal(again.W.data, layer.W.data)
    with pytest.raises(ValueError, match="dtype float64 in the file, float32 in the model"):
        layer.load_weights(tmp_path / "published.npz")


# --- one function for all steps -----------------------------------------------------------------


def gates(number, K=2, H=3):
    return [shape for shape in ((K, H), (H,), (H, H)) for _ in range(number)]


STEPS = {  # the function, and the shapes of what it takes behind the inputs
    "RNN": (RNNSteps, [(2, 3), *gates(1)]),
    "LSTM": (LSTMSteps, [(2, 3), (2, 3), *gates(4)]),
    "GRU": (GRUSteps, [(2, 3), *gates(3), (3,)]),
}


@pytest.mark.parametrize("name", STEPS)
def test_mixed_dtypes_are_widened_once(name):
    rng, (function, shapes) = np.random.default_rng(0), STEPS[name]
    xs = [rng.normal(size=s).astype("f") for s in [(3, 2, 2), *shapes]]
    xs[0] = xs[0].astype(float)
    ops = list(map(Variable, xs))
    y = function()(*ops)
    assert y.dtype == float
    for gx, x in zip(grad(y, ops), ops):
        assert gx.dtype == x.dtype and gx.shape == x.shape


@pytest.mark.parametrize("name", STEPS)
def test_a_constant_input_gets_no_gradient_and_the_formula_agrees(name):
    rng, (function, shapes) = np.random.default_rng(0), STEPS[name]
    ops, xs = [Variable(rng.normal(size=s)) for s in shapes], rng.normal(size=(4, 2, 2))
    y, formula = function()(xs, *ops), function.simple(xs, *ops)
    assert isinstance(y.creator, function)
    np.testing.assert_allclose(y.data, formula.data, rtol=1e-12)
    for gx, right in zip(grad(F.sum(y**2), ops), grad(F.sum(formula**2), ops)):
        np.testing.assert_allclose(gx.data, right.data, rtol=1e-9, atol=1e-12)
    with no_grad():  # a plain walk
        assert y.creator.backward(Variable(y.data))[0] is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_is_one_function_and_a_walk_may_be_repeated(kind):
    layer, xs = made(kind, 3, 2), Variable(inputs(4, 2, 2))
    ys = layer.sequence(xs)
    loss = F.sum(ys**2)
    first = grad(loss, [xs, *layer.params()])
    again = grad(loss, [xs, *layer.params()])
    assert len(functions_behind(ys)) <= 2  # and the cut in front of the memory of an LSTM
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a.data, b.data)


# --- a trainer ----------------------------------------------------------------------------------


class Reader(Model):
    """Reads each batch, (N, T, I), from the beginning."""

    def __init__(self, kind):
        self.rnn, self.out = kind(4, in_size=2), L.Linear(1, in_size=4)

    def forward(self, x):
        self.rnn.reset_state()
        return self.out(self.rnn.sequence(F.transpose(x, (1, 0, 2)))[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_that_was_killed_is_resumed_with_the_same_numbers(kind, tmp_path):
    from dezero.dataloaders import DataLoader
    from dezero.datasets import ArrayDataset
    from dezero.training import Trainer

    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 5, 2)).astype("f")
    t = x.sum((1, 2), keepdims=False)[:, None]

    def trainer():
        np.random.seed(0)
        loader = DataLoader(ArrayDataset(x, t), 4, seed=0)
        made = Trainer(Reader(kind), optimizers.Adam(0.01), F.mean_squared_error, verbose=False)
        return made, loader

    whole, loader = trainer()
    whole.fit(loader, epochs=4)
    first, loader = trainer()
    first.fit(loader, epochs=2)
    first.save(tmp_path / "half.npz")
    second, loader = trainer()
    second.fit(loader, epochs=4, resume=tmp_path / "half.npz")
    assert second.history["loss"] == whole.history["loss"]
    for p, q in zip(second.model.params(), whole.model.params()):
        np.testing.assert_array_equal(p.data, q.data)
