"""Losses: extremes, labels of every kind, the book's numbers, and what errors say.

Values, two derivatives and torch's answers at ordinary places are in `test_functions.py`.
"""

import re

import numpy as np
import pytest

import dezero.functions as F
from dezero import Variable, grad, no_grad
from dezero.gradcheck import gradient_check


def numbers(*shape, seed=0, dtype=float):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def labels(*shape, classes, seed=1):
    return np.random.default_rng(seed).integers(0, classes, shape)


def probabilities(*shape, seed=2):
    p = np.random.default_rng(seed).uniform(0.1, 1, shape)
    return p / p.sum(-1, keepdims=True)


def slope(f, x):
    x = Variable(np.array(x))
    return grad(f(x), x).data


# --- losses for numbers -------------------------------------------------------------------------

REGRESSION = [F.mean_squared_error, F.mean_absolute_error, F.huber, F.mean_squared_error_simple]


def test_regression_losses_divide_by_the_examples():
    x0, x1 = np.zeros((2, 3)), np.full((2, 3), 3.0)
    assert F.mean_squared_error(x0, x1).data == 27.0
    assert F.mean_absolute_error(x0, x1).data == 9.0
    assert F.huber(x0, x1).data == 7.5
    assert F.huber(x0, x1, delta=2.0).data == 12.0
    assert F.mean_squared_error(2.0, 5.0).data == 9.0


@pytest.mark.parametrize("f", REGRESSION[:3], ids=lambda f: f.__name__)
def test_a_row_is_not_compared_with_a_column(f):
    y, t = Variable(np.zeros((5, 1)), "y"), np.zeros(5)
    with pytest.raises(ValueError, match=r"reshape one of them\n  in \w+\('y' \(5, 1\) float64"):
        f(y, t)


@pytest.mark.parametrize("f", REGRESSION[:3], ids=lambda f: f.__name__)
def test_an_axis_in_front_stretches_nothing(f):
    "One example at a time, as in step 59: a prediction of shape (1, 1), a label of shape (1,)."
    y, t = Variable(np.array([[2.0]])), Variable(np.array([5.0]))
    loss, same = f(y, t), f(y, t.data.reshape(1, 1))
    assert loss.data == same.data
    gy, gt = grad(loss, [y, t])
    assert gy.shape == (1, 1) and gt.shape == (1,) and gy.data == -gt.data
    assert f(np.zeros((1, 3)), np.zeros(3)).data == 0
    for wrong in [(1,), (1, 3), (3,)]:
        with pytest.raises(ValueError, match="reshape one of them"):
            f(np.zeros((3, 1)), np.zeros(wrong))


@pytest.mark.parametrize("delta", [0, -1.0, np.nan])
def test_a_delta_without_meaning_is_told(delta):
    with pytest.raises(ValueError, match="delta must be a positive number, not"):
        F.huber(np.ones(2), np.zeros(2), delta)


@pytest.mark.parametrize("f", REGRESSION, ids=lambda f: f.__name__)
def test_a_number_may_be_the_target(f):
    x = numbers(4, 2) + 5
    np.testing.assert_allclose(f(x, 0.5).data, f(x, np.full((4, 2), 0.5)).data)
    assert gradient_check(f, x, np.array(0.5))
    assert f(np.zeros((0, 2)), np.zeros((0, 2))).data == 0.0


@pytest.mark.parametrize("f", REGRESSION[:3], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8, bool])
def test_the_loss_keeps_the_dtype_of_the_first_operand(f, dtype):
    x = Variable(np.array([[0.5], [2.0]], np.float32))
    y = f(x, np.array([[1], [0]], dtype))
    assert y.dtype == np.float32
    assert grad(y, x).dtype == np.float32


def test_unsigned_targets_do_not_wrap_around():
    x0, x1 = np.array([2, 5], np.uint8), np.array([3, 1], np.uint8)
    assert F.mean_squared_error(x0, x1).data == 8.5
    assert F.mean_absolute_error(x0, x1).data == 2.5
    assert slope(lambda x: F.mean_squared_error(x, x1), x0).tolist() == [-1.0, 4.0]


@pytest.mark.torch
@pytest.mark.parametrize("delta", [0.3, 1.0, 2.5])
def test_huber_as_torch(delta):
    import torch

    x, t = numbers(6, 2) * 3, numbers(6, 2, seed=1)
    want = torch.nn.functional.huber_loss(
        torch.tensor(x), torch.tensor(t), reduction="sum", delta=delta
    )
    np.testing.assert_allclose(F.huber(x, t, delta).data, want.item() / 6, rtol=1e-13)
    assert gradient_check(lambda x, t: F.huber(x, t, delta), x, t, order=2)


