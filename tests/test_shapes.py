"""Chapter 07 beyond what the registry tries: edges, ties, errors, methods, and `explain`."""

import functools
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
from dezero import Function, Variable, grad, no_grad, utils
from dezero.backprop import apply, functions_behind
from dezero.functions.reductions import kept_shape
from dezero.numdiff import gradient_check
from dezero.visualize import index_text

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
    for f in (F.argmax, F.argmin, F.sum, F.concat):
        with pytest.raises(TypeError, match="<class 'list'> is not supported: write np.array"):
            f([[1.0, 2.0]])
    with pytest.raises(TypeError, match="the subscripts are a text and come first"):
        F.einsum(box(2, 3), "ij->ji")


def test_parts_that_overlap():
    x = box(2, 3)
    assert [y.shape for y in F.split(x, [0, 2, 5], 1)] == [(2, 0), (2, 2), (2, 1), (2, 0)]
    assert [y.shape for y in F.split(x, [-1], 1)] == [(2, 2), (2, 1)]
    with pytest.raises(ValueError, match=r"\[2, 1\] the parts overlap: the places must rise"):
        F.split(x, [2, 1], 1)


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


def test_shapes_may_be_numbers_lists_and_minus_1():
    x = box(2, 3)
    assert F.reshape(x, 6).shape == F.reshape(x, [6]).shape == F.reshape(x, (-1,)).shape == (6,)
    assert F.broadcast_to(Variable(1.0), 3).shape == (3,)
    assert F.sum_to(box(2, 3), [1, 3]).shape == (1, 3)
    assert x.reshape(-1).shape == x.reshape((3, -1)).reshape(6).shape == (6,)
    assert x.reshape([3, 2]).shape == (3, 2)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda x: F.reshape(x, (4, 2)), "cannot reshape array of size 6"),
        (lambda x: F.transpose(x, (0, 0)), "repeated axis"),
        (lambda x: F.squeeze(x, 0), "size not equal to one"),
        (lambda x: F.expand_dims(x, 5), "out of bounds"),
        (lambda x: F.broadcast_to(x, (3, 3)), "broadcast"),
        (lambda x: F.concat([x, np.zeros((2, 4, 1))], 1), "same number of dimensions"),
        (lambda x: F.stack([x, np.zeros(3)]), "same shape"),
        (lambda x: F.split(x, 2, axis=1), "equal division"),
        (lambda x: F.einsum("ij,jk->ik", x), "'ij,jk->ik' speaks of 2 operands, not of 1"),
        (lambda x: F.einsum("ijk->i", x), "subscripts|dimensions"),
        (lambda x: x @ np.zeros((2, 4)), "left operand has length 3, the last but one .* one 2"),
        (lambda x: np.zeros((4, 3)) @ x, "left operand has length 3, the last but one .* one 2"),
        (lambda x: np.zeros(3) @ x, "left operand has length 3, the last but one .* one 2"),
        (lambda x: x @ np.zeros(2), "left operand has length 3, the only axis .* one 2"),
        (lambda x: x @ 2.0, r"a number is multiplied by \*"),
        (lambda x: 2.0 @ x, r"a number is multiplied by \*"),
    ],
)
def test_errors_name_the_function_and_its_operands(wrong, message):
    with pytest.raises(ValueError, match=rf"(?s){message}.*in \w+\(.*'x' \(2, 3\) float64"):
        wrong(box(2, 3, name="x"))


def test_stacks_of_matrices_that_do_not_fit():
    with pytest.raises(ValueError, match=r"axes before the matrices do not broadcast\n +in MatMul"):
        box(2, 3, 2) @ box(3, 2, 3)


def test_tensordot_says_which_axes_differ():
    with pytest.raises(
        ValueError, match=r"axes \[-1\] of shape \(2, 3\) and axes \[0\] of shape \(2, 3\)"
    ):
        F.tensordot(box(2, 3), box(2, 3), axes=1)
    for a, b, axes in (
        (box(2, 3), box(4), 3), (box(2, 3), box(3, 2, 3), 3), (box(2, 3), box(3, 2), (5, 0)),
        (box(2, 3), box(3, 2), ([0, 1], [0])), (box(2, 2), box(2, 2), ([0, 0], [0, 1])),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"axes \[.*\] of shape .* and axes \[.*\] of shape"):
            F.tensordot(a, b, axes)


