"""Chapter 08 beyond what the registry tries: axes, ties, corners, large and small numbers."""

import itertools
import math
import re
from typing import Any

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
BAD: Any = "a"  # no axis
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


# --- float16 ------------------------------------------------------------------------------------

WIDE: list = [
    (F.sum, np.ones(5000)),
    (F.sum, np.ones((3000, 2)), 0),
    (F.mean, np.full(100_000, 3.0)),
    (F.mean, np.full((40, 50), 30_000.0), 0),
    (F.average, np.full((40, 50), 30_000.0), 1),
    (F.max, np.full(70_000, 5.0)),
    (F.var, np.array([0, 255] * 10)),
    (F.std, np.array([0, 60_000] * 10)),
    (F.norm, np.full(100, 300.0)),
    (lambda x: F.norm(x, ord=1), np.full(3000, 3.0)),
    (lambda x: F.norm(x, ord=3), np.full(100, 300.0)),
    (F.logsumexp, np.full(100_000, 9.0)),
    (F.prod, np.array([300, 300, 0.01, 0.01])),
    (F.cumsum, np.ones(5000)),
]


@pytest.mark.parametrize("f, x, axis", [(*case, None)[:3] for case in WIDE])
def test_float16_is_computed_in_float32(f, x, axis):
    """Value and both derivatives: those of the float64 numbers, rounded once or twice."""
    args = () if axis is None else (axis,)
    small = Variable(x.astype(np.float16))
    large = Variable(small.data.astype(float))
    found, wanted = [], []
    with np.errstate(over="ignore", under="ignore"):
        for v, results in ((small, found), (large, wanted)):
            y = f(v, *args)
            gx = grad(y, v, create_graph=True)
            results += [y, grad(y, v), gx, grad(gx, v, np.ones_like(gx.data))]
        for a, b in zip(found, wanted):
            assert a.dtype == np.float16
            np.testing.assert_allclose(a.data, b.data.astype(np.float16), rtol=4e-3, atol=1e-4)


def test_float16_gradients_that_are_added():
    x = Variable(np.ones(2, np.float16))
    y = x[np.zeros(5000, int)]
    assert grad(y, x).data.tolist() == [5000.0, 0.0]


# --- what belongs to the caller -----------------------------------------------------------------


def changed(f, *mine):
    """The gradient when the caller writes into an array between the two passes, and before."""
    v = Variable(TABLE.copy())
    y = f(v)
    before = grad(y, v, create_graph=True).data
    for each in mine:
        each[...] = np.roll(each, 1)
    return grad(y, v).data, before


def test_indices_masks_widths_and_limits_may_be_changed_afterwards():
    place, mask = np.array([0, 1, 1]), np.array([True, False])
    width, limit, shape = np.array([[0, 1], [2, 0], [1, 1]]), np.full(4, 0.3), np.array([2, 12])
    limit[1] = -2
    for f, mine in (
        (lambda v: v[place] ** 2, place),
        (lambda v: v[:, place] ** 2, place),
        (lambda v: v[mask], mask),
        (lambda v: F.sum(v, where=mask[:, None, None]), mask),
        (lambda v: F.pad(v, width), width),
        (lambda v: F.pad(v, width, mode="edge"), width),
        (lambda v: F.clip(v, limit), limit),
        (lambda v: F.reshape(v, shape), shape),
    ):
        after, before = changed(f, mine)
        np.testing.assert_array_equal(after, before)
    axes = [2, 0, 1]
    x = box(2, 3, 4)
    y = F.transpose(x, axes)
    axes.reverse()
    assert grad(y, x).shape == x.shape


# --- nan, and infinite gradients ----------------------------------------------------------------


def test_nan_passes():
    x = Variable(np.array([1.0, np.nan, 3.0]))
    for f in (F.max, F.min):
        assert np.isnan(f(x).data) and grad(f(x), x).data.tolist() == [0.0, 1.0, 0.0]
    assert np.isnan(F.clip(x, 0, 2).data).tolist() == [False, True, False]


@pytest.mark.parametrize("f", [lambda x: F.clip(x, 0, 9), F.max, F.min], ids=["clip", "max", "min"])
@pytest.mark.parametrize("outer", [F.sqrt, lambda v: v**0.5, F.log, F.arccos])
def test_what_is_masked_gets_no_nan(f, outer):
    """An infinite gradient that meets a mask: 0 where the mask says no."""
    x = Variable(np.array([0.0, 0.0, -1.0]) if f is F.max else np.array([-1.0, -2.0, 0.25]))
    if f is F.min:
        x.data[:] = [0.0, 2.0, 3.0]
    with np.errstate(all="ignore"):
        gx = grad(outer(f(x)), x, create_graph=True)
        ggx = grad(gx[-1], x)
    out = x.data != f(x).data
    assert out.any() and (gx.data[out] == 0).all() and (ggx.data[out] == 0).all()