# --- softmax cross entropy ----------------------------------------------------------------------


def test_cross_entropy_far_from_zero():
    x = Variable(np.array([[1000.0, -1000.0], [-1000.0, 1000.0]]))
    loss = F.softmax_cross_entropy(x, np.array([0, 0]))
    assert loss.data == 1000.0
    np.testing.assert_array_equal(grad(loss, x).data, [[0, 0], [-0.5, 0.5]])


def test_labels_of_every_kind():
    x, t = numbers(5, 3), labels(5, classes=3)
    want = F.softmax_cross_entropy(x, t).data
    onehot = np.eye(3)[t]
    same = [t[:, None], Variable(t), t.astype(np.uint8), t.astype(np.int32)]
    kinds = [onehot.astype(kind) for kind in (float, int, bool)]
    for other in [*same, *kinds, *map(Variable, kinds)]:
        np.testing.assert_allclose(F.softmax_cross_entropy(x, other).data, want, rtol=1e-14)
    np.testing.assert_allclose(F.softmax_cross_entropy_simple(x, Variable(t)).data, want)
    column = Variable(x)
    gx = grad(F.softmax_cross_entropy(column, t[:, None]), column)
    np.testing.assert_array_equal(gx.data, slope(lambda x: F.softmax_cross_entropy(x, t), x))


def test_whole_scores_with_probabilities():
    x, t = np.array([[2, 1, -1], [0, 3, 1]]), probabilities(2, 3)
    want = F.softmax_cross_entropy(x.astype(float), t)
    np.testing.assert_array_equal(F.softmax_cross_entropy(x, t).data, want.data)


def test_labels_have_no_gradient():
    x, t = Variable(numbers(5, 3)), Variable(labels(5, classes=3))
    F.softmax_cross_entropy(x, t).backward()
    assert t.grad is None and x.grad.shape == (5, 3)
    y = F.SoftmaxCrossEntropy()(x, t)
    assert grad(y, t).data.tolist() == [0.0] * 5


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 3), (2, 4, 3), (2, 1, 4, 3)])
def test_any_leading_axes(shape):
    x, t = numbers(*shape), labels(*shape[:-1], classes=3)
    flat = F.softmax_cross_entropy(x.reshape(-1, 3), t.reshape(-1))
    np.testing.assert_allclose(F.softmax_cross_entropy(x, t).data, flat.data, rtol=1e-14)
    assert gradient_check(lambda x: F.softmax_cross_entropy(x, t), x, order=2)
    assert gradient_check(lambda x: F.softmax_cross_entropy(x, t, label_smoothing=0.1), x, order=2)


def test_ignored_labels_are_as_if_they_were_not_there():
    x, t = numbers(6, 3), np.array([0, 9, 2, 9, 1, 9])
    loss = F.softmax_cross_entropy(x, t, ignore_index=9)
    np.testing.assert_allclose(loss.data, F.softmax_cross_entropy(x[::2], t[::2]).data)
    gx = slope(lambda x: F.softmax_cross_entropy(x, t, ignore_index=9), x)
    np.testing.assert_allclose(gx[::2], slope(lambda x: F.softmax_cross_entropy(x, t[::2]), x[::2]))
    assert not gx[1::2].any()
    t = np.where(t == 9, -100, t)
    assert F.softmax_cross_entropy(x, t).data == loss.data
    smooth = F.softmax_cross_entropy(x, t, label_smoothing=0.2)
    few = F.softmax_cross_entropy(x[::2], t[::2], label_smoothing=0.2)
    np.testing.assert_allclose(smooth.data, few.data)


def test_a_class_may_be_ignored():
    x, t = numbers(4, 3), np.array([0, 1, 2, 1])
    loss = F.softmax_cross_entropy(x, t, ignore_index=1)
    np.testing.assert_allclose(loss.data, F.softmax_cross_entropy(x[[0, 2]], t[[0, 2]]).data)


