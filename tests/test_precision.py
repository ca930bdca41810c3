"""The last digits: relative errors over the whole range of each dtype, and no 0 * inf.

Errors are counted in units of the last digit (ulp) against longdouble, for the error function
and GELU against mpmath.
"""

import numpy as np
import pytest

import dezero.functions as F
from dezero import Variable, grad

DTYPES = ["f2", "f4", "f8"]
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def places(dtype, count=1000):
    """Numbers of both signs, evenly in their logarithm from the smallest to the largest."""
    info = np.finfo(dtype)
    ends = np.log10(float(info.smallest_subnormal)), np.log10(float(info.max)) - 1e-4
    x = np.concatenate([np.logspace(*ends, count), np.logspace(-3, 2.9, count)])
    x = np.unique(x.astype(dtype))
    x = x[np.isfinite(x)]
    return np.concatenate([-x[::-1], x])


def ulps(got, true, scale=None):
    """How far off, in units of the last digit of the true number (or of `scale`)."""
    true = np.asarray(true, np.longdouble)
    nearest = true.astype(got.dtype)
    unit = np.spacing(np.abs(nearest if scale is None else scale.astype(got.dtype)))
    with np.errstate(all="ignore"):
        off = np.abs(got.astype(np.longdouble) - true) / unit
    finite = np.isfinite(nearest)
    assert np.array_equal(got[~finite], nearest[~finite])
    return float(off[finite].max())


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def sech2(x):
    e = np.exp(-2 * np.abs(x))
    return 4 * e / (1 + e) ** 2


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def one_by_one(loss, t):
    def f(x):
        parts = [loss(x[i : i + 1], np.array([t])) for i in range(x.size)]
        return F.concat([part.reshape(1) for part in parts])

    return f


