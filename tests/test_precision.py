"""The last digits: relative errors over the whole range of each dtype, and no 0 * inf.

Errors are counted in units of the last digit of the true number, which mpmath computes.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from mpmath import mp, mpf

import dezero.functions as F
from dezero import Variable, grad

DTYPES = ["f2", "f4", "f8"]
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def places(dtype, count=120):
    """Numbers of both signs, evenly in their logarithm from the smallest to the largest."""
    info = np.finfo(dtype)
    ends = np.log10(float(info.smallest_subnormal)), np.log10(float(info.max)) - 1e-4
    near_one = np.logspace(-15, -0.05, 40)
    x = [np.logspace(*ends, count), np.logspace(-3, 2.9, count), 1 - near_one, 1 + near_one]
    x = np.unique(np.concatenate(x).astype(dtype))
    x = x[np.isfinite(x)]
    return np.concatenate([-x[::-1], x])


def true(f, *operands):
    """What `f` of each number is, to 200 binary digits."""
    with mp.workprec(200):
        return [f(*map(mpf, numbers)) for numbers in zip(*[x.tolist() for x in operands])]


def units(got, wanted, scales=None):
    """The largest error, in units of the last digit of the true number or what it is compared with.

    What is larger than the largest number must be infinite.
    """
    worst = 0.0
    for g, w, s in zip(got.tolist(), wanted, scales or wanted):
        nearest, s = got.dtype.type(float(w)), got.dtype.type(float(max(abs(w), abs(s))))
        if not np.isfinite([g, nearest]).all():
            assert g == nearest
        elif np.isfinite(s):
            worst = max(worst, float(abs(g - w) / mpf(float(np.spacing(s)))))
    return worst


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def one_by_one(loss, t):
    def f(x):
        parts = [loss(x[i : i + 1], np.array([t])) for i in range(x.size)]
        return F.concat([part.reshape(1) for part in parts])

    return f


def true_sigmoid(v):
    return 1 / (1 + mp.exp(-v))


def true_softplus(v):
    return mp.log1p(mp.exp(v)) if v < 0 else v + mp.log1p(mp.exp(-v))


def erfc(v):
    return mp.erfc(min(v, 1000))


def below(v):
    return erfc(-v / mp.sqrt(2)) / 2


def bell(v):
    return 2 / mp.sqrt(mp.pi) * mp.exp(-v * v)


def mish_parts(v):
    y = mp.tanh(true_softplus(v))
    return y, v * (1 - y * y) * true_sigmoid(v)


class Curve(NamedTuple):
    """A true function, its slope, where it is, and what the errors may be compared with."""

    value: Any
    slope: Any
    low: float = -np.inf
    high: float = np.inf
    beside: Any = None  # the value may be compared with that, too
    parts: Any = None  # the slope with its parts, which may cancel
    f: Any = None  # if it is not the function of that name
    dtypes: Any = DTYPES


ELU = Curve(lambda v: v if v > 0 else mp.expm1(v), lambda v: 1 if v > 0 else mp.exp(v))
SELU = mpf(1.0507009873554805), mpf(1.6732632423543772)
CURVES = {
    "exp": Curve(mp.exp, mp.exp),
    "expm1": Curve(mp.expm1, mp.exp),
    "log": Curve(mp.log, lambda v: 1 / v, 0),
    "log2": Curve(lambda v: mp.log(v) / mp.ln2, lambda v: 1 / v / mp.ln2, 0),
    "log10": Curve(mp.log10, lambda v: 1 / v / mp.ln10, 0),
    "log1p": Curve(mp.log1p, lambda v: 1 / (1 + v), -1),
    "sqrt": Curve(mp.sqrt, lambda v: 1 / mp.sqrt(v) / 2, 0),
    "square": Curve(lambda v: v * v, lambda v: 2 * v),
    "sin": Curve(mp.sin, mp.cos),
    "cos": Curve(mp.cos, lambda v: -mp.sin(v)),
    "tan": Curve(mp.tan, lambda v: 1 / mp.cos(v) ** 2),
    "arcsin": Curve(mp.asin, lambda v: 1 / mp.sqrt(1 - v * v), -1, 1),
    "arccos": Curve(mp.acos, lambda v: -1 / mp.sqrt(1 - v * v), -1, 1),
    "arctan": Curve(mp.atan, lambda v: 1 / (1 + v * v)),
    "sinh": Curve(mp.sinh, mp.cosh),
    "cosh": Curve(mp.cosh, mp.sinh),
    "tanh": Curve(mp.tanh, lambda v: 1 / mp.cosh(v) ** 2),
    "arcsinh": Curve(mp.asinh, lambda v: 1 / mp.sqrt(1 + v * v)),
    "arccosh": Curve(mp.acosh, lambda v: 1 / mp.sqrt(v * v - 1), 1),
    "arctanh": Curve(mp.atanh, lambda v: 1 / (1 - v * v), -1, 1),
    "erf": Curve(mp.erf, bell),
    "erfc": Curve(erfc, lambda v: -bell(v)),
    "sigmoid": Curve(true_sigmoid, lambda v: true_sigmoid(v) * true_sigmoid(-v)),
    "log_sigmoid": Curve(lambda v: -true_softplus(-v), lambda v: true_sigmoid(-v)),
    "softplus": Curve(true_softplus, true_sigmoid),
    "softsign": Curve(lambda v: v / (1 + abs(v)), lambda v: 1 / (1 + abs(v)) ** 2),
    "abs": Curve(abs, mp.sign),
    "relu": Curve(lambda v: max(v, 0), lambda v: v > 0),
    "relu6": Curve(lambda v: min(max(v, 0), 6), lambda v: 0 < v < 6),
    "hardsigmoid": Curve(
        lambda v: min(max(v + 3, 0), 6) / mpf(6),
        lambda v: 1 / mpf(6) if -3 < v < 3 else mpf(0),
    ),
    "hardswish": Curve(
        lambda v: v * min(max(v + 3, 0), 6) / 6,
        lambda v: (2 * v + 3) / 6 if -3 < v < 3 else mpf(v > 0),
        parts=lambda v, tiny: (0.5 if -2 < v < -1 else 0,),
    ),
    "elu": ELU,
    "celu": ELU,
    "selu": Curve(
        lambda v: SELU[0] * (v if v > 0 else SELU[1] * mp.expm1(v)),
        lambda v: SELU[0] * (1 if v > 0 else SELU[1] * mp.exp(v)),
    ),
    "silu": Curve(
        lambda v: v * true_sigmoid(v),
        lambda v: true_sigmoid(v) + v * true_sigmoid(v) * true_sigmoid(-v),
        beside=lambda v, tiny: (v * tiny,),
        parts=lambda v, tiny: (true_sigmoid(v), v * tiny),
    ),
    "mish": Curve(
        lambda v: v * mp.tanh(true_softplus(v)),
        lambda v: mp.fsum(mish_parts(v)),
        beside=lambda v, tiny: (v * tiny,),
        parts=lambda v, tiny: (sum(map(abs, mish_parts(v))), v * tiny),
    ),
    "gelu": Curve(
        lambda v: v * below(v),
        lambda v: below(v) + v * mp.exp(-v * v / 2) / mp.sqrt(2 * mp.pi),
        beside=lambda v, tiny: (v * tiny,),
        parts=lambda v, tiny: (below(v), v * tiny),
        dtypes=["f2", "f8"],  # float32 has a test of its own, below
    ),
    "sigmoid_cross_entropy no": Curve(
        true_softplus, true_sigmoid, f=one_by_one(F.sigmoid_cross_entropy, 0.0)
    ),
    "sigmoid_cross_entropy yes": Curve(
        lambda v: true_softplus(-v),
        lambda v: -true_sigmoid(-v),
        f=one_by_one(F.sigmoid_cross_entropy, 1.0),
    ),
}


@pytest.mark.parametrize("name, dtype", [(n, d) for n, c in CURVES.items() for d in c.dtypes])
def test_four_units_in_the_last_digit(name, dtype):
    curve, data, tiny = CURVES[name], places(dtype), mpf(float(np.finfo(dtype).tiny))
    data = data[(data > curve.low) & (data < curve.high)]
    beside, parts = curve.beside or (lambda v, tiny: [0]), curve.parts or (lambda v, tiny: [0])
    wanted = [
        true(curve.value, data),
        true(lambda v: max(map(abs, beside(v, tiny))), data),
        true(curve.slope, data),
        true(lambda v: max(map(abs, parts(v, tiny))), data),
    ]
    for here in (data == data, np.abs(data) < 8):  # far out there may be another way for all
        x = Variable(data[here])
        y = (curve.f or getattr(F, name))(x)
        value, beside_it, slope, its_parts = [np.array(w)[here].tolist() for w in wanted]
        assert units(y.data, value, beside_it) <= 4
        assert units(grad(y, x).data, slope, its_parts) <= 4


DENSE = {
    "everywhere": np.linspace(-13, 13, 300_001),
    "where the slope is 0": np.linspace(-0.7519, -0.7517, 20_001),
    "near 0": np.concatenate([sign * np.logspace(-30, 0, 50_000) for sign in (-1, 1)]),
}


@pytest.mark.parametrize("most, dtype", [(lambda x: 5 + x * x, "f4"), (lambda x: 1, "f2")])
@pytest.mark.parametrize("data", DENSE.values(), ids=DENSE)
def test_gelu_in_few_bits_beside_the_error_function_in_double(data, dtype, most):
    x = np.unique(data.astype(dtype))
    below = np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x.tolist()])
    double, info = x.astype(float), np.finfo(dtype)
    bell = np.exp(-(double**2) / 2) / math.sqrt(2 * math.pi)
    y = F.gelu(v := Variable(x))
    least = np.maximum(np.abs(double), 1) * float(info.tiny)  # far out it is subnormal
    slope = below + double * bell  # near -0.752 its two parts cancel
    for got, true, part in ((y, double * below, least), (grad(y, v), slope, below)):
        scale = np.maximum(np.maximum(np.abs(true), part), least)
        unit = np.spacing(scale.astype(dtype)).astype(float)
        assert got.dtype == dtype
        assert (np.abs(got.data - true) / unit <= most(double)).all()


class Surface(NamedTuple):
    """A true function of two numbers, its slopes, and what the errors may be compared with."""

    value: Any
    slopes: Any
    beside: Any = None
    times: Any = None


SURFACES = {
    "hypot": Surface(mp.hypot, [lambda u, v: u / mp.hypot(u, v), lambda u, v: v / mp.hypot(u, v)]),
    "arctan2": Surface(
        mp.atan2, [lambda u, v: v / (u * u + v * v), lambda u, v: -u / (u * u + v * v)]
    ),
    "logaddexp": Surface(
        lambda u, v: max(u, v) + true_softplus(-abs(u - v)),
        [lambda u, v: true_sigmoid(u - v), lambda u, v: true_sigmoid(v - u)],
        beside=lambda u, v: max(abs(u), abs(v), 1),
        times=lambda u, v: 1 + abs(u - v),
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SURFACES)
def test_four_units_for_two_operands(name, dtype):
    """Where no product or quotient of the two overflows or is subnormal."""
    surface, rng, info = SURFACES[name], np.random.RandomState(0), np.finfo(dtype)
    low, high = np.sqrt([float(info.tiny), float(info.max)])
    x = np.array([v for v in places(dtype) if low < abs(v) < high])
    u, v = [Variable(rng.choice(x, 1000)) for _ in range(2)]
    y, times = getattr(F, name)(u, v), true(surface.times or (lambda u, v: 1), u.data, v.data)
    beside = true(surface.beside or (lambda u, v: 0), u.data, v.data)
    assert units(y.data, true(surface.value, u.data, v.data), beside) <= 4
    for got, slope in zip(grad(y, [u, v]), surface.slopes):
        wanted = true(slope, u.data, v.data)
        assert units(got.data, wanted, [w * n for w, n in zip(wanted, times)]) <= 4


def true_softmax(row):
    """The probabilities of scores, and what each of them lacks to 1."""
    e = [mp.exp(v - max(row)) for v in row]
    return [v / mp.fsum(e) for v in e], [
        (mp.fsum(e[:i]) + mp.fsum(e[i + 1 :])) / mp.fsum(e) for i in range(len(e))
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spread", [1e-3, 1, 5, 30])
@mp.workprec(600)
def test_softmax_and_its_kin(spread, dtype):
    rng = np.random.RandomState(0)
    for row in (spread * rng.randn(100, 5)).astype(dtype):
        scores = [mpf(v) for v in row.tolist()]
        p, rest = true_softmax(scores)
        apart = [1 + max(scores) - v for v in scores]
        assert units(F.softmax(row).data, p, [v * n for v, n in zip(p, apart)]) <= 4
        logs = [mp.log(v) for v in p]
        assert units(F.log_softmax(row).data, logs, [max(-v, mpf(1)) for v in logs]) <= 4
        x, t = Variable(row[None]), rng.randint(5)
        loss = F.softmax_cross_entropy(x, np.array([t]))
        true_loss, wide = -mp.log(p[t]), 1 + max(scores) - min(scores)
        assert units(loss.data.reshape(1), [true_loss], [true_loss * wide]) <= 4
        slope = [-rest[t] if i == t else v for i, v in enumerate(p)]
        assert units(grad(loss, x).data[0], slope, [v * wide for v in slope]) <= 4
        for g in (grad(loss, x, create_graph=True), grad(F.log_softmax(x)[:, t], x)):
            assert units(abs(g.data[0]), [abs(v) for v in slope], [mpf(1)] * 5) <= 4
        g = grad(F.softmax(x)[:, t], x).data[0]
        slope = [p[t] * (rest[t] if i == t else -v) for i, v in enumerate(p)]
        assert units(g, slope, [p[t] * apart[t]] * 5) <= 4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("right", [0, 1])
def test_the_loss_of_two_classes_is_as_right_as_a_sigmoid(right, dtype):
    data = places(dtype)
    x = Variable(np.stack([data, 0 * data], -1))
    losses = [F.softmax_cross_entropy(x[i : i + 1], np.array([right])) for i in range(len(x))]
    loss, sign = F.stack(losses), 1 if right else -1
    wanted = true(lambda v: true_softplus(sign * v), data)
    assert units(loss.data, wanted) <= 4
    slope, got = true(lambda v: sign * true_sigmoid(sign * v), data), grad(loss, x).data
    assert units(got[:, 0], slope) <= 4
    assert units(got[:, 1], [-v for v in slope]) <= 4


def test_a_tiny_probability_keeps_its_gradient():
    x = Variable(np.array([-20.0], "f4"))
    loss = F.binary_cross_entropy(F.sigmoid(x), np.ones(1, "f4"))
    loss.backward()
    np.testing.assert_allclose([loss.data, x.grad.data[0]], [20, -1], rtol=5e-7)
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
    for f, sign in [(F.arcsin, 1), (F.arccos, -1)]:
        gx = grad(f(x), x, create_graph=True)
        assert units(sign * gx.data, true(lambda v: 1 / mp.sqrt(1 - v * v), x.data)) <= 4
        second = true(lambda v: v / mp.sqrt(1 - v * v) ** 3, x.data)
        assert units(sign * grad(gx, x).data, second) <= 10
    gx = grad(F.arctan(x), x, create_graph=True)
    assert units(grad(gx, x).data, true(lambda v: -2 * v / (1 + v * v) ** 2, x.data)) <= 10


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
