"""Every function of the registry: values, types, two derivatives, and torch's answers."""

import math
import warnings
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import ENTRIES, HELPERS, MATRICES, classes, exported, modules, tried

import dezero.functions as F
from dezero import Variable, core, grad, no_grad, training
from dezero.backprop import functions_behind
from dezero.core import Function
from dezero.gradcheck import gradient_check

CASES = [pytest.param(entry, id=entry.names.split()[0]) for entry in ENTRIES]


def operands(entry, shapes, seed=0, dtype=float):
    """Arrays from the function's domain."""
    rng = np.random.default_rng(seed)
    return [np.asarray(place(rng, s), dtype) for place, s in zip(entry.places, shapes)]


def seeds(y):
    """Uneven gradients to start a walk with."""
    return np.random.default_rng(1).uniform(0.5, 1.5, y.shape).astype(y.dtype)


def second(gxs, xs):
    """The gradient of the gradients, each of them weighed."""
    parts = [grad(gx, xs, seeds(gx)) for gx in gxs]
    return [reduce(np.add, [part[i].data for part in parts]) for i in range(len(xs))]


# --- the registry -------------------------------------------------------------------------------


def test_every_exported_function_is_in_the_registry():
    found = {name for module in modules() for name in exported(module)} | classes()
    listed = [name for entry in ENTRIES for name in entry.names.split()]
    assert len(listed) == len(set(listed))
    assert not set(listed) & HELPERS
    assert found - set(listed) <= HELPERS and set(listed) <= found


def test_a_function_that_is_forgotten_is_found():
    class Module:
        __all__ = ["Forgotten", "forgotten", "Variable", "CONSTANT"]
        Forgotten = type("Forgotten", (Function,), {})
        Variable = Variable
        CONSTANT = 1

        def forgotten(self):
            pass

    assert list(exported(Module)) == ["Forgotten", "forgotten"]


def test_a_class_is_found_wherever_it_is_exported(monkeypatch):
    before = classes()
    for module in (core, training):
        monkeypatch.setattr(module, "Forgotten", type("Forgotten", (Function,), {}), raising=False)
        monkeypatch.setattr(module, "__all__", [*module.__all__, "Forgotten"])
        assert classes() - before == {"Forgotten"}
        monkeypatch.undo()
    assert {"Function", "SimpleAdd"}.isdisjoint(before) and {"Add", "Einsum", "GELU"} <= before


@pytest.mark.parametrize("entry", CASES)
def test_the_shapes_that_are_tried_are_empty_ones_too_and_have_up_to_four_axes(entry):
    shapes = set()

    @tried(20)
    @given(data=st.data())
    def draw(data):
        shapes.update(data.draw(entry.drawn())[0])

    draw()
    if entry.names != "softmax_cross_entropy_simple":  # it divides by the number of examples
        assert any(0 in shape for shape in shapes)
        few = "diag", "conv1d", "col2im Col2im", "RNNSteps", "LSTMSteps", "GRUSteps"
        assert entry.names in few or any(len(shape) == 4 for shape in shapes)


@pytest.mark.parametrize("entry", CASES)
@tried(3)
@given(data=st.data())
def test_an_entry_tries_the_class_it_names(entry, data):
    shapes, options = data.draw(entry.drawn())
    y = entry.call(*map(Variable, operands(entry, shapes)), *options)
    classes = [name for name in entry.names.split() if name != name.lower()]
    ran = {type(f).__name__ for f in functions_behind(y)}
    assert set(classes) <= ran
    assert len(ran) == 1 or not classes  # some are put together out of others


def test_the_facade_offers_everything():
    for module in modules():
        if module.__name__.startswith("dezero.functions."):
            public = [n for n in exported(module) if n in module.__all__ and n not in HELPERS]
            assert [n for n in public if getattr(F, n, None) is not getattr(module, n)] == []
    for name in "add sub rsub mul div rdiv neg pow matmul get_item Abs Sign MatMul GetItem".split():
        assert callable(getattr(F, name))


# --- values and types ---------------------------------------------------------------------------


