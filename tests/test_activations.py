"""Neurons: extremes, dtypes, and what errors say.

Values, two derivatives and torch's answers at ordinary places are in `test_functions.py`.
"""

import numpy as np
import pytest

import dezero.functions as F
from dezero import Variable, grad
from dezero.core import Constant
from dezero.gradcheck import gradient_check

ACTIVATIONS = [F.sigmoid, F.relu, F.leaky_relu, F.elu, F.gelu, F.silu, F.softplus]
NAMES = [f.__name__ for f in ACTIVATIONS]


def numbers(*shape, seed=0, dtype=float):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def slope(f, x):
    x = Variable(np.array(x))
    return grad(f(x), x).data


# --- linear -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (2, 1, 3, 4), (0, 4), (2, 0, 4)])
def test_linear_takes_any_leading_axes(shape):
    x, W, b = numbers(*shape), numbers(4, 5, seed=1), numbers(5, seed=2)
    y = F.linear(x, W, b)
    np.testing.assert_allclose(y.data, x.reshape(-1, 4) @ W + b if x.ndim == 2 else x @ W + b)
    assert y.shape == (*shape[:-1], 5)
    assert gradient_check(F.linear, x, W, b, order=2)
    assert gradient_check(F.linear, x, W, order=2)


def test_linear_without_a_bias_has_two_operands():
    x, W = Variable(numbers(3, 4)), Variable(numbers(4, 2))
    y = F.linear(x, W)
    assert len(y.creator.inputs) == 2
    np.testing.assert_array_equal(y.data, F.linear_simple(x, W).data)
    for ours, simple in zip(grad(y, [x, W]), grad(F.linear_simple(x, W), [x, W])):
        np.testing.assert_allclose(ours.data, simple.data, rtol=1e-14)


def test_linear_computes_no_gradient_for_an_array():
    W, b = Variable(numbers(4, 2)), Variable(numbers(2))
    y = F.linear(numbers(3, 4), W, b)
    assert type(y.creator.inputs[0]) is Constant
    y.backward()
    assert W.grad.shape == (4, 2) and b.grad.data.tolist() == [3.0, 3.0]
    assert y.creator.inputs[0].grad is None


@pytest.mark.parametrize("b_shape", [(1, 2), (1,), ()])
def test_a_bias_may_be_stretched(b_shape):
    x, W, b = numbers(3, 4), numbers(4, 2), np.full(b_shape, 0.5)
    np.testing.assert_allclose(F.linear(x, W, b).data, x @ W + 0.5)
    assert gradient_check(F.linear, x, W, b)


def test_a_bias_that_does_not_fit_is_told():
    with pytest.raises(ValueError, match=r"one number for each column of W\n  in Linear\("):
        F.linear(np.ones((4, 3)), np.ones((3, 2)), np.ones(3))


def test_linear_leaves_its_operands_alone():
    x, W, b = numbers(3, 4), numbers(4, 2), numbers(2)
    before = [a.copy() for a in (x, W, b)]
    y = F.linear(Variable(x), Variable(W), Variable(b))
    y.backward()
    for a, old in zip((x, W, b), before):
        np.testing.assert_array_equal(a, old)


def test_pixels_meet_float32_weights():
    x, W = np.full((2, 3), 200, np.uint8), Variable(np.ones((3, 2), np.float32))
    y = F.linear(x, W, Variable(np.zeros(2, np.float32)))
    assert y.dtype == np.float32 and y.data.tolist() == [[600.0, 600.0]] * 2
    y.backward()
    assert W.grad.dtype == np.float32 and W.grad.data[0, 0] == 400.0
    assert F.linear(x, np.ones((3, 2), np.uint8)).data.tolist() == [[600.0, 600.0]] * 2


@pytest.mark.parametrize(
    "x, W", [((2, 3), (4, 5)), ((2, 3), (3,)), ((2, 3), (1, 3, 2)), ((), (1, 1))]
)
def test_wrong_shapes_are_named(x, W):
    with pytest.raises(ValueError, match=r"last axis of x .*\n  in Linear\(.*'weight'"):
        F.linear(np.ones(x), Variable(np.ones(W), "weight"))