# --- options ------------------------------------------------------------------------------------


def test_options_as_numpy_has_them():
    x, mask = box(2, 3, 4), RNG.normal(size=(2, 3, 4)) > -1
    mask[:, :, 0] = True
    for ours, name in ((F.sum, "sum"), (F.prod, "prod"), (F.max, "max"), (F.min, "min")):
        by_numpy = getattr(np, name)
        for axis in (None, 1, (0, 2)):
            options = {"axis": axis, "keepdims": True, "initial": 0.3, "where": mask}
            np.testing.assert_allclose(ours(x, **options).data, by_numpy(x.data, **options))
            assert gradient_check(ours, TABLE, order=2, **options)
    np.testing.assert_allclose(F.mean(x, 1, where=mask).data, np.mean(x.data, 1, where=mask))
    assert gradient_check(F.mean, TABLE, axis=1, where=mask, order=2)
    for f in (F.sum, F.mean, F.prod):
        y = f(box(3), dtype=np.float32)
        assert y.dtype == np.float32
    assert grad(F.sum(box(3), dtype="f4"), x).dtype == np.float64
    with pytest.raises(ValueError, match="more dimensions"):
        F.sum(x, where=np.ones((5, 2, 3, 4), bool))


def test_a_place_that_is_left_out_gets_nothing():
    x = Variable(np.array([1.0, np.nan, np.inf]))
    y = F.sum(x, where=[True, False, False])
    assert y.data == 1.0 and grad(y, x).data.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), [1, 2]], ids=str)
@pytest.mark.parametrize("p", [1, 2, 3, 1.5, 0.5, -1, np.inf, -np.inf])
def test_other_lengths(p, axis):
    want = np.abs(TABLE)
    ax = tuple(axis) if isinstance(axis, list) else axis
    if np.isinf(p):
        want = (want.max if p > 0 else want.min)(axis=ax)
    else:
        want = (want**p).sum(axis=ax) ** (1 / p)
    np.testing.assert_allclose(F.norm(TABLE, axis, ord=p).data, want)
    assert gradient_check(F.norm, TABLE, axis=axis, ord=p, order=2)


def test_other_lengths_at_0_and_far_away():
    for p in (1, 2, 3, 1.5, np.inf):
        x = Variable(np.zeros(3))
        assert not grad(F.norm(x, ord=p), x).data.any()
        large = np.array([3e30, 0, 4e30], np.float32)
        y = F.norm(Variable(large), ord=p).data
        assert np.isclose(y, np.linalg.norm(large.astype(float), p), rtol=1e-6)
    wrong: Any
    for wrong in (0, np.nan, "fro"):
        with pytest.raises((TypeError, ValueError), match="ord must be"):
            F.norm(box(3), ord=wrong)


@pytest.mark.torch
@pytest.mark.parametrize("p", [1, 2, 3, 1.5, float("inf")])
def test_torch_finds_the_same_lengths(p):
    import torch

    v, t = Variable(TABLE), torch.tensor(TABLE, requires_grad=True)
    gx = grad(F.norm(v, 1, ord=p).sum(), v, create_graph=True)
    (gt,) = torch.autograd.grad(torch.linalg.vector_norm(t, p, 1).sum(), t, create_graph=True)
    np.testing.assert_allclose(gx.data, gt.detach().numpy(), rtol=1e-10, atol=1e-12)
    if gt.requires_grad and p not in (1, float("inf")):
        (ggt,) = torch.autograd.grad((gt * gt).sum(), t)
        np.testing.assert_allclose(
            grad((gx * gx).sum(), v).data, ggt.numpy(), rtol=1e-8, atol=1e-10
        )


def test_weights_inside_a_logsumexp():
    x = np.array([[1000.0, 999.0], [-1000.0, 5.0]])
    b = np.array([[1.0, 2.0], [0.5, 0.0]])
    want = [1000 + math.log(1 + 2 * math.exp(-1)), -1000 + math.log(0.5)]
    v = Variable(x)
    y = F.logsumexp(v, axis=1, b=b)
    np.testing.assert_allclose(y.data, want)
    assert np.isfinite(grad(y, v).data).all() and F.logsumexp(v, b=b).shape == ()
    assert gradient_check(lambda x, b: F.logsumexp(x, (0, 2), True, b), TABLE, abs(TABLE), order=2)