def test_an_ignored_class_may_be_impossible():
    x = numbers(4, 3)
    x[:, 0] = -np.inf
    t = np.array([0, 1, 2, 0])
    loss = F.softmax_cross_entropy(x, t, ignore_index=0)
    np.testing.assert_allclose(loss.data, F.softmax_cross_entropy(x[1:3], t[1:3]).data)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_nothing_counts(smoothing):
    x = Variable(numbers(2, 3, dtype=np.float32))
    for scores, t in [(x, np.array([-100, -100])), (x[:0], np.zeros(0, int))]:
        loss = F.softmax_cross_entropy(scores, t, label_smoothing=smoothing)
        assert loss.data == 0 and loss.dtype == np.float32
        assert not grad(loss, x).data.any()


@pytest.mark.torch
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("kind", ["labels", "ignored", "probabilities"])
def test_cross_entropy_as_torch(kind, smoothing):
    import torch

    x, t = numbers(6, 4) * 2, labels(6, classes=4)
    if kind == "ignored":
        t[1::2] = -100
    if kind == "probabilities":
        t = probabilities(6, 4)
    xs = [torch.tensor(x, requires_grad=True), torch.tensor(t)]
    if kind == "probabilities":
        xs[1].requires_grad_()
    want = torch.nn.functional.cross_entropy(*xs, label_smoothing=smoothing)
    want.backward()
    ours = [Variable(x), Variable(t)]
    loss = F.softmax_cross_entropy(*ours, label_smoothing=smoothing)
    np.testing.assert_allclose(loss.data, want.item(), rtol=1e-13)
    loss.backward()
    np.testing.assert_allclose(ours[0].grad.data, xs[0].grad.numpy(), rtol=1e-11, atol=1e-15)
    if kind == "probabilities":
        np.testing.assert_allclose(ours[1].grad.data, xs[1].grad.numpy(), rtol=1e-11)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_derivatives_with_probabilities(smoothing):
    x, t = numbers(2, 3, 4), probabilities(2, 3, 4)
    loss = lambda x, t: F.softmax_cross_entropy(x, t, label_smoothing=smoothing)  # noqa: E731
    assert gradient_check(loss, x, t, order=2)
    want = -(((1 - smoothing) * t + smoothing / 4) * F.log_softmax(x, -1).data).sum() / 6
    np.testing.assert_allclose(loss(x, t).data, want)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_stays_float32(smoothing):
    x = Variable(numbers(4, 3, dtype=np.float32))
    marked, onehot = np.array([0, 1, -100, 2]), np.eye(3, dtype=int)[[0, 1, 2, 0]]
    shares = probabilities(4, 3)
    for t in (labels(4, classes=3), marked, onehot, shares, Variable(shares)):
        loss = F.softmax_cross_entropy(x, t, label_smoothing=smoothing)
        gx = grad(loss, x, create_graph=True)
        assert loss.dtype == gx.dtype == grad(gx, x).dtype == np.float32


def test_the_graph_can_be_walked_twice():
    x, t = Variable(numbers(4, 3)), labels(4, classes=3)
    loss = F.softmax_cross_entropy(x, t)
    first = grad(loss, x).data
    np.testing.assert_array_equal(grad(loss, x).data, first)
    np.testing.assert_allclose(grad(loss, x, create_graph=True).data, first, rtol=1e-12)
    loss.backward()
    loss.backward()
    np.testing.assert_allclose(x.grad.data, 2 * first)


def test_one_function_object_may_be_called_twice():
    for f, ts in [(F.SoftmaxCrossEntropy(), [labels(4, classes=3)]), (F.GELU(), [])]:
        x0, x1 = Variable(numbers(4, 3)), Variable(numbers(4, 3, seed=5))
        y0, y1 = f(x0, *ts), f(x1, *ts)
        again = type(f)()(x0, *ts)
        np.testing.assert_array_equal(grad(y0, x0).data, grad(again, x0).data)
        assert not np.array_equal(grad(y0, x0).data, grad(y1, x1).data)


@pytest.mark.parametrize(
    "x, t, message",
    [
        ((4, 3), np.array([0, 1, 2, 3]), r"label 3 is none of the 3 classes, 0 to 2"),
        ((4, 3), np.array([0, -1, 2, 1]), r"label -1 is none .* pass it as ignore_index"),
        ((4, 3), np.array([0, 1]), r"labels of shape \(4,\) or probabilities of shape \(4, 3\)"),
        ((4, 3), np.zeros(4), r"need integer labels of shape \(4,\)"),
        ((4, 3), np.zeros((4, 2)), r"need integer labels of shape \(4,\)"),
        ((2, 4, 3), np.zeros(8, int), r"need integer labels of shape \(2, 4\)"),
    ],
)
def test_wrong_labels_are_told(x, t, message):
    with pytest.raises(ValueError, match=message):
        F.softmax_cross_entropy(np.zeros(x), t)
    with pytest.raises(ValueError, match=message):
        F.softmax_cross_entropy(np.zeros(x), t, label_smoothing=0.1)


