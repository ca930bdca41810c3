"""Dropout and the norms: in training and in test mode, as functions and as layers."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from registry import tried
from trainers import same, weights

import dezero.functions as F
import dezero.layers as L
from dezero import DataLoader, Variable, grad, no_grad, test_mode, using_config
from dezero.callbacks import Checkpoint
from dezero.datasets import Spiral
from dezero.gradcheck import gradient_check
from dezero.models import Sequential, summary
from dezero.optimizers import Adam
from dezero.training import Trainer
from dezero.transformations import checkpoint

try:
    import torch
except ImportError:
    torch = None  # what compares with it is marked, and left out


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


# --- dropout ------------------------------------------------------------------------------------


def test_the_mask_is_drawn_as_published():
    x = np.ones((4, 5), np.float32)
    np.random.seed(0)
    kept = np.random.rand(4, 5) > 0.3
    np.random.seed(0)
    y = F.dropout(x, 0.3)
    assert np.allclose(y.data, kept / 0.7) and y.dtype == np.float32


def test_dropout_in_test_mode_draws_nothing():
    before = np.random.get_state()[1].copy()
    with test_mode():
        assert np.array_equal(F.dropout(np.ones(5)).data, np.ones(5))
    assert np.array_equal(np.random.get_state()[1], before)


def test_dropout_of_nothing_and_of_all():
    x = Variable(normal(4, 5))
    assert np.array_equal(F.dropout(x, 0.0).data, x.data)
    y = F.dropout(x, 1.0)
    assert not y.data.any()
    assert not grad(F.sum(y), x).data.any()


def test_dropout_has_the_gradient_of_its_mask():
    x = Variable(normal(50))
    y = F.dropout(x, 0.4)
    assert np.allclose(grad(F.sum(y), x).data * x.data, y.data)


@pytest.mark.parametrize("ratio", [-0.1, 1.5, 50, "half"])
def test_ratios_that_are_none(ratio):
    with pytest.raises((TypeError, ValueError), match="dropout_ratio"):
        F.dropout(np.ones(3), ratio)


# --- batch norm ---------------------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 2), (3, 3, 2, 4)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_that_of_torch(shape, training):
    x, gamma, beta = normal(*shape), normal(3, seed=1), normal(3, seed=2)
    mean, var = normal(3, seed=3), normal(3, seed=4) ** 2 + 0.5
    kept = [torch.tensor(a.copy()) for a in (mean, var)]
    given_x = [torch.tensor(a).requires_grad_() for a in (x, gamma, beta)]
    expected = torch.nn.functional.batch_norm(
        given_x[0], *kept, *given_x[1:], training=training, momentum=0.1, eps=2e-5
    )
    xs = [Variable(a) for a in (x, gamma, beta)]
    if training:
        y = F.batch_norm(*xs, mean, var)
    else:
        with test_mode():
            y = F.batch_norm(*xs, mean, var)
    gy = normal(*shape, seed=5)
    expected.backward(torch.tensor(gy))
    assert np.allclose(y.data, expected.detach().numpy())
    for ours, theirs in zip(grad(y, xs, gy), given_x, strict=True):
        assert np.allclose(ours.data, theirs.grad.numpy())
    assert np.allclose(mean, kept[0].numpy()) and np.allclose(var, kept[1].numpy())


def test_second_derivatives_of_batch_norm_and_statistics_that_stay():
    mean, var = np.zeros(3), np.ones(3)
    operands = normal(5, 3), normal(3, seed=1), normal(3, seed=2)
    assert gradient_check(lambda *xs: F.batch_norm(*xs, mean, var), *operands, order=2)
    assert not mean.any()
    with test_mode():
        assert gradient_check(lambda *xs: F.batch_norm(*xs, mean, var), *operands, order=2)


def test_the_published_spelling():
    x, gamma, beta = normal(5, 3), normal(3, seed=1), normal(3, seed=2)
    kept = np.zeros(3), np.ones(3)
    y = F.batch_nrom(x, gamma, beta, *[a.copy() for a in kept])
    assert np.array_equal(y.data, F.batch_norm(x, gamma, beta, *kept).data)
    assert F.BatchNorm(*kept)(x, gamma, beta).shape == (5, 3)


def test_one_number_in_a_channel_and_float16():
    ones, zeros = np.ones(3), np.zeros(3)
    assert not F.batch_norm(normal(1, 3), ones, zeros, zeros.copy(), ones.copy()).data.any()
    x = (1000 + normal(50, 2)).astype(np.float16)
    y = F.batch_norm(x, np.ones(2, np.float16), np.zeros(2, np.float16), np.zeros(2), np.ones(2))
    assert y.dtype == np.float16 and np.isfinite(y.data).all()


# --- the other norms ----------------------------------------------------------------------------


@pytest.mark.torch
def test_layer_group_and_rms_norm_are_those_of_torch():
    x, gamma, beta = normal(2, 4, 3, 3), normal(3, seed=1), normal(3, seed=2)
    t, g, b = [torch.tensor(a) for a in (x, gamma, beta)]
    functional = torch.nn.functional
    ours = F.layer_norm(x, gamma, beta)
    assert np.allclose(ours.data, functional.layer_norm(t, (3,), g, b).numpy())
    ours = F.rms_norm(x, gamma)
    assert np.allclose(ours.data, functional.rms_norm(t, (3,), g, 1e-6).numpy())
    gamma, beta = normal(4, seed=1), normal(4, seed=2)
    ours = F.group_norm(x, 2, gamma, beta)
    theirs = functional.group_norm(t, 2, torch.tensor(gamma), torch.tensor(beta))
    assert np.allclose(ours.data, theirs.numpy())


@pytest.mark.torch
@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("affine", [1, 2])  # gamma, and beta
def test_two_derivatives_of_layer_norm_along_two_axes_are_those_of_torch(affine, layout):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=size) for size in [(2, 5, 3, 4), *[(3, 4)] * affine]]
    arrays[0] = np.array(arrays[0], order=layout)
    xs, ts = [*map(Variable, arrays)], [torch.tensor(a, requires_grad=True) for a in arrays]
    y, ty = F.layer_norm(*xs), torch.nn.functional.layer_norm(ts[0], (3, 4), *ts[1:])
    np.testing.assert_allclose(y.data, ty.detach(), atol=1e-12)
    plain = grad(F.sin(y).sum(), xs)
    gxs = grad(F.sin(y).sum(), xs, create_graph=True)
    tgs = torch.autograd.grad(ty.sin().sum(), ts, create_graph=True)
    second = grad(sum([(g**2).sum() for g in gxs], Variable(0.0)), xs)
    wanted = torch.autograd.grad(sum((g**2).sum() for g in tgs), ts)
    for ours, theirs in zip([*plain, *gxs, *second], [*tgs, *tgs, *wanted]):
        np.testing.assert_allclose(ours.data, theirs.detach(), atol=1e-9)


@pytest.mark.parametrize("x, gamma, beta", ["fff", "ddd", "dff", "eee", "fdf"])
def test_layer_norm_computes_in_the_dtypes_that_come(x, gamma, beta):
    rng, sizes = np.random.default_rng(0), [(6, 4), (4,), (4,)]
    xs = [Variable(rng.normal(size=s).astype(c)) for s, c in zip(sizes, (x, gamma, beta))]
    plain = F.layer_norm(xs[0]).astype(float).data * xs[1].data + xs[2].data
    y = F.layer_norm(*xs)
    np.testing.assert_allclose(y.data, plain, rtol=5e-3, atol=5e-3)
    assert [g.dtype.char for g in grad(y.sum(), xs)] == [x, gamma, beta]


@pytest.mark.parametrize("function", [F.layer_norm, F.rms_norm, lambda x: F.group_norm(x, 2)])
def test_second_derivatives_of_the_norms(function):
    assert gradient_check(function, normal(3, 4, 2), order=2)


# --- layers -------------------------------------------------------------------------------------

LAYERS = {
    "BatchNorm": L.BatchNorm,
    "LayerNorm": L.LayerNorm,
    "RMSNorm": L.RMSNorm,
    "GroupNorm": lambda: L.GroupNorm(2),
    "Dropout": L.Dropout,
}


@pytest.mark.parametrize("name", LAYERS)
def test_saved_and_loaded(name, tmp_path):
    x = normal(5, 4, 4, dtype=np.float32)
    layer, again = [Sequential(LAYERS[name](), L.Linear(2)) for _ in range(2)]
    with no_grad():
        layer(x)
    for i, param in enumerate(layer.params()):
        param.data = param.data + np.float32(i / 8)
    layer.save_weights(tmp_path / "w")
    assert again.load_weights(tmp_path / "w") == {}
    with test_mode():
        assert np.array_equal(layer(x).data, again(x).data)


def test_statistics_are_saved_and_not_learned():
    model = Sequential(L.Linear(4), L.BatchNorm())
    x = normal(6, 3, dtype=np.float32)
    F.sum(model(x) ** 3).backward()
    names = [name for name, _ in model.named_params()]
    assert names[2:] == ["l1/avg_mean", "l1/avg_var", "l1/gamma", "l1/beta"]
    grads = [param.grad is not None for _, param in model.named_params()]
    assert grads == [True, True, False, False, True, True]
    assert summary(model, x).rows[2].params == 8


def test_summary_moves_no_statistics():
    norm = L.BatchNorm()
    summary(Sequential(norm), normal(6, 3))
    assert not norm.avg_mean.data.any()


# --- corners ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0, 3), (4, 3, 0), (0, 3, 2, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_an_empty_batch_gives_nothing_and_moves_nothing(shape, training):
    x, gamma, beta = Variable(np.zeros(shape)), Variable(np.ones(3)), Variable(np.zeros(3))
    mean, var = np.full(3, 5.0), np.full(3, 7.0)
    with using_config("train", training):
        y = F.batch_norm(x, gamma, beta, mean, var)
    assert y.shape == shape and set(mean) == {5.0} and set(var) == {7.0}
    found = grad(y, [x, gamma, beta])
    assert found[0].shape == shape and not found[1].data.any() and not found[2].data.any()


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1)])
def test_a_batch_of_one_gives_beta_and_learns_nothing(shape):
    x, beta = Variable(normal(*shape)), normal(3, seed=1)
    mean, var = np.full(3, 5.0), np.full(3, 7.0)
    y = F.batch_norm(x, np.ones(3), beta, mean, var)
    assert np.array_equal(y.data.ravel(), beta) and not grad(y, x).data.any()
    assert set(mean) == {5.0} and set(var) == {7.0}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("call", [
    lambda x, *affine: F.batch_norm(x, *affine, np.zeros(4), np.ones(4)),
    lambda x, gamma, beta: F.group_norm(x, 2, gamma, beta),
    lambda x, *_: F.layer_norm(x),
    lambda x, *_: F.rms_norm(x),
], ids=["batch", "group", "layer", "rms"])  # fmt: skip
def test_any_layout_and_read_only_arrays_give_the_same(call, dtype):
    turned = normal(5, 3, 4, 2, dtype=dtype).transpose(3, 2, 1, 0)
    plain, affine = turned.copy(), (normal(4, seed=1, dtype=dtype), normal(4, seed=2, dtype=dtype))
    before, tolerance = plain.copy(), np.finfo(dtype).resolution
    turned.flags.writeable = plain.flags.writeable = False
    found = []
    for x in map(Variable, (plain, turned)):
        y = call(x, *affine)
        gx = grad(F.sum(y**3), x)
        assert y.dtype == gx.dtype == dtype and np.isfinite(gx.data).all()
        found.append((y.data, gx.data))
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=20 * tolerance, atol=200 * tolerance)
    assert np.array_equal(plain, before)


@tried(40)
@given(shape=hnp.array_shapes(min_dims=2, max_dims=4, max_side=4), seed=st.integers(0, 99))
def test_running_statistics_of_any_shape(shape, seed):
    x, channels = normal(*shape, seed=seed), shape[1]
    mean, var = normal(channels, seed=1), np.ones(channels)
    want, axes, n = mean.copy(), (0, *range(2, len(shape))), x.size // channels
    F.batch_norm(x, np.ones(channels), np.zeros(channels), mean, var, decay=0.7)
    if n > 1:
        np.testing.assert_allclose(mean, 0.7 * want + 0.3 * x.mean(axes), atol=1e-12)
        np.testing.assert_allclose(var, 0.7 + 0.3 * x.var(axes, ddof=1), atol=1e-12)
    else:
        assert np.array_equal(mean, want) and (var == 1).all()


def test_a_gradient_check_of_a_layer_and_a_checkpoint_count_no_example_twice():
    layer, x = L.BatchNorm(dtype=np.float64), normal(6, 3)
    layer(x)
    before = layer.avg_mean.data.copy(), layer.avg_var.data.copy()
    assert gradient_check(layer, x, order=2)
    assert np.array_equal(layer.avg_mean.data, before[0])
    assert np.array_equal(layer.avg_var.data, before[1])
    v = Variable(x)
    y = checkpoint(layer, v)
    after = layer.avg_mean.data.copy()
    y.backward()
    assert not np.array_equal(after, before[0]) and np.array_equal(layer.avg_mean.data, after)


# --- a training that is killed ------------------------------------------------------------------


def noisy_network(seed):
    np.random.seed(seed)
    layers = L.Linear(20), L.BatchNorm(), F.relu, L.Dropout(0.3), L.Linear(3)
    loader = DataLoader(Spiral(), 30)
    loss, options = F.softmax_cross_entropy, {"verbose": False}
    return Trainer(Sequential(*layers), Adam(0.01), loss, **options), loader


def test_a_killed_training_draws_the_same_masks_and_keeps_its_statistics(tmp_path):
    class Killed(Exception):
        pass

    def kill(trainer):
        if trainer.epoch == 1 and trainer.batch == 6:
            raise Killed

    whole, loader = noisy_network(0)
    losses = whole.fit(loader, epochs=3)["loss"]
    broken, loader = noisy_network(0)
    ways = [Checkpoint(tmp_path / "half", batches=4), SimpleNamespace(after_batch=kill)]
    broken = Trainer(broken.model, broken.optimizer, broken.loss, callbacks=ways, verbose=False)
    with pytest.raises(Killed):
        broken.fit(loader, epochs=3)
    again, loader = noisy_network(99)
    history = again.fit(loader, epochs=3, resume=tmp_path / "half")
    assert history["loss"] == losses
    assert same(weights(again.model), weights(whole.model))
    assert {"l1/avg_mean", "l1/avg_var"} <= weights(whole.model).keys()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_dropout_keeps_the_dtype_and_has_right_second_derivatives(dtype):
    x = (4 * normal(3, 4)).astype(dtype)
    want = float if dtype == np.int64 else dtype
    for array in (x, x.T, x[:, ::2], x[:0], x[0, 0]):
        assert F.dropout(Variable(array), 0.3).dtype == want

    def seeded(x):
        np.random.seed(0)
        return F.dropout(x, 0.3) ** 3

    assert gradient_check(seeded, x, order=2)