def test_methods_are_those_of_arrays():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 3, 1))
    v = Variable(x)
    calls = [
        lambda x: x.reshape(3, 2), lambda x: x.reshape((3, 2)), lambda x: x.transpose(),
        lambda x: x.transpose(2, 0, 1), lambda x: x.transpose((2, 0, 1)), lambda x: x.T,
        lambda x: x.squeeze(), lambda x: x.squeeze(-1), lambda x: x.ravel(),
        lambda x: x.flatten(), lambda x: x.sum(), lambda x: x.sum(axis=(0, -1), keepdims=True),
        lambda x: x.mean(axis=1), lambda x: x.max(axis=0), lambda x: x.min(), lambda x: x.prod(0),
        lambda x: x.cumsum(axis=1), lambda x: x.cumsum(), lambda x: x.var(axis=0, ddof=1),
        lambda x: x.std(), lambda x: x.clip(-0.5, 0.5), lambda x: x.argmax(axis=1),
        lambda x: x.argmin(), lambda x: x.swapaxes(0, 1), lambda x: x.dot(np.ones((1, 2))),
    ]  # fmt: skip
    for call in calls:
        found, want = call(v), call(x)
        found = found.data if isinstance(found, Variable) else found
        np.testing.assert_allclose(found, want, rtol=1e-14)
        assert np.shape(found) == np.shape(want)


def test_flatten_keeps_the_first_axis():
    x = box(2, 3, 4)
    assert F.flatten(x).shape == (2, 12) and F.flatten(x, 0).shape == (24,)
    assert F.flatten(x, start=2).shape == (2, 3, 4)
    assert F.flatten(Variable(np.zeros((0, 3, 4)))).shape == (0, 12)


def test_classes_take_the_published_arguments():
    x = box(2, 3)
    for f in (
        F.Reshape((3, 2)), F.Transpose(), F.Transpose((1, 0)), F.Sum(0, True), F.Max(), F.Min(1),
        F.Max(axis=1, keepdims=True), F.Clip(-1.0, 1.0), F.SumTo((1, 3)), F.BroadcastTo((4, 2, 3)),
        F.GetItem(0),
    ):  # fmt: skip
        y = f(x)
        assert y.creator is f and grad(y, x).shape == (2, 3)
    assert F.GetItemGrad(0, (2, 3))(Variable(np.ones(3))).data.tolist() == [[1.0] * 3, [0.0] * 3]
    assert F.average is F.mean


def test_a_result_without_a_graph():
    with no_grad():
        x = box(2, 3)
        assert F.split(x, 3, axis=1)[1].creator is None
        assert x.max().creator is None and F.einsum("ij->j", x).creator is None


# --- several in, several out --------------------------------------------------------------------


@given(
    lengths=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    axis=st.sampled_from([0, 1, -1]),
)
@tried(30)
def test_cutting_undoes_joining(lengths, axis):
    shapes = [(n, 2) if axis == 0 else (2, n) for n in lengths]
    xs = [Variable(RNG.normal(size=shape)) for shape in shapes]
    joined = F.concat(xs, axis)
    parts = F.split(joined, np.cumsum(lengths)[:-1], axis)
    assert isinstance(parts, list) and len(parts) == len(xs)
    for part, x in zip(parts, xs):
        np.testing.assert_array_equal(part.data, x.data)
    gy = RNG.normal(size=joined.shape)
    gxs = grad(joined, xs, gy)
    np.testing.assert_array_equal(np.concatenate([gx.data for gx in gxs], axis), gy)


def test_parts_that_nobody_uses_and_parts_that_are_gone():
    x = box(6)
    for used in range(3):
        y = F.split(x, 3)[used]
        gx = grad(y * y, x, create_graph=True)
        assert np.flatnonzero(gx.data).tolist() == [2 * used, 2 * used + 1]
        assert grad(gx, x).data.sum() == 4.0
    assert gradient_check(lambda x: F.split(x, 3)[2] * F.split(x, 3)[0], x.data, order=2)


