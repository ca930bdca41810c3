"""Chapter 08 beyond what the registry tries: axes, ties, corners, large and small numbers."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from registry import tried

import dezero.functions as F
from dezero import Variable, grad, utils
from dezero.functions.reductions import kept_shape
from dezero.gradcheck import gradient_check

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(2, 3, 4))
AXES = [None, 0, 1, -1, -3, (0, 2), (-1, 1), (2, 0, 1), ()]
REDUCTIONS = [F.sum, F.mean, F.max, F.min, F.prod, F.var, F.std, F.norm, F.logsumexp]


def box(*shape, **options):
    return Variable(np.random.default_rng(1).normal(size=shape), **options)


def ids(f):
    return getattr(f, "__name__", str(f))


# --- reductions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("f", REDUCTIONS, ids=ids)
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_any_axis(f, axis, keepdims):
    y = f(Variable(TABLE), axis, keepdims)
    assert y.shape == TABLE.sum(axis=axis, keepdims=keepdims).shape
    if axis != () or f not in (F.std, F.norm, F.var):  # without an axis these have a corner at 0
        assert gradient_check(f, TABLE, axis=axis, keepdims=keepdims, order=2)


@pytest.mark.parametrize("f", REDUCTIONS, ids=ids)
def test_a_number_is_reduced_to_itself(f):
    x = Variable(2.0)
    y, spread = f(x), f in (F.var, F.std)
    assert y.shape == () and y.data == (0.0 if spread else 2.0)
    assert grad(y, x).data == (0.0 if spread else 1.0)


@pytest.mark.parametrize("f", REDUCTIONS, ids=ids)
def test_an_axis_that_is_not_there(f):
    with pytest.raises(
        ValueError, match=r"axis 2 is out of bounds(.|\n)*in \w+\('x' \(3, 4\) float64"
    ):
        f(box(3, 4, name="x"), axis=2)


@pytest.mark.parametrize("f", REDUCTIONS, ids=ids)
def test_axes_of_length_0_beside_the_reduced_one(f):
    x = Variable(np.zeros((0, 3)))
    y = f(x, axis=1)
    assert y.shape == (0,) and grad(y, x).shape == (0, 3)


def test_reducing_nothing():
    x = Variable(np.zeros((0, 3)))
    assert F.sum(x).data == 0.0 and F.prod(x).data == 1.0 and F.norm(x).data == 0.0
    assert F.sum(x, axis=0).data.tolist() == [0.0] * 3
    assert F.logsumexp(x).data == -np.inf  # the logarithm of 0, and torch says so, too
    for f in (F.sum, F.prod, F.norm, F.logsumexp):
        assert grad(f(x), x).shape == grad(f(x, axis=0), x).shape == (0, 3)
    for f in (F.max, F.min, F.argmax):
        with pytest.raises(ValueError, match="zero-size|empty sequence"):
            f(x)
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"), np.errstate(invalid="ignore"):
        y = F.mean(x)
    assert np.isnan(y.data) and grad(y, x).shape == (0, 3)


@given(shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3), data=st.data())
@tried(50)
def test_kept_shape_is_what_numpy_keeps(shape, data):
    axes = range(-len(shape), len(shape))
    axis = data.draw(st.sampled_from([None, *axes, tuple(range(len(shape)))]))
    assert kept_shape(np.zeros(shape), axis) == np.zeros(shape).sum(axis=axis, keepdims=True).shape


# --- ties and corners ---------------------------------------------------------------------------


@pytest.mark.parametrize("f", [F.max, F.min], ids=ids)
@given(
    x=hnp.arrays(float, hnp.array_shapes(max_dims=3, max_side=4), elements=st.integers(0, 2)),
    data=st.data(),
)
@tried(50)
def test_equal_winners_share_the_gradient_evenly(f, x, data):
    axis = data.draw(st.sampled_from([None, *range(-x.ndim, x.ndim)]))
    vx = Variable(x)
    y = f(vx, axis, True)
    gy = np.arange(1.0, y.size + 1).reshape(y.shape)
    gx = grad(y, vx, gy).data
    np.testing.assert_allclose(gx.sum(axis=axis, keepdims=True), gy)
    winners = x == y.data
    assert not gx[~winners].any()
    share = gy / winners.sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(gx, np.where(winners, share, 0))


@pytest.mark.torch
def test_torch_shares_ties_in_the_same_way():
    import torch

    x = np.array([[1.0, 7.0, 7.0], [5.0, 5.0, 5.0]])
    for ours, theirs in ((F.max, torch.amax), (F.min, torch.amin)):
        for axis in (0, 1, (0, 1)):
            v, t = Variable(x), torch.tensor(x, requires_grad=True)
            theirs(t, axis).sum().backward()
            assert t.grad is not None
            np.testing.assert_allclose(grad(ours(v, axis), v).data, t.grad.numpy())


def test_ties_in_float32_and_in_integers():
    x = Variable(np.array([3, 3, 1], dtype=np.float32))
    gx = grad(x.max(), x)
    assert gx.dtype == np.float32 and gx.data.tolist() == [0.5, 0.5, 0.0]
    n = Variable(np.array([3, 3, 1], dtype=np.uint8))
    assert grad(n.max(), n).data.tolist() == [0.5, 0.5, 0.0]


def test_clipping_integers_keeps_them():
    x = Variable(np.array([1, 200], np.uint8))
    assert F.clip(x, -1, 300).data.tolist() == [1, 200]
    assert F.clip(Variable(np.array([1, 5, 9])), 2.5, 7).data.tolist() == [2.5, 5.0, 7.0]
    assert grad(F.clip(x, -1, 100), x).data.tolist() == [1.0, 0.0]


def test_a_limit_that_is_a_variable_would_lose_its_gradient():
    for limits in ((Variable(-1.0), 1.0), (None, Variable(1.0))):
        with pytest.raises(TypeError, match="for Variables there are maximum and minimum"):
            F.clip(box(2, 3), *limits)


def test_the_gradient_of_nan_is_nan():
    x = Variable(np.array([np.inf, 1.0, np.nan]))
    y = F.logsumexp(x)
    assert np.isnan(y.data) and np.isnan(grad(y, x).data).all()


def test_what_is_no_array_is_refused():
    for f in (F.argmax, F.argmin, F.sum):
        with pytest.raises(TypeError, match="<class 'list'> is not supported: write np.array"):
            f([[1.0, 2.0]])


def test_clip_passes_on_the_limits_and_not_beyond():
    x = Variable(np.array([-2.0, -1.0, 0.0, 1.0, 2.0, np.nan]))
    assert grad(F.clip(x, -1, 1), x).data.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    assert grad(F.clip(x, None, 0), x).data.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert grad(F.clip(x, 0, None), x).data.tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    assert x.clip(-1, 1).data[:5].tolist() == [-1.0, -1.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("zeros", [0, 1, 2, 5])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (-1, 1)], ids=str)
def test_products_with_zeros(zeros, axis):
    x = TABLE.copy()
    x.ravel()[:zeros] = 0.0
    assert gradient_check(F.prod, x, axis=axis, order=2)


def test_where_the_length_or_the_spread_is_0_the_gradient_is_0():
    for f in (F.norm, F.std):
        x = Variable(np.zeros((2, 3)))
        gx = grad(f(x, axis=1), x, create_graph=True)
        assert gx.data.tolist() == [[0.0] * 3] * 2
        assert not grad(gx, x).data.any()


@pytest.mark.parametrize(
    "dtype, sizes",
    [
        (np.float64, [1e-310, 1e-200, 1.0, 1e200, 1e307]),
        (np.float32, [1e-40, 1e-30, 1.0, 1e30]),
        (np.float16, [1e-6, 1e-4, 1.0, 1e4]),
    ],
)
def test_the_length_of_large_and_small_vectors(dtype, sizes):
    rough = 64 * np.finfo(dtype).eps
    for size in sizes:
        data = np.array([[3 * size, -4 * size], [0.0, 0.0]], dtype)
        x, tiny = Variable(data), abs(data).max() < np.finfo(dtype).tiny
        y = F.norm(x, axis=1)
        assert (y.dtype, y.shape) == (dtype, (2,))
        np.testing.assert_allclose(y.data / data[0, 0], [5 / 3, 0], rtol=0.1 if tiny else rough)
        gx = grad(y, x, create_graph=True)
        np.testing.assert_allclose(gx.data[0], [0.6, -0.8], rtol=0.1 if tiny else rough)
        assert gx.data[1].tolist() == [0, 0]
        if not tiny:
            ggx = grad(gx[0, 0], x).data * data[0, 0]
            np.testing.assert_allclose(ggx, [[0.64 * 0.6, 0.48 * 0.6], [0, 0]], rtol=4 * rough)
    with np.errstate(over="ignore"):
        assert F.norm(np.full(9, np.finfo(dtype).max)).data == np.inf
    assert F.norm(np.array([-np.inf, 1], dtype)).data == np.inf
    assert np.isnan(F.norm(np.array([np.nan, np.inf], dtype)).data)


@pytest.mark.parametrize("value", [0.1, 1e8 / 3, -7.7e-9])
def test_the_spread_of_equal_numbers_is_0(value):
    """Their mean may differ from them in the last digit."""
    x = Variable(np.full((2, 3), value))
    assert not grad(F.std(x), x).data.any() and not F.std(x).data.any()
    assert not grad(F.std(x, axis=1), x).data.any()


def test_small_and_large_factors():
    for value in (1e-200, 1e200):
        x = Variable(np.array([value, value]))
        with np.errstate(over="ignore", under="ignore"):
            assert grad(F.prod(x), x).data.tolist() == [value, value]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8])
def test_the_products_of_the_others(n):
    x = np.arange(2.0 * n).reshape(2, n) - 3
    want = np.array([[np.prod(np.delete(row, i)) for i in range(n)] for row in x]).reshape(2, n)
    for table, axis, gx in ((x, 1, want), (x.T, 0, want.T)):
        v = Variable(table)
        np.testing.assert_array_equal(grad(F.prod(v, axis), v).data, gx)
    assert gradient_check(F.prod, x, axis=1, order=2)


def test_a_product_of_many_needs_no_large_table():
    x = Variable(np.ones(100_000))
    x.data[7] = 0.0
    assert np.flatnonzero(grad(F.prod(x), x).data).tolist() == [7]


def test_logsumexp_at_the_edges():
    x = Variable(np.array([[1e4, 1e4], [-1e4, -1e4], [-np.inf, 0.0], [-np.inf, -np.inf]]))
    y = F.logsumexp(x, axis=1)
    want = [1e4 + math.log(2), -1e4 + math.log(2), 0.0, -np.inf]
    np.testing.assert_allclose(y.data, want, rtol=1e-15)
    shares = [[0.5, 0.5], [0.5, 0.5], [0.0, 1.0], [0.0, 0.0]]
    np.testing.assert_allclose(grad(y, x).data, shares, rtol=1e-12)
    assert F.logsumexp(Variable(np.array([np.inf, 0.0]))).data == np.inf
    assert F.logsumexp(Variable(np.array([np.nan, 0.0]))).data != 0
    small = Variable(np.array([100.0, 100.0], dtype=np.float32))
    assert F.logsumexp(small).dtype == np.float32 and np.isfinite(F.logsumexp(small).data)


def test_places_are_plain_arrays():
    x = box(3, 4)
    for f, g in ((F.argmax, np.argmax), (F.argmin, np.argmin)):
        for axis in (None, 0, -1):
            found = f(x, axis)
            assert type(found) is np.ndarray and found.dtype.kind == "i"
            np.testing.assert_array_equal(found, g(x.data, axis))
    assert F.argmax(np.array([1, 5, 2])) == 1
    rows = np.arange(3)
    assert grad(x[rows, x.argmax(axis=1)], x).data.sum() == 3.0


# --- shapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "large, small",
    [((2, 3), (2,)), ((2, 3), (3, 3)), ((2, 3), (1, 2, 3)), ((3,), (0,)), ((2, 3), (2, 2))],
)
def test_sum_to_refuses_what_cannot_be_stretched(large, small):
    message = re.escape(f"shape {small} cannot be stretched to {large}")
    with pytest.raises(ValueError, match=message + r"(.|\n)*SumTo\('x'"):
        F.sum_to(box(*large, name="x"), small)
    with pytest.raises(ValueError, match=message):
        utils.sum_to(np.zeros(large), small)


@given(
    pair=hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=(2, 3, 2), max_dims=3),
)
@tried(40)
def test_sum_to_and_broadcast_to_are_adjoint(pair):
    shape = pair.input_shapes[0]
    large = pair.result_shape
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=large), rng.normal(size=shape)
    left = F.sum(a * F.broadcast_to(b, large)).data
    np.testing.assert_allclose(left, F.sum(F.sum_to(a, shape) * b).data, atol=1e-12)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda x: F.broadcast_to(x, (3, 3)), "broadcast"),
        (lambda x: F.sum(x, axis=2), "axis 2 is out of bounds"),
    ],
)
def test_errors_name_the_function_and_its_operands(wrong, message):
    with pytest.raises(ValueError, match=rf"(?s){message}.*in \w+\(.*'x' \(2, 3\) float64"):
        wrong(box(2, 3, name="x"))


# --- several in, several out --------------------------------------------------------------------


# --- helpers under their published names --------------------------------------------------------


def test_helpers_for_arrays():
    x = RNG.normal(size=(2, 3, 4))
    np.testing.assert_allclose(utils.sum_to(x, (3, 1)), x.sum(axis=(0, 2))[:, None])
    want = np.log(np.exp(x).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(utils.logsumexp(x), want)
    np.testing.assert_allclose(utils.logsumexp(x, axis=-1).shape, (2, 3, 1))
    for axis, keepdims in itertools.product([None, 1, -1, (0, 2)], [False, True]):
        gy = x.sum(axis=axis, keepdims=keepdims)
        found = utils.reshape_sum_backward(gy, x.shape, axis, keepdims)
        np.testing.assert_array_equal(found, x.sum(axis=axis, keepdims=True))
        assert utils.max_backward_shape(x, axis) == found.shape
        on_variables = utils.reshape_sum_backward(Variable(gy), x.shape, axis, keepdims)
        assert on_variables.shape == found.shape
