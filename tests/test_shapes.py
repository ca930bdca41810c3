"""Chapter 07 beyond what the registry tries: edges, errors, and methods."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import tried

import dezero.functions as F
from dezero import Variable, grad, no_grad
from dezero.gradcheck import gradient_check

RNG = np.random.default_rng(0)


def box(*shape, **options):
    return Variable(np.random.default_rng(1).normal(size=shape), **options)


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match="<class 'list'> is not supported: write np.array"):
        F.concat([[1.0, 2.0]])


def test_parts_that_overlap():
    x = box(2, 3)
    assert [y.shape for y in F.split(x, [0, 2, 5], 1)] == [(2, 0), (2, 2), (2, 1), (2, 0)]
    assert [y.shape for y in F.split(x, [-1], 1)] == [(2, 2), (2, 1)]
    with pytest.raises(ValueError, match=r"\[2, 1\] the parts overlap: the places must rise"):
        F.split(x, [2, 1], 1)


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
        (lambda x: F.concat([x, np.zeros((2, 4, 1))], 1), "same number of dimensions"),
        (lambda x: F.stack([x, np.zeros(3)]), "same shape"),
        (lambda x: F.split(x, 2, axis=1), "equal division"),
    ],
)
def test_errors_name_the_function_and_its_operands(wrong, message):
    with pytest.raises(ValueError, match=rf"(?s){message}.*in \w+\(.*'x' \(2, 3\) float64"):
        wrong(box(2, 3, name="x"))


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
    assert F.average(box(3)).data == F.mean(box(3)).data


def test_a_result_without_a_graph():
    with no_grad():
        x = box(2, 3)
        assert F.split(x, 3, axis=1)[1].creator is None
        assert x.max().creator is None and F.einsum("ij->j", x).creator is None


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


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap", "symmetric"])
@pytest.mark.parametrize("width", [1, (2, 1), [(0, 3), (2, 0)], ((1, 0), (7, 9))], ids=str)
def test_borders_of_all_kinds(mode, width):
    data = RNG.normal(size=(3, 4))
    np.testing.assert_array_equal(F.pad(data, width, mode=mode).data, np.pad(data, width, mode))
    assert gradient_check(F.pad, data, pad_width=width, mode=mode, order=2)


def test_negative_widths_cut_off():
    data = np.arange(20.0).reshape(4, 5)
    x = Variable(data)
    y = F.pad(x, [(-1, 2), (0, -2)], 7)
    np.testing.assert_array_equal(y.data, np.pad(data[1:, :3], [(0, 2), (0, 0)], constant_values=7))
    assert grad(y, x).data.sum() == 9
    assert F.pad(x, -2).shape == (0, 1) and F.pad(x, (-9, 0)).shape == (0, 0)
    assert gradient_check(F.pad, data, pad_width=(-1, 2), order=2)


@pytest.mark.torch
def test_torch_pads_in_the_same_way():
    import torch

    data = RNG.normal(size=(1, 2, 5))
    for ours, theirs in (("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")):
        for width in ((2, 1), (2, -2), (-1, 2)):
            x, t = Variable(data), torch.tensor(data, requires_grad=True)
            y = F.pad(x, [(0, 0), (0, 0), width], mode=ours)
            want = torch.nn.functional.pad(t, width, mode=theirs)
            np.testing.assert_array_equal(y.data, want.detach().numpy())
            (gt,) = torch.autograd.grad((want**2).sum(), t)
            np.testing.assert_allclose(grad((y**2).sum(), x).data, gt.numpy())


def test_an_order_of_axes_without_brackets():
    x = box(2, 3, 4)
    for y in (F.transpose(x, 2, 0, 1), x.transpose(2, 0, 1), F.transpose(x, np.array([2, 0, 1]))):
        assert y.shape == (4, 2, 3)
    assert F.transpose(box(3), 0).shape == (3,) and F.transpose(box(2, 3)).shape == (3, 2)