def test_joining_many_and_one():
    xs = [box(2) for _ in range(50)]
    y = F.stack(xs)
    assert y.shape == (50, 2)
    assert all((gx.data == 2.0).all() for gx in grad(y * 2.0, xs))
    assert F.concat([xs[0]]).data.tolist() == xs[0].data.tolist()
    assert F.split(xs[0], 1)[0].data.tolist() == xs[0].data.tolist()
    x = xs[0]
    assert grad(F.concat([x, x, x]), x).data.tolist() == [3.0, 3.0]
    for f in (F.concat, F.stack):
        with pytest.raises(ValueError, match="need at least one array"):
            f([])


def test_joining_without_an_axis_joins_all_elements():
    a, b = box(2, 3), box(4)
    y = F.concat([a, b], axis=None)
    np.testing.assert_array_equal(y.data, np.concatenate([a.data, b.data], axis=None))
    ga, gb = grad(y, [a, b], np.arange(10.0))
    assert ga.data.tolist() == [[0, 1, 2], [3, 4, 5]] and gb.data.tolist() == [6, 7, 8, 9]
    assert gradient_check(lambda a, b: F.concat([a, b], None), a, b, order=2)


def test_constants_beside_variables():
    x, c = box(2, 2), np.ones((2, 2))
    assert grad(F.concat([c, x]), x).data.tolist() == c.tolist()
    assert grad(F.einsum("ij,jk->ik", c, x), x).data.tolist() == [[2.0, 2.0]] * 2


# --- einsum, tensordot, dot ---------------------------------------------------------------------

EINSUMS = [
    ("ij->", [(2, 3)]), ("ij->j", [(2, 3)]), ("ij", [(2, 3)]), ("ji", [(2, 3)]),
    ("ii", [(3, 3)]), ("ii->i", [(3, 3)]), ("iji->j", [(3, 2, 3)]), ("iii->i", [(2, 2, 2)]),
    ("...->...", [(2, 3)]), ("i...->...i", [(2, 3, 4)]), ("...i->", [(2, 3, 4)]),
    ("i,j,k->kji", [(2,), (3,), (2,)]), ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 4)]),
    ("ij,ij,ij->i", [(2, 3)] * 3), ("bi,bj,ij->b", [(4, 2), (4, 3), (2, 3)]),
    ("i,i->", [(3,), (1,)]), ("ij,j", [(2, 3), (3,)]), ("ab , bc -> ac", [(2, 3), (3, 2)]),
    ("...i,...i->...", [(4, 1, 3), (2, 3)]), (",->", [(), ()]), ("i,->i", [(3,), ()]),
    ("ii,jj->ij", [(2, 2), (3, 3)]), ("Aa,aB->AB", [(2, 3), (3, 2)]),
]  # fmt: skip


@pytest.mark.parametrize("subscripts, shapes", EINSUMS)
def test_einsum(subscripts, shapes):
    arrays = [RNG.normal(size=shape) for shape in shapes]
    y = F.einsum(subscripts, *map(Variable, arrays))
    if subscripts != "...i->":  # here NumPy wants the dots in the result, torch does not
        np.testing.assert_allclose(y.data, np.einsum(subscripts, *arrays), atol=1e-12)
    assert gradient_check(lambda *xs: F.einsum(subscripts, *xs), *arrays, order=2)


@pytest.mark.torch
@pytest.mark.parametrize("subscripts, shapes", [case for case in EINSUMS if "iii" not in case[0]])
def test_einsum_as_torch_has_it(subscripts, shapes):
    import torch

    arrays = [RNG.normal(size=shape) for shape in shapes]
    ours, theirs = map(Variable, arrays), [torch.tensor(a, requires_grad=True) for a in arrays]
    ours = list(ours)
    y, t = F.einsum(subscripts, *ours), torch.einsum(subscripts, *theirs)
    np.testing.assert_allclose(y.data, t.detach().numpy(), atol=1e-12)
    t.sum().backward()
    for gx, x in zip(grad(y, ours), theirs):
        assert x.grad is not None
        np.testing.assert_allclose(gx.data, x.grad.numpy(), atol=1e-12)