def test_what_is_no_array_is_told():
    with pytest.raises(TypeError, match=r"write np.array\(...\) around it"):
        F.softmax_cross_entropy(np.zeros((2, 3)), [0, 1])
    with pytest.raises(TypeError, match=r"write np.array\(...\) around it"):
        F.binary_cross_entropy([0.5, 0.5], np.array([0, 1]))


def test_a_number_is_no_row_of_scores():
    with pytest.raises(ValueError, match="scores need an axis for the classes"):
        F.softmax_cross_entropy(1.0, 0)


@pytest.mark.parametrize("share", [-0.1, 1.5, np.nan])
def test_smoothing_is_a_share(share):
    with pytest.raises(ValueError, match="label_smoothing must be from 0 to 1, not"):
        F.softmax_cross_entropy(np.zeros((2, 3)), np.array([0, 1]), label_smoothing=share)


# --- two classes --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_cross_entropy_far_from_zero(dtype):
    x = Variable(np.array([-1000, -50, 0, 50, 1000], dtype))
    for t, want, slopes in [
        (0, [0, 0, np.log(2), 50, 1000], [0, 0, 0.5, 1, 1]),
        (1, [1000, 50, np.log(2), 0, 0], [-1, -1, -0.5, 0, 0]),
    ]:
        t = np.full(5, t)
        each = [F.sigmoid_cross_entropy(x[i : i + 1], t[i : i + 1]).data for i in range(5)]
        np.testing.assert_allclose(each, want, rtol=1e-6, atol=1e-20)
        loss = F.sigmoid_cross_entropy(x, t)
        gx = grad(loss, x)
        np.testing.assert_allclose(gx.data * 5, slopes, rtol=1e-6, atol=1e-20)
        assert loss.dtype == gx.dtype == dtype


@pytest.mark.parametrize("x", [3.0, 8.0, 12.0, 30.0])
def test_small_losses_keep_their_digits(x):
    want = np.log1p(np.exp(-x))
    for score, t in [(x, 1), (-x, 0)]:
        loss = F.sigmoid_cross_entropy(np.array([score], np.float32), np.array([t]))
        np.testing.assert_allclose(loss.data, want, rtol=1e-6)
    low = F.binary_cross_entropy(np.array([1e-9], np.float32), np.array([0]))
    np.testing.assert_allclose(low.data, 1e-9, rtol=1e-6)


def test_both_ways_to_the_loss_agree():
    x, t = numbers(6, 1), labels(6, 1, classes=2)
    a, b = F.sigmoid_cross_entropy(x, t), F.binary_cross_entropy(F.sigmoid(x), t)
    np.testing.assert_allclose(a.data, b.data, rtol=1e-13)
    two = F.softmax_cross_entropy(np.concatenate([np.zeros_like(x), x], 1), t)
    np.testing.assert_allclose(a.data, two.data, rtol=1e-13)
    np.testing.assert_allclose(F.sigmoid_cross_entropy(x, t[:, 0]).data, a.data, rtol=1e-14)
    np.testing.assert_allclose(F.binary_cross_entropy(F.sigmoid(x), Variable(t[:, 0])).data, b.data)


def test_certain_probabilities():
    p = Variable(np.array([0.0, 1.0, 0.0, 1.0]))
    t = np.array([0, 1, 1, 0])
    loss = F.binary_cross_entropy(p, t)
    assert loss.data == 200 / 4
    for dtype in (np.float16, np.float32):
        assert F.binary_cross_entropy(p.data.astype(dtype), t).data == 200 / 4
    gx = grad(loss, p).data
    assert gx[0] == gx[1] == 0 and gx[2] < -1e11 and gx[3] > 1e11 and np.isfinite(gx).all()


def test_nearly_certain_probabilities_still_learn():
    p = Variable(np.array([0.9995, 0.5]))
    gx = grad(F.binary_cross_entropy(p, np.array([1, 1])), p)
    np.testing.assert_allclose(gx.data, [-1 / 0.9995 / 2, -1.0])
    low = F.binary_cross_entropy(np.array([1 - 1e-9]), np.array([1]))
    np.testing.assert_allclose(low.data, 1e-9, rtol=1e-6)