@pytest.mark.parametrize("entry", CASES)
@tried(20)
@given(data=st.data(), seed=st.integers(0, 99))
def test_values(entry, data, seed):
    shapes, options = data.draw(entry.drawn())
    arrays = operands(entry, shapes, seed)
    want = np.asarray(entry.value(*arrays, *options))
    y = entry.call(*map(Variable, arrays), *options)
    assert (y.shape, y.dtype) == (want.shape, np.float64)
    np.testing.assert_allclose(y.data, want, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("entry", CASES)
@tried(12)
@given(data=st.data(), seed=st.integers(0, 99))
def test_float32_stays_float32(entry, data, seed):
    shapes, options = data.draw(entry.drawn())
    small = [Variable(a) for a in operands(entry, shapes, seed, np.float32)]
    large = [Variable(x.data.astype(float)) for x in small]
    y, wide = entry.call(*small, *options), entry.call(*large, *options)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, wide.data, rtol=1e-5, atol=1e-5)
    gxs, wides = [grad(v, xs, seeds(v), True) for v, xs in ((y, small), (wide, large))]
    for gx, wide in zip(gxs, wides):
        assert gx.dtype == np.float32
        np.testing.assert_allclose(gx.data, wide.data, rtol=1e-4, atol=1e-4)
    for ggx, wide in zip(second(gxs, small), second(wides, large)):
        assert np.asarray(ggx).dtype == np.float32
        np.testing.assert_allclose(ggx, wide, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("entry", CASES)
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
@tried(8)
@given(data=st.data(), seed=st.integers(0, 99))
def test_integers(entry, dtype, data, seed):
    shapes, options = data.draw(entry.drawn())
    if entry.names in MATRICES:
        return
    if any(isinstance(option, (int, float)) and option < 0 for option in options):
        if entry.names.startswith("pow"):
            return  # NumPy: integers to negative integer powers are not allowed
    rng = np.random.default_rng(seed)
    low = max(entry.ints[0], 0) if dtype == np.uint8 else entry.ints[0]
    ints = [Variable(np.asarray(rng.integers(low, entry.ints[1], s), dtype)) for s in shapes]
    floats = [Variable(x.data.astype(float)) for x in ints]
    y, want = entry.call(*ints, *options), entry.call(*floats, *options)
    if y.dtype.kind == "f":
        assert y.dtype == np.float64
    if dtype == np.uint8 and y.dtype.kind != "f":
        want = Variable(want.data.astype(int).astype(dtype))  # 2 - 3 is 255
        return np.testing.assert_array_equal(y.data, want.data)
    np.testing.assert_allclose(y.data, want.data, rtol=1e-14)
    gy = seeds(want)
    for gx, good in zip(grad(y, ints, gy), grad(want, floats, gy)):
        assert gx.dtype == np.float64
        np.testing.assert_allclose(gx.data, good.data, rtol=1e-12)


@pytest.mark.parametrize("entry", CASES)
@tried(3)
@given(data=st.data())
def test_numbers_and_arrays_are_operands_too(entry, data):
    shapes, options = data.draw(entry.drawn())
    arrays = operands(entry, shapes)
    y = entry.call(*map(Variable, arrays), *options)
    if entry.names != "Cast":
        assert entry.call(*arrays, *options).data.tolist() == y.data.tolist()
    if entry.cases is None:
        numbers = [float(place(np.random.default_rng(2), ())) for place in entry.places]
        assert entry.call(*map(Variable, numbers)).shape == ()
        if entry.names != "Cast":
            assert entry.call(*numbers).data == entry.call(*map(Variable, numbers)).data
    with no_grad():
        assert entry.call(*map(Variable, arrays), *options).creator is None


# --- derivatives by trying ----------------------------------------------------------------------


@pytest.mark.parametrize("entry", CASES)
@tried(20)
@given(data=st.data(), seed=st.integers(0, 99))
def test_first_and_second_derivatives(entry, data, seed):
    shapes, options = data.draw(entry.drawn())
    arrays = operands(entry, shapes, seed)
    assert gradient_check(lambda *xs: entry.call(*xs, *options), *arrays, order=2)


@pytest.mark.parametrize("entry", CASES)
@tried(4)
@given(data=st.data())
def test_a_gradient_is_taken_at_the_arrays_of_the_call(entry, data):
    shapes, options = data.draw(entry.drawn())
    xs = [Variable(a) for a in operands(entry, shapes)]
    y = entry.call(*xs, *options)
    want = grad(y, xs, seeds(y))
    for x in xs:
        x.data = np.zeros_like(x.data)  # as an optimizer may do before the walk
    for gx, good in zip(grad(y, xs, seeds(y)), want):
        np.testing.assert_array_equal(gx.data, good.data)


@pytest.mark.parametrize("entry", CASES)
def test_third_derivative(entry):
    if entry.cases is None:
        arrays = operands(entry, [(2,), (2, 1)][: entry.arity])
        assert gradient_check(entry.call, *arrays, order=3)


def test_equal_operands_share_the_gradient():
    for f in (F.maximum, F.minimum):
        x0, x1 = Variable(np.array([2.0, 2.0])), Variable(np.array([2.0, 7.0]))
        g0, g1 = grad(f(x0, x1), [x0, x1])
        assert g0.data[0] == g1.data[0] == 0.5
        assert g0.data[1] + g1.data[1] == 1.0 and g0.data[1] in (0.0, 1.0)
        assert grad(f(x0, x0), x0).data.tolist() == [1.0, 1.0]


def test_where_sends_nothing_to_the_other_branch():
    x0, x1 = Variable(np.array([1.0, 2.0])), Variable(np.array([3.0, 4.0]))
    y = F.where(Variable(np.array([True, False])), x0, x1)
    assert y.data.tolist() == [1.0, 4.0]
    g0, g1 = grad(y, [x0, x1], np.array([np.inf, np.nan]))
    np.testing.assert_array_equal(g0.data, [np.inf, 0.0])
    np.testing.assert_array_equal(g1.data, [0.0, np.nan])


def test_a_condition_is_made_of_yes_and_no_or_of_numbers():
    x0, x1 = Variable(np.array([1.0, 2.0])), Variable(np.array([3.0, 4.0]))
    for condition in ([True, False], np.array([7, 0]), Variable(np.array([0.5, 0.0]))):
        assert F.where(condition, x0, x1).data.tolist() == [1.0, 4.0]
    for condition in (None, "yes", np.array([None, 1])):
        with pytest.raises(TypeError, match="is not supported"):
            F.where(condition, x0, x1)


def test_erf_is_right_to_the_last_digits_everywhere():
    x = np.concatenate([np.linspace(-7, 7, 5001), np.logspace(-300, 0, 301), [np.inf, -np.inf, 0]])
    true = np.array([math.erf(v) for v in x])
    assert np.all(np.abs(F.erf(x).data - true) <= 4 * np.spacing(np.abs(true)))
    assert np.isnan(F.erf(np.nan).data)
    assert F.erf(np.zeros((0, 2))).shape == (0, 2)
    assert math.copysign(1, F.erf(-0.0).data) == -1
    small = x.astype(np.float32)
    want = np.array([math.erf(v) for v in small]).astype(np.float32)
    assert np.all(np.abs(F.erf(small).data - want) <= np.spacing(np.abs(want)))


@pytest.mark.parametrize(
    "f, x, value, message",
    [
        (F.log, 0.0, -np.inf, "divide by zero"),
        (F.log, -1.0, np.nan, "invalid value"),
        (F.log2, -1.0, np.nan, "invalid value"),
        (F.log10, 0.0, -np.inf, "divide by zero"),
        (F.log1p, -1.0, -np.inf, "divide by zero"),
        (F.log1p, -2.0, np.nan, "invalid value"),
        (F.sqrt, -1.0, np.nan, "invalid value"),
        (F.arcsin, 1.5, np.nan, "invalid value"),
        (F.arccos, -1.5, np.nan, "invalid value"),
        (F.exp, 1000.0, np.inf, "overflow"),
        (F.expm1, 1000.0, np.inf, "overflow"),
        (F.sinh, -1000.0, -np.inf, "overflow"),
        (F.cosh, 1000.0, np.inf, "overflow"),
    ],
)
def test_outside_its_domain_a_function_warns_as_numpy_does(f, x, value, message):
    with pytest.warns(RuntimeWarning, match=message):
        y = f(Variable(x))
    np.testing.assert_array_equal(y.data, value)


@pytest.mark.parametrize("f, x, slope", [(F.sqrt, 0.0, np.inf), (F.arcsin, 1.0, np.inf)])
def test_an_infinite_slope_warns(f, x, slope):
    x = Variable(x)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        gx = grad(f(x), x)
    assert gx.data == slope


# --- torch's answers ----------------------------------------------------------------------------


def by_torch(entry, arrays, options, gradient=seeds):
    """Value, gradients and gradients of gradients as torch finds them."""
    import torch

    f = entry.torch
    f = getattr(torch, f) if isinstance(f, str) else lambda *xs: entry.torch(torch, *xs)
    xs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = f(*xs, *options)
    gxs = tensors_grad(torch, [(y, gradient)], xs, True)
    ggxs = tensors_grad(torch, [(gx, gradient) for gx in gxs], xs, False)
    return [[t.detach().numpy(force=True) for t in ts] for ts in ([y], gxs, ggxs)]


def tensors_grad(torch, ys, xs, create_graph):
    """The sum of the gradients of some tensors, zeros where nothing leads back."""
    ys = [(y, torch.tensor(start(y.detach().numpy()))) for y, start in ys if y.requires_grad]
    if not ys:
        return [torch.zeros_like(x) for x in xs]
    outputs, starts = zip(*ys)
    gxs = torch.autograd.grad(
        outputs, xs, starts, create_graph=create_graph, retain_graph=True, allow_unused=True
    )
    return [torch.zeros_like(x) if gx is None else gx for x, gx in zip(xs, gxs)]


@pytest.mark.torch
@pytest.mark.parametrize("entry", CASES)
@tried(20)
@given(data=st.data(), seed=st.integers(0, 99))
def test_torch_finds_the_same(entry, data, seed):
    shapes, options = data.draw(entry.drawn())
    arrays = operands(entry, shapes, seed)
    xs = [Variable(a) for a in arrays]
    y = entry.call(*xs, *options)
    gxs = grad(y, xs, seeds(y), create_graph=True)
    ours = [y.data], [gx.data for gx in gxs], second(gxs, xs)
    for found, torchs in zip(ours, by_torch(entry, arrays, options)):
        for a, b in zip(found, torchs):
            assert np.shape(a) == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("entry", CASES)
@tried(3)
@given(data=st.data(), seed=st.integers(0, 99))
def test_torch_finds_the_same_in_float32(entry, data, seed):
    shapes, options = data.draw(entry.drawn())
    arrays = operands(entry, shapes, seed, np.float32)
    xs = [Variable(a) for a in arrays]
    y = entry.call(*xs, *options)
    gxs = grad(y, xs, seeds(y))
    (value,), slopes, _ = by_torch(entry, arrays, options)
    for a, b in zip([y.data, *[gx.data for gx in gxs]], [value, *slopes]):
        assert a.dtype == b.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.torch
def test_torch_agrees_at_the_edges():
    """Values and slopes at the ends of the domains and beyond, at corners, and at ties.

    At the origin `arctan2` differs: torch says 0, and ours is nan, for there is no slope.
    """
    edges = {
        "log": [0.0, np.inf],
        "log1p": [-1.0, np.inf],
        "sqrt": [0.0, np.inf],
        "arcsin": [-1.0, 1.0, 2.0],
        "arccos": [-1.0, 1.0, -2.0],
        "exp": [1000.0, -1000.0, np.inf, -np.inf],
        "tanh": [1000.0, -1000.0, np.inf],
        "arctan": [np.inf, -np.inf, 1e300],
        "erf": [0.0, 10.0, np.inf, -np.inf, np.nan],
        "abs": [0.0, -np.inf],
        "sign": [0.0, np.inf],
    }
    for entry in ENTRIES:
        name = entry.names.split()[0]
        arrays = [np.array(edges[name])] if name in edges else []
        if name in ("maximum", "minimum"):
            arrays = [np.array([1.0, 2.0, np.inf]), np.array([1.0, 2.0, np.inf])]
        if not arrays:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (value,), slopes, _ = by_torch(entry, arrays, ())
            xs = [Variable(a) for a in arrays]
            y = entry.call(*xs)
            gxs = grad(y, xs, seeds(y))
        np.testing.assert_allclose(y.data, value, rtol=1e-14, err_msg=name)
        for gx, slope in zip(gxs, slopes):
            np.testing.assert_allclose(gx.data, slope, rtol=1e-13, err_msg=name)