EXACT = {
    "sigmoid": (F.sigmoid, sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    "tanh": (F.tanh, np.tanh, sech2),
    "softplus": (F.softplus, softplus, sigmoid),
    "exp": (F.exp, np.exp, np.exp),
    "expm1": (F.expm1, np.expm1, np.exp),
    "elu": (
        F.elu,
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x: np.where(x > 0, 1, np.exp(np.minimum(x, 0))),
    ),
    "arctan": (F.arctan, np.arctan, lambda x: 1 / np.hypot(1, x) ** 2),
    "sigmoid_cross_entropy no": (
        one_by_one(F.sigmoid_cross_entropy, 0.0),
        softplus,
        sigmoid,
    ),
    "sigmoid_cross_entropy yes": (
        one_by_one(F.sigmoid_cross_entropy, 1.0),
        lambda x: softplus(-x),
        lambda x: -sigmoid(-x),
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_four_units_in_the_last_digit(name, dtype):
    f, value, slope = EXACT[name]
    x = Variable(places(dtype, 200 if "entropy" in name else 1000))
    wide, y = x.data.astype(np.longdouble), f(x)
    assert ulps(y.data, value(wide)) <= 4
    assert ulps(grad(y, x).data, slope(wide)) <= 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_silu_to_the_last_digit_of_its_parts(dtype):
    data = places(dtype)
    x = Variable(data[sigmoid(data.astype(np.longdouble)) > np.finfo(dtype).tiny])
    wide, y = x.data.astype(np.longdouble), F.silu(x)
    assert ulps(y.data, wide * sigmoid(wide)) <= 4
    parts = sigmoid(wide), wide * sigmoid(wide) * sigmoid(-wide)
    larger = np.maximum(parts[0], np.abs(sum(parts)))
    assert ulps(grad(y, x).data, sum(parts), larger) <= 4


@pytest.mark.torch
@pytest.mark.parametrize("dtype", DTYPES)
def test_gelu_and_erf_to_the_last_digit(dtype):
    mp = pytest.importorskip("mpmath")
    near = {"f2": 6, "f4": 15, "f8": 37.5}[dtype]
    x = Variable(places(dtype, 500))
    x.data = x.data[np.abs(x.data) < near]
    numbers = [mp.mpf(float(v)) for v in x.data]

    def true(f):
        with mp.workprec(120):
            return np.array([np.longdouble(mp.nstr(f(v), 30)) for v in numbers])

    def below(v):
        return mp.erfc(-v / mp.sqrt(2)) / 2

    def density(v):
        return mp.exp(-v * v / 2) / mp.sqrt(2 * mp.pi)

    y, e = F.gelu(x), F.erf(x)
    assert ulps(y.data, true(lambda v: v * below(v))) <= 4
    slope = true(lambda v: below(v) + v * density(v))
    larger = np.maximum(true(below), np.abs(slope)) if dtype == "f8" else slope
    assert ulps(grad(y, x).data, slope, larger) <= 4
    assert ulps(e.data, true(mp.erf)) <= 4
    assert ulps(grad(e, x).data, true(lambda v: 2 / mp.sqrt(mp.pi) * mp.exp(-v * v))) <= 4


def test_a_tiny_probability_keeps_its_gradient():
    x = Variable(np.array([-20.0], "f4"))
    loss = F.binary_cross_entropy(F.sigmoid(x), np.ones(1, "f4"))
    loss.backward()
    assert loss.data == 20 and x.grad.data == -1
    for dtype, least in {"f2": -8, "f4": -78, "f8": -600}.items():
        x = Variable(np.linspace(least, -1, 50).astype(dtype))
        loss = one_by_one(F.binary_cross_entropy, 1)(F.sigmoid(x))
        np.testing.assert_allclose(loss.data, np.minimum(softplus(-x.data), 100), rtol=2e-3)
        want = -sigmoid(-x.data.astype(float))
        np.testing.assert_allclose(grad(loss, x).data, want, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_probability_of_zero_is_no_nan(dtype):
    x = Variable(np.array([-3e4], dtype))
    loss = 2 * F.binary_cross_entropy(F.sigmoid(x), np.ones(1, dtype))
    loss.backward()
    assert loss.data == 200 and x.grad.data == 0


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_second_derivatives_do_not_cancel(dtype):
    x = Variable(np.array([1e-5, 2e-8, 1e-12, -1e-5, 0.5, -0.9], dtype))
    wide = x.data.astype(np.longdouble)
    for f, sign in [(F.arcsin, 1), (F.arccos, -1)]:
        gx = grad(f(x), x, create_graph=True)
        assert ulps(gx.data, sign / np.sqrt(1 - wide**2)) <= 4
        second = sign * wide / np.sqrt(1 - wide**2) ** 3
        assert ulps(grad(gx, x).data, second) <= 10
    gx = grad(F.arctan(x), x, create_graph=True)
    assert ulps(grad(gx, x).data, -2 * wide / (1 + wide**2) ** 2) <= 10


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_angle_of_any_point(scale):
    up, right = Variable(np.array([3 * scale], "f4")), Variable(np.array([-4 * scale], "f4"))
    gu, gr = grad(F.arctan2(up, right), [up, right])
    np.testing.assert_allclose(gu.data * scale, -4 / 25, rtol=1e-6)
    np.testing.assert_allclose(gr.data * scale, -3 / 25, rtol=1e-6)


# --- masks --------------------------------------------------------------------------------------

MASKS = {
    "relu": (F.relu, lambda torch, x: torch.relu(x)),
    "leaky_relu": (F.leaky_relu, lambda torch, x: torch.nn.functional.leaky_relu(x, 0.2)),
    "elu": (F.elu, lambda torch, x: torch.nn.functional.elu(x)),
    "maximum": (
        lambda x: F.maximum(x, 0.0),
        lambda torch, x: torch.maximum(x, torch.zeros_like(x)),
    ),
    "minimum": (
        lambda x: -F.minimum(-x, 0.0),
        lambda torch, x: -torch.minimum(-x, torch.zeros_like(x)),
    ),
    "where": (
        lambda x: F.where(x > 0, x, 0.0),
        lambda torch, x: torch.where(x > 0, x, 0.0),
    ),
    "where2": (
        lambda x: F.where(x.data <= 0, np.zeros(4), x),
        lambda torch, x: torch.where(x <= 0, 0.0, x),
    ),
    "clip": (
        lambda x: F.clip(x, 0.0, 100.0),
        lambda torch, x: torch.clamp(x, 0.0, 100.0),
    ),
}
OUTSIDE = {
    "sqrt": (F.sqrt, lambda torch, x: torch.sqrt(x)),
    "log": (F.log, lambda torch, x: torch.log(x)),
    "1 / x": (lambda x: 1 / x, lambda torch, x: 1 / x),
    "arccos": (lambda x: F.arccos(1 - x / 8), lambda torch, x: torch.arccos(1 - x / 8)),
    "** 0.5": (lambda x: x**0.5, lambda torch, x: x**0.5),
}
INPUT = np.array([-1.0, -0.5, 0.25, 4.0])


@pytest.mark.torch
@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("mask", MASKS)
def test_masked_places_get_no_nan(mask, outside):
    import torch

    x, tx = Variable(INPUT), torch.tensor(INPUT, requires_grad=True)
    y = OUTSIDE[outside][0](MASKS[mask][0](x))
    ty = OUTSIDE[outside][1](torch, MASKS[mask][1](torch, tx))
    np.testing.assert_allclose(y.data, ty.detach().numpy())
    (want,) = torch.autograd.grad(ty.sum(), tx, create_graph=True)
    plain, gx = grad(y, x), grad(y, x, create_graph=True)
    np.testing.assert_allclose(plain.data, want.detach().numpy(), rtol=1e-14)
    np.testing.assert_allclose(gx.data, want.detach().numpy(), rtol=1e-14)
    (want,) = torch.autograd.grad(want[2:].sum(), tx)
    again = grad(gx[2:], x).data
    np.testing.assert_allclose(again[2:], want[2:].numpy(), rtol=1e-12)


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_root_of_a_relu(create_graph):
    x = Variable(np.array([-1.0, 4.0]))
    F.sqrt(F.relu(x)).sum().backward(create_graph=create_graph)
    assert x.grad.data.tolist() == [0, 0.25]


@pytest.mark.torch
def test_nan_passes_as_in_torch():
    import torch

    data = np.array([np.nan, 1.0, -1.0])
    pairs = [
        (F.relu, torch.relu),
        (lambda x: F.maximum(x, 0.5), lambda x: torch.maximum(x, torch.tensor(0.5))),
        (lambda x: F.minimum(x, 0.5), lambda x: torch.minimum(x, torch.tensor(0.5))),
    ]
    for ours, theirs in pairs:
        x, tx = Variable(data), torch.tensor(data, requires_grad=True)
        y, ty = ours(x), theirs(tx)
        np.testing.assert_array_equal(y.data, ty.detach().numpy())
        (want,) = torch.autograd.grad(ty.sum(), tx)
        np.testing.assert_array_equal(grad(y, x).data, want.numpy())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_rows_that_do_not_count_may_hold_nan(smoothing):
    x = Variable(np.array([[np.nan] * 3, [0.0, 1.0, 0.0], [np.inf, 0, 0]]))
    t = np.array([-100, 1, -100])

    def loss(x, t):
        return F.softmax_cross_entropy(x, t, label_smoothing=smoothing)

    y, alone = loss(x, t), Variable(x.data[1:2])
    assert np.isclose(y.data, loss(alone, t[1:2]).data)
    if not smoothing:
        assert np.isclose(y.data, 0.5514, atol=1e-4)
    gx = grad(y, x, create_graph=True)
    want = grad(loss(alone, t[1:2]), alone).data
    for g in (gx, grad(y, x)):
        np.testing.assert_allclose(g.data, np.concatenate([0 * want, want, 0 * want]))
    assert np.isfinite(grad(gx[:, 0].sum(), x).data).all()


def test_a_bool_as_condition_is_told():
    x = Variable(np.array([0.0, 1.0]))
    with pytest.raises(TypeError, match=r"the same box\. Write x\.data == y"):
        F.where(x == 0, 1.0, 2.0)
    assert F.where(x.data == 0, 1.0, 2.0).data.tolist() == [1, 2]


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_powers_of_zero(dtype):
    import torch

    e = Variable(np.array([-1.0, 0.0, 2.0], dtype))
    base = Variable(np.zeros(3, dtype))
    y = base**e
    got = grad(y, [e, base])
    assert got[0].data.tolist() == [-np.inf, 0, 0]
    te, tb = torch.tensor(e.data, requires_grad=True), torch.tensor(base.data, requires_grad=True)
    want = torch.autograd.grad((tb**te).sum(), [te, tb])
    for ours, theirs in zip(got, want):
        np.testing.assert_array_equal(ours.data, theirs.numpy())
    assert grad(0.0**e, e).data.tolist() == [-np.inf, 0, 0]
    assert grad(0.0**e, e, create_graph=True).data.tolist() == [-np.inf, 0, 0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_integer_to_the_power_of_a_variable(create_graph):
    v = Variable(np.array([2, 3, 0]))
    assert grad(v ** Variable(0), v, create_graph=create_graph).data.tolist() == [0, 0, 0]
    assert grad(v ** Variable(1), v, create_graph=create_graph).data.tolist() == [1, 1, 1]
    assert grad(v ** Variable(2), v, create_graph=create_graph).data.tolist() == [4, 6, 0]
    n = Variable(3)
    assert grad(n ** Variable(0), n).data == 0


class Metres(np.ndarray):
    """An array of a kind of its own."""


@pytest.mark.parametrize(
    "data", [np.ma.array([1.0, 2.0], mask=[True, False]), np.ones(2).view(Metres)]
)
def test_other_kinds_of_arrays_are_refused_with_a_cure(data):
    for call in (Variable, F.exp, lambda data: Variable(np.ones(2)) + data):
        with pytest.raises(TypeError, match=r"np\.asarray\(\.\.\.\)|\.filled\("):
            call(data)


def test_a_file_as_an_array_is_an_array(tmp_path):
    data = np.memmap(tmp_path / "data", "f8", "w+", shape=(3,))
    x = Variable(data)
    assert grad(F.exp(x), x).data.tolist() == [1, 1, 1]