@pytest.mark.torch
def test_binary_losses_as_torch():
    import torch

    f = torch.nn.functional
    x, t = numbers(5, 2) * 4, np.random.default_rng(3).uniform(size=(5, 2))
    for ours, theirs, place in [
        (F.sigmoid_cross_entropy, f.binary_cross_entropy_with_logits, x),
        (F.binary_cross_entropy, f.binary_cross_entropy, 1 / (1 + np.exp(-x))),
    ]:
        tensor = torch.tensor(place, requires_grad=True)
        want = theirs(tensor, torch.tensor(t), reduction="sum") / 5
        want.backward()
        np.testing.assert_allclose(ours(place, t).data, want.item(), rtol=1e-13)
        np.testing.assert_allclose(
            slope(lambda x, f=ours: f(x, t), place), tensor.grad.numpy(), rtol=1e-11
        )


def test_wrong_probabilities_and_shapes_are_told():
    with pytest.raises(ValueError, match="between 0 and 1; for other scores .*sigmoid_cross"):
        F.binary_cross_entropy(np.array([0.5, 1.5]), np.array([0, 1]))
    for f in (F.sigmoid_cross_entropy, F.binary_cross_entropy):
        with pytest.raises(ValueError, match=r"shapes \(4, 2\) and \(4,\) differ"):
            f(np.full((4, 2), 0.5), np.zeros(4))
        with pytest.raises(ValueError, match=r"shapes \(3, 2\) and \(6,\) differ"):
            f(np.full((3, 2), 0.5), np.zeros(6))
        for wrong in ([1, 2], [-1, 1]):
            with pytest.raises(ValueError, match="targets lie between 0 and 1"):
                f(np.array([0.5, 0.5]), np.array(wrong))


# --- accuracy -----------------------------------------------------------------------------------


def test_accuracy_counts_what_was_found():
    y = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    t = np.array([1, 0, 0, 0])
    for labels in (t, t[:, None], Variable(t), np.eye(2)[t]):
        found = F.accuracy(Variable(y), labels)
        assert isinstance(found, Variable) and found.shape == () and found.data == 0.75
    assert F.accuracy(y.reshape(2, 2, 2), t.reshape(2, 2)).data == 0.75
    assert F.accuracy(y, t).creator is None
    with pytest.raises(ValueError, match=r"need labels of shape \(4,\), not \(3,\)"):
        F.accuracy(y, t[:3])
    with pytest.raises(ValueError, match=r"need labels of shape \(2, 3\), not \(3, 2\)"):
        F.accuracy(np.zeros((2, 3, 4)), np.zeros((3, 2), int))


@pytest.mark.parametrize("y", [np.array(1.0), np.zeros((4, 1))])
def test_a_single_score_has_no_largest(y):
    with pytest.raises(ValueError, match=r"one for each class; for yes or no there is \(\(y > 0"):
        F.accuracy(y, np.zeros(y.shape[:1], int))


def test_flat_scores_are_one_example():
    assert F.accuracy(np.array([0.2, 0.8, 0.7]), 1).data == 1
    with pytest.raises(ValueError, match=r"need labels of shape \(\), not \(3,\)"):
        F.accuracy(np.array([0.2, 0.8, 0.7]), np.array([0, 1, 1]))


# --- the book's numbers -------------------------------------------------------------------------


def test_step_42_linear_regression():
    np.random.seed(0)
    x = np.random.rand(100, 1)
    y = 5 + 2 * x + np.random.rand(100, 1)
    for loss_of, predict in [
        (F.mean_squared_error_simple, lambda x, W, b: F.matmul(x, W) + b),
        (F.mean_squared_error, F.linear),
    ]:
        W, b = Variable(np.zeros((1, 1))), Variable(np.zeros(1))
        for _ in range(100):
            loss = loss_of(y, predict(x, W, b))
            W.cleargrad()
            b.cleargrad()
            loss.backward()
            W.data -= 0.1 * W.grad.data
            b.data -= 0.1 * b.grad.data
        np.testing.assert_allclose(W.data, [[2.11807369]], atol=1e-8)
        np.testing.assert_allclose(b.data, [5.46608905], atol=1e-8)
        np.testing.assert_allclose(loss.data, 0.07908606512411756, rtol=1e-12)