# --- activations --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("f", ACTIVATIONS, ids=NAMES)
def test_activations_far_from_zero(f, dtype):
    x = Variable(np.array([-1000.0, -100.0, 100.0, 1000.0], dtype))
    y = f(x)
    low = {F.leaky_relu: [-200, -20], F.elu: [-1, -1]}.get(f, [0, 0])
    high = [1, 1] if f is F.sigmoid else [100, 1000]
    np.testing.assert_allclose(y.data, [*low, *high], rtol=1e-6, atol=1e-30)
    gx = grad(y, x, create_graph=True)
    below = 0.2 if f is F.leaky_relu else 0
    above = 0 if f is F.sigmoid else 1
    np.testing.assert_allclose(gx.data, [below, below, above, above], rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(grad(gx, x).data, 0, atol=1e-30)
    assert y.dtype == gx.dtype == dtype


@pytest.mark.parametrize("f", ACTIVATIONS, ids=NAMES)
def test_activations_of_nothing_nan_and_numbers(f):
    assert f(np.zeros((0, 3))).shape == (0, 3)
    with np.errstate(invalid="ignore"):  # old NumPys warn about expm1(nan)
        assert np.isnan(f(np.array([np.nan, 1.0])).data).tolist() == [True, False]
    assert f(1).dtype == np.float64
    assert f(np.float32(1)).dtype == np.float32
    x = np.array([-1.0, 2.0])
    f(Variable(x)).backward()
    assert x.tolist() == [-1.0, 2.0]


def test_slopes_at_the_corner():
    assert slope(F.relu, 0.0) == 0
    assert slope(F.leaky_relu, 0.0) == 0.2
    assert slope(F.elu, 0.0) == 1
    assert slope(F.sigmoid, 0.0) == 0.25
    assert slope(F.silu, 0.0) == slope(F.gelu, 0.0) == slope(F.softplus, 0.0) == 0.5


@pytest.mark.parametrize("k", [-0.5, 0, 0.01, 0.3, 1, 3])
def test_leaky_relu_with_any_slope(k):
    x = np.array([-2.0, -0.5, 0.5, 2.0])
    np.testing.assert_allclose(F.leaky_relu(x, k).data, np.where(x > 0, x, k * x))
    np.testing.assert_array_equal(slope(lambda x: F.leaky_relu(x, k), x), [k, k, 1, 1])
    assert gradient_check(lambda x: F.leaky_relu(x, slope=k), x, order=2)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_elu_with_any_alpha(alpha):
    x = np.array([-2.0, -0.5, 0.5, 2.0])
    np.testing.assert_allclose(F.elu(x, alpha).data, np.where(x > 0, x, alpha * np.expm1(x)))
    assert gradient_check(lambda x: F.elu(x, alpha), x, order=2)
    assert slope(lambda x: F.elu(x, alpha), np.float32(2.0)).dtype == np.float32


def test_sigmoid_simple_overflows_and_sigmoid_does_not():
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert F.sigmoid_simple(-1000.0).data == 0
    assert F.sigmoid(-1000.0).data == 0


# --- softmax ------------------------------------------------------------------------------------


def test_softmax_far_from_zero():
    x = np.array([[-1000.0, 0.0, 1000.0], [1000.0, 1000.0, -1000.0]])
    p, logs = F.softmax(x), F.log_softmax(x)
    np.testing.assert_allclose(p.data, [[0, 0, 1], [0.5, 0.5, 0]])
    half = np.log(0.5)
    np.testing.assert_allclose(logs.data, [[-2000, -1000, 0], [half, half, -2000 + half]])
    assert gradient_check(F.softmax, x, order=2)
    with pytest.warns(RuntimeWarning):
        assert np.isnan(F.softmax_simple(x).data).any()


@pytest.mark.parametrize("f", [F.softmax, F.log_softmax], ids=["softmax", "log_softmax"])
def test_the_axis_of_the_classes(f):
    x = numbers(2, 3, 4)
    np.testing.assert_array_equal(f(x).data, f(x, axis=1).data)
    np.testing.assert_allclose(f(x, -1).data, f(x.reshape(6, 4)).data.reshape(2, 3, 4))
    np.testing.assert_array_equal(f(x[0, 0]).data, f(x[0, :1]).data[0])
    assert gradient_check(f, x[0, 0], order=2)
    assert f(np.array([1, 2, 3])).dtype == np.float64
    assert f(np.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(ValueError, match=r"axis 3 is out of bounds.*\n  in .*oftmax\(\(2, 3, 4\)"):
        f(x, axis=3)


def test_masked_scores_have_no_probability():
    x = Variable(np.array([[0.0, -np.inf, 0.0]]))
    p = F.softmax(x)
    assert p.data.tolist() == [[0.5, 0.0, 0.5]]
    assert grad(p, x, np.array([[1.0, 0.0, 0.0]])).data.tolist() == [[0.25, 0.0, -0.25]]
    loss = F.softmax_cross_entropy(x, np.array([0]))
    assert np.isclose(loss.data, np.log(2))
    assert grad(loss, x).data.tolist() == [[-0.5, 0.0, 0.5]]


@pytest.mark.torch
@pytest.mark.parametrize("order", [1, 2])
def test_the_options_of_softplus_and_gelu_as_torch(order):
    import torch

    f = torch.nn.functional
    for ours, theirs in [
        (lambda x: F.softplus(x, 0.3), lambda x: f.softplus(x, 0.3, 1000)),
        (lambda x: F.softplus(x, beta=5), lambda x: f.softplus(x, 5, 1000)),
        (lambda x: F.gelu(x, "tanh"), lambda x: f.gelu(x, approximate="tanh")),
    ]:
        x, z = Variable(numbers(50) * 4), torch.tensor(numbers(50) * 4, requires_grad=True)
        y, t = ours(x), theirs(z)
        for _ in range(order):
            np.testing.assert_allclose(y.data, t.detach().numpy(), rtol=1e-11, atol=1e-15)
            y, (t,) = (
                grad(y, x, create_graph=True),
                torch.autograd.grad(t.sum(), z, create_graph=True),
            )
        np.testing.assert_allclose(y.data, t.detach().numpy(), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_gelu_of_old_weights_far_out(dtype):
    x = Variable(np.array([-np.finfo(dtype).max, -100, 100, np.finfo(dtype).max], dtype))
    y = F.gelu(x, approximate="tanh")
    gx = grad(y, x, create_graph=True)
    assert y.dtype == gx.dtype == dtype
    assert y.data.tolist() == [0, 0, 100, np.finfo(dtype).max]
    assert gx.data.tolist() == [0, 0, 1, 1] and not grad(gx, x).data.any()
    with pytest.raises(ValueError, match="approximate is 'none' or 'tanh', not 'erf'"):
        F.gelu(x, "erf")
    with pytest.raises(ValueError, match="beta must be a positive number, not 0"):
        F.softplus(x, 0)
