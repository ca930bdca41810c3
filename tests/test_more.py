"""Chapter 65 beyond what the registry tries: options, corners, float16, labels."""

from typing import Any

import numpy as np
import pytest

import dezero.functions as F
from dezero import Variable, grad
from dezero.core import unwrap
from dezero.gradcheck import gradient_check

TABLE = np.random.default_rng(0).normal(size=(2, 3, 4))
BAD: Any = "a"


def test_sorting_without_an_axis_and_with_equal_elements():
    np.testing.assert_array_equal(F.sort(TABLE, None).data, np.sort(TABLE, None))
    x = Variable(np.array([2.0, 1.0, 2.0, np.nan]))
    assert F.argsort(x).tolist() == [1, 0, 2, 3]
    assert grad(F.sort(x), x, np.arange(4.0)).data.tolist() == [1.0, 0.0, 2.0, 3.0]
    values, places = F.topk(Variable(TABLE), 2, 1)
    np.testing.assert_array_equal(values.data, np.flip(np.sort(TABLE, 1), 1)[:, :2])
    np.testing.assert_array_equal(np.take_along_axis(TABLE, places, 1), values.data)
    assert np.isnan(F.cummax(np.array([1.0, np.nan, 3.0]))[0].data).tolist() == [False, True, True]


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_repeating_and_rolling(axis):
    cases: list = [
        (F.repeat, np.repeat, {"repeats": 3}),
        (F.roll, np.roll, {"shift": -5}),
        (F.cumprod, np.cumprod, {}),
    ]
    for ours, by_numpy, options in cases:
        np.testing.assert_allclose(
            ours(TABLE, axis=axis, **options).data, by_numpy(TABLE, axis=axis, **options)
        )
    for reps in (2, (3, 1), (2, 1, 1, 2)):
        np.testing.assert_array_equal(F.tile(TABLE, reps).data, np.tile(TABLE, reps))


def test_running_products_in_float16_and_with_zeros():
    x = Variable(np.array([1e-3, 300, 300, 0.01], np.float16))
    y = F.cumprod(x)
    assert y.dtype == np.float16 and np.isfinite(y.data).all()
    data = np.array([2.0, 0.0, 3.0, 0.0, 5.0, 1.0, 7.0])
    np.testing.assert_array_equal(F.cumprod(data).data, np.cumprod(data))
    assert gradient_check(F.cumprod, data, order=2)


def test_tables_that_differ_in_length():
    for k in range(-3, 4):
        for x in (TABLE[0], TABLE[0].T, TABLE[0, 0]):
            np.testing.assert_array_equal(F.diag(x, k).data, np.diag(x, k))
        np.testing.assert_array_equal(F.tril(TABLE, k).data, np.tril(TABLE, k))
        np.testing.assert_array_equal(F.triu(TABLE, k).data, np.triu(TABLE, k))
        np.testing.assert_allclose(F.trace(TABLE, k).data, np.trace(TABLE, k))
    with pytest.raises(ValueError, match="a row or a table, not"):
        F.diag(TABLE)
    for a, b in ((TABLE, TABLE[0]), (TABLE[0, 0], TABLE)):
        np.testing.assert_allclose(F.kron(a, b).data, np.kron(a, b))
    for parts in (2, 3, 5, [1, 3]):
        for a, b in zip(F.array_split(TABLE, parts, 2), np.array_split(TABLE, parts, 2)):
            np.testing.assert_array_equal(a.data, b)
    np.testing.assert_allclose(F.diff(TABLE, 2, 1).data, np.diff(TABLE, 2, 1))
    assert F.hstack([1.0, 2.0]).shape == (2,) and F.vstack([1.0, 2.0]).shape == (2, 1)


def test_putting():
    x, src = Variable(TABLE[0]), Variable(np.ones((1, 2)))
    places = np.array([[2, 0]])
    y = F.scatter(x, 0, places, src)
    gx, gs = grad(y, [x, src])
    places[:] = 1
    again, _ = grad(y, [x, src])
    assert y.data[2, 0] == y.data[0, 1] == 1 and gx.data.sum() == 10 and (gs.data == 1).all()
    np.testing.assert_array_equal(gx.data, again.data)
    assert F.scatter(x, 1, np.array([[0]]), 7.0).data[0, 0] == 7