def test_step_43_sine_network():
    np.random.seed(0)
    x = np.random.rand(100, 1)
    t = np.sin(2 * np.pi * x) + np.random.rand(100, 1)
    W1, b1 = Variable(0.01 * np.random.randn(1, 10)), Variable(np.zeros(10))
    W2, b2 = Variable(0.01 * np.random.randn(10, 1)), Variable(np.zeros(1))
    losses = []
    for i in range(9001):
        loss = F.mean_squared_error(t, F.linear(F.sigmoid(F.linear(x, W1, b1)), W2, b2))
        if i % 1000 == 0:
            losses.append(float(loss))
        for p in (W1, b1, W2, b2):
            p.cleargrad()
        loss.backward()
        for p in (W1, b1, W2, b2):
            p.data -= 0.2 * p.grad.data
    assert np.isclose(losses[0], 0.8473695850105871, rtol=1e-12)
    assert np.isclose(losses[-1], 0.07722132399559319, rtol=1e-4)


def test_step_47_cross_entropy():
    np.random.seed(0)
    Ws = [np.random.randn(i, o).astype(np.float32) * np.sqrt(1 / i) for i, o in ((2, 10), (10, 3))]

    def model(x):
        return F.linear(F.sigmoid(F.linear(x, Ws[0])), Ws[1])

    y = model(np.array([[0.2, -0.4]]))
    np.testing.assert_allclose(y.data, [[-0.61505777, -0.42790161, 0.31733287]], atol=1e-6)
    p = F.softmax_simple(y)
    np.testing.assert_allclose(p.data, [[0.21068639, 0.25404893, 0.53526468]], atol=1e-6)
    y = model(np.array([[0.2, -0.4], [0.3, 0.5], [1.3, -3.2], [2.1, 0.3]]))
    t = np.array([2, 0, 1, 0])
    for loss in (F.softmax_cross_entropy(y, t), F.softmax_cross_entropy_simple(y, t)):
        np.testing.assert_allclose(loss.data, 1.4967442462341742, rtol=1e-6)


def test_under_no_grad_nothing_is_kept():
    x, t = Variable(numbers(4, 3)), labels(4, classes=3)
    with no_grad():
        assert F.softmax_cross_entropy(x, t).creator is None
        assert F.softmax_cross_entropy(x, t, label_smoothing=0.1).creator is None


def test_explain_has_words_for_the_loss():
    x = Variable(np.zeros((2, 3)), name="x")
    told = str(F.explain(F.softmax_cross_entropy, x, np.array([0, 1])))
    assert "gx = gy * (softmax(x) - 1 at the right class) / the number of labels" in told


@pytest.mark.parametrize(
    "f, said",
    [
        (F.gelu, ["gy * (the probability below x + x * the density at x)"]),
        (F.softmax, ["(gy - the sum of gy * y) * y"]),
        (F.log_softmax, ["gy - exp(y) * the sum of gy"]),
        (F.mean_squared_error, ["gy * 2 * (x - t) / the", "-gy * 2 * (x - t) / the"]),
        (F.mean_absolute_error, ["gy * sign(x - t) / the", "-gy * sign(x - t) / the"]),
        (F.huber, ["gy * clip(x - t, -delta, delta) / the", "-gy * clip(x - t, "]),
        (F.sigmoid_cross_entropy, ["gy * (sigmoid(x) - t) / the", "-gy * x / the number"]),
        (F.binary_cross_entropy, ["gy * (x - t) / (x * (1 - x)) / the", "gy * (log(1 - x) - log("]),
    ],
    ids=lambda f: getattr(f, "__name__", None),
)
def test_explain_speaks_of_no_helper(f, said):
    boxes = Variable(np.full((2, 3), 0.4), "x"), Variable(np.full((2, 3), 0.7), "t")
    told = str(F.explain(f, *boxes[: len(said)]))
    for name, formula in zip("xt", said):
        assert f"g{name} = {formula}" in told
    assert not re.search(r"difference|examples\(|class_axis|self\.|\.backward", told)


def test_probabilities_that_are_negative_are_refused():
    scores, wrong = Variable(np.zeros((1, 3))), np.array([[-1.0, 1.0, 1.0]])
    for t in (wrong, Variable(wrong)):
        with pytest.raises(ValueError, match="probabilities, and one of them is negative"):
            F.softmax_cross_entropy(scores, t)
    assert F.softmax_cross_entropy(scores, np.abs(wrong) / 3).data == pytest.approx(np.log(3))