def test_einsum_keeps_float32():
    x, W = (Variable(np.ones((3, 3), dtype=np.float32)) for _ in range(2))
    for subscripts in ("ij,jk->ik", "ii,ij->j", "ij,kl->"):
        y = F.einsum(subscripts, x, W)
        assert y.dtype == np.float32
        for gx in grad(y, [x, W], create_graph=True):
            assert gx.dtype == np.float32


@pytest.mark.parametrize(
    "left, right",
    [*itertools.product([(), (3,), (2, 3), (4, 2, 3)], [(), (3,), (3, 2), (2, 3, 4)])],
)
def test_dot_is_that_of_numpy(left, right):
    a, b = RNG.normal(size=left), RNG.normal(size=right)
    np.testing.assert_allclose(F.dot(a, b).data, np.dot(a, b))
    assert gradient_check(F.dot, a, b, order=2)


# --- explain ------------------------------------------------------------------------------------


def text(*arguments, **options):
    return repr(F.explain(*arguments, **options))


def parts(explanation):
    return [row for _, rows in explanation.parts for row in rows]


X, W, B = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 4)), RNG.normal(size=4)


def test_explain_a_linear_layer():
    found = text(lambda x, W, b: F.sum(x @ W + b), X, W, B)
    assert (
        found
        == """\
forward
  a = x @ W               (2, 3) @ (3, 4) -> (2, 4)
      a_ik = sum_j x_ij W_jk
  d = a + b               (2, 4) + (4,) -> (2, 4)
      b is stretched: (4,) -> (1, 4) -> (2, 4)
  y = Sum(d)              (2, 4) -> ()
backward: gy is dL/dy, shape ()
back through Sum(d)
  gd = gy stretched       () -> (1, 1) -> (2, 4)
      each element is counted once, so it gets the gradient of its sum
back through a + b
  ga = gd                 (2, 4)
  gb = sum_to(gd, (4,))   (2, 4) -> (4,)
      b was stretched along axis 0, each of its elements was used 2 times: these gradients are added
back through x @ W
  gx = ga @ W.T           (2, 4) @ (4, 3) -> (2, 3)
      dL/dx_ij = sum_k ga_ik W_jk
  gW = x.T @ ga           (3, 2) @ (2, 4) -> (3, 4)
      dL/dW_jk = sum_i x_ij ga_ik"""
    )


PRODUCTS = [
    ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)), ((3,), (5, 3, 4)),
]  # fmt: skip


@pytest.mark.parametrize("left, right", PRODUCTS)
def test_the_formulas_it_gives_for_a_product_are_true(left, right):
    x, W = RNG.normal(size=left), RNG.normal(size=right)
    vx, vW = Variable(x), Variable(W)
    y = vx @ vW
    gy = RNG.normal(size=y.shape)
    known = {"x": x, "W": W, "gy": gy, "einsum": np.einsum, "sum_to": utils.sum_to}
    rows = parts(F.explain(lambda x, W: x @ W, x, W))
    for (formula, shapes, notes), gx in zip(rows[1:], grad(y, [vx, vW], gy)):
        name, _, expression = formula.partition(" = ")
        assert name in ("gx", "gW")
        found = eval(expression, known)
        np.testing.assert_allclose(np.broadcast_to(found, gx.shape), gx.data)
        assert shapes.endswith(f"-> {gx.shape}")
        # the line with indices, as an einsum
        index = re.fullmatch(r"dL/d\w+?(?:_(\w+))? = (?:sum_\w+ )?(\w+) (\w+)", notes[0])
        assert index
        factors = [part.partition("_") for part in index.groups()[1:]]
        subscripts = ",".join(t for _, _, t in factors) + "->" + (index[1] or "")
        by_index = np.einsum(subscripts, *[known[n] for n, _, _ in factors])
        np.testing.assert_allclose(utils.sum_to(by_index, gx.shape), gx.data)


FORMULAS = [
    (lambda x: x * 3.0, X), (lambda x: x / 4.0, X), (lambda x: 2.0 - x, X), (lambda x: -x, X),
    (lambda x: x**3, X), (F.sin, X), (F.exp, X), (F.tanh, X), (F.square, X), (F.norm, X),
    (lambda x: x * B[:3], X), (lambda x: F.broadcast_to(x, (2, 4)), B),
    (lambda x: F.reshape(x, (3, 2)), X), (F.logsumexp, X),
]  # fmt: skip