def test_places_keep_the_axis():
    x = box(2, 3)
    assert x.argmax(1, keepdims=True).shape == (2, 1)
    assert F.argmin(x, 0, keepdims=True).shape == (1, 3)
    assert F.argmax(x, keepdims=True).shape == (1, 1)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_running_sums_of_all_kinds(axis, exclusive, reverse):
    x = TABLE.ravel()[None].T if axis is None else TABLE
    y = np.flip(x, axis or 0) if reverse else x
    y = np.cumsum(y, axis or 0) - (y if exclusive else 0)
    y = np.flip(y, axis or 0) if reverse else y
    found = F.cumsum(TABLE, axis, exclusive, reverse)
    np.testing.assert_allclose(found.data, y.reshape(found.shape), atol=1e-14)
    options = {"axis": axis, "exclusive": exclusive, "reverse": reverse}
    assert gradient_check(F.cumsum, TABLE, order=2, **options)
    assert F.cumsum(Variable(np.zeros((0, 3))), axis, exclusive, reverse).size == 0


def test_averages():
    x, w = box(2, 3, 4), np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(F.average(x, 1, weights=w).data, np.average(x.data, 1, w))
    all_of_them = F.average(x, weights=np.abs(x.data))
    np.testing.assert_allclose(all_of_them.data, np.average(x.data, weights=np.abs(x.data)))
    assert F.average(x, 1, True, weights=w).shape == (2, 1, 4)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda x: F.sum([x, x]), r"F.stack\(\[x, y\]\) makes one of several"),
        (lambda x: F.sum(x, axis="a"), "axis is a whole number or a tuple of them, not 'a'"),
        (lambda x: F.mean(x, x), "axis is a whole number .* not <class"),
        (lambda x: F.max(x, 1.5), "axis is a whole number .* not 1.5"),
        (lambda x: F.argmax(x, BAD), "axis is a whole number"),
        (lambda x: F.cumsum(x, BAD), "axis is a whole number"),
        (lambda x: F.flip(x, BAD), "axis is a whole number"),
        (lambda x: F.concat(x, x), r"one list: concat\(\[x, y\]\)"),
        (lambda x: F.stack(x, x), r"one list: stack\(\[x, y\]\)"),
        (lambda x: F.concat(3), r"one list: concat\(\[x, y\]\)"),
        (lambda x: F.split(x, 0), "the number of parts is at least 1, not 0"),
        (lambda x: F.split(x, 2.0), "the number of parts is a whole number, not 2.0"),
        (lambda x: F.split(x, 2, BAD), "axis is a whole number"),
        (lambda x: F.einsum(x, x), "the subscripts are a text and come first"),
    ],
)
def test_messages_say_what_to_write(wrong, message):
    with pytest.raises((TypeError, ValueError), match=message):
        wrong(box(2, 3))


@pytest.mark.parametrize("name", ["mean", "var", "std"])
@pytest.mark.parametrize("dtype, rtol", [("f2", 3e-3), ("f4", 1e-6), ("f8", 1e-13)])
def test_what_a_mask_leaves_of_a_mean_as_numpy(name, dtype, rtol):
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(3, 4)), rng.random((3, 4)) > 0.3
    f, v = getattr(F, name), Variable(x.astype(dtype))
    for axis in (None, 0, -1, (0, 1)):
        for keep in (False, True):
            y = f(v, axis, keepdims=keep, where=mask)
            want = getattr(np, name)(v.data, axis, keepdims=keep, where=mask)
            assert (y.shape, y.dtype) == (want.shape, want.dtype)
            np.testing.assert_allclose(y.data, want, rtol=rtol)
            assert grad(y, v, np.ones(y.shape, dtype)).dtype == v.dtype
        assert gradient_check(lambda a, axis=axis: f(a, axis, where=mask), x, order=2)


def test_masked_means_of_large_float16_and_of_whole_numbers():
    x = Variable(np.array([0, 255] * 10, np.float16))
    assert F.var(x, where=np.ones(20, bool)).data == np.float16(16256)
    for row in (np.array([True, True, False]), np.array([100, 100, 100], np.int8)):
        for f, g in ((F.mean, np.mean), (F.var, np.var)):
            np.testing.assert_allclose(f(row, where=[True] * 3).data, g(row, where=[True] * 3))
    same = Variable(np.ones(3, np.float32))
    y = F.std(same, where=[True, True, False])
    assert y.data == 0 and y.dtype == np.float32 and not grad(y, same).data.any()
    assert F.var(same, dtype=float).dtype == F.std(same, dtype=float).dtype == np.float64