@pytest.mark.parametrize("loss", [F.mean_squared_error, F.mean_absolute_error, F.huber])
def test_a_mean_of_float16_fits_where_the_sum_does_not(loss):
    large = loss(Variable(np.full(1000, 100, np.float16)), np.zeros(1000, np.float16))
    many = loss(Variable(np.ones(70_000, np.float16)), 0.0)
    for found, want in ((large, loss(Variable(100.0), 0.0)), (many, loss(Variable(1.0), 0.0))):
        assert found.dtype == np.float16
        np.testing.assert_allclose(found.data, want.data, rtol=2e-3)


# --- what becomes of the losses: reductions and weights -----------------------------------------

REDUCTIONS = ["mean", "sum", "none"]


def assert_as_torch(mine, theirs, *arrays):
    """Value, gradients, and the gradient of the gradients, each of them weighed."""
    import torch

    rng = np.random.default_rng(9)
    xs, ts = map(Variable, arrays), [torch.tensor(a, requires_grad=True) for a in arrays]
    xs = list(xs)
    y, z = mine(*xs), theirs(*ts)
    np.testing.assert_allclose(y.data, z.numpy(force=True), rtol=1e-11, atol=1e-14)
    gy, weights = rng.normal(size=y.shape), [rng.normal(size=a.shape) for a in arrays]
    gxs = grad(y, xs, gy, create_graph=True)
    gts = torch.autograd.grad(z, ts, torch.tensor(gy), create_graph=True)
    for gx, gt in zip(gxs, gts):
        np.testing.assert_allclose(gx.data, gt.numpy(force=True), rtol=1e-11, atol=1e-13)
    total = sum((gx * w).sum() for gx, w in zip(gxs, weights))
    twin = sum((gt * torch.tensor(w)).sum() for gt, w in zip(gts, weights))
    if not twin.requires_grad:
        return
    for gx, gt in zip(grad(total, xs), torch.autograd.grad(twin, ts, allow_unused=True)):
        want = 0 if gt is None else gt.numpy(force=True)
        np.testing.assert_allclose(gx.data, want, rtol=1e-9, atol=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    "f, name",
    [(F.mean_squared_error, "mse"), (F.mean_absolute_error, "l1"), (F.huber, "huber")],
    ids=lambda f: f if isinstance(f, str) else "",
)
def test_reductions_as_torch(f, name, reduction):
    import torch

    twin = getattr(torch.nn.functional, f"{name}_loss")
    x, t = numbers(4, 3) * 2, numbers(4, 3, seed=1)
    assert_as_torch(
        lambda x, t: f(x, t, reduction=reduction),
        lambda x, t: twin(x, t, reduction=reduction),
        x,
        t,
    )


@pytest.mark.torch
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, (4, 3), (3,), ()], ids=str)
def test_binary_losses_with_weights_as_torch(weight, reduction):
    import torch

    draw = np.random.default_rng(3).uniform
    x, p, t = numbers(4, 3) * 4, draw(0.1, 0.9, (4, 3)), draw(0, 1, (4, 3))
    w = None if weight is None else draw(0.5, 2, weight)
    tw = None if w is None else torch.tensor(w)

    def in_torch(p, t):  # torch's own adds 1e-12 in the second derivative
        losses = -(t * p.log() + (1 - t) * (1 - p).log()) * (1 if tw is None else tw)
        return losses if reduction == "none" else getattr(losses, reduction)()

    assert_as_torch(lambda p, t: F.binary_cross_entropy(p, t, w, reduction), in_torch, p, t)
    twin = torch.nn.functional.binary_cross_entropy_with_logits
    for yes in (None, np.array([0.5, 2.0, 3.0])):
        by = None if yes is None else torch.tensor(yes)
        assert_as_torch(
            lambda x, t, yes=yes: F.sigmoid_cross_entropy(x, t, w, yes, reduction),
            lambda x, t, by=by: twin(x, t, tw, reduction=reduction, pos_weight=by),
            *(x, t),
        )