@pytest.mark.parametrize("f, x", FORMULAS)
def test_the_formulas_it_gives_are_true(f, x):
    v = Variable(x)
    y = f(v)
    gy = RNG.normal(size=y.shape)
    constants = [i.data for fun in functions_behind(y) for i in fun.inputs if i is not v]
    known = {"x": x, "y": y.data, "gy": gy, "sum_to": utils.sum_to, "c": (constants or [0])[0]}
    known |= {"Cos": np.cos, "exp": np.exp}
    (formula, shapes, _) = parts(F.explain(f, x))[-1]
    np.testing.assert_allclose(eval(formula.partition(" = ")[2], known), grad(y, v, gy).data)
    assert shapes.endswith(str(x.shape))


@pytest.mark.parametrize("f", REDUCTIONS, ids=ids)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)], ids=str)
def test_explain_every_reduction(f, axis):
    explanation = F.explain(f, TABLE, axis=axis)
    forward, backward = parts(explanation)
    assert forward[1] == f"(2, 3, 4) -> {TABLE.sum(axis=axis).shape}"
    assert backward[1].startswith(f"{TABLE.sum(axis=axis).shape} -> ")
    assert backward[1].endswith("(2, 3, 4)") and backward[0].startswith("gx = ")
    assert str(kept_shape(TABLE, axis)) in backward[1] and backward[2]


def test_explain_takes_every_function_of_the_package():
    from registry import ENTRIES

    for entry in ENTRIES:
        shapes, options = examples(entry)
        arrays = [place(np.random.default_rng(0), s) for place, s in zip(entry.places, shapes)]
        y = entry.call(*map(Variable, arrays), *options)
        if y.creator is None:
            continue
        explanation = F.explain(y)
        rows = [row for title, rows in explanation.parts[1:] for row in rows]
        inputs = [x for f in functions_behind(y) for x in f.inputs]
        assert rows or not inputs, entry.names
        for formula, shapes, _ in rows:
            assert re.match(r"g\S+ \+?= .", formula) and re.search(r"\(.*\)$", shapes), entry.names
        assert "{" not in repr(explanation), entry.names


@functools.cache
def examples(entry):
    """One case of an entry, the same one every time."""
    found = []

    @tried(1)
    @given(entry.drawn().filter(lambda case: all(map(math.prod, case[0]))))
    def take(case):
        found.append(case)

    take()
    return found[0]


class Cube(Function):
    def forward(self, x):
        return x**3

    def gx(self, gy, x):
        return gy * 3 * x**2

    rules = (gx,)


class Scale(Function):
    def __init__(self, k):
        self.k = k

    def forward(self, x0, x1):
        return self.k * x0 * x1

    def gx0(self, gy, x0, x1):
        return self.k * gy * x1

    def gx1(self, gy, x0, x1):
        x0 = x0 * 1
        return self.k * gy * x0

    rules = gx0, gx1


class Booked(Function):
    def forward(self, x):
        return x * 2, x * 3

    def backward(self, g2, g3):
        return g2 * 2 + g3 * 3


class Worded(Scale):
    words = ("{gy} * {1}", "the factor of {x}"), ("{gy} * {0}", "the factor of {x}")


class Roundabout(Function):
    def forward(self, x):
        return self.twice(x)

    def gx(self, gy, x):
        return self.twice(gy)

    def twice(self, x):
        return 2 * x

    rules = (gx,)


def test_explain_in_the_words_of_the_class():
    found = text(lambda x, w: Worded(1)(x, w), X, X)
    assert "gx = gy * w " in found and "gw = gy * x " in found
    assert "the factor of x\n" in found and found.endswith("the factor of w")
    assert "gx = 2 * gy " in text(lambda x: Roundabout()(x), X)
    assert "y = Where(x, w) " in text(lambda x, w: F.where(w.data > 0, x, w), X, X)