def test_labels():
    assert F.one_hot(Variable(np.array([1, 0])), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert F.one_hot(np.zeros((0,), int)).shape == (0, 0)
    for wrong in ([-1], [3]):
        with pytest.raises(ValueError, match="the labels lie between 0 and 2"):
            F.one_hot(wrong, 3)


def test_corners():
    origin = Variable(0.0)
    assert grad(F.hypot(origin, 0.0), origin).data == 0
    x = Variable(np.array([1e4, -1e4, 1e30], np.float32))
    for f in (F.celu, F.selu, F.mish, F.log_sigmoid, F.softsign, F.hardswish, F.arcsinh):
        gx = grad(f(x), x, create_graph=True)
        assert np.isfinite(gx.data).all() and np.isfinite(grad(gx, x).data).all()
    inf = Variable(np.array([np.inf, -np.inf]))
    assert F.floor(inf).data.tolist() == [np.inf, -np.inf]
    assert grad(F.floor(inf), inf, np.array([np.inf, 1.0])).data.tolist() == [0.0, 0.0]
    assert F.erfc(30.0).data == 0 and F.erfc(10.0).data > 0
    assert F.round(np.array([0.5, 1.5, 1.25]), 1).data.tolist() == [0.5, 1.5, 1.2]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_are_torchs(reduction):
    import torch

    t, x = np.array([2, -100]), TABLE[0, :2]
    torchs = torch.nn.functional
    a, b = torch.tensor(x), torch.tensor(np.abs(TABLE[1, :2]))
    for ours, theirs in (
        (F.nll_loss(x, t, reduction), torchs.nll_loss(a, torch.tensor(t), reduction=reduction)),
        (
            F.smooth_l1_loss(x, b.numpy(), reduction, 0.3),
            torchs.smooth_l1_loss(a, b, reduction=reduction, beta=0.3),
        ),
        (
            F.kl_div(x, b.numpy(), reduction, True),
            torchs.kl_div(a, b, reduction=reduction, log_target=True),
        ),
    ):
        np.testing.assert_allclose(ours.data, theirs.numpy())
    with pytest.raises(ValueError, match="reduction is 'mean'"):
        F.nll_loss(x, t, BAD)


def test_a_target_that_is_0():
    t, x = np.array([0.0, 1.0]), Variable(np.log([0.5, 0.5]))
    assert np.isclose(F.kl_div(x, t, "sum").data, np.log(2))


def test_the_smallest_elements_and_the_order_of_their_places():
    values, places = F.topk(Variable(np.array([3.0, 1.0, 2.0])), 2, largest=False)
    assert values.data.tolist() == [1.0, 2.0] and places.tolist() == [1, 2]
    values, places = F.topk(np.array([1.0, 2.0, 3.0]), 2, sorted=False)
    assert values.data.tolist() == [2.0, 3.0] and places.tolist() == [1, 2]
    with pytest.raises(ValueError, match="k is 4, but axis -1 has 3 elements"):
        F.topk(np.ones(3), 4)


@pytest.mark.torch
@pytest.mark.parametrize("row", [[3.0, 1.0, 3.0, 2.0], [1.0, np.nan, 2.0, np.nan], [1, 2, 1]])
def test_cummax_as_torch(row):
    import torch

    for ours, theirs in zip(F.cummax(np.array(row)), torch.tensor(row).cummax(0)):
        np.testing.assert_array_equal(unwrap(ours), theirs.numpy())


@pytest.mark.parametrize("axes", [(0, 1), (-1, 0), (2, 1)])
def test_a_trace_over_any_two_axes(axes):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    for k in (-2, 0, 1):
        np.testing.assert_allclose(F.trace(x, k, *axes).data, np.trace(x, k, *axes))
    assert gradient_check(lambda x: F.trace(x, 1, *axes), x, order=2)
    with pytest.raises(ValueError, match="axes"):
        F.trace(x, 0, 1, 1)
    with pytest.raises(ValueError, match="trace takes a table"):
        F.trace(np.ones(3))
