"""Chapter 07 beyond what the registry tries: edges, ties, errors, and methods."""

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
from dezero import Variable, grad, no_grad, utils
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