def test_explain_functions_it_does_not_know():
    assert "gx = gy * 3 * x ** 2" in text(lambda x: Cube()(x), X)
    found = text(lambda x, w: Scale(7)(x, w), X, np.ones(3))
    assert "y = Scale(x, w, k=7)" in found and "gx = 7 * gy * w " in found
    assert "w is stretched: (3,) -> (1, 3) -> (2, 3)" in found
    assert "gw = sum_to(7 * gy * (x * 1), (3,))   (2, 3) -> (3,)" in found
    found = text(lambda x: Booked()(x)[0], X)
    assert "y, a = Booked(x)" in found and "gx = gy * 2 + 0 * 3   (2, 3), (2, 3) -> (2, 3)" in found
    made = type("Made", (Cube,), {})
    assert "gx = gy * 3 * x ** 2" in text(lambda x: made()(x), X)


def test_explain_says_what_is_used_again():
    found = text(lambda x: x * x + x, X)
    assert [line.split()[:2] for line in found.splitlines() if line.startswith("  gx")] == [
        ["gx", "="],
        ["gx", "+="],
        ["gx", "+="],
    ]
    assert found.count("x is used again: what comes back is added to gx") == 2


def test_explain_names():
    v, w = Variable(X, "v"), Variable(X, "v")
    found = text(v * w + np.ones(3) * 2.0)
    names = re.findall(r"(\w+) = ", found)
    assert len(set(names)) == len(names)
    assert "a = v * v1" in found and "y = a + c" in found
    hidden = Variable(X) * Variable(X) * 0.5
    assert "a = x * x1" in text(hidden) and "y = a * 0.5" in text(hidden)
    named = Variable(X, "y") * 2.0
    assert "z = y * 2" in text(named)
    assert "out = x * 2" in text(lambda x: renamed(x * 2.0, "out"), X)


def renamed(y, name):
    y.name = name
    return y


def test_explain_a_stack_of_products():
    found = text(lambda x, W: x @ W, np.ones((5, 2, 3)), W)
    assert "W is stretched: (3, 4) -> (1, 3, 4) -> (5, 3, 4)" in found
    assert "y_nik = sum_j x_nij W_jk" in found
    assert "gW = sum_to(x.swapaxes(-1, -2) @ gy, (3, 4))" in found
    assert "each of its elements was used 5 times" in found


def test_explain_einsum():
    found = text(lambda a, b: F.einsum("bij,jk->bik", a, b), np.ones((5, 2, 3)), W)
    assert "y_bik = sum_j a_bij b_jk" in found
    assert "ga = einsum('bik,jk->bij', gy, b)" in found
    assert "dL/db_jk = sum_bi a_bij gy_bik" in found
    assert "y = einsum('bij,jk->bik', a, b)" in found
    assert "gx = gy stretched" in text(lambda x: F.einsum("ij->i", x), X)
    assert "gx = gy on the diagonal" in text(lambda x: F.einsum("ii->i", x), np.ones((3, 3)))
    assert "gx = einsum('ji->ij', gy) " in text(lambda x: F.einsum("ij->ji", x), X)


def test_explain_a_stack_times_a_vector_sums_once():
    found = text(lambda x, v: x @ v, np.ones((5, 2, 3)), np.ones(3))
    assert "gv = einsum('nij,ni->j', x, gy)   (5, 2) -> (3,)" in found
    assert "stretched" not in found and "sum_to" not in found


COS = F.Cos()


class BookStyle(Function):
    def forward(self, x0, x1):
        return np.exp(x0) * x1

    def backward(self, gy):
        "Everything that the book's classes do."
        x0, x1 = self.inputs[0].data, self.inputs[1].data
        y = self.outputs[0]()
        gx0 = gy * y
        gx1 = np.exp(x0) * x1 / x1
        return gx0, gx1 * gy


class Straight(Function):
    needs_outputs = True

    def forward(self, x, w):
        return x * w

    def gx(self, gy, x, w, y):
        "A docstring, an unpacking, an option below 0."
        a, b = self.inputs
        g = 1.0 - y
        g *= gy
        return g**self.low + b

    def gw(self, gy, x, w, y):
        return -self.gx(w, gy, x, y) + apply(F.Clip(-1, 1), x)

    rules = gx, gw
    low = -2