@pytest.mark.torch
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, np.array([0.5, 2.0, 0.0])], ids=["plain", "weights"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 4), (2, 3, 2, 2)], ids=str)
def test_classes_on_axis_1_with_weights_as_torch(shape, smoothing, weight, reduction):
    import torch

    def ours(x, t):
        return F.softmax_cross_entropy(
            x, t, label_smoothing=smoothing, axis=1, weight=weight, reduction=reduction
        )

    def theirs(x, t):
        f, by = torch.nn.functional, None if weight is None else torch.tensor(weight)
        return f.cross_entropy(x, t, by, label_smoothing=smoothing, reduction=reduction)

    x, t = numbers(*shape), labels(shape[0], *shape[2:], classes=3)
    marked = np.where(np.arange(t.size).reshape(t.shape) % 3 == 1, -100, t)
    assert_as_torch(lambda x: ours(x, t), lambda x: theirs(x, torch.tensor(t)), x)
    assert_as_torch(lambda x: ours(x, marked), lambda x: theirs(x, torch.tensor(marked)), x)
    shares = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    assert_as_torch(ours, theirs, x, shares)
    if smoothing == 0:
        assert_as_torch(
            lambda x: F.nll_loss(x, marked, reduction, weight=weight, axis=1),
            lambda x: torch.nn.functional.nll_loss(
                x,
                torch.tensor(marked),
                None if weight is None else torch.tensor(weight),
                reduction=reduction,
            ),
            F.log_softmax(x, 1).data,
        )


def test_batchmean_is_what_was_published():
    x0, x1 = np.zeros((2, 3)), np.full((2, 3), 3.0)
    for f in REGRESSION[:3]:
        assert f(x0, x1, reduction="batchmean").data == f(x0, x1).data
        assert f(x0, x1, reduction="mean").data == f(x0, x1).data / 3
        assert f(x0[:0], x1[:0], reduction="mean").data == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_weights_and_reductions_keep_the_dtype(dtype):
    x, t, w = Variable(numbers(4, 3, dtype=dtype)), labels(4, classes=3), np.array([1.0, 2, 3])
    yes = np.eye(3)[t]
    for reduction in REDUCTIONS:
        for loss in (
            F.mean_squared_error(x, yes, reduction),
            F.softmax_cross_entropy(x, t, weight=w, reduction=reduction),
            F.softmax_cross_entropy(x, t, label_smoothing=0.1, weight=w, reduction=reduction),
            F.nll_loss(x, t, reduction, weight=w),
            F.sigmoid_cross_entropy(x, yes, w, w, reduction),
            F.binary_cross_entropy(F.sigmoid(x), yes, w, reduction),
        ):
            gx = grad(loss, x, create_graph=True)
            assert loss.dtype == gx.dtype == grad(gx, x).dtype == dtype
            assert loss.shape == (() if reduction != "none" else loss.shape)


def test_float16_may_be_reduced_beyond_its_largest_number():
    x = Variable(np.full(3000, 100.0, np.float16))
    assert F.mean_absolute_error(x, 0.0, "mean").data == 100
    assert F.smooth_l1_loss(x, np.zeros(3000, np.float16)).data == 99.5


def test_an_impossible_class_does_not_spoil_a_weighed_loss():
    x = np.array([[-np.inf, 0.0, 0.0], [0.0, 0.0, 0.0]])
    loss = F.softmax_cross_entropy(x, np.array([1, 0]), weight=np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(loss.data, (2 * np.log(2) + np.log(3)) / 3)
    assert np.isfinite(slope(lambda x: F.nll_loss(x, np.array([1, 0])), x)).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x, t: F.mean_squared_error(x, x, "max"), "reduction is 'batchmean', 'mean', 'sum'"),
        (lambda x, t: F.huber(x, x, reduction=3), "or 'none', not 3"),
        (lambda x, t: F.softmax_cross_entropy(x, t, reduction="batchmean"), "reduction is 'mean'"),
        (lambda x, t: F.sigmoid_cross_entropy(x, x > 0, reduction="a"), "reduction is"),
        (lambda x, t: F.sigmoid_cross_entropy(x, x > 0, 2.0, reduction="a"), "reduction is"),
        (lambda x, t: F.softmax_cross_entropy(x, t, weight=np.ones(2)), "each of the 3 classes"),
        (lambda x, t: F.softmax_cross_entropy(x, t, weight=-np.ones(3)), "none of them negative"),
        (lambda x, t: F.softmax_cross_entropy(x, t, axis=2), "have no axis 2"),
        (lambda x, t: F.softmax_cross_entropy(x, t, axis=1.5), "axis is a whole number"),
        (lambda x, t: F.softmax_cross_entropy(x.reshape(1, 3, 2)[:, :, [0, 1, 1, 1]],
                                              np.zeros((1, 4), int)), "write axis=1"),
    ],
)  # fmt: skip
def test_options_without_meaning_are_told(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(numbers(2, 3), labels(2, classes=3))