class Unreadable(Function):
    """Rules that are more than a formula: each is named by its class, if it cannot be followed."""

    def forward(self, *xs):
        return xs[0] * 1

    def in_place(self, gy, *xs):
        gx = [gy]
        gx[0] *= 2
        return gx[0]

    def loops(self, gy, *xs):
        gx = np.zeros(gy.shape)
        for i in range(len(gx)):
            gx[i] = gy[i].data
        return gx

    def instance(self, gy, *xs):
        return gy * self.table

    def long(self, gy, x0, x1, x2, x3):
        a = gy + x0 * 0 + x1 * 0 + x2 * 0 + x3 * 0
        return a + a - a + a - a

    rules = in_place, loops, instance, long
    table = np.ones((2, 3))


def test_explain_reads_classes_in_the_style_of_the_book():
    found = text(lambda x, w: BookStyle()(x, w), X, X)
    assert "gx = gy * y " in found and "gw = np.exp(x) * w / w * gy " in found


def test_explain_reads_straight_lines():
    found = text(lambda x, w: Straight()(x, w), X, X)
    assert "gx = ((1.0 - y) * gy) ** (-2) + w " in found
    assert "gw = -(((1.0 - y) * w) ** (-2) + w) + F.Clip(x, -1, 1) " in found
    assert "gx = gy * COS(x) " in text(lambda x: WithInstance()(x), X)


class WithInstance(Function):
    def forward(self, x):
        return np.sin(x)

    def gx(self, gy, x):
        return gy * apply(COS, x)

    rules = (gx,)


def test_explain_follows_a_rule_that_asks_if():
    found = text(F.linear, X, W, B)
    assert "gx = gy @ W.T " in found and "gW = x.T @ gy " in found and "gb = gy.sum(0) " in found


def test_explain_names_the_class_where_there_is_no_formula():
    found = text(Unreadable(), X, X, X, X)
    assert "gx0 = gy * 2 " in found
    for name in ("x1", "x2", "x3"):
        assert f"g{name} = Unreadable.backward(gy) " in found


def test_explain_writes_calls_as_one_types_them():
    found = text(lambda x: x**2, X)
    assert "y = x ** 2 " in found and "gx = gy * 2 * x " in found
    assert "gx = gy * 0.5 * x ** (-0.5) " in text(lambda x: x**0.5, abs(X))
    assert "y = -x " in text(lambda x: -x, X)
    assert "y = x * (-2) " in text(lambda x: x * -2.0, X)
    assert "gx = gy * y * log(2) " in text(lambda x: 2.0**x, X)
    found = text(lambda x: x[:, 1:], X)
    assert "y = x[:, 1:] " in found and "what was not taken does not count" in found
    found = text(lambda x: x[[0, 0, 1]], X)
    assert "y = x[[0, 0, 1]] " in found and "what was taken twice gets two gradients" in found
    assert "y = x[..., None, ::2, 0] " in text(lambda x: x[..., None, ::2, 0], TABLE)
    assert "y = x[mask] " in text(lambda x: x[x.data > 0], TABLE)
    assert "y = x[indices] " in text(lambda x: x[np.arange(2).repeat(9)], TABLE)
    assert "y = Pad(x, pad_width=1) " in text(lambda x: F.pad(x, 1), X)
    assert "y = Concat(x, x, axis=0) " in text(lambda x: F.concat([x, x]), X)


def test_an_index_as_one_types_it():
    typed = {
        "1:": slice(1, None), ":": slice(None), "::2": slice(None, None, 2), "-1": -1,
        "0, ..., None": (0, ..., None), "[0, 2]": np.array([0, 2]), "mask": np.ones((4, 4), bool),
        "indices, :": (np.arange(30), slice(None)), "2": np.int64(2),
    }  # fmt: skip
    for text, index in typed.items():
        assert index_text(index) == text


def test_explain_a_part_that_nobody_uses():
    found = text(lambda x: F.split(x, 3, axis=1)[1], X)
    assert "gx = 0, gy, 0 joined " in found and "(2, 1), (2, 1), (2, 1) -> (2, 3)" in found


def test_explain_numbers():
    found = text(lambda x: x**2 + 1, 3.0)
    assert "a = x ** 2 " in found and "gx = ga * 2 * x " in found
    # beside a table numbers are options
    assert "y = Clip(x, limits=(-1.0, 1.0))" in text(F.clip, X, -1.0, 1.0)
    assert "y = x0 * x1 " in text(lambda *operands: operands[0] * operands[1], X, X)


def test_explain_names_that_are_no_names():
    found = text(Variable(X, "x") * Variable(X, "l0/W"))
    assert "y = x * l0_W " in found and "gx = gy * l0_W " in found


def test_explain_axes_of_length_1_and_0():
    found = text(lambda x, b: x + b, np.ones((1, 3)), np.ones(3))
    assert "b was stretched along axis 0, of length 1, which b does not have" in found
    assert "used 1 times" not in found


def test_explain_leaves_everything_as_it_was():
    x, w = Variable(X.copy(), "x"), Variable(W.copy())
    with no_grad():
        F.explain(lambda x, W: x @ W, x, w)
    y = x @ w
    F.explain(y)
    assert x.grad is None and w.grad is None and w.name is None and y.name is None
    np.testing.assert_array_equal(x.data, X)
    y.backward()
    assert x.grad is not None and x.grad.shape == (2, 3)


def test_explain_integers_size_0_and_float32():
    assert "gx = gy @ W.T" in text(lambda x, W: x @ W, np.ones((2, 3), int), np.ones((3, 4), int))
    assert "(0, 3) -> (3,)" in text(lambda x: F.sum(x, axis=0), np.zeros((0, 3)))
    found = text(lambda x, b: x + b, np.zeros((0, 3)), np.zeros(3))
    assert "axis 0 to nothing: no gradient comes back" in found
    assert "gb = sum_to" in text(lambda x, b: x + b, X.astype("f"), B[:3].astype("f"))


def test_explain_as_html():
    html = F.explain(lambda x: F.sum(x * (x > 0), axis=0), X)._repr_html_()
    assert html.startswith('<table class="dz-explanation">') and html.endswith("</table>")
    assert html.count("<tr ") == html.count("</tr>") == 9 and html.count("<td") == html.count(
        "</td>"
    )
    assert "-&gt;" in html and "->" not in html
    product = F.explain(lambda x, W: x @ W, X, W)._repr_html_()
    index = (
        "<i>dL/dx</i><sub>ij</sub> = &sum;<sub>k</sub> <i>gy</i><sub>ik</sub> <i>W</i><sub>jk</sub>"
    )
    assert index.replace("<i>dL/dx</i>", "dL/<i>dx</i>") in product
    tricky = Variable(X, "<script>") * 2.0
    assert "<script>" not in F.explain(tricky)._repr_html_()


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((3.0,), TypeError, "a Variable, or a function and its operands, not <class 'float'>"),
        (("x @ W",), TypeError, "not <class 'str'>"),
        ((Variable(1.0),), ValueError, "no graph to explain: nothing was computed"),
        ((Variable(1.0) * 2.0, X), TypeError, r"explained alone: explain\(y\)"),
        ((lambda x: x.data, X), TypeError, "a function that returns a Variable, not <class 'numpy"),
        ((lambda x: F.split(x, 2), X), TypeError, "returns a Variable, not <class 'list'>"),
        ((lambda x: x, X), ValueError, "no graph to explain"),
        ((lambda x, W: x @ W, X, X), ValueError, r"(?s)in MatMul\('x' \(2, 3\).*'W' \(2, 3\)"),
        ((lambda x: x @ 1,), TypeError, "missing 1 required positional argument"),
    ],
)
def test_explain_says_what_it_cannot_explain(arguments, error, message):
    with pytest.raises(error, match=message):
        F.explain(*arguments)


def test_explain_wants_small_expressions():
    y = Variable(1.0)
    for _ in range(101):
        y = y * 2.0
    with pytest.raises(ValueError, match="101 functions are too many to read about"):
        F.explain(y)
    with no_grad():
        y = Variable(1.0) * 2.0
    with pytest.raises(ValueError, match=r"no graph to explain: it was computed under no_grad\(\)"):
        F.explain(y)


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


def test_explain_says_that_a_power_of_0_stands_still():
    told = str(F.explain(Variable(np.ones(2), "x") ** 0))
    assert "gx = gy * 0   (2,)" in told and "it is 1, whatever x is" in told
    assert "gx = gy * 3 * x ** 2" in str(F.explain(Variable(np.ones(2), "x") ** 3))
